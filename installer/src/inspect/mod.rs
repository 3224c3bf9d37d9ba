//! What is installed, and why: read from the current lockfile, without the network and without the store.
//!
//! [`list`] walks from the project to its dependencies, [`why`] the other way. Both are pure and give a tree; how a tree
//! is shown is up to [`tree_text`] and [`json`].

pub mod json;
pub mod list;
pub mod tree_text;
pub mod why;

use crate::lockfile::{self, Lockfile, LockfileError, name_and_version, package_key};
use crate::manifest::{Manifest, ManifestError};
use crate::virtual_store::{Layout, modules_yaml};
use miette::Diagnostic;
use std::path::{Path, PathBuf};
use url::Url;

/// A project, and what an install put into its node_modules.
#[derive(Debug, Clone)]
pub struct Installed {
    /// package.json.
    pub manifest: Manifest,
    /// Where everything is.
    pub layout: Layout,
    /// node_modules/.pnpm/lock.yaml, or pnpm-lock.yaml where nothing is installed.
    pub lockfile: Lockfile,
}

/// Why nothing can be said of a project.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum InspectError {
    /// package.json is missing or wrong.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Manifest(#[from] ManifestError),
    /// The lockfile is wrong.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Lockfile(#[from] LockfileError),
    /// There is no lockfile.
    #[error("nothing is installed in {}", dir.display())]
    #[diagnostic(code(lockstep::inspect::nothing), help("run `lockstep install` first"))]
    Nothing {
        /// The project's directory.
        dir: PathBuf,
    },
}

impl Installed {
    /// Reads a project; blocks.
    ///
    /// # Errors
    /// When there is no project, or nothing was ever installed in it.
    pub fn read(dir: &Path) -> Result<Self, InspectError> {
        let (manifest, _) = Manifest::read(&dir.join("package.json"))?;
        let layout = Layout::new(dir);
        let current = Lockfile::read(&layout.virtual_store_dir.join(modules_yaml::CURRENT_LOCKFILE))?;
        let lockfile = match current {
            Some(current) => Some(current),
            None => Lockfile::read(&dir.join(lockfile::FILE_NAME))?,
        };
        let lockfile = lockfile.ok_or_else(|| InspectError::Nothing { dir: dir.to_owned() })?;
        Ok(Installed { manifest, layout, lockfile })
    }

    /// The project's name and version as pnpm shows them.
    pub fn project(&self) -> String {
        match (&self.manifest.name, &self.manifest.version) {
            (Some(name), Some(version)) => format!("{name}@{version}"),
            (Some(name), None) => name.clone(),
            (None, _) => String::new(),
        }
    }
}

/// A package in a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// Its name in the registry.
    pub name: String,
    /// Its version; for what is from elsewhere, where it is from.
    pub version: String,
    /// Which snapshot.
    pub dep_path: String,
}

impl Package {
    fn of(dep_path: &str) -> Self {
        let (name, version) = name_and_version(dep_path).unwrap_or((dep_path, ""));
        Package { name: name.to_owned(), version: version.to_owned(), dep_path: dep_path.to_owned() }
    }
}

/// Where a package was resolved to: the URL of its tarball.
pub fn resolved(lockfile: &Lockfile, package: &Package, registry: &Url) -> Option<String> {
    let locked = lockfile.packages.get(package_key(&package.dep_path))?;
    let id = crate::package::PackageId::new(package.name.as_str(), package.version.as_str());
    Some(locked.resolution.url(registry.as_str(), &id))
}
