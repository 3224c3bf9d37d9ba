//! Dependencies that no registry has: git repositories, tarballs by their URL, tarballs and directories of this machine.
//!
//! What is behind such a specifier is opened before the walk starts, by whoever can download ([`ForeignPackages`]). The
//! lockfile calls it `name@specifier`, and what is in a repository `name@` and the URL of the commit's archive.

use super::ResolveError;
use super::packument::VersionManifest;
use crate::git::{self, GitSpecifier};
use crate::lockfile::{LockedPackage, TarballResolution};
use crate::package::PackageId;
use crate::workspace::join;
use async_trait::async_trait;
use deno_semver::Version;
use serde_json::{Value, json};
use std::sync::Arc;

/// What a specifier names that is not a registry's: paths are relative to the lockfile.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum ForeignSource {
    /// A git repository, whose commit is not known yet.
    Git {
        /// What is meant.
        git: GitSpecifier,
        /// As it was written.
        specifier: String,
    },
    /// A tarball on the network.
    Url(String),
    /// A tarball of this machine.
    File(String),
    /// A directory of this machine, which is copied.
    Directory(String),
}

/// A package that no registry has.
#[derive(Debug, Clone)]
pub struct ForeignPackage {
    /// Its package.json.
    pub manifest: Value,
    /// The integrity of its tarball, if it has one.
    pub integrity: Option<String>,
    /// The URL of the archive that was taken, for a repository.
    pub archive: Option<String>,
}

/// Whoever can look behind such specifiers.
#[async_trait(?Send)]
pub trait ForeignPackages {
    /// What is there now.
    ///
    /// # Errors
    /// When it cannot be had, or is no package.
    async fn open(&self, alias: &str, source: &ForeignSource) -> Result<ForeignPackage, ResolveError>;

    /// The package.json in a directory of this machine, relative to the lockfile; null where there is none.
    async fn manifest_in(&self, path: &str) -> Value;
}

impl ForeignSource {
    /// What a project's specifier names; `None` for what a registry has, and for what is not understood.
    pub fn of(importer: &str, specifier: &str) -> Option<ForeignSource> {
        if let Some(git) = GitSpecifier::parse(specifier) {
            return Some(ForeignSource::Git { git, specifier: specifier.to_owned() });
        }
        if specifier.starts_with("http://") || specifier.starts_with("https://") {
            return Some(ForeignSource::Url(specifier.to_owned()));
        }
        let path = specifier.strip_prefix("file:")?;
        let path = if path.starts_with('/') { path.to_owned() } else { join(importer, path) };
        let is_tarball = [".tgz", ".tar.gz", ".tar"].iter().any(|extension| path.ends_with(extension));
        Some(if is_tarball { ForeignSource::File(path) } else { ForeignSource::Directory(path) })
    }

    /// What the lockfile has in place of a version; for a repository, what package.json has.
    pub fn reference(&self) -> String {
        match self {
            ForeignSource::Git { specifier, .. } => specifier.clone(),
            ForeignSource::Url(url) => url.clone(),
            ForeignSource::File(path) | ForeignSource::Directory(path) => format!("file:{path}"),
        }
    }
}

/// A package that no registry has, as the rest of resolution deals with it.
#[derive(Debug, Clone)]
pub(super) struct OpenedPackage {
    /// `name@reference`.
    pub key: String,
    pub name: String,
    /// What its manifest says; zero where it says nothing.
    pub version: Version,
    pub manifest: Arc<VersionManifest>,
    /// What a lockfile has of it.
    pub locked: LockedPackage,
}

impl OpenedPackage {
    /// `None` when the manifest has no name and is no package.
    pub fn new(alias: &str, source: &ForeignSource, package: ForeignPackage) -> Option<OpenedPackage> {
        let ForeignPackage { manifest: mut value, integrity, archive } = package;
        let reference = archive.unwrap_or_else(|| source.reference());
        let text = |field: &str| value[field].as_str().filter(|text| !text.is_empty()).map(ToOwned::to_owned);
        let (name, version) = (text("name").unwrap_or_else(|| alias.to_owned()), text("version"));
        let key = format!("{name}@{reference}");
        value.is_object().then(|| value["dist"] = json!({ "tarball": reference }))?;
        let manifest = VersionManifest::parse(&serde_json::to_vec(&value).ok()?)?;
        let resolution = match source {
            ForeignSource::Directory(path) => TarballResolution {
                directory: Some(path.clone()),
                kind: Some("directory".to_owned()),
                ..TarballResolution::default()
            },
            ForeignSource::Git { .. } | ForeignSource::Url(_) | ForeignSource::File(_) => {
                let git_hosted = git::is_archive(&reference);
                TarballResolution { git_hosted, integrity, tarball: Some(reference), ..TarballResolution::default() }
            }
        };
        let package = PackageId::new(&name, version.clone().unwrap_or_default());
        let of_manifest = version.as_deref().and_then(|version| Version::parse_from_npm(version).ok());
        let version = version.filter(|_| !matches!(source, ForeignSource::Directory(_)));
        let locked = LockedPackage { resolution, version, ..manifest.to_locked(&package, "", false) };
        let (version, manifest) = (of_manifest.unwrap_or_default(), Arc::new(manifest));
        Some(OpenedPackage { key, name, version, manifest, locked })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specifiers_name_urls_files_and_directories() {
        let reference = |specifier: &str| ForeignSource::of("packages/a", specifier).map(|source| source.reference());
        assert_eq!(reference("https://h/x.tgz").as_deref(), Some("https://h/x.tgz"));
        assert_eq!(reference("file:./x.tgz").as_deref(), Some("file:packages/a/x.tgz"));
        assert_eq!(reference("file:../../dir").as_deref(), Some("file:dir"));
        assert!(matches!(ForeignSource::of(".", "file:dir"), Some(ForeignSource::Directory(_))));
        assert!(matches!(ForeignSource::of(".", "o/r#v1"), Some(ForeignSource::Git { .. })));
        assert!(reference("^1.0.0").is_none() && reference("git+ssh://h/r").is_none());
    }
}
