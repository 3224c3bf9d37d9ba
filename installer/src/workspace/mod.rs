//! The projects that are installed together: one directory with a package.json, or all of a pnpm workspace's.
//!
//! [`Located::find`] finds them and [`Workspace::open`] reads them; a value of that is what resolution and linking start from. For each project it
//! says what is asked for once overrides, catalogs and the other projects of the workspace are taken into account. One
//! project without a workspace is the workspace whose only member is `.`.

mod discover;
mod error;
pub mod filter;
mod overrides;
mod project_graph;
mod wanted;

pub use self::error::WorkspaceError;
pub use self::overrides::{Overrides, REMOVED};
pub use self::project_graph::ProjectGraph;
pub(crate) use self::wanted::join;
pub use self::wanted::{CatalogUse, Target, WantedDependency};

use crate::config::ProjectSettings;
use crate::manifest::{Manifest, ManifestError};
use crate::patch::Patches;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Names a project in a lockfile: its directory relative to the root, with forward slashes; `.` for the root.
pub type ImporterId = String;

/// The importer id of the root.
pub const ROOT: &str = ".";

/// See the module.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Workspace {
    /// The directory of the lockfile, and of the node_modules that has the virtual store.
    pub root: PathBuf,
    /// Every project.
    pub members: BTreeMap<ImporterId, Member>,
    /// What is resolved otherwise than packages ask for.
    pub overrides: Overrides,
    /// What is changed in packages' files.
    pub patches: Patches,
    /// The settings that all projects share.
    pub settings: ProjectSettings,
}

/// Where a workspace is, and which projects it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// The directory of the lockfile.
    pub root: PathBuf,
    /// The root, whether it is a project or not, and all others.
    pub importers: Vec<ImporterId>,
}

impl Located {
    /// Finds the workspace that the project in `dir` belongs to, by `settings.workspace_dir`; blocks. A project that the
    /// workspace does not count among its packages stands alone, as in pnpm.
    ///
    /// # Errors
    /// When a glob makes no sense.
    pub fn find(dir: &Path, settings: &ProjectSettings) -> Result<Located, WorkspaceError> {
        let root = settings.workspace_dir.as_deref().unwrap_or(dir);
        let found = discover::members(root, &settings.packages)?;
        let is_member = dir == root || found.iter().any(|id| root.join(id) == dir);
        let (root, found) = if is_member { (root, found) } else { (dir, Vec::new()) };
        let importers = std::iter::once(ROOT.to_owned()).chain(found).collect();
        Ok(Located { root: root.to_owned(), importers })
    }
}

/// One project of a workspace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Member {
    /// Its package.json.
    pub manifest: Manifest,
    /// What to install for it: name under node_modules → what is asked for.
    pub wanted: BTreeMap<String, WantedDependency>,
}

impl Workspace {
    /// Reads the projects of a workspace; blocks.
    ///
    /// # Errors
    /// When a package.json is missing or wrong, or a project asks for what the workspace lacks.
    pub fn open(located: &Located, settings: &ProjectSettings) -> Result<Workspace, WorkspaceError> {
        let Located { root, importers } = located;
        let mut manifests = BTreeMap::new();
        for id in importers {
            match Manifest::read(&dir_of(root, id).join("package.json")) {
                Ok((manifest, _)) => drop(manifests.insert(id.clone(), manifest)),
                // The root of a workspace need not be a project.
                Err(ManifestError::Missing { .. }) if id == ROOT && importers.len() > 1 => {}
                Err(error) => return Err(error.into()),
            }
        }
        let patches = Patches::read(settings.patches_root(root), &settings.patched_dependencies)?;
        Ok(Workspace { patches, ..Workspace::new(root, manifests, settings)? })
    }

    /// The workspace of these projects, without patches.
    ///
    /// # Errors
    /// When an override makes no sense, or a project asks for a catalog entry or a workspace package that is not there.
    pub fn new(
        root: &Path,
        manifests: BTreeMap<ImporterId, Manifest>,
        settings: &ProjectSettings,
    ) -> Result<Workspace, WorkspaceError> {
        let overrides = Overrides::of(&settings.overrides, manifests.get(ROOT), &settings.catalogs)?;
        let mut members = BTreeMap::new();
        for (id, manifest) in &manifests {
            let wanted = wanted::wanted(root, id, &manifests, &overrides, settings)?;
            members.insert(id.clone(), Member { manifest: manifest.clone(), wanted });
        }
        Ok(Workspace {
            root: root.to_owned(),
            members,
            overrides,
            patches: Patches::default(),
            settings: settings.clone(),
        })
    }

    /// The project in `dir`; the root where there is none.
    pub fn id_of(&self, dir: &Path) -> ImporterId {
        let here = self.members.keys().find(|id| self.dir(id) == dir);
        here.or(self.members.keys().next()).cloned().unwrap_or_else(|| ROOT.to_owned())
    }

    /// This workspace, once a project has another package.json.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_manifest(&self, importer: &str, manifest: Manifest) -> Result<Workspace, WorkspaceError> {
        let others = self.members.iter().map(|(id, member)| (id.clone(), member.manifest.clone()));
        let mut manifests: BTreeMap<_, _> = others.collect();
        manifests.insert(importer.to_owned(), manifest);
        let workspace = Workspace::new(&self.root, manifests, &self.settings)?;
        Ok(Workspace { patches: self.patches.clone(), ..workspace })
    }

    /// Where a project is.
    pub fn dir(&self, importer: &str) -> PathBuf {
        dir_of(&self.root, importer)
    }

    /// Whether nothing at all is asked for.
    pub fn wants_nothing(&self) -> bool {
        self.members.values().all(|member| member.wanted.is_empty())
    }
}

/// Where a project of the workspace in `root` is.
pub fn dir_of(root: &Path, importer: &str) -> PathBuf {
    if importer == ROOT { root.to_owned() } else { root.join(importer) }
}

/// How messages call a project: `package.json`, `packages/a/package.json`.
pub fn shown(importer: &str) -> String {
    if importer == ROOT { "package.json".to_owned() } else { format!("{importer}/package.json") }
}
