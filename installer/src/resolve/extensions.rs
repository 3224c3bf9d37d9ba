//! What packages' manifests lack: what is known of the registry's packages, and what a project says.

use crate::config::PackageExtension;
use crate::range;
use deno_semver::{Version, VersionReq};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// The data of @yarnpkg/extensions, which pnpm takes as well; its licence is beside it. And what pnpm 12 knows besides.
const KNOWN_FILES: [&str; 2] =
    [include_str!("compatibility/yarn-extensions.json"), include_str!("compatibility/more-extensions.json")];

static KNOWN: LazyLock<Extensions> = LazyLock::new(|| {
    let read = |file| -> Vec<(&str, PackageExtension)> {
        serde_json::from_str(file).expect("the file is right: a test reads it")
    };
    Extensions::new(KNOWN_FILES.into_iter().flat_map(read))
});

/// Package name → a range of its versions, where there is one, and what their manifests lack.
#[derive(Debug, Clone, Default)]
pub(super) struct Extensions(BTreeMap<String, Vec<(Option<VersionReq>, PackageExtension)>>);

impl Extensions {
    /// By selectors: `name` or `name@range`.
    pub fn new<'a>(extensions: impl IntoIterator<Item = (&'a str, PackageExtension)>) -> Extensions {
        let mut by_name: BTreeMap<String, Vec<_>> = BTreeMap::new();
        for (selector, extension) in extensions {
            let (name, range) = match selector.rfind('@') {
                Some(at) if at > 0 => (&selector[..at], range::parse(&selector[at + 1..])),
                _ => (selector, None),
            };
            by_name.entry(name.to_owned()).or_default().push((range, extension));
        }
        Extensions(by_name)
    }

    /// What is known of the registry's packages.
    pub fn known() -> &'static Extensions {
        &KNOWN
    }

    /// Whether some version of this package lacks something.
    pub fn concern(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Adds to a version's manifest what it lacks; what it has stays.
    pub fn apply(&self, name: &str, version: &Version, manifest: &mut Value) {
        for (range, extension) in self.0.get(name).into_iter().flatten() {
            if range.as_ref().is_none_or(|range| range.matches(version)) {
                extend(manifest, extension);
            }
        }
    }
}

fn extend(manifest: &mut Value, extension: &PackageExtension) {
    let texts = |map: &BTreeMap<String, String>| -> Vec<(String, Value)> {
        map.iter().map(|(name, range)| (name.clone(), Value::String(range.clone()))).collect()
    };
    let meta = extension.peer_dependencies_meta.iter().map(|(name, meta)| (name.clone(), meta.clone()));
    let kinds = [
        ("dependencies", texts(&extension.dependencies)),
        ("optionalDependencies", texts(&extension.optional_dependencies)),
        ("peerDependencies", texts(&extension.peer_dependencies)),
        ("peerDependenciesMeta", meta.collect()),
    ];
    for (kind, entries) in kinds.into_iter().filter(|(_, entries)| !entries.is_empty()) {
        if !manifest[kind].is_object() {
            manifest[kind] = Value::Object(Map::new());
        }
        let object = manifest[kind].as_object_mut().expect("made an object above");
        for (name, value) in entries {
            object.entry(name).or_insert(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn extended(name: &str, version: &str) -> Value {
        let mut manifest = json!({ "dependencies": { "ms": "2.0.0" } });
        Extensions::known().apply(name, &Version::parse_from_npm(version).unwrap(), &mut manifest);
        manifest
    }

    #[test]
    fn what_is_known_of_a_version_is_added() {
        assert!(Extensions::known().0.len() > 100);
        let old = extended("debug", "2.6.9");
        assert_eq!(old["peerDependenciesMeta"]["supports-color"]["optional"], true);
        assert_eq!(old["dependencies"]["ms"], "2.0.0");
        let new = extended("debug", "4.4.3");
        assert!(new["peerDependenciesMeta"].is_null(), "that one says so itself");
        assert_eq!(extended("@angular/build", "18.2.21")["dependencies"]["tslib"], "^2.3.0");
    }
}
