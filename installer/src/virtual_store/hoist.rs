//! Which package stands for a name that packages do not ask for and use all the same.

use super::layout::dep_path_to_filename;
use crate::lockfile::{DepPath, Lockfile};
use std::collections::{BTreeMap, BTreeSet};

/// A project's own packages: those for development first, optional ones last.
pub(super) fn in_order_of_kinds(
    lockfile: &Lockfile,
    importer: &str,
    own: BTreeMap<String, DepPath>,
) -> Vec<(String, DepPath)> {
    let Some(importer) = lockfile.importers.get(importer) else { return Vec::new() };
    let kind = |name: &String| match name {
        name if importer.optional_dependencies.contains_key(name) => 2,
        name if importer.dependencies.contains_key(name) => 1,
        _ => 0,
    };
    let mut own: Vec<_> = own.into_iter().collect();
    own.sort_by_key(|(name, _)| kind(name));
    own
}

/// What packages can find without naming it: for each name, what the package nearest to a project depends on, by its
/// directory's name where several are equally near; never a name that the root project itself asks for. As pnpm hoists with the pattern `*`:
/// how near a package is, is how it was first come to.
pub(super) fn hoisted(
    snapshots: &BTreeMap<DepPath, BTreeMap<String, DepPath>>,
    own: &[(String, DepPath)],
    root: &BTreeMap<String, DepPath>,
) -> BTreeMap<String, DepPath> {
    let mut seen: BTreeSet<&DepPath> = BTreeSet::new();
    let mut new = |dep_paths: &mut dyn Iterator<Item = &'_ DepPath>| -> Vec<DepPath> {
        let known = dep_paths.filter_map(|dep_path| Some(snapshots.get_key_value(dep_path)?.0));
        known.filter(|dep_path| seen.insert(*dep_path)).cloned().collect()
    };
    let mut by_depth: BTreeSet<(usize, String, DepPath)> = BTreeSet::new();
    let mut pending = vec![(0, new(&mut own.iter().map(|(_, dep_path)| dep_path)))];
    while let Some((depth, level)) = pending.pop() {
        // All that stands side by side is come to before anything below it; then everything below the first, and so on.
        let below: Vec<_> = level.iter().map(|dep_path| (depth + 1, new(&mut snapshots[dep_path].values()))).collect();
        pending.extend(below.into_iter().rev().filter(|(_, level)| !level.is_empty()));
        by_depth.extend(level.into_iter().map(|dep_path| (depth, dep_path_to_filename(&dep_path), dep_path)));
    }
    let mut hoisted = BTreeMap::new();
    // Some filesystems do not tell names apart that differ in case alone.
    let mut names = BTreeSet::new();
    let below = by_depth.iter().flat_map(|(.., dep_path)| &snapshots[dep_path]);
    for (alias, dep_path) in own.iter().map(|(alias, dep_path)| (alias, dep_path)).chain(below) {
        if !root.contains_key(alias) && !hoisted.contains_key(alias) && names.insert(alias.to_lowercase()) {
            hoisted.insert(alias.clone(), dep_path.clone());
        }
    }
    hoisted
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Packages and what they depend on, all at version 1.
    fn snapshots(edges: &[(&str, &[&str])]) -> BTreeMap<DepPath, BTreeMap<String, DepPath>> {
        let below = |names: &[&str]| {
            names.iter().map(|name| (name.split('@').next().unwrap().to_owned(), name.to_string())).collect()
        };
        edges.iter().map(|(dep_path, names)| (dep_path.to_string(), below(names))).collect()
    }

    #[test]
    fn how_near_a_package_is_is_how_it_was_first_come_to() {
        let snapshots = snapshots(&[
            ("a@1", &["b@1"]),
            ("b@1", &["c@1"]),
            ("c@1", &["x@1"]),
            ("z@1", &["y@1"]),
            ("y@1", &["c@1", "d@1"]),
            ("d@1", &["X@2"]),
            ("x@1", &[]),
            ("X@2", &[]),
        ]);
        let own = [("a".to_owned(), "a@1".to_owned()), ("z".to_owned(), "z@1".to_owned())];
        let hoisted = hoisted(&snapshots, &own, &BTreeMap::from([("a".to_owned(), "a@1".to_owned())]));
        // c and d are equally deep, and c sorts first; the names x and X are one to some filesystems.
        assert_eq!(hoisted.keys().collect::<Vec<_>>(), ["b", "c", "d", "x", "y", "z"]);
    }

    #[test]
    fn of_two_that_are_equally_near_the_one_whose_directory_sorts_first_is_heard() {
        let mut snapshots = snapshots(&[("x@1", &[]), ("x@2", &[])]);
        let own: Vec<_> = [("@s/c@1", "x@1"), ("@s-d/c@1", "x@2")]
            .map(|(dep_path, x)| {
                snapshots.insert(dep_path.to_owned(), BTreeMap::from([("x".to_owned(), x.to_owned())]));
                (dep_path.trim_end_matches("@1").to_owned(), dep_path.to_owned())
            })
            .into();
        // `-` sorts before `/`, and after the `+` that stands for it.
        assert_eq!(hoisted(&snapshots, &own, &BTreeMap::new())["x"], "x@1");
    }
}
