//! Directories that projects use where they are: what stands there may be the peer of a package.

use super::foreign::ForeignPackages;
use crate::package_name;
use crate::workspace::{ImporterId, Target, Workspace, join};
use deno_semver::Version;
use serde_json::Value;
use std::collections::BTreeMap;

/// What a lockfile's reference to a directory begins with.
const LINK: &str = "link:";

/// What stands in a directory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct LinkedPackage {
    /// What it calls itself, if it does.
    pub name: Option<String>,
    pub version: Option<Version>,
}

/// By their paths from the lockfile.
pub(super) type LinkedPackages = BTreeMap<String, LinkedPackage>;

/// What a lockfile has in place of the dep path of a directory.
pub(super) fn reference_to_directory(path: &str) -> String {
    format!("{LINK}{path}")
}

/// Whether a lockfile's reference leads to a directory that is used where it is.
pub(super) fn is_directory(reference: &str) -> bool {
    reference.starts_with(LINK)
}

/// What stands in the directories that the projects link to.
pub(super) async fn linked_packages(workspace: &Workspace, foreign: &dyn ForeignPackages) -> LinkedPackages {
    let mut linked = LinkedPackages::new();
    for (id, member) in &workspace.members {
        for wanted in member.wanted.values() {
            let Target::Link { path } = &wanted.target else { continue };
            let path = path_from_root(id, path);
            if linked.contains_key(&path) {
                continue;
            }
            let package = match workspace.members.get(&path) {
                Some(member) => LinkedPackage::new(member.manifest.name.as_deref(), member.manifest.version.as_deref()),
                None => LinkedPackage::of_manifest(&foreign.manifest_in(&path).await),
            };
            linked.insert(path, package);
        }
    }
    linked
}

/// The way from the lockfile to what a project links to.
pub(super) fn path_from_root(importer: &ImporterId, path: &str) -> String {
    if path.starts_with('/') { path.to_owned() } else { join(importer, path) }
}

impl LinkedPackage {
    fn of_manifest(manifest: &Value) -> Self {
        LinkedPackage::new(manifest["name"].as_str(), manifest["version"].as_str())
    }

    fn new(name: Option<&str>, version: Option<&str>) -> Self {
        let name = name.filter(|name| package_name::check(name, String::new).is_ok());
        let version = version.and_then(|version| Version::parse_from_npm(version).ok());
        LinkedPackage { name: name.map(ToOwned::to_owned), version }
    }
}

/// How a peer that is a directory is called in the dep path of whoever has it: pnpm's rule, by which two paths may come to the
/// same. `None` for what is no directory.
pub(super) fn peer_name(alias: &str, dep_path: &str) -> Option<String> {
    let path = dep_path.strip_prefix(LINK)?;
    let is_replaced = |c: char| c.is_control() || r#""*+/:<>?\|"#.contains(c);
    let parts: Vec<&str> = path.trim_start_matches('.').split(is_replaced).filter(|part| !part.is_empty()).collect();
    let name = parts.join("+");
    let name = name.trim_end_matches(['+', '.']);
    Some(format!("{alias}@{}", if name.is_empty() { "+" } else { name }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_that_are_directories_are_called_as_in_pnpm() {
        for (path, name) in [
            ("packages/react", "p@packages+react"),
            ("../out", "p@out"),
            ("../../a/.b/re.act", "p@..+a+.b+re.act"),
            ("packages/app/sub/re.act", "p@packages+app+sub+re.act"),
            (".", "p@+"),
        ] {
            assert_eq!(peer_name("p", &format!("link:{path}")).as_deref(), Some(name), "{path}");
        }
        assert_eq!(peer_name("p", "p@1.0.0"), None);
    }
}
