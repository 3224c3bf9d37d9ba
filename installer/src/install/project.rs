//! The project on disk: its manifest, its lockfile, its node_modules.

use super::{InstallError, InstallOptions, InstallPath};
use crate::lockfile::{self, Lockfile};
use crate::manifest::Manifest;
use crate::package::PackageId;
use crate::rt;
use crate::tarball::integrity::InvalidIntegrity;
use crate::virtual_store::Layout;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A project as it was when the install began.
pub(super) struct Project {
    pub(super) manifest: Manifest,
    pub(super) layout: Arc<Layout>,
    lockfile_path: PathBuf,
    lockfile: Option<Lockfile>,
}

/// A file of the project or the store cannot be used.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum ProjectError {
    /// There is no lockfile where one is demanded.
    #[error("there is no pnpm-lock.yaml in {}, and --frozen-lockfile forbids making one", dir.display())]
    #[diagnostic(
        code(lockstep::lockfile::missing),
        help("run `lockstep install --no-frozen-lockfile` once and commit the file it writes")
    )]
    NoLockfile {
        /// The project's directory.
        dir: PathBuf,
    },
    /// The lockfile names a snapshot and says nothing of its package.
    #[error("pnpm-lock.yaml has the snapshot {dep_path} and no package for it")]
    #[diagnostic(
        code(lockstep::lockfile::incomplete),
        help("restore the file from version control, or delete it and run `lockstep install --no-frozen-lockfile`")
    )]
    IncompleteLockfile {
        /// The snapshot.
        dep_path: String,
    },
    /// An integrity cannot be read.
    #[error("the integrity of {package} cannot be read")]
    #[diagnostic(
        code(lockstep::lockfile::integrity),
        help("restore pnpm-lock.yaml from version control, or report the package to its registry")
    )]
    UnreadableIntegrity {
        /// Whose it is.
        package: PackageId,
        /// What is wrong with it.
        source: InvalidIntegrity,
    },
    /// The disk refuses.
    #[error("cannot {action} {}", path.display())]
    #[diagnostic(code(lockstep::io))]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
        /// What to do.
        #[help]
        help: String,
    },
}

impl ProjectError {
    /// The store cannot be used.
    pub(super) fn store(path: &Path, source: io::Error) -> Self {
        let help = "choose a store that you can write to with --store-dir, or free some space".to_owned();
        ProjectError::Io { action: "write to the store at", path: path.to_owned(), source, help }
    }

    /// A snapshot of the lockfile has no package, or no name and version.
    pub(super) fn incomplete_lockfile(dep_path: &str) -> Self {
        ProjectError::IncompleteLockfile { dep_path: dep_path.to_owned() }
    }

    /// The lockfile's integrity of a package is no integrity.
    pub(super) fn unreadable_integrity(package: &PackageId, source: InvalidIntegrity) -> Self {
        ProjectError::UnreadableIntegrity { package: package.clone(), source }
    }
}

impl Project {
    /// Reads package.json and, unless it goes unused, pnpm-lock.yaml.
    pub(super) async fn open(options: &InstallOptions) -> Result<Self, InstallError> {
        let (dir, path) = (options.dir.clone(), options.path);
        rt::blocking("read project", move || {
            let manifest = Manifest::read(&dir.join("package.json"))?;
            let lockfile_path = dir.join(lockfile::FILE_NAME);
            let lockfile = match path {
                InstallPath::NoLockfile => None,
                InstallPath::Fresh | InstallPath::Frozen => Lockfile::read(&lockfile_path)?,
            };
            Ok(Project { manifest, layout: Arc::new(Layout::new(&dir)), lockfile_path, lockfile })
        })
        .await
    }

    /// The lockfile that decides the versions, or none where resolution has to.
    pub(super) fn lockfile_in_force(&self, path: InstallPath) -> Result<Option<&Lockfile>, InstallError> {
        let frozen = path == InstallPath::Frozen;
        let Some(lockfile) = &self.lockfile else {
            let nothing_to_lock = self.manifest.wanted().is_empty();
            return if frozen && !nothing_to_lock {
                Err(ProjectError::NoLockfile { dir: self.layout.project_dir.clone() }.into())
            } else {
                Ok(None)
            };
        };
        match lockfile::satisfies(lockfile, &self.manifest) {
            Ok(()) => Ok(Some(lockfile)),
            Err(mismatch) if frozen => Err(mismatch.into()),
            Err(_) => Ok(None),
        }
    }

    /// The lockfile as it was, whose versions are kept where they still fit.
    pub(super) fn previous_lockfile(&self) -> Option<&Lockfile> {
        self.lockfile.as_ref()
    }

    /// Writes pnpm-lock.yaml, whole or not at all.
    pub(super) async fn write_lockfile(&self, lockfile: &Lockfile) -> Result<(), InstallError> {
        let (path, lockfile) = (self.lockfile_path.clone(), lockfile.clone());
        Ok(rt::blocking("write lockfile", move || lockfile.write(&path)).await?)
    }
}
