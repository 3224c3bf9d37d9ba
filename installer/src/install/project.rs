//! The project on disk: its manifest, its lockfile, its node_modules.

use super::repeat::Inputs;
use super::{Edit, EditError, InstallError, InstallOptions, InstallPath};
use crate::lockfile::{self, Lockfile};
use crate::manifest::edit::ManifestChange;
use crate::manifest::{self, Manifest};
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
    /// package.json as it is on the disk.
    manifest_bytes: Vec<u8>,
    pub(super) layout: Arc<Layout>,
    /// What is read to begin with, to be compared with what is there at the end.
    pub(super) inputs: Inputs,
    lockfile_path: PathBuf,
    lockfile: Option<Lockfile>,
    /// The change of package.json that is saved at the end.
    edit: Option<AppliedEdit>,
}

/// A change of package.json that is made in memory.
struct AppliedEdit {
    /// package.json afterwards.
    text: String,
    /// The lockfile whose versions are to be kept.
    kept: Option<Lockfile>,
    /// Whether versions are chosen anew, even where the lockfile fits.
    resolves: bool,
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

    /// A file about node_modules cannot be changed.
    pub(super) fn modules(action: &'static str, path: &Path, source: io::Error) -> Self {
        let help = "check the project's permissions and the free space on its disk".to_owned();
        ProjectError::Io { action, path: path.to_owned(), source, help }
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
            let inputs = Inputs::read(&dir);
            let (manifest, manifest_bytes) = Manifest::read(&dir.join("package.json"))?;
            let lockfile_path = dir.join(lockfile::FILE_NAME);
            let lockfile = match path {
                InstallPath::NoLockfile => None,
                InstallPath::Fresh | InstallPath::Frozen => Lockfile::read(&lockfile_path)?,
            };
            Ok(Project {
                manifest,
                manifest_bytes,
                layout: Arc::new(Layout::new(&dir)),
                inputs,
                lockfile_path,
                lockfile,
                edit: None,
            })
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
        if self.edit.as_ref().is_some_and(|edit| edit.resolves) {
            return Ok(None);
        }
        match lockfile::satisfies(lockfile, &self.manifest) {
            Ok(()) => Ok(Some(lockfile)),
            Err(mismatch) if frozen => Err(mismatch.into()),
            Err(_) => Ok(None),
        }
    }

    /// The lockfile as it was.
    pub(super) fn previous_lockfile(&self) -> Option<&Lockfile> {
        self.lockfile.as_ref()
    }

    /// The lockfile whose versions are kept where they still fit.
    pub(super) fn kept_lockfile(&self) -> Option<&Lockfile> {
        self.edit.as_ref().map_or(self.lockfile.as_ref(), |edit| edit.kept.as_ref())
    }

    /// The project after these changes of package.json. They are saved by [`save_edit`](Self::save_edit), and the
    /// lockfile with them: whatever goes wrong before that leaves both as they were.
    pub(super) fn edited(&self, edit: &Edit, changes: &[ManifestChange]) -> Result<Project, InstallError> {
        let path = self.manifest_path();
        let text = std::str::from_utf8(&self.manifest_bytes).ok();
        let text = text.and_then(|text| manifest::edit::edited(text, changes));
        let text = text.ok_or_else(|| EditError::Shape { path: path.clone() })?;
        let kept = self.lockfile.as_ref().map(|lockfile| edit.kept(lockfile));
        Ok(Project {
            manifest: Manifest::parse(text.as_bytes(), &path)?,
            manifest_bytes: self.manifest_bytes.clone(),
            layout: self.layout.clone(),
            inputs: self.inputs.with_manifest(&text),
            lockfile_path: self.lockfile_path.clone(),
            lockfile: self.lockfile.clone(),
            edit: Some(AppliedEdit { text, kept, resolves: edit.resolves() }),
        })
    }

    /// Writes the changed package.json and the lockfile that goes with it; nothing where nothing was changed.
    pub(super) async fn save_edit(&self, lockfile: &Lockfile) -> Result<(), InstallError> {
        let Some(AppliedEdit { text, .. }) = &self.edit else { return Ok(()) };
        let (path, text, temporary_dir) = (self.manifest_path(), text.clone(), self.layout.modules_dir.clone());
        if self.lockfile.as_ref() != Some(lockfile) {
            self.write(lockfile).await?;
        }
        let failed = |source| ProjectError::modules("write", &self.manifest_path(), source);
        let save = move || rt::write_whole(&path, text.as_bytes(), &temporary_dir);
        Ok(rt::blocking("write package.json", save).await.map_err(failed)?)
    }

    fn manifest_path(&self) -> PathBuf {
        self.layout.project_dir.join("package.json")
    }

    /// What decided a tree that was made from this lockfile: the one that was read, or one that was resolved and written.
    pub(super) fn inputs_with(&self, lockfile: &Lockfile) -> Inputs {
        if self.lockfile.as_ref() == Some(lockfile) {
            return self.inputs.clone();
        }
        self.inputs.with_lockfile(&lockfile.to_yaml())
    }

    /// Writes pnpm-lock.yaml, whole or not at all; later, if package.json was changed.
    pub(super) async fn write_lockfile(&self, lockfile: &Lockfile) -> Result<(), InstallError> {
        if self.edit.is_some() { Ok(()) } else { self.write(lockfile).await }
    }

    async fn write(&self, lockfile: &Lockfile) -> Result<(), InstallError> {
        let (path, lockfile) = (self.lockfile_path.clone(), lockfile.clone());
        Ok(rt::blocking("write lockfile", move || lockfile.write(&path)).await?)
    }
}
