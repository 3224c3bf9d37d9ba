//! What pnpm keeps about a node_modules: node_modules/.modules.yaml (JSON, for all its name) and node_modules/.pnpm/lock.yaml.
//!
//! Written as pnpm 12 writes them, so that pnpm goes on from a tree of ours without making it anew. What they do not say
//! is when they were written: `prunedAt` is pnpm's own and optional, and everything else follows from the input alone.

use super::hoisted::{Locations, Record};
use super::link::relative_path;
use super::{InstalledPackages, Layout};
use crate::config::NodeLinker;
use crate::lockfile::{DepPath, IncludeKinds, Lockfile, LockfileDocument, package_key};
use crate::rt;
use crate::workspace::ImporterId;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

/// The file's name in node_modules.
pub const FILE_NAME: &str = ".modules.yaml";

/// The current lockfile's name in node_modules/.pnpm.
pub const CURRENT_LOCKFILE: &str = "lock.yaml";

/// By this file pnpm knows that it need not look at a node_modules again. It vouches for what pnpm saw.
const PNPM_VALIDATION: &str = ".pnpm-workspace-state-v1.json";

/// The layout of node_modules that this program and pnpm share.
const LAYOUT_VERSION: u32 = 5;

/// What .modules.yaml says, in pnpm's order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ModulesYaml {
    /// Snapshot, or project → name under which it was hoisted → where to.
    hoisted_dependencies: BTreeMap<String, BTreeMap<String, &'static str>>,
    hoist_pattern: Vec<String>,
    included: Included,
    layout_version: u32,
    node_linker: &'static str,
    package_manager: String,
    pending_builds: BTreeSet<DepPath>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    ignored_builds: BTreeSet<DepPath>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pruned_at: Option<String>,
    public_hoist_pattern: Vec<String>,
    skipped: Vec<DepPath>,
    store_dir: PathBuf,
    virtual_store_dir: PathBuf,
    virtual_store_dir_max_length: usize,
    /// A directory that was copied, from the lockfile → its copies, from the root.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    injected_deps: BTreeMap<String, BTreeSet<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hoisted_locations: Option<BTreeMap<DepPath, Vec<String>>>,
    allow_builds: BTreeMap<String, bool>,
}

/// Which of package.json's maps are installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Included {
    dependencies: bool,
    dev_dependencies: bool,
    optional_dependencies: bool,
}

/// What one node_modules holds.
#[derive(Debug, Clone)]
pub struct Contents<'a> {
    /// The part of the lockfile that was asked for: see [`LockfileDocument::including`].
    pub current: &'a LockfileDocument,
    /// What is there.
    pub installed: &'a InstalledPackages,
    /// What the tree consists of.
    pub tree: Tree<'a>,
    /// What packages find that nobody named, as patterns.
    pub hoist_pattern: &'a [String],
    /// What projects find that they did not name, as patterns.
    pub public_hoist_pattern: &'a [String],
    /// Which of package.json's maps are installed.
    pub include: IncludeKinds,
    /// Snapshots whose build scripts were not allowed to run.
    pub ignored_builds: &'a BTreeSet<DepPath>,
    /// Snapshots whose build scripts are still to run.
    pub pending_builds: &'a BTreeSet<DepPath>,
    /// `name` or `name@version` → whether its build scripts may run.
    pub allow_builds: &'a BTreeMap<String, bool>,
    /// Where pnpm keeps its store; see `Settings::pnpm_store_dir`.
    pub pnpm_store_dir: &'a Path,
}

/// What a node_modules consists of.
#[derive(Debug, Clone, Copy)]
pub enum Tree<'a> {
    /// Links, and directories in node_modules/.pnpm.
    Isolated {
        /// Name under node_modules/.pnpm/node_modules → snapshot.
        hoisted: &'a BTreeMap<String, DepPath>,
        /// Name under the root's node_modules → snapshot, for what is hoisted there.
        public: &'a BTreeMap<String, DepPath>,
    },
    /// Directories.
    Hoisted {
        /// Where they are.
        locations: &'a Locations,
        /// Name under the root's node_modules → project, for those that it does not ask for.
        projects: &'a BTreeMap<String, ImporterId>,
    },
}

impl Tree<'_> {
    /// Snapshot, or project → name under which it was hoisted → where to, in pnpm's words.
    fn hoisted_dependencies(self) -> BTreeMap<String, BTreeMap<String, &'static str>> {
        let nothing = BTreeMap::new();
        let places = match self {
            Tree::Isolated { hoisted, public } => [(hoisted, "private"), (public, "public")],
            Tree::Hoisted { projects, .. } => [(projects, "private"), (&nothing, "public")],
        };
        let mut dependencies: BTreeMap<String, BTreeMap<String, &'static str>> = BTreeMap::new();
        for (names, place) in places {
            for (name, what) in names {
                dependencies.entry(what.clone()).or_default().insert(name.clone(), place);
            }
        }
        dependencies
    }
}

/// What pnpm wrote, and keeps its meaning whoever goes on.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Kept {
    pruned_at: Option<String>,
    store_dir: Option<PathBuf>,
}

/// What was not built.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Unbuilt {
    ignored_builds: BTreeSet<DepPath>,
    pending_builds: BTreeSet<DepPath>,
}

impl ModulesYaml {
    fn new(layout: &Layout, contents: &Contents<'_>, kept: Kept) -> Self {
        let (linker, locations) = match contents.tree {
            Tree::Isolated { .. } => (NodeLinker::Isolated, None),
            Tree::Hoisted { locations, .. } => (NodeLinker::Hoisted, Some(locations.by_snapshot().clone())),
        };
        let IncludeKinds { prod, dev, optional } = contents.include;
        let skipped = contents.current.snapshots.keys().filter(|dep_path| !contents.installed.contains_key(*dep_path));
        ModulesYaml {
            hoisted_dependencies: contents.tree.hoisted_dependencies(),
            hoist_pattern: contents.hoist_pattern.to_vec(),
            included: Included { dependencies: prod, dev_dependencies: dev, optional_dependencies: optional },
            layout_version: LAYOUT_VERSION,
            node_linker: linker.name(),
            package_manager: concat!("lockstep@", env!("CARGO_PKG_VERSION")).to_owned(),
            pending_builds: contents.pending_builds.clone(),
            ignored_builds: contents.ignored_builds.clone(),
            pruned_at: kept.pruned_at,
            public_hoist_pattern: contents.public_hoist_pattern.to_vec(),
            skipped: skipped.cloned().collect(),
            // pnpm makes a tree anew that it takes for another store's. One that was made from its store stays so.
            store_dir: kept.store_dir.unwrap_or_else(|| contents.pnpm_store_dir.to_owned()),
            virtual_store_dir: match &layout.shared {
                Some(shared) => relative_path(&shared.links_dir, &layout.modules_dir),
                None => PathBuf::from(".pnpm"),
            },
            virtual_store_dir_max_length: super::layout::DIRECTORY_NAME_BYTES_MAX,
            injected_deps: injected_deps(layout, contents),
            hoisted_locations: locations,
            allow_builds: contents.allow_builds.clone(),
        }
    }
}

/// The copies of directories.
fn injected_deps(layout: &Layout, contents: &Contents<'_>) -> BTreeMap<String, BTreeSet<String>> {
    let mut injected: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for dep_path in contents.installed.keys() {
        let package = contents.current.packages.get(package_key(dep_path));
        let Some(directory) = package.and_then(|package| package.resolution.directory.clone()) else { continue };
        let copies = match contents.tree {
            Tree::Isolated { .. } => {
                let copy = relative_path(&layout.package_dir(dep_path), &layout.project_dir);
                vec![copy.to_string_lossy().into_owned()]
            }
            Tree::Hoisted { locations, .. } => locations.by_snapshot().get(dep_path).cloned().unwrap_or_default(),
        };
        injected.entry(directory).or_default().extend(copies);
    }
    injected
}

/// Writes both files. To be called when everything else is in place; blocks.
///
/// # Errors
/// When the disk refuses.
pub fn write(layout: &Layout, contents: &Contents<'_>) -> io::Result<()> {
    let path = layout.modules_dir.join(FILE_NAME);
    let kept = rt::fs::read(&path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
    let modules = serde_json::to_string_pretty(&ModulesYaml::new(layout, contents, kept)).expect("it is plain data");
    rt::fs::create_dir_all(&layout.virtual_store_dir)?;
    let current = contents.current.text().as_bytes();
    rt::write_whole(&layout.virtual_store_dir.join(CURRENT_LOCKFILE), current, &layout.modules_dir)?;
    rt::write_whole(&path, modules.as_bytes(), &layout.modules_dir)?;
    Record::settle(layout)
}

/// The snapshots that are there, and built where they have something to build; none where nobody wrote that down. Blocks.
pub fn built(layout: &Layout) -> BTreeSet<DepPath> {
    let modules = rt::fs::read(&layout.modules_dir.join(FILE_NAME)).ok();
    let modules: Option<Unbuilt> = modules.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let current = Lockfile::read(&layout.virtual_store_dir.join(CURRENT_LOCKFILE));
    let (Some(unbuilt), Ok(Some(current))) = (modules, current) else { return BTreeSet::new() };
    let Unbuilt { ignored_builds, pending_builds } = unbuilt;
    let is_built = |dep_path: &DepPath| !ignored_builds.contains(dep_path) && !pending_builds.contains(dep_path);
    current.snapshots.into_keys().filter(is_built).collect()
}

/// Takes back what pnpm vouches for: from now on node_modules may differ from what pnpm saw.
///
/// # Errors
/// When the disk refuses.
pub fn forget_pnpm_validation(layout: &Layout) -> io::Result<()> {
    match rt::fs::remove_file(&layout.modules_dir.join(PNPM_VALIDATION)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    const LOCKFILE: &str = "
lockfileVersion: '9.0'
importers:
  .:
    dependencies: {app: {specifier: '1', version: 1.0.0}}
packages:
  app@1.0.0: {resolution: {integrity: sha512-AA==}}
  leaf@1.0.0: {resolution: {integrity: sha512-AA==}}
  elsewhere@1.0.0: {resolution: {integrity: sha512-AA==}, os: [aix]}
snapshots:
  app@1.0.0:
    dependencies: {leaf: 1.0.0}
    optionalDependencies: {elsewhere: 1.0.0}
  leaf@1.0.0: {}
  elsewhere@1.0.0: {optional: true}
";

    #[test]
    fn it_reads_as_pnpm_s_own_and_keeps_what_is_pnpm_s() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path());
        let current = Lockfile::parse(LOCKFILE, Path::new("pnpm-lock.yaml")).unwrap();
        let installed = ["app@1.0.0", "leaf@1.0.0"].map(|dep_path| (dep_path.to_owned(), Arc::default())).into();
        let contents = Contents {
            current: &current.clone().into(),
            installed: &installed,
            tree: Tree::Isolated {
                hoisted: &BTreeMap::from([("leaf".to_owned(), "leaf@1.0.0".to_owned())]),
                public: &BTreeMap::new(),
            },
            hoist_pattern: &["*".to_owned()],
            public_hoist_pattern: &[],
            include: IncludeKinds { dev: false, ..IncludeKinds::ALL },
            ignored_builds: &BTreeSet::from(["leaf@1.0.0".to_owned()]),
            pending_builds: &BTreeSet::new(),
            allow_builds: &BTreeMap::new(),
            pnpm_store_dir: Path::new("/pnpm/store/v11"),
        };
        write(&layout, &contents).unwrap();
        let read = || String::from_utf8(rt::fs::read(&layout.modules_dir.join(FILE_NAME)).unwrap()).unwrap();
        let version = env!("CARGO_PKG_VERSION");
        let expected = format!(
            r#"{{
  "hoistedDependencies": {{
    "leaf@1.0.0": {{
      "leaf": "private"
    }}
  }},
  "hoistPattern": [
    "*"
  ],
  "included": {{
    "dependencies": true,
    "devDependencies": false,
    "optionalDependencies": true
  }},
  "layoutVersion": 5,
  "nodeLinker": "isolated",
  "packageManager": "lockstep@{version}",
  "pendingBuilds": [],
  "ignoredBuilds": [
    "leaf@1.0.0"
  ],
  "publicHoistPattern": [],
  "skipped": [
    "elsewhere@1.0.0"
  ],
  "storeDir": "/pnpm/store/v11",
  "virtualStoreDir": ".pnpm",
  "virtualStoreDirMaxLength": 120,
  "allowBuilds": {{}}
}}"#
        );
        assert_eq!(read(), expected);
        let lock = rt::fs::read(&layout.virtual_store_dir.join(CURRENT_LOCKFILE)).unwrap();
        assert_eq!(String::from_utf8(lock).unwrap(), current.to_yaml());

        let of_pnpm = r#"{"prunedAt":"Wed, 25 Nov 2020 10:00:00 GMT","storeDir":"/mnt/.pnpm-store/v11","later":[]}"#;
        rt::fs::remove_file(&layout.modules_dir.join(FILE_NAME)).unwrap();
        rt::fs::write_new(&layout.modules_dir.join(FILE_NAME), of_pnpm.as_bytes(), false).unwrap();
        write(&layout, &contents).unwrap();
        assert!(read().contains(r#""prunedAt": "Wed, 25 Nov 2020 10:00:00 GMT""#), "{}", read());
        assert!(read().contains(r#""storeDir": "/mnt/.pnpm-store/v11""#), "{}", read());
    }
}
