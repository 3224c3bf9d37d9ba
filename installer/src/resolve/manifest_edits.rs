//! What packages' manifests are taken to say, where the project's settings say otherwise than the registry.
//!
//! The edits happen on the packument's JSON, before anybody reads it: the solver, the lockfile and the prefetcher see
//! the same manifests. A packument that no edit can concern is left alone, and stays as cheap to read as it was.

use super::specifier::target_of;
use crate::config::{NamePatterns, PackageExtension};
use crate::workspace::{Overrides, REMOVED, Workspace};
use deno_semver::{Version, VersionReq};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// See the module.
#[derive(Debug, Clone, Default)]
pub(super) struct ManifestEdits {
    overrides: Overrides,
    /// Package name → a range of its versions, where there is one, and what their manifests lack.
    extensions: BTreeMap<String, Vec<(Option<VersionReq>, PackageExtension)>>,
    ignored_optional: NamePatterns,
    /// Whether peers that nobody asked for are left out.
    leave_peers_out: bool,
}

impl ManifestEdits {
    pub fn of(workspace: &Workspace) -> ManifestEdits {
        let mut extensions: BTreeMap<String, Vec<_>> = BTreeMap::new();
        for (selector, extension) in &workspace.settings.package_extensions {
            let (name, range) = match selector.rfind('@') {
                Some(at) if at > 0 => (&selector[..at], VersionReq::parse_from_npm(&selector[at + 1..]).ok()),
                _ => (selector.as_str(), None),
            };
            extensions.entry(name.to_owned()).or_default().push((range, extension.clone()));
        }
        ManifestEdits {
            extensions,
            ignored_optional: workspace.settings.ignored_optional_dependencies.clone(),
            overrides: workspace.overrides.clone(),
            leave_peers_out: !workspace.settings.auto_install_peers,
        }
    }

    /// Whether some version in a packument may look different: a cheap test that errs on the side of yes.
    pub fn may_concern(&self, name: &str, packument: &str) -> bool {
        let optional =
            self.ignored_optional != NamePatterns::default() && packument.contains("\"optionalDependencies\"");
        optional
            || self.extensions.contains_key(name)
            || self.overrides.names().any(|name| packument.contains(&format!("\"{name}\"")))
    }

    /// Whether the solver does not have to come up with peers that are missing.
    pub fn leave_peers_out(&self) -> bool {
        self.leave_peers_out
    }

    /// Makes a version's manifest say what it is taken to say.
    pub fn apply(&self, name: &str, version: &Version, manifest: &mut Value) {
        for (range, extension) in self.extensions.get(name).into_iter().flatten() {
            if range.as_ref().is_none_or(|range| range.matches(version)) {
                extend(manifest, extension);
            }
        }
        self.leave_optional_out(manifest);
        for kind in ["dependencies", "optionalDependencies"] {
            if let Some(dependencies) = manifest[kind].as_object_mut() {
                self.override_in(name, version, dependencies);
            }
        }
        let Some(peers) = manifest["peerDependencies"].as_object_mut() else { return };
        let before = peers.clone();
        self.override_in(name, version, peers);
        // A peer is a range; whatever else takes its place is a dependency.
        let is_range = |alias: &str, value: &Value| {
            value.as_str().is_none_or(|text| !text.contains(':') && target_of(alias, text).is_some())
        };
        let moved: Map<String, Value> = peers
            .iter()
            .filter(|(alias, value)| before.get(*alias) != Some(value) && !is_range(alias, value))
            .map(|(alias, value)| (alias.clone(), value.clone()))
            .collect();
        peers.retain(|alias, _| !moved.contains_key(alias));
        if !moved.is_empty() {
            if !manifest["dependencies"].is_object() {
                manifest["dependencies"] = Value::Object(Map::new());
            }
            manifest["dependencies"].as_object_mut().expect("made an object above").extend(moved);
        }
    }

    /// npm's registry repeats optional dependencies under `dependencies`.
    fn leave_optional_out(&self, manifest: &mut Value) {
        let Some(optional) = manifest["optionalDependencies"].as_object_mut() else { return };
        let ignored: Vec<_> = optional.keys().filter(|name| self.ignored_optional.matches(name)).cloned().collect();
        optional.retain(|name, _| !ignored.contains(name));
        if let Some(dependencies) = manifest["dependencies"].as_object_mut() {
            dependencies.retain(|name, _| !ignored.contains(name));
        }
    }

    fn override_in(&self, name: &str, version: &Version, dependencies: &mut Map<String, Value>) {
        let parent = (name, Some(version));
        dependencies.retain(|alias, range| {
            let replacement = range.as_str().and_then(|range| self.overrides.replacement(parent, alias, range));
            if let Some(replacement) = replacement.filter(|replacement| *replacement != REMOVED) {
                *range = Value::String(replacement.to_owned());
            }
            replacement != Some(REMOVED)
        });
    }
}

/// Adds what a manifest lacks.
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
