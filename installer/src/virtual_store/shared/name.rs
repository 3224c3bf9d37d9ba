//! What the directory of a package in the global virtual store is called: by a hash of the package and of everything that
//! it leads to. Pure.
//!
//! A package is its name, its version, the integrity of its tarball and its patch; one whose build scripts may run is also the
//! engine that they run on, because of what they leave behind. Its hash has the hashes of its dependencies in it, by the names
//! under which it finds them. The idea is pnpm's; the hashes are our own, as the store is.

use crate::config::{BuildPolicy, Verdict};
use crate::lockfile::{DepPath, LockedPackage, Lockfile, name_and_version, package_key};
use petgraph::algo::kosaraju_scc;
use petgraph::graph::{DiGraph, NodeIndex};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// How many hexadecimal digits a hash has.
pub const HASH_DIGITS: usize = 64;

/// What is to be named.
#[derive(Debug, Clone, Copy)]
pub struct NameRequest<'a> {
    /// What the graph comes from.
    pub lockfile: &'a Lockfile,
    /// What this machine installs of it.
    pub snapshots: &'a BTreeSet<DepPath>,
    /// Whose build scripts may run.
    pub builds: &'a BuildPolicy,
    /// What they run on: system, processor and Node.js.
    pub engine: &'a str,
}

/// A package's directory, and what belongs into it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// Below `links`.
    pub path: PathBuf,
    /// Name beside the package → snapshot.
    pub dependencies: BTreeMap<String, DepPath>,
    /// Whether its build scripts may run.
    pub builds: bool,
}

/// Names every snapshot that all projects can share: neither itself nor anything that it leads to is a copy of a directory, or
/// something else whose bytes no integrity pins.
pub fn names(request: NameRequest<'_>) -> BTreeMap<DepPath, Named> {
    let dep_paths: Vec<&DepPath> = request.snapshots.iter().collect();
    let edges: Vec<Vec<(&str, usize)>> =
        dep_paths.iter().map(|dep_path| edges(request, &dep_paths, dep_path)).collect();
    let mut hashes: Vec<Option<String>> = vec![None; dep_paths.len()];
    let mut named = BTreeMap::new();
    for component in components(&edges) {
        let describe = |node: &usize| {
            let dependencies = edges[*node].iter().map(|(alias, to)| match component.contains(to) {
                true => Some((*alias, Reference::Within(dep_paths[*to]))),
                false => Some((*alias, Reference::Hash(hashes[*to].as_deref()?))),
            });
            let dependencies = dependencies.collect::<Option<_>>()?;
            Some(Described { package: Package::of(request, dep_paths[*node])?, dependencies })
        };
        let Some(described) = component.iter().map(describe).collect::<Option<Vec<_>>>() else { continue };
        let name = |(node, Described { package, .. }): (&usize, &Described<'_>)| {
            // One that is alone is told by what it is; of several that lead to each other, each by its name too.
            let own = if component.len() > 1 { dep_paths[*node].as_str() } else { "" };
            let text = serde_json::to_vec(&(&described, own)).expect("it is plain data");
            let hash = hex::encode(Sha256::digest(text));
            let path = dir_of_package(package.name, package.version).join(&hash);
            let dependencies = edges[*node].iter().map(|(alias, to)| ((*alias).to_owned(), dep_paths[*to].clone()));
            let builds = may_build(request.builds, dep_paths[*node]);
            (hash, Named { path, dependencies: dependencies.collect(), builds })
        };
        let names: Vec<(String, Named)> = component.iter().zip(&described).map(name).collect();
        for (node, (hash, name)) in component.into_iter().zip(names) {
            named.insert(dep_paths[node].clone(), name);
            hashes[node] = Some(hash);
        }
    }
    named
}

/// What leads to each other, sorted; what a component leads to comes before it.
fn components(edges: &[Vec<(&str, usize)>]) -> Vec<Vec<usize>> {
    let pairs = edges.iter().enumerate().flat_map(|(node, edges)| edges.iter().map(move |(_, to)| (node, *to)));
    let mut graph: DiGraph<(), (), usize> = DiGraph::default();
    edges.iter().for_each(|_| _ = graph.add_node(()));
    graph.extend_with_edges(pairs);
    let sorted = |component: Vec<NodeIndex<usize>>| {
        let mut component: Vec<usize> = component.into_iter().map(NodeIndex::index).collect();
        component.sort_unstable();
        component
    };
    kosaraju_scc(&graph).into_iter().map(sorted).collect()
}

/// `<scope>/<name>/<version>`, where `@` alone is the scope of what has none: what all variants of a package lie in.
pub fn dir_of_package(name: &str, version: &str) -> PathBuf {
    let (scope, name) = name.split_once('/').unwrap_or(("@", name));
    let plain = |character: char| character.is_ascii_alphanumeric() || matches!(character, '.' | '-' | '+' | '_');
    let version: String = version.chars().map(|c| if plain(c) { c } else { '+' }).collect();
    // What is no version may begin like the way out.
    let version = if version.starts_with('.') { format!("v{version}") } else { version };
    PathBuf::from(scope).join(name).join(version)
}

/// Whether anything among the snapshots may build, so that the engine matters.
pub fn any_builds(builds: &BuildPolicy, snapshots: &BTreeSet<DepPath>) -> bool {
    snapshots.iter().any(|dep_path| may_build(builds, dep_path))
}

fn may_build(builds: &BuildPolicy, dep_path: &str) -> bool {
    name_and_version(dep_path).is_some_and(|(name, version)| builds.verdict(name, version) == Verdict::Runs)
}

/// The name beside the package and the number of each snapshot that it leads to, by name.
fn edges<'a>(request: NameRequest<'a>, dep_paths: &[&DepPath], dep_path: &str) -> Vec<(&'a str, usize)> {
    let number = |dep_path: &DepPath| dep_paths.binary_search(&dep_path).ok();
    let edges = request.lockfile.dependencies_of(dep_path).into_iter();
    edges.filter_map(|(alias, dep_path)| Some((alias, number(&dep_path)?))).collect()
}

/// What a package is, apart from its dependencies.
#[derive(Debug, Serialize)]
struct Package<'a> {
    name: &'a str,
    version: &'a str,
    integrity: &'a str,
    patch: &'a str,
    engine: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct Described<'a> {
    package: Package<'a>,
    dependencies: BTreeMap<&'a str, Reference<'a>>,
}

#[derive(Debug, Serialize)]
enum Reference<'a> {
    /// A dependency that does not lead back.
    Hash(&'a str),
    /// One that does.
    Within(&'a str),
}

impl<'a> Package<'a> {
    /// None for what is not the same everywhere.
    fn of(request: NameRequest<'a>, dep_path: &'a str) -> Option<Self> {
        let key = package_key(dep_path);
        let (name, version) = name_and_version(dep_path)?;
        let LockedPackage { resolution, version: own_version, .. } = request.lockfile.packages.get(key)?;
        if resolution.directory.is_some() || resolution.kind.is_some() || resolution.path.is_some() {
            return None;
        }
        let patch = dep_path[key.len()..].strip_prefix("(patch_hash=").and_then(|rest| rest.split(')').next());
        Some(Package {
            name,
            version: own_version.as_deref().unwrap_or(version),
            integrity: resolution.integrity.as_deref()?,
            patch: patch.unwrap_or_default(),
            engine: may_build(request.builds, dep_path).then_some(request.engine),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::path::Path;

    const LOCKFILE: &str = "
lockfileVersion: '9.0'
importers: {}
packages:
  app@1.0.0: {resolution: {integrity: sha512-APP}}
  '@s/leaf@1.0.0': {resolution: {integrity: sha512-LEAF}}
  peer@1.0.0: {resolution: {integrity: sha512-P1}}
  peer@2.0.0: {resolution: {integrity: sha512-P2}}
  here@file:here: {resolution: {directory: here, type: directory}}
  above@1.0.0: {resolution: {integrity: sha512-ABOVE}}
  one@1.0.0: {resolution: {integrity: sha512-ONE}}
  two@1.0.0: {resolution: {integrity: sha512-TWO}}
snapshots:
  app@1.0.0(peer@1.0.0):
    dependencies: {peer: 1.0.0, '@s/leaf': 1.0.0}
  app@1.0.0(peer@2.0.0):
    dependencies: {peer: 2.0.0, '@s/leaf': 1.0.0}
  '@s/leaf@1.0.0': {}
  peer@1.0.0: {}
  peer@2.0.0: {}
  here@file:here: {}
  above@1.0.0:
    dependencies: {here: file:here}
  one@1.0.0:
    dependencies: {two: 1.0.0}
  two@1.0.0:
    dependencies: {one: 1.0.0, '@s/leaf': 1.0.0}
";

    fn named(text: &str, allowed: &[&str], engine: &str) -> BTreeMap<DepPath, Named> {
        let lockfile = Lockfile::parse(text, Path::new("pnpm-lock.yaml")).unwrap();
        let snapshots = lockfile.snapshots.keys().cloned().collect();
        let settings = json!({ "onlyBuiltDependencies": allowed });
        let builds = BuildPolicy::of_settings(settings.as_object().unwrap());
        names(NameRequest { lockfile: &lockfile, snapshots: &snapshots, builds: &builds, engine })
    }

    fn changed(before: &BTreeMap<DepPath, Named>, after: &BTreeMap<DepPath, Named>) -> Vec<String> {
        let different =
            before.iter().filter(|(dep_path, named)| after.get(*dep_path).map(|n| &n.path) != Some(&named.path));
        different.map(|(dep_path, _)| dep_path.clone()).collect()
    }

    #[test]
    fn a_name_is_of_the_package_and_of_all_that_it_leads_to() {
        let plain = named(LOCKFILE, &[], "e");
        let leaf = &plain["@s/leaf@1.0.0"].path;
        assert!(leaf.starts_with("@s/leaf/1.0.0") && plain["peer@1.0.0"].path.starts_with("@/peer/1.0.0"));
        assert_eq!(leaf.file_name().unwrap().len(), HASH_DIGITS);
        assert_ne!(plain["app@1.0.0(peer@1.0.0)"].path, plain["app@1.0.0(peer@2.0.0)"].path);
        assert_eq!(plain["app@1.0.0(peer@1.0.0)"].dependencies["peer"], "peer@1.0.0");

        let other_bytes = named(&LOCKFILE.replace("sha512-P1", "sha512-X"), &[], "e");
        assert_eq!(changed(&plain, &other_bytes), ["app@1.0.0(peer@1.0.0)", "peer@1.0.0"]);
        // They lead to each other, and both to the leaf.
        let other_leaf = named(&LOCKFILE.replace("sha512-LEAF", "sha512-X"), &[], "e");
        let expected = ["@s/leaf@1.0.0", "app@1.0.0(peer@1.0.0)", "app@1.0.0(peer@2.0.0)", "one@1.0.0", "two@1.0.0"];
        assert_eq!(changed(&plain, &other_leaf), expected);
    }

    #[test]
    fn what_is_a_directory_or_leads_to_one_is_no_other_project_s() {
        let named = named(LOCKFILE, &[], "e");
        assert!(!named.contains_key("here@file:here") && !named.contains_key("above@1.0.0"));
        assert_eq!(named.len(), 7);
    }

    #[test]
    fn the_engine_counts_where_something_may_build() {
        let plain = named(LOCKFILE, &[], "e");
        assert_eq!(changed(&plain, &named(LOCKFILE, &[], "f")), [""; 0]);
        let builds = named(LOCKFILE, &["peer"], "e");
        let above = ["app@1.0.0(peer@1.0.0)", "app@1.0.0(peer@2.0.0)", "peer@1.0.0", "peer@2.0.0"];
        assert_eq!(changed(&plain, &builds), above);
        assert_eq!(changed(&builds, &named(LOCKFILE, &["peer"], "f")), above);
        assert!(builds["peer@1.0.0"].builds && !builds["one@1.0.0"].builds);
    }

    #[test]
    fn a_patch_counts() {
        let patched = LOCKFILE
            .replace("peer@2.0.0: {}", "peer@2.0.0(patch_hash=ab): {}")
            .replace("peer: 2.0.0", "peer: 2.0.0(patch_hash=ab)");
        let (plain, patched) = (named(LOCKFILE, &[], "e"), named(&patched, &[], "e"));
        assert_ne!(plain["peer@2.0.0"].path, patched["peer@2.0.0(patch_hash=ab)"].path);
        assert_eq!(changed(&plain, &patched), ["app@1.0.0(peer@2.0.0)", "peer@2.0.0"]);
    }

    #[test]
    fn no_version_leads_out() {
        let version = LOCKFILE.replace(
            "{resolution: {integrity: sha512-ONE}}",
            "{resolution: {integrity: sha512-ONE}, version: '../../x'}",
        );
        let path = named(&version, &[], "e")["one@1.0.0"].path.clone();
        assert!(path.starts_with("@/one/v..+..+x"), "{}", path.display());
    }
}
