//! package.json, as the root of a project needs it.
//!
//! Tolerant of what an installer does not use: unknown fields, and known ones of a shape that npm ignores too. Maps are
//! ordered, so nothing downstream depends on the order in which people write their dependencies.

pub mod edit;
mod error;

pub use self::error::ManifestError;

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
    /// `overrides`, then `pnpm.overrides` over it: selector → range. Nested objects become `parent>child`.
    #[serde(skip)]
    pub overrides: BTreeMap<String, String>,
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

/// One thing that the project asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedDependency {
    /// The range, tag or alias, with the project's overrides applied.
    pub specifier: String,
    /// Where it stands in package.json.
    pub kind: DependencyKind,
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
        let overrides: Overrides = serde_json::from_slice(bytes).map_err(syntax)?;
        for object in [overrides.overrides, overrides.pnpm.get("overrides").cloned().unwrap_or_default()] {
            flatten_overrides("", &object, &mut manifest.overrides);
        }
        manifest.resolve_override_references();
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

    /// What to install: name under node_modules → what is asked for. A name in more than one map counts where an
    /// installer looks first: optional, then production, then development, then peer, as pnpm does it.
    pub fn wanted(&self) -> BTreeMap<String, WantedDependency> {
        let maps = [
            (&self.optional_dependencies, DependencyKind::Optional),
            (&self.dependencies, DependencyKind::Production),
            (&self.dev_dependencies, DependencyKind::Development),
            (&self.peer_dependencies, DependencyKind::Production),
        ];
        let mut wanted = BTreeMap::new();
        for (map, kind) in maps {
            for (name, specifier) in map {
                let specifier = self.overrides.get(name).unwrap_or(specifier).clone();
                wanted.entry(name.clone()).or_insert(WantedDependency { specifier, kind });
            }
        }
        wanted
    }

    /// Replaces an override `$name` by what the project itself asks for under that name (npm's notation).
    fn resolve_override_references(&mut self) {
        for range in self.overrides.values_mut() {
            let Some(name) = range.strip_prefix('$') else { continue };
            let maps = [&self.dependencies, &self.optional_dependencies, &self.dev_dependencies];
            if let Some(direct) = maps.iter().find_map(|map| map.get(name)) {
                *range = direct.clone();
            }
        }
    }
}

/// The two places where package.json can hold overrides.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Overrides {
    overrides: Value,
    pnpm: Value,
}

fn flatten_overrides(parent: &str, value: &Value, into: &mut BTreeMap<String, String>) {
    let Some(object) = value.as_object() else { return };
    for (name, value) in object {
        let selector = match (parent, name.as_str()) {
            (parent, ".") => parent.to_owned(),
            ("", name) => name.to_owned(),
            (parent, name) => format!("{parent}>{name}"),
        };
        match value.as_str() {
            Some(range) => drop(into.insert(selector, range.to_owned())),
            None => flatten_overrides(&selector, value, into),
        }
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
    fn a_name_counts_once_and_overrides_apply() {
        let manifest = parse(
            r#"{"dependencies":{"a":"1","b":"1"},"devDependencies":{"a":"2","c":"^1"},"optionalDependencies":{"b":"2"},
                "peerDependencies":{"c":"9","d":"4"},"pnpm":{"overrides":{"c":"7"}},"overrides":{"x":{".":"1","y":"$a"}}}"#,
        );
        let wanted: Vec<_> =
            manifest.wanted().into_iter().map(|(name, wanted)| (name, wanted.specifier, wanted.kind)).collect();
        let expected = [
            ("a", "1", DependencyKind::Production),
            ("b", "2", DependencyKind::Optional),
            ("c", "7", DependencyKind::Development),
            ("d", "4", DependencyKind::Production),
        ];
        assert_eq!(wanted, expected.map(|(name, range, kind)| (name.to_owned(), range.to_owned(), kind)));
        assert_eq!(manifest.overrides["x>y"], "1");
        assert_eq!(manifest.overrides["x"], "1");
    }

    #[test]
    fn a_syntax_error_names_file_line_and_column() {
        let error = Manifest::parse(b"{\n  \"name\": \"x\",\n}", Path::new("a/package.json")).unwrap_err();
        assert_eq!(error.to_string(), "a/package.json is not valid JSON: line 3, column 1");
    }
}
