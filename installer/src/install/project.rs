//! The projects on disk: their manifests, their lockfile, their node_modules.

use super::local_directories;
use super::repeat::Inputs;
use super::{Edit, EditError, InstallError, InstallOptions, InstallPath};
use crate::lockfile::{self, Difference, Lockfile, LockfileDocument, LockfileMismatch};
use crate::manifest::edit::ManifestChange;
use crate::manifest::{self, Manifest};
use crate::package::{BundledManifest, PackageId};
use crate::package_name;
use crate::patch::Patch;
use crate::rt;
use crate::tarball::integrity::InvalidIntegrity;
use crate::virtual_store::Layout;
use crate::virtual_store::bins::LinkedManifests;
use crate::workspace::filter::{self, Selection};
use crate::workspace::{ImporterId, Located, Member, ProjectGraph, ROOT, Target, Workspace};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A project, or all those of a workspace, as they were when the install began.
pub(super) struct Project {
    pub(super) workspace: Workspace,
    /// The project that the command is about, of those in the workspace.
    id: ImporterId,
    /// Its package.json as it is on the disk.
    manifest_bytes: Vec<u8>,
    pub(super) layout: Arc<Layout>,
    /// The projects whose node_modules is filled.
    pub(super) selection: Selection,
    /// What is read to begin with, to be compared with what is there at the end.
    pub(super) inputs: Inputs,
    lockfile_path: PathBuf,
    lockfile: Option<Arc<LockfileDocument>>,
    /// Directories of which the lockfile has something else.
    outdated: Vec<Difference>,
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
    /// The lockfile has a package from where this program does not get any.
    #[error("pnpm-lock.yaml has {dep_path}, which is a git repository to clone, or a directory in one")]
    #[diagnostic(
        code(lockstep::lockfile::unsupported),
        help(
            "supported are repositories of GitHub, GitLab and Bitbucket, from their top; replace the dependency in package.json"
        )
    )]
    UnsupportedResolution {
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

    /// A directory that a package is a copy of cannot be used.
    pub(super) fn directory(path: &Path, source: io::Error) -> Self {
        let help = "check the path after `file:` in package.json".to_owned();
        ProjectError::Io { action: "copy", path: path.to_owned(), source, help }
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
    /// Reads every package.json and, unless it goes unused, pnpm-lock.yaml.
    pub(super) async fn open(options: &InstallOptions) -> Result<Self, InstallError> {
        let options = options.clone();
        rt::blocking("read project", move || {
            let (dir, settings) = (&options.dir, &options.settings.project);
            let located = Located::find(dir, settings)?;
            let inputs = Inputs::read(&located, settings);
            let workspace = Workspace::open(&located, settings)?;
            let selection = filter::select(&workspace, dir, &options.filter)?;
            let lockfile_path = workspace.root.join(lockfile::FILE_NAME);
            let id = workspace.id_of(dir);
            let manifest_bytes = rt::fs::read(&workspace.dir(&id).join("package.json")).unwrap_or_default();
            let lockfile = match options.path {
                InstallPath::NoLockfile => None,
                InstallPath::Fresh | InstallPath::Frozen => LockfileDocument::read(&lockfile_path)?,
            };
            let lockfile = lockfile.map(Arc::new);
            let outdated = lockfile.iter().flat_map(|lockfile| local_directories::outdated(lockfile, &workspace));
            let outdated = outdated.collect();
            let layout = Arc::new(Layout::new(&workspace.root));
            Ok(Project {
                workspace,
                id,
                manifest_bytes,
                layout,
                selection,
                inputs,
                lockfile_path,
                lockfile,
                outdated,
                edit: None,
            })
        })
        .await
    }

    /// The lockfile that decides the versions, or none where resolution has to.
    pub(super) fn lockfile_in_force(&self, path: InstallPath) -> Result<Option<&Arc<LockfileDocument>>, InstallError> {
        let frozen = path == InstallPath::Frozen;
        let Some(lockfile) = &self.lockfile else {
            return if frozen && !self.workspace.wants_nothing() {
                Err(ProjectError::NoLockfile { dir: self.layout.project_dir.clone() }.into())
            } else {
                Ok(None)
            };
        };
        if self.edit.as_ref().is_some_and(|edit| edit.resolves) {
            return Ok(None);
        }
        let is_here = |id: &ImporterId| self.workspace.members.contains_key(id);
        match self.mismatch(lockfile) {
            // A project that is gone takes its packages along, unless the lockfile may not change.
            None if !frozen && !lockfile.importers.keys().all(is_here) => Ok(None),
            None => Ok(Some(lockfile)),
            Some(mismatch) if frozen => mismatch.but_for_optional().map_or(Ok(Some(lockfile)), |left| Err(left.into())),
            Some(_) => Ok(None),
        }
    }

    /// What the projects, and the directories that packages are copies of, ask for and the lockfile does not answer.
    fn mismatch(&self, lockfile: &Lockfile) -> Option<LockfileMismatch> {
        let mismatch = lockfile::satisfies(lockfile, &self.workspace).err();
        let mut differences = mismatch.map_or_else(Vec::new, |mismatch| mismatch.differences);
        differences.extend(self.outdated.iter().cloned());
        (!differences.is_empty()).then_some(LockfileMismatch { differences })
    }

    /// The lockfile as it was.
    pub(super) fn previous_lockfile(&self) -> Option<&Lockfile> {
        self.lockfile.as_deref().map(|document| &**document)
    }

    /// The lockfile whose versions are kept where they still fit.
    pub(super) fn kept_lockfile(&self) -> Option<&Lockfile> {
        self.edit.as_ref().map_or(self.previous_lockfile(), |edit| edit.kept.as_ref())
    }

    /// The project after these changes of package.json. They are saved by [`save_edit`](Self::save_edit), and the
    /// lockfile with them: whatever goes wrong before that leaves both as they were.
    pub(super) fn edited(&self, edit: &Edit, changes: &[ManifestChange]) -> Result<Project, InstallError> {
        let path = self.manifest_path();
        let text = std::str::from_utf8(&self.manifest_bytes).ok();
        let text = text.and_then(|text| manifest::edit::edited(text, changes));
        let text = text.ok_or_else(|| EditError::Shape { path: path.clone() })?;
        let kept = self.lockfile.as_ref().map(|lockfile| edit.kept(lockfile));
        let manifest = Manifest::parse(text.as_bytes(), &path)?;
        Ok(Project {
            workspace: self.workspace.with_manifest(&self.id, manifest)?,
            id: self.id.clone(),
            selection: self.selection.clone(),
            manifest_bytes: self.manifest_bytes.clone(),
            layout: self.layout.clone(),
            inputs: self.inputs.with_manifest(&self.id, &text),
            lockfile_path: self.lockfile_path.clone(),
            lockfile: self.lockfile.clone(),
            outdated: self.outdated.clone(),
            edit: Some(AppliedEdit { text, kept, resolves: edit.resolves() }),
        })
    }

    /// Writes the changed package.json and the lockfile that goes with it; nothing where nothing was changed.
    pub(super) async fn save_edit(&self, lockfile: &Arc<LockfileDocument>) -> Result<(), InstallError> {
        let Some(AppliedEdit { text, .. }) = &self.edit else { return Ok(()) };
        let (path, text, temporary_dir) = (self.manifest_path(), text.clone(), self.layout.modules_dir.clone());
        if !self.has(lockfile) {
            self.write(lockfile).await?;
        }
        let failed = |source| ProjectError::modules("write", &self.manifest_path(), source);
        let save = move || rt::write_whole(&path, text.as_bytes(), &temporary_dir);
        Ok(rt::blocking("write package.json", save).await.map_err(failed)?)
    }

    /// What is changed in the files of a snapshot.
    pub(super) fn patch_of(&self, dep_path: &str) -> Option<&Arc<Patch>> {
        let (name, version) = lockfile::name_and_version(dep_path).filter(|_| dep_path.contains("(patch_hash="))?;
        self.workspace.patches.find(name, version)
    }

    /// The project that the command is about.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// package.json of the project that the command is about.
    pub(super) fn manifest(&self) -> &Manifest {
        &self.workspace.members[&self.id].manifest
    }

    /// Whether the next install can tell by the inputs alone that nothing changed: every project is installed, and nothing
    /// that they need is in some directory of this machine.
    pub(super) fn is_told_by_inputs(&self, lockfile: &Lockfile) -> bool {
        let is_local = |locked: &lockfile::LockedPackage| {
            let tarball = locked.resolution.tarball.as_deref();
            locked.resolution.directory.is_some() || tarball.is_some_and(|url| url.starts_with("file:"))
        };
        let dirs = self.dirs();
        let leads_away = |(id, member): (&ImporterId, &Member)| {
            member.wanted.values().any(|wanted| match &wanted.target {
                Target::Link { path } => !dirs.contains(&self.layout.importer_dir(&format!("{id}/{path}"))),
                Target::Resolved { .. } => false,
            })
        };
        // A lockfile with a project that is gone is left alone by a frozen install, and not by the next that is none.
        let all_are_here = lockfile.importers.keys().all(|id| self.workspace.members.contains_key(id));
        self.is_whole()
            && all_are_here
            && !self.workspace.settings.engine_strict
            && !lockfile.packages.values().any(is_local)
            && !self.workspace.members.iter().any(leads_away)
    }

    fn manifest_path(&self) -> PathBuf {
        self.workspace.dir(&self.id).join("package.json")
    }

    /// What decided a tree that was made from this lockfile: the one that was read, or one that was resolved and written.
    pub(super) fn inputs_with(&self, lockfile: &LockfileDocument) -> Inputs {
        if self.has(lockfile) { self.inputs.clone() } else { self.inputs.with_lockfile(lockfile.text()) }
    }

    /// Whether this is the lockfile that was read, or says the same.
    fn has(&self, lockfile: &LockfileDocument) -> bool {
        self.lockfile.as_deref().is_some_and(|read| std::ptr::eq(read, lockfile) || **read == **lockfile)
    }

    /// Writes pnpm-lock.yaml if it is new, whole or not at all; later, if package.json was changed.
    pub(super) async fn write_lockfile(
        &self,
        lockfile: &Arc<LockfileDocument>,
        is_new: bool,
    ) -> Result<(), InstallError> {
        if is_new && self.edit.is_none() { self.write(lockfile).await } else { Ok(()) }
    }

    async fn write(&self, lockfile: &Arc<LockfileDocument>) -> Result<(), InstallError> {
        let (path, lockfile) = (self.lockfile_path.clone(), lockfile.clone());
        Ok(rt::blocking("write lockfile", move || lockfile.write(&path)).await?)
    }

    /// What to say of settings that are set and do nothing; `None` where there is none.
    pub(super) fn settings_that_do_nothing(&self) -> Option<String> {
        let quoted = |names: &[String]| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let unsupported = &self.workspace.settings.unsupported;
        let misplaced = self.workspace.members.get(ROOT).map_or(&[][..], |root| &root.manifest.misplaced_settings);
        let mut parts = Vec::new();
        if !unsupported.is_empty() {
            parts.push(format!("{} in pnpm-workspace.yaml (not supported)", quoted(unsupported)));
        }
        if !misplaced.is_empty() {
            parts.push(format!("{} in package.json (settings belong in pnpm-workspace.yaml)", quoted(misplaced)));
        }
        (!parts.is_empty()).then(|| format!("these settings do nothing here: {}", parts.join("; ")))
    }

    /// Whether every project's node_modules is filled.
    pub(super) fn is_whole(&self) -> bool {
        self.selection.importers.len() == self.workspace.members.len()
    }

    /// Whether there are several projects.
    pub(super) fn is_workspace(&self) -> bool {
        self.workspace.members.len() > 1
    }

    /// The directories of the projects that are installed, dependencies first, each with the places of those that it needs.
    pub(super) fn in_order(&self) -> Vec<(PathBuf, BTreeSet<usize>)> {
        let sorted = ProjectGraph::of(&self.workspace).in_order(&self.selection.importers);
        sorted.into_iter().map(|(id, after)| (self.workspace.dir(&id), after)).collect()
    }

    /// The directories of the workspace's projects.
    pub(super) fn dirs(&self) -> BTreeSet<PathBuf> {
        self.workspace.members.keys().map(|id| self.workspace.dir(id)).collect()
    }

    /// The projects that every package can find, by their names: all but the root, where they are to be found at all.
    pub(super) fn named_dirs(&self) -> BTreeMap<String, PathBuf> {
        let found = |id: &ImporterId| id != ROOT && self.workspace.settings.hoist_workspace_packages;
        let members = self.workspace.members.iter().filter(|(id, _)| found(id));
        let named = members.filter_map(|(id, member)| Some((member.manifest.name.clone()?, self.workspace.dir(id))));
        // Whoever is called `../../x` is found by nobody.
        named.filter(|(name, _)| package_name::check(name, String::new).is_ok()).collect()
    }
}

/// The manifests of these directories, as far as they have one; blocks.
pub(super) fn linked_manifests(dirs: BTreeSet<PathBuf>) -> LinkedManifests {
    let manifest = |dir: &PathBuf| {
        let text = rt::fs::read(&dir.join("package.json")).ok()?;
        Some(BundledManifest::parse(&text, &Default::default()))
    };
    dirs.into_iter().filter_map(|dir| manifest(&dir).map(|manifest| (dir, manifest))).collect()
}
