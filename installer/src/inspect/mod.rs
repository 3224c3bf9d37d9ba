//! What is installed, and why: read from the current lockfile, without the network and without the store.
//!
//! [`list`] walks from the project to its dependencies, [`why`] the other way. Both are pure and give a tree; how a tree
//! is shown is up to [`tree_text`] and [`json`].

pub mod json;
pub mod list;
pub mod tree_text;
pub mod why;

use crate::config::workspace_root;
use crate::lockfile::{self, Lockfile, LockfileError, name_and_version, package_key};
use crate::manifest::{Manifest, ManifestError};
use crate::virtual_store::hoisted::Record;
use crate::virtual_store::{Layout, modules_yaml, shared};
use crate::workspace::{ImporterId, ROOT, dir_of};
use miette::Diagnostic;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use url::Url;

/// A project or a workspace, and what an install put into its node_modules.
#[derive(Debug, Clone)]
pub struct Installed {
    /// The project that is asked about.
    pub importer: ImporterId,
    /// package.json of every project that has one.
    pub manifests: BTreeMap<ImporterId, Manifest>,
    /// Where everything is.
    pub layout: Layout,
    /// Where packages are in a hoisted tree.
    pub record: Record,
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
    /// Reads the project in `dir`, and the others of its workspace if it is part of one; blocks.
    ///
    /// # Errors
    /// When there is no project, or nothing was ever installed in it.
    pub fn read(dir: &Path) -> Result<Self, InspectError> {
        let root = workspace_root(dir).unwrap_or_else(|| dir.to_owned());
        let importer =
            dir.strip_prefix(&root).map(|path| path.to_string_lossy().replace('\\', "/")).unwrap_or_default();
        let importer = if importer.is_empty() { ROOT.to_owned() } else { importer };
        match read_lockfile(&root)? {
            Some(lockfile) if importer == ROOT || lockfile.importers.contains_key(&importer) => {
                Installed::of(&root, importer, lockfile)
            }
            // What the workspace does not count among its projects stands alone.
            _ => match read_lockfile(dir)? {
                Some(lockfile) => Installed::of(dir, ROOT.to_owned(), lockfile),
                None => {
                    Manifest::read(&dir.join("package.json"))?;
                    Err(InspectError::Nothing { dir: dir.to_owned() })
                }
            },
        }
    }

    fn of(root: &Path, importer: ImporterId, lockfile: Lockfile) -> Result<Self, InspectError> {
        let mut manifests = BTreeMap::new();
        for id in lockfile.importers.keys().chain([&importer]) {
            match Manifest::read(&dir_of(root, id).join("package.json")) {
                Ok((manifest, _)) => drop(manifests.insert(id.clone(), manifest)),
                Err(error) if *id == importer && !lockfile.importers.keys().any(|id| id != ROOT) => {
                    return Err(error.into());
                }
                // The root of a workspace need not be a project, and others may be gone.
                Err(_) => {}
            }
        }
        let layout = Layout::new(root);
        let layout = Layout { shared: shared::found(&layout, &lockfile), ..layout };
        Ok(Installed { importer, manifests, record: Record::read(&layout), layout, lockfile })
    }

    /// The same workspace, asked about another of its projects.
    pub fn about(&self, importer: &str) -> Installed {
        Installed { importer: importer.to_owned(), ..self.clone() }
    }

    /// Where the project is that is asked about.
    pub fn project_dir(&self) -> PathBuf {
        self.layout.importer_dir(&self.importer)
    }

    /// Where a package is.
    pub fn package_dir(&self, package: &Package) -> PathBuf {
        let hoisted = self.record.dir_of(&package.dep_path).cloned();
        hoisted.unwrap_or_else(|| self.layout.package_dir(&package.dep_path))
    }

    /// A project's name; empty where it has none.
    pub fn name_of(&self, importer: &str) -> String {
        self.manifests.get(importer).and_then(|manifest| manifest.name.clone()).unwrap_or_default()
    }

    /// A project's version; empty where it has none.
    pub fn version_of(&self, importer: &str) -> String {
        self.manifests.get(importer).and_then(|manifest| manifest.version.clone()).unwrap_or_default()
    }

    /// The project's name and version as pnpm shows them.
    pub fn project(&self) -> String {
        match (self.name_of(&self.importer), self.version_of(&self.importer)) {
            (name, version) if name.is_empty() || version.is_empty() => name,
            (name, version) => format!("{name}@{version}"),
        }
    }
}

/// What is installed in the workspace or project in `dir`, else what is to be.
fn read_lockfile(dir: &Path) -> Result<Option<Lockfile>, LockfileError> {
    match Lockfile::read(&Layout::new(dir).virtual_store_dir.join(modules_yaml::CURRENT_LOCKFILE))? {
        Some(current) => Ok(Some(current)),
        None => Lockfile::read(&dir.join(lockfile::FILE_NAME)),
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
