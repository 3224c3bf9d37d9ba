//! The words that every stage shares: which package, and what its manifest says that an installer needs.

use crate::rt::{self, FileKind};
use crate::store::PackageFiles;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::Path;

/// A published package: its real name (never an alias) and its exact version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PackageId {
    /// `react`, `@babel/core`.
    pub name: String,
    /// An exact version, `18.3.1`.
    pub version: String,
}

impl PackageId {
    /// A package by its name and exact version.
    pub fn new(name: impl Into<String>, version: impl Into<String>) -> Self {
        PackageId { name: name.into(), version: version.into() }
    }
}

/// As text, `name@version`.
impl Serialize for PackageId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for PackageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.name, self.version)
    }
}

/// What a package's own package.json says that matters after extraction.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BundledManifest {
    /// The name in the tarball's package.json.
    pub name: String,
    /// The version in the tarball's package.json.
    pub version: String,
    /// Command name → path inside the package, normalised: `bin` as text, as a map, or `directories.bin`.
    pub bin: BTreeMap<String, String>,
    /// Whether it has a preinstall, install or postinstall script, or a binding.gyp without an install script.
    pub has_build_script: bool,
    /// The script that makes what is published, where this is the archive of a repository and was not made so.
    pub made_by: Option<String>,
}

impl BundledManifest {
    /// Reads a package's own package.json; fields of a shape that npm does not know are passed over, as npm does.
    pub fn parse(package_json: &[u8], files: &PackageFiles) -> Self {
        let text = package_json.strip_prefix(b"\xef\xbb\xbf").unwrap_or(package_json);
        let json: Value = serde_json::from_slice(text).unwrap_or_default();
        let string = |field: &str| json[field].as_str().unwrap_or_default().to_owned();
        let name = string("name");
        let scripts = &json["scripts"];
        let has_script = |script: &str| scripts[script].as_str().is_some_and(|command| !command.is_empty());
        let runs_gyp = files.contains_key("binding.gyp") && !has_script("preinstall") && json["gypfile"] != false;
        BundledManifest {
            bin: commands(&name, &json, files),
            has_build_script: ["preinstall", "install", "postinstall"].into_iter().any(has_script) || runs_gyp,
            version: string("version"),
            made_by: None,
            name,
        }
    }

    /// `name@version`, for people.
    pub fn label(&self) -> String {
        format!("{}@{}", self.name, self.version)
    }

    /// Whether this can be the manifest of `package`. A lockfile that gives one package the integrity of another must not
    /// get that other package from the store. As pnpm compares: what the manifest does not say, it does not contradict.
    pub fn may_be_of(&self, package: &PackageId) -> bool {
        let (own, wanted) = (published_version(&self.version), published_version(&package.version));
        (self.name.is_empty() || self.name.eq_ignore_ascii_case(&package.name)) && (own.is_empty() || own == wanted)
    }
}

/// Directories that are never part of a package.
const NEVER_PACKED: [&str; 3] = ["node_modules", ".git", ".svn"];

/// The files of a directory that is used as a package, relative to it with forward slashes; blocks.
///
/// # Errors
/// When the disk refuses.
pub fn files_of_directory(dir: &Path) -> io::Result<Vec<String>> {
    let mut files = Vec::new();
    let mut pending = vec![String::new()];
    while let Some(below) = pending.pop() {
        for name in rt::fs::read_dir(&dir.join(&below))? {
            let path = if below.is_empty() { name.clone() } else { format!("{below}/{name}") };
            match rt::fs::kind(&dir.join(&path))? {
                FileKind::Directory if NEVER_PACKED.contains(&name.as_str()) => {}
                FileKind::Directory => pending.push(path),
                FileKind::File => files.push(path),
                FileKind::Symlink => {}
            }
        }
    }
    files.sort();
    Ok(files)
}

/// A version without what registries drop from it: `v1.0.0+build` is `1.0.0`.
fn published_version(version: &str) -> &str {
    let version = version.trim().trim_start_matches(['v', '=']);
    version.split_once('+').map_or(version, |(version, _)| version)
}

/// The commands of a package: `bin` as one path or as a map, else every file of `directories.bin`.
fn commands(name: &str, json: &Value, files: &PackageFiles) -> BTreeMap<String, String> {
    let command = |name: &str, path: &str| {
        let name = name.rsplit('/').next().unwrap_or(name);
        let path = normalise(path)?;
        let forbidden = |character: char| character.is_control() || matches!(character, '\\' | ':');
        let safe = !name.is_empty() && !name.starts_with('.') && !name.contains(forbidden);
        safe.then(|| (name.to_owned(), path))
    };
    match (&json["bin"], json["directories"]["bin"].as_str()) {
        (Value::String(path), _) => command(name, path).into_iter().collect(),
        (Value::Object(bin), _) => bin.iter().filter_map(|(name, path)| command(name, path.as_str()?)).collect(),
        (_, Some(directory)) => {
            let Some(prefix) = normalise(directory).map(|directory| format!("{directory}/")) else {
                return BTreeMap::new();
            };
            files.keys().filter_map(|path| command(path.strip_prefix(&prefix)?, path)).collect()
        }
        _ => BTreeMap::new(),
    }
}

/// A path inside the package without `.` components; `None` where it leaves the package.
fn normalise(path: &str) -> Option<String> {
    let components: Vec<_> = path.split('/').filter(|component| !matches!(*component, "" | ".")).collect();
    let inside =
        !components.is_empty() && components.iter().all(|component| *component != "..") && !path.contains('\\');
    inside.then(|| components.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{StoredFile, digest};

    fn files(paths: &[&str]) -> PackageFiles {
        let file = StoredFile { digest: digest(b""), executable: false, size: 0 };
        paths.iter().map(|path| (path.to_string(), file.clone())).collect()
    }

    fn bin(json: &str, paths: &[&str]) -> Vec<(String, String)> {
        BundledManifest::parse(json.as_bytes(), &files(paths)).bin.into_iter().collect()
    }

    #[test]
    fn commands_in_all_their_forms() {
        let pair = |name: &str, path: &str| (name.to_owned(), path.to_owned());
        assert_eq!(bin(r#"{"name":"@s/tool","bin":"./cli.js"}"#, &[]), [pair("tool", "cli.js")]);
        assert_eq!(
            bin(r#"{"name":"a","bin":{"x":"bin/x","y":"./y.js"}}"#, &[]),
            [pair("x", "bin/x"), pair("y", "y.js")]
        );
        assert_eq!(bin(r#"{"directories":{"bin":"./b"}}"#, &["b/one", "lib/two"]), [pair("one", "b/one")]);
    }

    #[test]
    fn commands_that_would_leave_the_package_are_passed_over() {
        assert_eq!(bin(r#"{"name":"a","bin":{"x":"../../x","..":"y",".bashrc":"z"}}"#, &[]), []);
        assert_eq!(bin("no json", &[]), []);
    }

    #[test]
    fn a_manifest_belongs_to_its_package_only() {
        let manifest = |name: &str, version: &str| BundledManifest {
            name: name.to_owned(),
            version: version.to_owned(),
            ..BundledManifest::default()
        };
        let package = PackageId::new("JSONStream", "1.0.0");
        assert!(manifest("jsonstream", "v1.0.0+build").may_be_of(&package));
        assert!(manifest("", "").may_be_of(&package));
        assert!(!manifest("JSONStream", "1.0.1").may_be_of(&package));
        assert!(!manifest("other", "1.0.0").may_be_of(&package));
    }

    #[test]
    fn build_scripts_are_noticed() {
        let parse =
            |json: &str, paths: &[&str]| BundledManifest::parse(json.as_bytes(), &files(paths)).has_build_script;
        assert!(parse(r#"{"scripts":{"postinstall":"node x"}}"#, &[]));
        assert!(parse("{}", &["binding.gyp"]));
        assert!(!parse(r#"{"scripts":{"test":"x"}}"#, &[]));
    }
}
