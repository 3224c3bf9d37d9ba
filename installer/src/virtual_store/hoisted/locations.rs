//! Which directory holds which snapshot.

use super::graph::{Graph, HoistRequest, NodeId, Package, TOP};
use super::hoist::{TooManyCopies, hoist};
use crate::lockfile::{DepPath, package_key};
use crate::virtual_store::Layout;
use crate::virtual_store::layout::normal;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The directories of a hoisted node_modules.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Locations {
    /// What paths are relative to.
    root: PathBuf,
    /// Directory → snapshot; whatever lies inside another directory comes after it.
    by_dir: BTreeMap<PathBuf, DepPath>,
    /// Snapshot → its directories, relative to the root with forward slashes, as pnpm writes them down.
    by_snapshot: BTreeMap<DepPath, Vec<String>>,
}

impl Locations {
    /// Hoists. Pure.
    ///
    /// # Errors
    /// When the tree would be larger than any that a real project needs.
    pub fn hoist(request: HoistRequest<'_>, layout: &Layout) -> Result<Self, TooManyCopies> {
        let mut graph = Graph::new(request);
        hoist(&mut graph)?;
        let mut by_snapshot: BTreeMap<DepPath, Vec<String>> = BTreeMap::new();
        for (dep_path, path) in read_off(&graph) {
            by_snapshot.entry(dep_path).or_default().push(path);
        }
        let dirs = by_snapshot.iter().flat_map(|(dep_path, paths)| paths.iter().map(move |path| (path, dep_path)));
        let by_dir = dirs.map(|(path, dep_path)| (normal(&layout.project_dir.join(path)), dep_path.clone())).collect();
        Ok(Locations { root: layout.project_dir.clone(), by_dir, by_snapshot })
    }

    /// Directory → snapshot; whatever lies inside another directory comes after it.
    pub fn dirs(&self) -> &BTreeMap<PathBuf, DepPath> {
        &self.by_dir
    }

    /// Snapshot → its directories, relative to the root.
    pub fn by_snapshot(&self) -> &BTreeMap<DepPath, Vec<String>> {
        &self.by_snapshot
    }

    /// The directories of one snapshot. One that another variant of its package stands for has none.
    pub fn of(&self, dep_path: &str) -> Vec<PathBuf> {
        self.by_snapshot.get(dep_path).into_iter().flatten().map(|path| normal(&self.root.join(path))).collect()
    }

    /// Directories called node_modules, each with the packages in it: name → snapshot.
    pub fn modules_dirs(&self) -> BTreeMap<PathBuf, BTreeMap<String, &DepPath>> {
        let mut dirs: BTreeMap<PathBuf, BTreeMap<String, &DepPath>> = BTreeMap::new();
        for (dir, dep_path) in &self.by_dir {
            let (modules_dir, name) = modules_dir_of(dir);
            dirs.entry(modules_dir.to_owned()).or_default().insert(name, dep_path);
        }
        dirs
    }
}

/// The node_modules that a package's directory lies in, and its name there.
pub(super) fn modules_dir_of(dir: &Path) -> (&Path, String) {
    let parent = dir.parent().unwrap_or(dir);
    let modules_dir = if parent.ends_with("node_modules") { parent } else { parent.parent().unwrap_or(parent) };
    let name = dir.strip_prefix(modules_dir).unwrap_or(dir).to_string_lossy().replace('\\', "/");
    (modules_dir, name)
}

/// What a directory has to hold to be that of a snapshot: the package, and how it is patched. Peers lie elsewhere.
pub(super) fn content_of(dep_path: &str) -> (&str, &str) {
    let key = package_key(dep_path);
    let rest = &dep_path[key.len()..];
    let patch = rest.starts_with("(patch_hash=").then(|| rest.split_inclusive(')').next()).flatten();
    (key, patch.unwrap_or_default())
}

/// Snapshots and their directories, each after those inside it: pnpm's order.
fn read_off(graph: &Graph) -> Vec<(DepPath, String)> {
    let mut found = Vec::new();
    let at_root = graph.node(TOP).children.clone().into_iter();
    let mut open = vec![Open { own: None, modules_dir: "node_modules".to_owned(), children: at_root }];
    while let Some(Open { modules_dir, children, .. }) = open.last_mut() {
        let Some(child) = children.next() else {
            found.extend(open.pop().and_then(|open| open.own));
            continue;
        };
        let node = graph.node(child);
        let path = format!("{modules_dir}/{}", graph.names[node.name]);
        let (own, modules_dir) = match &graph.packages[node.package] {
            Package::Project(id) => (None, format!("{id}/node_modules")),
            Package::Snapshot(dep_path) => (Some((dep_path.clone(), path.clone())), format!("{path}/node_modules")),
            Package::Link(_) => continue,
        };
        open.push(Open { own, modules_dir, children: node.children.clone().into_iter() });
    }
    found
}

/// A directory that is being read off.
struct Open {
    /// What it holds, unless it is a project's.
    own: Option<(DepPath, String)>,
    /// The node_modules in it.
    modules_dir: String,
    /// What of that is still to come.
    children: std::vec::IntoIter<NodeId>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lockfile::{IncludeKinds, Lockfile};
    use std::collections::BTreeSet;

    /// Importers with what they depend on, and packages with what they depend on; `a@1` is version 1.0.0 of `a`.
    fn lockfile(importers: &[(&str, &[&str])], packages: &[(&str, &[&str])]) -> Lockfile {
        let version =
            |name: &str| name.rsplit_once('@').map_or("1.0.0".to_owned(), |(_, version)| format!("{version}.0.0"));
        let base = |name: &str| name.rsplit_once('@').map_or(name, |(base, _)| base).to_owned();
        let mut text = "lockfileVersion: '9.0'\nimporters:\n".to_owned();
        for (id, dependencies) in importers {
            text += &format!("  {id}:\n    dependencies:\n");
            for dependency in *dependencies {
                let version = match dependency.strip_prefix("link:") {
                    Some(name) => format!("link:{name}"),
                    None => version(dependency),
                };
                let name = base(dependency.trim_start_matches("link:"));
                text += &format!("      {name}: {{specifier: '*', version: '{version}'}}\n");
            }
        }
        text += "packages:\n";
        for (name, _) in packages {
            text += &format!("  '{}@{}': {{resolution: {{integrity: sha512-AA==}}}}\n", base(name), version(name));
        }
        text += "snapshots:\n";
        for (name, dependencies) in packages {
            text += &format!("  '{}@{}':\n    dependencies:\n", base(name), version(name));
            for dependency in *dependencies {
                text += &format!("      {}: {}\n", base(dependency), version(dependency));
            }
            if dependencies.is_empty() {
                text += "      {}\n";
            }
        }
        Lockfile::parse(&text, Path::new("pnpm-lock.yaml")).unwrap()
    }

    fn hoisted(lockfile: &Lockfile) -> Result<Vec<String>, TooManyCopies> {
        let importers = lockfile.importers.keys().cloned().collect();
        let snapshots: BTreeSet<DepPath> = lockfile.snapshots.keys().cloned().collect();
        let request =
            HoistRequest { lockfile, importers: &importers, snapshots: &snapshots, include: IncludeKinds::ALL };
        let locations = Locations::hoist(request, &Layout::new(Path::new("/p")))?;
        let shown = |(dir, dep_path): (&PathBuf, &DepPath)| {
            let path = dir.strip_prefix("/p").unwrap().display().to_string();
            format!("{} {}", path.replace("node_modules/", ""), dep_path.replace(".0.0", ""))
        };
        Ok(locations.dirs().iter().map(shown).collect())
    }

    fn of_one_project(own: &[&str], packages: &[(&str, &[&str])]) -> Vec<String> {
        hoisted(&lockfile(&[(".", own)], packages)).unwrap()
    }

    #[test]
    fn everything_moves_up_whose_name_is_free() {
        let hoisted = of_one_project(&["a"], &[("a", &["b"]), ("b", &["c"]), ("c", &[])]);
        assert_eq!(hoisted, ["a a@1", "b b@1", "c c@1"]);
    }

    #[test]
    fn what_the_project_asks_for_lies_at_the_root_and_others_where_they_are_needed() {
        let hoisted = of_one_project(&["a", "x@1"], &[("a", &["x@2"]), ("x@1", &[]), ("x@2", &["y"]), ("y", &[])]);
        assert_eq!(hoisted, ["a a@1", "a/x x@2", "x x@1", "y y@1"]);
    }

    #[test]
    fn what_most_need_lies_at_the_root() {
        let packages: [(&str, &[&str]); 6] =
            [("a", &["x@1"]), ("b", &["x@2"]), ("c", &["x@2"]), ("x@1", &[]), ("x@2", &[]), ("z", &[])];
        assert_eq!(
            of_one_project(&["a", "b", "c", "z"], &packages),
            ["a a@1", "a/x x@1", "b b@1", "c c@1", "x x@2", "z z@1"]
        );
    }

    #[test]
    fn of_two_that_are_needed_equally_the_first_goes_before() {
        let hoisted = of_one_project(&["a", "b"], &[("a", &["x@2"]), ("b", &["x@1"]), ("x@1", &[]), ("x@2", &[])]);
        assert_eq!(hoisted, ["a a@1", "b b@1", "b/x x@1", "x x@2"]);
    }

    #[test]
    fn nobody_comes_to_see_another_version() {
        // `c` needs x@1, and lies below `b`, which has x@2: it cannot be had from the root past that.
        let packages: [(&str, &[&str]); 6] =
            [("b", &["x@2", "c@2"]), ("c@1", &[]), ("c@2", &["x@1"]), ("x@1", &[]), ("x@2", &[]), ("d", &["x@1"])];
        assert_eq!(
            of_one_project(&["b", "c@1", "d", "x@1"], &packages),
            ["b b@1", "b/c c@2", "b/c/x x@1", "b/x x@2", "c c@1", "d d@1", "x x@1"]
        );
    }

    #[test]
    fn cycles_end_where_they_are_entered() {
        let packages: [(&str, &[&str]); 3] = [("a", &["b"]), ("b", &["a", "x@1"]), ("x@1", &["a", "b"])];
        assert_eq!(of_one_project(&["a"], &packages), ["a a@1", "b b@1", "x x@1"]);
    }

    #[test]
    fn projects_share_the_root_and_keep_what_is_another_version() {
        let packages: [(&str, &[&str]); 4] = [("x@1", &[]), ("x@2", &["y"]), ("y", &[]), ("z", &["x@2"])];
        let lockfile = lockfile(&[(".", &["x@1"]), ("packages/a", &["x@2"]), ("packages/b", &["x@1", "z"])], &packages);
        assert_eq!(hoisted(&lockfile).unwrap(), ["x x@1", "y y@1", "z z@1", "z/x x@2", "packages/a/x x@2"]);
    }

    #[test]
    fn a_link_keeps_its_name() {
        let packages: [(&str, &[&str]); 2] = [("a", &["x"]), ("x", &[])];
        let lockfile = lockfile(&[(".", &["a", "link:x"])], &packages);
        assert_eq!(hoisted(&lockfile).unwrap(), ["a a@1", "a/x x@1"]);
    }

    #[test]
    fn a_tree_without_end_is_refused() {
        let lockfile = lockfile(&[(".", &["a"])], &[("a", &["b"]), ("b", &["c"]), ("c", &[])]);
        let (importers, snapshots) = (lockfile.importers.keys().cloned().collect(), lockfile.snapshots.keys().cloned());
        let snapshots = snapshots.collect();
        let include = IncludeKinds::ALL;
        let request = HoistRequest { lockfile: &lockfile, importers: &importers, snapshots: &snapshots, include };
        for (copies_left, hoisted) in [(3, Ok(())), (2, Err(TooManyCopies))] {
            let mut graph = Graph::new(request);
            graph.copies_left = copies_left;
            assert_eq!(hoist(&mut graph), hoisted, "each package is copied once");
        }
    }

    #[test]
    fn content_is_told_by_package_and_patch() {
        assert_eq!(content_of("a@1.0.0(b@1.0.0)"), ("a@1.0.0", ""));
        assert_eq!(content_of("a@1.0.0(patch_hash=ab)(b@1.0.0)"), ("a@1.0.0", "(patch_hash=ab)"));
    }

    #[test]
    fn a_package_is_found_by_its_directory() {
        assert_eq!(
            modules_dir_of(Path::new("/p/node_modules/@s/a")),
            (Path::new("/p/node_modules"), "@s/a".to_owned())
        );
        let (modules_dir, name) = modules_dir_of(Path::new("/p/node_modules/@s/a/node_modules/b"));
        assert_eq!((modules_dir, name.as_str()), (Path::new("/p/node_modules/@s/a/node_modules"), "b"));
    }
}
