//! The symbolic links of node_modules: a snapshot to its dependencies, the project to its own, and the hoisted rest.

use super::{InstalledPackages, Layout};
use crate::lockfile::{DepPath, Importer, IncludeKinds, Lockfile, Snapshot, dep_path_of};
use crate::rt::{self, FileKind};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Component, Path, PathBuf};

/// Where a directory goes that people put in the way of a link, below node_modules. As in pnpm.
const IGNORED_DIR: &str = ".ignored";

/// One symbolic link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Where it is.
    pub path: PathBuf,
    /// What it leads to; written relative to the link.
    pub target: PathBuf,
}

/// All links of a node_modules.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LinkPlan {
    /// Name under node_modules → snapshot, for the project's own dependencies.
    pub direct: BTreeMap<String, DepPath>,
    /// Name under node_modules/.pnpm/node_modules → snapshot.
    pub hoisted: BTreeMap<String, DepPath>,
    /// Installed snapshot → its dependencies: name beside it → snapshot.
    pub snapshots: BTreeMap<DepPath, BTreeMap<String, DepPath>>,
    /// Every link, in a fixed order.
    pub links: Vec<Link>,
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
pub fn plan(lockfile: &Lockfile, installed: &InstalledPackages, layout: &Layout, include: IncludeKinds) -> LinkPlan {
    let direct = direct_dependencies(lockfile, installed, include);
    let snapshots: BTreeMap<_, _> =
        installed.keys().map(|dep_path| (dep_path.clone(), dependencies(lockfile, installed, dep_path))).collect();
    let hoisted = hoisted(&snapshots, &direct);
    let mut links = Vec::new();
    for (dep_path, dependencies) in &snapshots {
        let (modules_dir, own) = (layout.snapshot_modules_dir(dep_path), layout.package_dir(dep_path));
        // A package that depends on itself is there already.
        links.extend(links_into(&modules_dir, dependencies, layout).filter(|link| link.path != own));
    }
    links.extend(links_into(&layout.hoisted_modules_dir(), &hoisted, layout));
    links.extend(links_into(&layout.modules_dir, &direct, layout));
    LinkPlan { direct, hoisted, snapshots, links }
}

fn links_into<'a>(
    dir: &'a Path,
    names: &'a BTreeMap<String, DepPath>,
    layout: &'a Layout,
) -> impl Iterator<Item = Link> + 'a {
    names.iter().map(|(name, dep_path)| Link { path: dir.join(name), target: layout.package_dir(dep_path) })
}

fn direct_dependencies(
    lockfile: &Lockfile,
    installed: &InstalledPackages,
    include: IncludeKinds,
) -> BTreeMap<String, DepPath> {
    let Some(Importer { dependencies, dev_dependencies, optional_dependencies }) = lockfile.importers.get(".") else {
        return BTreeMap::new();
    };
    let kinds =
        [(include.dev, dev_dependencies), (include.optional, optional_dependencies), (include.prod, dependencies)];
    let included = kinds.into_iter().filter(|(included, _)| *included).flat_map(|(_, kind)| kind);
    let direct = included.map(|(name, direct)| (name.clone(), dep_path_of(name, &direct.version)));
    direct.filter(|(_, dep_path)| installed.contains_key(dep_path)).collect()
}

/// A snapshot's dependencies that are installed: name under node_modules → snapshot.
fn dependencies(lockfile: &Lockfile, installed: &InstalledPackages, dep_path: &str) -> BTreeMap<String, DepPath> {
    let Some(Snapshot { dependencies, optional_dependencies, .. }) = lockfile.snapshots.get(dep_path) else {
        return BTreeMap::new();
    };
    let references = dependencies.iter().chain(optional_dependencies);
    references
        .map(|(alias, reference)| (alias.clone(), dep_path_of(alias, reference)))
        .filter(|(_, dep_path)| installed.contains_key(dep_path))
        .collect()
}

/// What packages can find without naming it: for each name, the snapshot nearest to the project, by dep path where
/// several are equally near; never a name that the project itself asks for. As pnpm hoists with the pattern `*`.
fn hoisted(
    snapshots: &BTreeMap<DepPath, BTreeMap<String, DepPath>>,
    direct: &BTreeMap<String, DepPath>,
) -> BTreeMap<String, DepPath> {
    let mut hoisted = BTreeMap::new();
    let mut seen: BTreeSet<DepPath> = direct.values().cloned().collect();
    let mut level = seen.clone();
    while !level.is_empty() {
        let mut next_level = BTreeSet::new();
        for parent in &level {
            for (alias, dep_path) in snapshots.get(parent).into_iter().flatten() {
                if !direct.contains_key(alias) && !hoisted.contains_key(alias) {
                    hoisted.insert(alias.clone(), dep_path.clone());
                }
                if seen.insert(dep_path.clone()) {
                    next_level.insert(dep_path.clone());
                }
            }
        }
        level = next_level;
    }
    hoisted
}

/// Makes one link. One that is right already is left alone; what stands in its way gives way.
///
/// # Errors
/// When the disk refuses.
pub fn apply(link: &Link, layout: &Layout) -> Result<(), LinkError> {
    let parent = link.path.parent().expect("a link lies in a node_modules");
    let target = relative_path(&link.target, parent);
    let failed = |action: &'static str| {
        let path = link.path.clone();
        move |source| LinkError { action, path, source }
    };
    match rt::fs::kind(&link.path) {
        Ok(FileKind::Symlink) if rt::fs::read_link(&link.path).is_ok_and(|there| there == target) => return Ok(()),
        Ok(FileKind::Symlink | FileKind::File) => rt::fs::remove_file(&link.path).map_err(failed("replace"))?,
        Ok(FileKind::Directory) => move_aside(&link.path, layout).map_err(failed("move aside"))?,
        Err(_) => rt::fs::create_dir_all(parent).map_err(failed("create"))?,
    }
    match rt::fs::symlink(&target, &link.path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made.map_err(failed("create")),
    }
}

fn move_aside(path: &Path, layout: &Layout) -> io::Result<()> {
    let name = path.strip_prefix(&layout.modules_dir).unwrap_or(path);
    let aside = layout.modules_dir.join(IGNORED_DIR).join(name);
    rt::fs::create_dir_all(aside.parent().expect("it lies below node_modules"))?;
    if rt::fs::exists(&aside) {
        rt::fs::remove_dir_all(&aside)?;
    }
    rt::fs::rename(path, &aside)
}

/// The way from the directory `from` to `to`, both absolute.
pub(super) fn relative_path(to: &Path, from: &Path) -> PathBuf {
    let (to, from): (Vec<Component<'_>>, Vec<Component<'_>>) = (to.components().collect(), from.components().collect());
    let common = to.iter().zip(&from).take_while(|(a, b)| a == b).count();
    let up = from[common..].iter().map(|_| Component::ParentDir);
    up.chain(to[common..].iter().copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    const LOCKFILE: &str = "
lockfileVersion: '9.0'
importers:
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
    dependencies: {peer: 1.0.0}
  peer@1.0.0: {}
  '@s/leaf@1.0.0': {}
  tool@1.0.0: {}
";

    fn planned(include: IncludeKinds) -> LinkPlan {
        let lockfile = Lockfile::parse(LOCKFILE, Path::new("pnpm-lock.yaml")).unwrap();
        let installed = lockfile.snapshots.keys().map(|dep_path| (dep_path.clone(), Arc::default())).collect();
        plan(&lockfile, &installed, &Layout::new(Path::new("/p")), include)
    }

    fn has(plan: &LinkPlan, path: &str, target: &str) -> bool {
        let (path, target) = (Path::new("/p/node_modules").join(path), PathBuf::from(target));
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
    }

    #[test]
    fn the_nearest_is_hoisted_and_what_the_project_asks_for_is_not() {
        let plan = planned(IncludeKinds::ALL);
        assert_eq!(plan.hoisted.keys().collect::<Vec<_>>(), ["@s/leaf", "peer"]);
        assert_eq!(plan.hoisted["peer"], "peer@2.0.0");
    }

    #[test]
    fn kinds_that_are_left_out_are_not_linked() {
        let plan = planned(IncludeKinds { dev: false, ..IncludeKinds::ALL });
        assert_eq!(plan.direct.keys().collect::<Vec<_>>(), ["alias", "app"]);
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
