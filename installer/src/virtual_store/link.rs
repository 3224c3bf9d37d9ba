//! The symbolic links of node_modules: a snapshot to its dependencies, each project to its own, and the hoisted rest.

use super::Layout;
use super::hoist::{hoisted, in_order_of_kinds};
use super::layout::normal;
use crate::config::NamePatterns;
use crate::lockfile::{DepPath, Importer, IncludeKinds, LockedPackage, Lockfile, Snapshot, dep_path_of, package_key};
use crate::rt::{self, FileKind};
use crate::workspace::{ImporterId, ROOT};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::io;
use std::path::{Component, Path, PathBuf};

/// Where a directory goes that people put in the way of a link, below node_modules. As in pnpm.
const IGNORED_DIR: &str = ".ignored";

/// One symbolic link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Where it is.
    pub path: PathBuf,
    /// What it leads to; written relative to the link, unless it is in the store.
    pub target: PathBuf,
}

/// All links of a node_modules.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LinkPlan {
    /// Project → name under its node_modules → what its own dependency of that name is.
    pub direct: BTreeMap<ImporterId, BTreeMap<String, Direct>>,
    /// Name under node_modules/.pnpm/node_modules → snapshot.
    pub hoisted: BTreeMap<String, DepPath>,
    /// Name under the root's node_modules → snapshot, for what everybody can find there.
    pub public: BTreeMap<String, DepPath>,
    /// Name under node_modules/.pnpm/node_modules → directory, for the projects of the workspace.
    pub hoisted_projects: BTreeMap<String, PathBuf>,
    /// Project → the peers that its own dependencies need and that are not its own: it has their commands.
    pub peers: BTreeMap<ImporterId, BTreeSet<DepPath>>,
    /// Installed snapshot → its dependencies: name beside it → snapshot.
    pub snapshots: BTreeMap<DepPath, BTreeMap<String, DepPath>>,
    /// Every link, in a fixed order.
    pub links: Vec<Link>,
}

/// What a project's own dependency is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Direct {
    /// A package in the virtual store.
    Snapshot(DepPath),
    /// A directory that is used where it is.
    Directory(PathBuf),
}

/// What is to be linked.
#[derive(Debug, Clone, Copy)]
pub struct LinkRequest<'a> {
    /// What the links come from.
    pub lockfile: &'a Lockfile,
    /// What there is to link to.
    pub installed: &'a BTreeSet<DepPath>,
    /// Where everything goes.
    pub layout: &'a Layout,
    /// Which maps of package.json count.
    pub include: IncludeKinds,
    /// The projects whose node_modules is linked.
    pub importers: &'a BTreeSet<ImporterId>,
    /// Which names are hoisted where.
    pub hoisting: Hoisting<'a>,
    /// The projects of the workspace by their names: every package can find them.
    pub projects: &'a BTreeMap<String, PathBuf>,
}

/// Which names are hoisted where: what both mean is hoisted in public only.
#[derive(Debug, Clone, Copy)]
pub struct Hoisting<'a> {
    /// To node_modules/.pnpm/node_modules, for packages.
    pub private: &'a NamePatterns,
    /// To the root's node_modules, for projects.
    pub public: &'a NamePatterns,
}

impl LinkPlan {
    /// The packages of the virtual store among a project's own dependencies.
    pub fn direct_packages(&self, importer: &str) -> BTreeMap<String, DepPath> {
        let direct = self.direct.get(importer).into_iter().flatten();
        let packages = direct.filter_map(|(name, direct)| match direct {
            Direct::Snapshot(dep_path) => Some((name.clone(), dep_path.clone())),
            Direct::Directory(_) => None,
        });
        packages.collect()
    }
}

/// A link, a command or an old directory could not be dealt with.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[error("cannot {action} {}", path.display())]
#[diagnostic(code(lockstep::link), help("check the project's permissions and the free space on its disk"))]
pub struct LinkError {
    pub(super) action: &'static str,
    pub(super) path: PathBuf,
    #[source]
    pub(super) source: io::Error,
}

/// Decides every link. Pure.
pub fn plan(request: LinkRequest<'_>) -> LinkPlan {
    let LinkRequest { lockfile, installed, layout, importers, projects, hoisting, .. } = request;
    let direct: BTreeMap<_, _> = importers.iter().map(|id| (id.clone(), direct_dependencies(id, request))).collect();
    let snapshots: BTreeMap<_, _> =
        installed.iter().map(|dep_path| (dep_path.clone(), dependencies(lockfile, installed, dep_path))).collect();
    let mut plan = LinkPlan { direct, snapshots, ..LinkPlan::default() };
    plan.peers = importers.iter().map(|id| (id.clone(), peers_of_direct(lockfile, &plan, id))).collect();
    let root = plan.direct_packages(ROOT);
    let own =
        importers.iter().flat_map(|id| in_order_of_kinds(lockfile, id, plan.direct_packages(id))).collect::<Vec<_>>();
    (plan.public, plan.hoisted) =
        hoisted(&plan.snapshots, &own, &root).into_iter().partition(|(name, _)| hoisting.public.matches(name));
    plan.hoisted.retain(|name, _| hoisting.private.matches(name));
    // What a project asks for comes first, then the projects, then what is further below.
    let own_names: BTreeSet<&String> = own.iter().map(|(name, _)| name).collect();
    plan.hoisted_projects = projects.clone();
    plan.hoisted_projects.retain(|name, _| hoisting.private.matches(name) && !own_names.contains(name));
    plan.hoisted.retain(|name, _| !plan.hoisted_projects.contains_key(name));
    let mut links = Vec::new();
    // Each is linked to several times.
    let dirs: Dirs<'_> =
        plan.snapshots.keys().map(|dep_path| (dep_path.as_str(), layout.snapshot_dirs(dep_path))).collect();
    // A package that all projects share comes with its links.
    for (dep_path, dependencies) in plan.snapshots.iter().filter(|(dep_path, _)| layout.entry(dep_path).is_none()) {
        let (modules_dir, own) = &dirs[dep_path.as_str()];
        // A package that depends on itself is there already.
        links.extend(links_into(modules_dir, dependencies, &dirs).filter(|link| link.path != *own));
        links.extend(links_to_directories(lockfile, dep_path, modules_dir, layout));
    }
    let hoisted_modules_dir = layout.hoisted_modules_dir();
    links.extend(links_into(&hoisted_modules_dir, &plan.hoisted, &dirs));
    links.extend(links_into(&layout.modules_dir, &plan.public, &dirs));
    let to_project =
        |(name, dir): (&String, &PathBuf)| Link { path: hoisted_modules_dir.join(name), target: dir.clone() };
    links.extend(plan.hoisted_projects.iter().map(to_project));
    for (id, direct) in &plan.direct {
        let modules_dir = layout.importer_modules_dir(id);
        links.extend(direct.iter().map(|(name, direct)| {
            let target = match direct {
                Direct::Snapshot(dep_path) => dirs[dep_path.as_str()].1.clone(),
                Direct::Directory(dir) => dir.clone(),
            };
            Link { path: modules_dir.join(name), target }
        }));
    }
    drop(dirs);
    LinkPlan { links, ..plan }
}

/// Decides the links of a tree of real directories: to what is used where it is, and to the projects whose names are free at
/// the root. Pure.
pub fn plan_hoisted(request: LinkRequest<'_>, is_taken: impl Fn(&str) -> bool) -> LinkPlan {
    let LinkRequest { layout, importers, projects, hoisting, .. } = request;
    let direct: BTreeMap<_, _> = importers.iter().map(|id| (id.clone(), direct_dependencies(id, request))).collect();
    let is_own = |name: &str| direct.get(ROOT).is_some_and(|own: &BTreeMap<String, Direct>| own.contains_key(name));
    let is_found = |name: &str| hoisting.private.matches(name) && !is_own(name) && !is_taken(name);
    let found = projects.iter().filter(|(name, _)| is_found(name));
    let hoisted_projects: BTreeMap<_, _> = found.map(|(name, dir)| (name.clone(), dir.clone())).collect();
    let at_root = |(name, dir): (&String, &PathBuf)| Link { path: layout.modules_dir.join(name), target: dir.clone() };
    let mut links: Vec<Link> = hoisted_projects.iter().map(at_root).collect();
    for (id, direct) in &direct {
        let modules_dir = layout.importer_modules_dir(id);
        links.extend(direct.iter().filter_map(|(name, direct)| match direct {
            Direct::Directory(dir) => Some(Link { path: modules_dir.join(name), target: dir.clone() }),
            Direct::Snapshot(_) => None,
        }));
    }
    LinkPlan { direct, hoisted_projects, links, ..LinkPlan::default() }
}

/// Installed snapshot → the node_modules that it lives in, and where its own files are.
type Dirs<'a> = BTreeMap<&'a str, (PathBuf, PathBuf)>;

fn links_into<'a>(
    dir: &'a Path,
    names: &'a BTreeMap<String, DepPath>,
    dirs: &'a Dirs<'_>,
) -> impl Iterator<Item = Link> + 'a {
    names.iter().map(|(name, dep_path)| Link { path: dir.join(name), target: dirs[dep_path.as_str()].1.clone() })
}

/// The peers of a snapshot that are directories.
fn links_to_directories(lockfile: &Lockfile, dep_path: &str, modules_dir: &Path, layout: &Layout) -> Vec<Link> {
    let snapshot = lockfile.snapshots.get(dep_path).into_iter();
    let references = snapshot.flat_map(|snapshot| snapshot.dependencies.iter().chain(&snapshot.optional_dependencies));
    let link = |(name, reference): (&String, &String)| {
        let target = normal(&layout.project_dir.join(reference.strip_prefix("link:")?));
        Some(Link { path: modules_dir.join(name), target })
    };
    references.filter_map(link).collect()
}

fn direct_dependencies(importer: &str, request: LinkRequest<'_>) -> BTreeMap<String, Direct> {
    let LinkRequest { lockfile, installed, layout, include, .. } = request;
    let Some(Importer { dependencies, dev_dependencies, optional_dependencies }) = lockfile.importers.get(importer)
    else {
        return BTreeMap::new();
    };
    let kinds =
        [(include.dev, dev_dependencies), (include.optional, optional_dependencies), (include.prod, dependencies)];
    let included = kinds.into_iter().filter(|(included, _)| *included).flat_map(|(_, kind)| kind);
    let direct = included.filter_map(|(name, direct)| match direct.version.strip_prefix("link:") {
        Some(path) => Some((name.clone(), Direct::Directory(normal(&layout.importer_dir(importer).join(path))))),
        None => {
            let dep_path = dep_path_of(name, &direct.version);
            installed.contains(&dep_path).then(|| (name.clone(), Direct::Snapshot(dep_path)))
        }
    });
    direct.collect()
}

/// The peers that a project's own dependencies do not work without and that the project does not have itself.
fn peers_of_direct(lockfile: &Lockfile, plan: &LinkPlan, importer: &str) -> BTreeSet<DepPath> {
    let own = plan.direct_packages(importer);
    let peers = own.values().flat_map(|dep_path| {
        let locked = lockfile.packages.get(package_key(dep_path));
        let is_optional =
            |locked: &LockedPackage, name| locked.peer_dependencies_meta.get(name).is_some_and(|meta| meta.optional);
        let peers =
            locked.into_iter().flat_map(|locked| locked.peer_dependencies.keys().map(move |name| (locked, name)));
        let names = peers.filter(move |(locked, name)| !is_optional(locked, *name)).map(|(_, name)| name);
        names.filter_map(|name| plan.snapshots.get(dep_path)?.get(name).map(|peer| (name, peer)))
    });
    peers.filter(|(name, _)| !own.contains_key(*name)).map(|(_, peer)| peer.clone()).collect()
}

/// A snapshot's dependencies that are installed: name under node_modules → snapshot.
fn dependencies(lockfile: &Lockfile, installed: &BTreeSet<DepPath>, dep_path: &str) -> BTreeMap<String, DepPath> {
    let Some(Snapshot { dependencies, optional_dependencies, .. }) = lockfile.snapshots.get(dep_path) else {
        return BTreeMap::new();
    };
    let references = dependencies.iter().chain(optional_dependencies);
    references
        .map(|(alias, reference)| (alias.clone(), dep_path_of(alias, reference)))
        .filter(|(_, dep_path)| installed.contains(dep_path))
        .collect()
}

/// The links, those that lie one after another in the same directory together: two threads would only wait for each other there.
pub fn by_directory(links: Vec<Link>) -> Vec<Vec<Link>> {
    let mut directories: Vec<Vec<Link>> = Vec::new();
    for link in links {
        match directories.last_mut() {
            Some(there) if dir_of(&there[0]) == dir_of(&link) => there.push(link),
            _ => directories.push(vec![link]),
        }
    }
    directories
}

/// The text of the directory that a link lies in: quicker to compare than paths, which are taken apart for that.
fn dir_of(link: &Link) -> Option<&OsStr> {
    link.path.parent().map(Path::as_os_str)
}

/// Makes one link. One that is right already is left alone; what stands in its way gives way.
///
/// # Errors
/// When the disk refuses.
pub fn apply(link: &Link, layout: &Layout) -> Result<(), LinkError> {
    let parent = link.path.parent().expect("a link lies in a node_modules");
    let target = layout.way(&link.target, parent);
    let failed = |action: &'static str| {
        let path = link.path.clone();
        move |source| LinkError { action, path, source }
    };
    // Most often its directory is there, and it is not.
    match rt::fs::symlink(&target, &link.path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => match rt::fs::kind(&link.path) {
            Ok(FileKind::Symlink) if rt::fs::read_link(&link.path).is_ok_and(|there| there == target) => return Ok(()),
            Ok(FileKind::Directory) => move_aside(&link.path, layout).map_err(failed("move aside"))?,
            _ => rt::fs::remove_file(&link.path).map_err(failed("replace"))?,
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            rt::fs::create_dir_all(parent).map_err(failed("create"))?;
        }
        made => return made.map_err(failed("create")),
    }
    match rt::fs::symlink(&target, &link.path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made.map_err(failed("create")),
    }
}

fn move_aside(path: &Path, layout: &Layout) -> io::Result<()> {
    // A directory of another project of the workspace goes to that project's node_modules.
    let above = path.ancestors().skip(1).find(|dir| dir.file_name().is_some_and(|name| name == "node_modules"));
    let modules_dir = above.unwrap_or(&layout.modules_dir);
    let name = path.strip_prefix(modules_dir).unwrap_or(path);
    let aside = modules_dir.join(IGNORED_DIR).join(name);
    rt::fs::create_dir_all(aside.parent().expect("it lies below node_modules"))?;
    if rt::fs::exists(&aside) {
        rt::fs::remove_dir_all(&aside)?;
    }
    rt::fs::rename(path, &aside)
}

/// The way from the directory `from` to `to`, both absolute.
pub(super) fn relative_path(to: &Path, from: &Path) -> PathBuf {
    let (mut to, mut from) = (to.components(), from.components());
    let mut after = (to.clone(), from.clone());
    while let (Some(a), Some(b)) = (after.0.next(), after.1.next())
        && a == b
    {
        (to, from) = after.clone();
    }
    from.map(|_| Component::ParentDir).chain(to).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCKFILE: &str = "
lockfileVersion: '9.0'
importers:
  packages/a:
    dependencies:
      app: {specifier: ^1.0.0, version: 1.0.0(peer@2.0.0)}
      tool: {specifier: '2', version: 2.0.0}
      late: {specifier: '1', version: 1.0.0}
      '@w/b': {specifier: 'workspace:*', version: 'link:../b'}
  .:
    dependencies:
      app: {specifier: ^1.0.0, version: 1.0.0(peer@2.0.0)}
      alias: {specifier: 'npm:real@1', version: real@1.0.0}
    devDependencies:
      tool: {specifier: '1', version: 1.0.0}
packages: {}
snapshots:
  app@1.0.0(peer@2.0.0):
    dependencies: {peer: 2.0.0, '@s/leaf': 1.0.0}
    optionalDependencies: {elsewhere: 1.0.0}
  peer@2.0.0: {}
  real@1.0.0:
    dependencies: {peer: 1.0.0, here: 'link:packages/b', '@s/out': 'link:../out'}
  peer@1.0.0: {}
  '@s/leaf@1.0.0': {}
  tool@1.0.0: {}
  tool@2.0.0: {}
  late@1.0.0: {}
";

    fn planned_for(importers: &[&str], projects: &[(&str, &str)], public: &[&str], include: IncludeKinds) -> LinkPlan {
        let lockfile = Lockfile::parse(LOCKFILE, Path::new("pnpm-lock.yaml")).unwrap();
        let installed = lockfile.snapshots.keys().cloned().collect();
        plan(LinkRequest {
            lockfile: &lockfile,
            installed: &installed,
            layout: &Layout::new(Path::new("/p")),
            include,
            hoisting: Hoisting {
                private: &NamePatterns::new(["*"]),
                public: &NamePatterns::new(public.iter().copied()),
            },
            importers: &importers.iter().map(|id| (*id).to_owned()).collect(),
            projects: &projects.iter().map(|(name, dir)| ((*name).to_owned(), PathBuf::from(dir))).collect(),
        })
    }

    fn planned(include: IncludeKinds) -> LinkPlan {
        planned_for(&[ROOT], &[], &[], include)
    }

    fn has(plan: &LinkPlan, path: &str, target: &str) -> bool {
        let (path, target) = (normal(&Path::new("/p/node_modules").join(path)), PathBuf::from(target));
        plan.links
            .iter()
            .any(|link| link.path == path && relative_path(&link.target, link.path.parent().unwrap()) == target)
    }

    #[test]
    fn links_lead_where_pnpm_leads_them() {
        let plan = planned(IncludeKinds::ALL);
        assert!(has(&plan, "app", ".pnpm/app@1.0.0_peer@2.0.0/node_modules/app"));
        assert!(has(&plan, "alias", ".pnpm/real@1.0.0/node_modules/real"));
        assert!(has(&plan, ".pnpm/app@1.0.0_peer@2.0.0/node_modules/peer", "../../peer@2.0.0/node_modules/peer"));
        let leaf = "../../../@s+leaf@1.0.0/node_modules/@s/leaf";
        assert!(has(&plan, ".pnpm/app@1.0.0_peer@2.0.0/node_modules/@s/leaf", leaf));
        assert!(!plan.links.iter().any(|link| link.path.ends_with("elsewhere")), "it is not installed");
        assert!(has(&plan, ".pnpm/real@1.0.0/node_modules/here", "../../../../packages/b"));
        assert!(has(&plan, ".pnpm/real@1.0.0/node_modules/@s/out", "../../../../../../out"));
    }

    #[test]
    fn the_nearest_is_hoisted_and_what_the_project_asks_for_is_not() {
        let plan = planned(IncludeKinds::ALL);
        assert_eq!(plan.hoisted.keys().collect::<Vec<_>>(), ["@s/leaf", "peer"]);
        assert_eq!(plan.hoisted["peer"], "peer@2.0.0");
    }

    #[test]
    fn what_everybody_may_find_lies_in_the_open() {
        let plan = planned_for(&[ROOT], &[], &["@s/*"], IncludeKinds::ALL);
        assert!(has(&plan, "@s/leaf", "../.pnpm/@s+leaf@1.0.0/node_modules/@s/leaf"));
        assert_eq!(plan.hoisted.keys().collect::<Vec<_>>(), ["peer"]);
    }

    #[test]
    fn kinds_that_are_left_out_are_not_linked() {
        let plan = planned(IncludeKinds { dev: false, ..IncludeKinds::ALL });
        assert_eq!(plan.direct[ROOT].keys().collect::<Vec<_>>(), ["alias", "app"]);
    }

    #[test]
    fn a_workspace_has_one_virtual_store() {
        let importers = [ROOT, "packages/a"];
        let projects = [
            ("@s/leaf", "/p/packages/leaf"),
            ("@w/b", "/p/packages/b"),
            ("a", "/p/packages/a"),
            ("late", "/p/packages/late"),
        ];
        let plan = planned_for(&importers, &projects, &[], IncludeKinds::ALL);
        let has = |path: &str, target: &str| has(&plan, path, target);
        assert!(has(
            "../packages/a/node_modules/app",
            "../../../node_modules/.pnpm/app@1.0.0_peer@2.0.0/node_modules/app"
        ));
        assert!(has("../packages/a/node_modules/@w/b", "../../../b"));
        assert!(has(".pnpm/node_modules/@w/b", "../../../../packages/b"));
        assert!(has(".pnpm/node_modules/a", "../../../packages/a"));
        assert!(
            has(".pnpm/node_modules/@s/leaf", "../../../../packages/leaf"),
            "a project goes before what is further below"
        );
        assert!(has(".pnpm/node_modules/late", "../late@1.0.0/node_modules/late"), "and after what a project asks for");
        let hoisted: Vec<_> = plan.hoisted.keys().collect();
        assert_eq!(hoisted, ["late", "peer"], "the root's tool stands in the way of the other");
    }

    #[test]
    fn a_wrong_link_is_replaced_and_a_directory_moved_aside() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path());
        let link = Link { path: layout.modules_dir.join("a"), target: layout.package_dir("a@1.0.0") };
        std::fs::create_dir_all(layout.modules_dir.join("a/mine")).unwrap();
        apply(&link, &layout).unwrap();
        assert!(layout.modules_dir.join(".ignored/a/mine").exists());
        assert_eq!(std::fs::read_link(&link.path).unwrap(), Path::new(".pnpm/a@1.0.0/node_modules/a"));
        let other = Link { target: layout.package_dir("a@2.0.0"), ..link };
        apply(&other, &layout).unwrap();
        apply(&other, &layout).unwrap();
        assert_eq!(std::fs::read_link(&other.path).unwrap(), Path::new(".pnpm/a@2.0.0/node_modules/a"));
    }
}
