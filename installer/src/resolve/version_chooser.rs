//! One range, one version: what the `--no-lockfile` path asks, package by package, of the same packuments as
//! [`resolve`](super::resolve).

use super::loader::fetch;
use super::manifest_edits::ManifestEdits;
use super::obstacle::available;
use super::packument::VersionManifest;
use super::packuments::Detail;
use super::specifier::target_of;
use super::version_pick::pick;
use super::{Packuments, RequiredBy, ResolveError};
use crate::lockfile::LockedPackage;
use crate::package::PackageId;
use crate::workspace::Workspace;
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
        let Some(packument) = fetch(&self.packuments, name, Detail::Abbreviated, self.edits.clone()).await? else {
            let registry = self.packuments.registry(name);
            return Err(ResolveError::NoPackage { package: name.to_owned(), registry, required_by: required_by() });
        };
        let chosen = pick(&packument, range, &BTreeMap::new())
            .and_then(|version| packument.version(&version).map(|manifest| (version, manifest)));
        let Some((version, manifest)) = chosen else {
            return Err(ResolveError::NoVersion {
                package: name.to_owned(),
                range: range.to_owned(),
                required_by: required_by(),
                available: available(&packument),
            });
        };
        Ok(chosen_version(PackageId::new(name, version.to_string()), &manifest, &self.packuments.registry(name)))
    }
}

fn chosen_version(package: PackageId, manifest: &VersionManifest, registry: &str) -> ChosenVersion {
    ChosenVersion {
        tarball_url: manifest.tarball.clone(),
        locked: manifest.to_locked(&package, registry, false),
        package,
        dependencies: manifest.needed().map(|(name, range)| (name.clone(), range.clone())).collect(),
        optional_dependencies: manifest.optional_dependencies.clone(),
    }
}
