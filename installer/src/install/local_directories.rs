//! Directories that packages are copies of: whether the lockfile has what their package.json asks for now.
//!
//! Their files are compared at every install; what they depend on is in the lockfile, and changes where no other input does.

use crate::lockfile::{Difference, LockedPackage, Lockfile, Snapshot, dep_path_of, name_and_version, package_key};
use crate::manifest::Manifest;
use crate::resolve::target_of;
use crate::workspace::{REMOVED, Workspace};
use deno_semver::{Version, VersionReq};
use std::cell::LazyCell;
use std::collections::BTreeMap;

/// Those of which the lockfile has something else; blocks. One that cannot be read is left to whoever needs it.
pub(super) fn outdated(lockfile: &Lockfile, workspace: &Workspace) -> Vec<Difference> {
    // Few lockfiles have any.
    let snapshots: LazyCell<BTreeMap<&str, &Snapshot>, _> = LazyCell::new(|| {
        lockfile.snapshots.iter().map(|(dep_path, snapshot)| (package_key(dep_path), snapshot)).collect()
    });
    let mut outdated = Vec::new();
    for (key, locked) in &lockfile.packages {
        let Some(path) = &locked.resolution.directory else { continue };
        let Some(snapshot) = snapshots.get(key.as_str()) else { continue };
        let Ok((manifest, _)) = Manifest::read(&workspace.root.join(path).join("package.json")) else { continue };
        if !fits(&manifest, locked, snapshot, workspace) {
            outdated.push(Difference::Directory { path: path.clone() });
        }
    }
    outdated
}

fn fits(manifest: &Manifest, locked: &LockedPackage, snapshot: &Snapshot, workspace: &Workspace) -> bool {
    let Manifest { dependencies, optional_dependencies, peer_dependencies, .. } = manifest;
    let version = manifest.version.as_deref().and_then(|version| Version::parse_from_npm(version).ok());
    let parent = (manifest.name.as_deref().unwrap_or_default(), version.as_ref());
    let is_there = |(name, range): (&String, &String)| {
        let range = workspace.overrides.replacement(parent, name, range).unwrap_or(range);
        let reference = snapshot.optional_dependencies.get(name).or_else(|| snapshot.dependencies.get(name));
        match reference {
            Some(reference) => range == REMOVED || is_allowed(name, reference, range),
            None => {
                let may_lack = optional_dependencies.contains_key(name) || peer_dependencies.contains_key(name);
                may_lack || range == REMOVED || locked.bundled_dependencies.has(name, true)
            }
        }
    };
    // What is known to be missing in a manifest is added to it.
    let is_asked_for = |name: &String| {
        dependencies.contains_key(name)
            || optional_dependencies.contains_key(name)
            || locked.peer_dependencies.contains_key(name)
            || !workspace.settings.package_extensions.is_empty()
    };
    dependencies.iter().chain(optional_dependencies).all(is_there)
        && snapshot.dependencies.keys().chain(snapshot.optional_dependencies.keys()).all(is_asked_for)
}

/// Whether what is asked for may be what the lockfile has; of what is no range nothing can be told.
fn is_allowed(name: &str, reference: &str, specifier: &str) -> bool {
    let dep_path = dep_path_of(name, reference);
    let (locked, wanted) = (name_and_version(&dep_path), target_of(name, specifier));
    let Some(((locked_name, version), (wanted_name, range))) = locked.zip(wanted) else { return true };
    let (version, range) = (Version::parse_from_npm(version), VersionReq::parse_from_npm(range));
    let (Ok(version), Ok(range)) = (version, range) else { return true };
    locked_name == wanted_name && (range.tag().is_some() || range.matches(&version))
}
