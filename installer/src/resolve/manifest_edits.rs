//! What packages' manifests are taken to say, where the project's settings say otherwise than the registry.
//!
//! The edits happen on the packument's JSON, before anybody reads it: the solver, the lockfile and the prefetcher see
//! the same manifests. A packument that no edit can concern is left alone, and stays as cheap to read as it was.

use super::extensions::Extensions;
use super::specifier::target_of;
use crate::config::NamePatterns;
use crate::workspace::{Overrides, REMOVED, Workspace};
use deno_semver::Version;
use memchr::memmem;
use serde_json::{Map, Value};

/// See the module.
#[derive(Debug, Clone, Default)]
pub(super) struct ManifestEdits {
    overrides: Overrides,
    /// What is known of packages, unless that is not wanted.
    known: Option<&'static Extensions>,
    extensions: Extensions,
    ignored_optional: NamePatterns,
}

impl ManifestEdits {
    pub fn of(workspace: &Workspace) -> ManifestEdits {
        let extensions = workspace.settings.package_extensions.iter();
        let extensions =
            Extensions::new(extensions.map(|(selector, extension)| (selector.as_str(), extension.clone())));
        ManifestEdits {
            known: (!workspace.settings.ignore_compatibility_db).then(Extensions::known),
            extensions,
            ignored_optional: workspace.settings.ignored_optional_dependencies.clone(),
            overrides: workspace.overrides.clone(),
        }
    }

    /// Whether packuments are searched for what is edited in them.
    pub fn are_looked_for(&self) -> bool {
        self.ignored_optional != NamePatterns::default() || self.overrides.names().next().is_some()
    }

    /// Whether some version in a packument may look different: a cheap test that errs on the side of yes.
    pub fn may_concern(&self, name: &str, manifests: &[u8]) -> bool {
        let says = |text: &str| memmem::find(manifests, text.as_bytes()).is_some();
        let optional = self.ignored_optional != NamePatterns::default() && says("\"optionalDependencies\"");
        optional
            || self.all_extensions().any(|extensions| extensions.concern(name))
            || self.overrides.names().any(|name| says(&format!("\"{name}\"")))
    }

    /// Makes a version's manifest say what it is taken to say.
    pub fn apply(&self, name: &str, version: &Version, manifest: &mut Value) {
        for extensions in self.all_extensions() {
            extensions.apply(name, version, manifest);
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

    /// What manifests lack, in the order in which it counts.
    fn all_extensions(&self) -> impl Iterator<Item = &Extensions> {
        self.known.into_iter().chain([&self.extensions])
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
