//! package.json, as the root of a project needs it.
//!
//! Tolerant of what an installer does not use: unknown fields, and known ones of a shape that npm ignores too. Maps are
//! sorted; the order in which people write their dependencies is kept beside them.

pub mod edit;
mod error;
mod name_order;

pub use self::error::ManifestError;
pub use self::name_order::NameOrder;

use crate::rt;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io;
use std::path::Path;

/// A project's package.json.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Manifest {
    /// The project's name, if it has one.
    #[serde(deserialize_with = "text")]
    pub name: Option<String>,
    /// The project's version, if it has one.
    #[serde(deserialize_with = "text")]
    pub version: Option<String>,
    /// Name under node_modules → range, tag or alias.
    #[serde(deserialize_with = "texts")]
    pub dependencies: BTreeMap<String, String>,
    /// As `dependencies`, for development only.
    #[serde(deserialize_with = "texts")]
    pub dev_dependencies: BTreeMap<String, String>,
    /// As `dependencies`, for what the project works without.
    #[serde(deserialize_with = "texts")]
    pub optional_dependencies: BTreeMap<String, String>,
    /// Peers of the project itself; installed like `dependencies` unless another map has the same name.
    #[serde(deserialize_with = "texts")]
    pub peer_dependencies: BTreeMap<String, String>,
    /// What the project says of its peers: name → whether it is optional.
    #[serde(deserialize_with = "optional_peers")]
    pub peer_dependencies_meta: BTreeMap<String, bool>,
    /// `engines`: name → range.
    #[serde(deserialize_with = "texts")]
    pub engines: BTreeMap<String, String>,
    /// `packageManager`, `pnpm@10.1.0`.
    #[serde(deserialize_with = "text")]
    pub package_manager: Option<String>,
    /// Command name → path; the empty name stands for the package's own.
    #[serde(deserialize_with = "commands")]
    pub bin: BTreeMap<String, String>,
    /// Settings that pnpm reads from pnpm-workspace.yaml and not from here: `pnpm.overrides`, `overrides`. Sorted.
    #[serde(skip)]
    pub misplaced_settings: Vec<String>,
    /// The names of the dependencies as they stand in the file.
    #[serde(skip)]
    pub name_order: NameOrder,
}

/// Which map of package.json a dependency comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DependencyKind {
    /// `dependencies`, and `peerDependencies` of the project.
    Production,
    /// `devDependencies`.
    Development,
    /// `optionalDependencies`.
    Optional,
}

impl Manifest {
    /// Reads `bytes`; `path` is only for the message of an error.
    ///
    /// # Errors
    /// [`ManifestError::Syntax`] when it is no JSON object, with the place.
    pub fn parse(bytes: &[u8], path: &Path) -> Result<Manifest, ManifestError> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let syntax = |error| ManifestError::syntax(path, bytes, error);
        let mut manifest: Manifest = serde_json::from_slice(bytes).map_err(syntax)?;
        let misplaced: Misplaced = serde_json::from_slice(bytes).map_err(syntax)?;
        manifest.misplaced_settings = misplaced.names();
        manifest.name_order = NameOrder::parse(bytes);
        Ok(manifest)
    }

    /// Reads the file, and gives its bytes too; blocks.
    ///
    /// # Errors
    /// When there is no such file, when it cannot be read, and as [`parse`](Self::parse).
    pub fn read(path: &Path) -> Result<(Manifest, Vec<u8>), ManifestError> {
        match rt::fs::read(path) {
            Ok(bytes) => Ok((Manifest::parse(&bytes, path)?, bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(ManifestError::Missing { path: path.to_owned() })
            }
            Err(source) => Err(ManifestError::Unreadable { path: path.to_owned(), source }),
        }
    }

    /// What the project asks for under this name.
    pub fn asked_for(&self, name: &str) -> Option<&str> {
        let maps = [&self.dependencies, &self.optional_dependencies, &self.dev_dependencies];
        maps.iter().find_map(|map| map.get(name)).map(String::as_str)
    }
}

/// The places where older versions of pnpm, and npm, have settings of the project.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Misplaced {
    overrides: Value,
    pnpm: Value,
}

impl Misplaced {
    fn names(&self) -> Vec<String> {
        let filled = |value: &Value| value.as_object().is_some_and(|object| !object.is_empty());
        let overrides = filled(&self.overrides).then(|| "overrides".to_owned());
        // These say which packages may build, and are heard in both places.
        let heard = ["allowBuilds", "ignoredBuiltDependencies", "neverBuiltDependencies", "onlyBuiltDependencies"];
        let settings = self.pnpm.as_object().into_iter().flatten().map(|(name, _)| name);
        let settings = settings.filter(|name| !heard.contains(&name.as_str())).map(|name| format!("pnpm.{name}"));
        let mut names: Vec<_> = overrides.into_iter().chain(settings).collect();
        names.sort();
        names
    }
}

fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Value::deserialize(deserializer)?.as_str().map(ToOwned::to_owned))
}

fn texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    Ok(texts_of(&Value::deserialize(deserializer)?))
}

/// The entries of an object whose values are text; nothing for any other value.
pub(crate) fn texts_of(value: &Value) -> BTreeMap<String, String> {
    let entries = value.as_object().into_iter().flatten();
    entries.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
}

fn commands<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    Ok(match value.as_str() {
        Some(path) => BTreeMap::from([(String::new(), path.to_owned())]),
        None => texts_of(&value),
    })
}

fn optional_peers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, bool>, D::Error> {
    Ok(optional_peers_of(&Value::deserialize(deserializer)?))
}

/// `peerDependenciesMeta`: name → whether it is optional.
pub(crate) fn optional_peers_of(value: &Value) -> BTreeMap<String, bool> {
    let entries = value.as_object().into_iter().flatten();
    entries.map(|(name, meta)| (name.clone(), meta.get("optional").and_then(Value::as_bool) == Some(true))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Manifest {
        Manifest::parse(text.as_bytes(), Path::new("package.json")).unwrap()
    }

    #[test]
    fn unknown_fields_and_odd_shapes_are_tolerated() {
        let manifest =
            parse(r#"{"name":"x","private":true,"dependencies":[],"bin":"cli.js","engines":{"node":">=18","n":1}}"#);
        assert_eq!(manifest.name.as_deref(), Some("x"));
        assert!(manifest.dependencies.is_empty());
        assert_eq!(manifest.bin[""], "cli.js");
        assert_eq!(manifest.engines, BTreeMap::from([("node".to_owned(), ">=18".to_owned())]));
    }

    #[test]
    fn settings_that_belong_elsewhere_are_noticed() {
        let manifest = parse(r#"{"overrides":{"a":"1"},"pnpm":{"overrides":{},"fooBar":[],"allowBuilds":{}}}"#);
        assert_eq!(manifest.misplaced_settings, ["overrides", "pnpm.fooBar", "pnpm.overrides"]);
        assert_eq!(parse(r#"{"overrides":{},"pnpm":null}"#).misplaced_settings, [""; 0]);
    }

    #[test]
    fn a_syntax_error_names_file_line_and_column() {
        let error = Manifest::parse(b"{\n  \"name\": \"x\",\n}", Path::new("a/package.json")).unwrap_err();
        assert_eq!(error.to_string(), "a/package.json is not valid JSON: line 3, column 1");
    }
}
