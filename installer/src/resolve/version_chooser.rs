//! One range, one version: what the `--no-lockfile` path asks, package by package, of the same packuments as
//! [`resolve`](super::resolve).

use super::available;
use super::manifest_edits::ManifestEdits;
use super::packument::{Packument, VersionManifest};
use super::specifier::target_of;
use super::{InvalidPackument, PackumentError, Packuments, RequiredBy, ResolveError};
use crate::lockfile::LockedPackage;
use crate::package::PackageId;
use crate::rt;
use crate::workspace::Workspace;
use deno_semver::{Version, VersionReq};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Chooses versions; the packuments are fetched once each.
pub struct VersionChooser<P> {
    packuments: P,
    edits: Arc<ManifestEdits>,
}

/// A version that was chosen, and what its packument says of it.
#[derive(Debug, Clone)]
pub struct ChosenVersion {
    /// The package's real name and its version.
    pub package: PackageId,
    /// Where its tarball is.
    pub tarball_url: String,
    /// What a lockfile would hold of it.
    pub locked: LockedPackage,
    /// Name under node_modules → range.
    pub dependencies: BTreeMap<String, String>,
    /// As `dependencies`, for those it works without.
    pub optional_dependencies: BTreeMap<String, String>,
}

impl<P: Packuments> VersionChooser<P> {
    /// Chooses by these packuments, with the overrides of `workspace`.
    pub fn new(packuments: P, workspace: &Workspace) -> Self {
        VersionChooser { packuments, edits: Arc::new(ManifestEdits::of(workspace)) }
    }

    /// The version that `specifier` means under the name `alias`.
    ///
    /// # Errors
    /// When the specifier is not a registry's, the package or a matching version does not exist, or the registry fails.
    pub async fn choose(&self, alias: &str, specifier: &str, parent: &str) -> Result<ChosenVersion, ResolveError> {
        let required_by = || RequiredBy(vec![parent.to_owned()]);
        let Some((name, range)) = target_of(alias, specifier) else {
            let (dependency, specifier) = (alias.to_owned(), specifier.to_owned());
            return Err(ResolveError::Unsupported { dependency, specifier, required_by: required_by() });
        };
        let package = || name.to_owned();
        let bytes = self.packuments.packument(name).await.map_err(|error| match error {
            PackumentError::NotFound => {
                let registry = self.packuments.registry(name);
                ResolveError::NoPackage { package: package(), registry, required_by: required_by() }
            }
            PackumentError::Failed(cause) => ResolveError::Registry { package: package(), source: cause.into() },
        })?;
        let (owned_name, edits) = (name.to_owned(), self.edits.clone());
        let parsed = rt::blocking("parse packument", move || Packument::parse(&owned_name, bytes, edits)).await;
        let packument = parsed.map_err(|source| InvalidPackument { package: package(), source: Arc::new(source) })?;
        let chosen = best_version(&packument, range)
            .and_then(|version| packument.version(&version).map(|manifest| (version, manifest)));
        let Some((version, manifest)) = chosen else {
            return Err(ResolveError::NoVersion {
                package: package(),
                range: range.to_owned(),
                required_by: required_by(),
                available: available(&packument),
            });
        };
        Ok(chosen_version(PackageId::new(name, version.to_string()), manifest, &self.packuments.registry(name)))
    }
}

fn chosen_version(package: PackageId, manifest: VersionManifest, registry: &str) -> ChosenVersion {
    ChosenVersion {
        tarball_url: manifest.tarball.clone(),
        locked: manifest.to_locked(&package, registry, false),
        package,
        // npm's registry repeats optional dependencies under `dependencies`.
        dependencies: manifest
            .dependencies
            .into_iter()
            .filter(|(name, _)| !manifest.optional_dependencies.contains_key(name))
            .collect(),
        optional_dependencies: manifest.optional_dependencies,
    }
}

/// A dist-tag's version; else `latest` where the range allows it; else the highest that the range allows.
fn best_version(packument: &Packument, range: &str) -> Option<Version> {
    if let Some(tagged) = packument.dist_tags.get(range) {
        return Some(tagged.clone());
    }
    let requirement = VersionReq::parse_from_npm(range).ok()?;
    let latest = packument.dist_tags.get("latest").filter(|latest| requirement.matches(latest));
    latest.or_else(|| packument.versions().rev().find(|version| requirement.matches(version))).cloned()
}
