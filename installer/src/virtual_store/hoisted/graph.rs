//! What the lockfile says, as a graph that hoisting turns into a tree.
//!
//! Packages are in it once for each name and snapshot, and shared by all that depend on them. Hoisting changes copies, each
//! with one parent only. Variants of a package that differ in their peers alone count as one package, as in pnpm: whichever
//! is come to first stands for all.

use super::hoist::TooManyCopies;
use crate::lockfile::{DepPath, DirectDependency, IncludeKinds, Lockfile, dep_path_of, package_key};
use crate::workspace::{ImporterId, ROOT};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// An index into [`Graph::nodes`].
pub(super) type NodeId = usize;

/// A name under node_modules; an index into [`Graph::names`].
pub(super) type NameId = usize;

/// An index into [`Graph::packages`].
pub(super) type PackageIndex = usize;

/// The node that everything hangs from.
pub(super) const TOP: NodeId = 0;

/// The most copies that one hoist may make: real trees need some thousands, and a lockfile can be made that needs any number.
const COPIES_MAX: usize = 1 << 19;

/// What is to be hoisted.
#[derive(Debug, Clone, Copy)]
pub struct HoistRequest<'a> {
    /// Where the edges come from.
    pub lockfile: &'a Lockfile,
    /// The projects that take part.
    pub importers: &'a BTreeSet<ImporterId>,
    /// The snapshots that are installed; edges to others do not count.
    pub snapshots: &'a BTreeSet<DepPath>,
    /// Which maps of package.json count.
    pub include: IncludeKinds,
}

/// What a node stands for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Package {
    /// A project; the root is the first.
    Project(ImporterId),
    /// A package in a directory of its own.
    Snapshot(DepPath),
    /// A name that is taken by a link; where it leads.
    Link(String),
}

/// One package below one parent, or several.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub name: NameId,
    pub package: PackageIndex,
    /// Names that it expects to find further up; none where peers are installed like everything else.
    pub peers: Rc<BTreeSet<NameId>>,
    /// In a fixed order.
    pub children: Vec<NodeId>,
    /// What it depended on and finds further up by now.
    pub hoisted: Vec<(NameId, PackageIndex)>,
    /// Whether it has one parent only, so that it can be changed.
    pub is_copy: bool,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Graph {
    pub nodes: Vec<Node>,
    pub packages: Vec<Package>,
    /// Package → what is the same for two of one version.
    pub idents: Vec<usize>,
    pub names: Vec<String>,
    /// How many more copies may be made.
    pub copies_left: usize,
}

impl Graph {
    pub fn new(request: HoistRequest<'_>) -> Self {
        let mut builder = Builder::new(request);
        let top = builder.project(ROOT, ".");
        let root = request.importers.get(ROOT).map_or_else(Vec::new, |id| builder.direct(id));
        builder.add_below(top, root);
        for id in request.importers.iter().filter(|id| *id != ROOT) {
            // pnpm tells projects by their paths, among packages' names; an encoded slash keeps most of them apart.
            let project = builder.project(id, &id.replace('/', "%2F"));
            let direct = builder.direct(id);
            builder.add_below(project, direct);
            builder.graph.nodes[top].children.push(project);
        }
        let mut graph = builder.graph;
        graph.nodes[TOP].is_copy = true;
        graph
    }

    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id]
    }

    /// Whether a node stays where it is: a link is not moved.
    pub fn is_fixed(&self, id: NodeId) -> bool {
        matches!(self.packages[self.node(id).package], Package::Link(_))
    }

    /// Whether two packages are one version of one package.
    pub fn is_same_version(&self, one: PackageIndex, other: PackageIndex) -> bool {
        self.idents[one] == self.idents[other]
    }

    /// `child` as a node that only `parent` has, in its place.
    ///
    /// # Errors
    /// When there are too many.
    pub fn own_copy(&mut self, parent: NodeId, child: NodeId) -> Result<NodeId, TooManyCopies> {
        debug_assert!(self.nodes[parent].is_copy, "a shared node is not changed");
        if self.nodes[child].is_copy {
            return Ok(child);
        }
        self.copies_left = self.copies_left.checked_sub(1).ok_or(TooManyCopies)?;
        let copy = self.nodes.len();
        self.nodes.push(Node { is_copy: true, ..self.nodes[child].clone() });
        let slot = self.nodes[parent].children.iter_mut().find(|id| **id == child);
        *slot.expect("a child is one of its parent's") = copy;
        Ok(copy)
    }
}

/// Name and what it leads to, in the order of the names.
type Edges<'a> = Vec<(&'a str, Edge)>;

enum Edge {
    Snapshot(DepPath),
    Link(String),
}

struct Builder<'a> {
    graph: Graph,
    request: HoistRequest<'a>,
    names: BTreeMap<String, NameId>,
    packages: BTreeMap<Package, PackageIndex>,
    idents: BTreeMap<String, usize>,
    /// Name and snapshot → node.
    shared: BTreeMap<(NameId, DepPath), NodeId>,
    /// Version of a package → the snapshot that stands for all its variants.
    representatives: BTreeMap<String, DepPath>,
}

impl<'a> Builder<'a> {
    fn new(request: HoistRequest<'a>) -> Self {
        let graph = Graph {
            nodes: Vec::new(),
            packages: Vec::new(),
            idents: Vec::new(),
            names: Vec::new(),
            copies_left: COPIES_MAX,
        };
        Builder {
            graph,
            request,
            names: BTreeMap::new(),
            packages: BTreeMap::new(),
            idents: BTreeMap::new(),
            shared: BTreeMap::new(),
            representatives: BTreeMap::new(),
        }
    }

    fn project(&mut self, id: &str, name: &str) -> NodeId {
        self.push(name, Package::Project(id.to_owned()), id, BTreeSet::new())
    }

    fn push(&mut self, name: &str, package: Package, ident: &str, peers: BTreeSet<NameId>) -> NodeId {
        let name = self.name(name);
        let next_ident = self.idents.len();
        let ident = *self.idents.entry(format!("{} {ident}", kind_of(&package))).or_insert(next_ident);
        let next = self.packages.len();
        let index = *self.packages.entry(package.clone()).or_insert(next);
        if index == next {
            self.graph.packages.push(package);
            self.graph.idents.push(ident);
        }
        let peers = Rc::new(peers);
        let node = Node { name, package: index, peers, children: Vec::new(), hoisted: Vec::new(), is_copy: false };
        self.graph.nodes.push(node);
        self.graph.nodes.len() - 1
    }

    fn name(&mut self, name: &str) -> NameId {
        if let Some(id) = self.names.get(name) {
            return *id;
        }
        self.graph.names.push(name.to_owned());
        self.names.insert(name.to_owned(), self.graph.names.len() - 1);
        self.graph.names.len() - 1
    }

    /// Hangs what `edges` lead to below `parent`, and below that whatever it needs, depth first.
    fn add_below(&mut self, parent: NodeId, edges: Edges<'a>) {
        let mut open = vec![(parent, edges.into_iter())];
        while let Some((parent, edges)) = open.last_mut() {
            let parent = *parent;
            let Some((alias, edge)) = edges.next() else {
                open.pop();
                continue;
            };
            let dep_path = match edge {
                Edge::Snapshot(dep_path) => dep_path,
                Edge::Link(target) => {
                    let link = self.push(alias, Package::Link(target.clone()), &target, BTreeSet::new());
                    self.graph.nodes[parent].children.push(link);
                    continue;
                }
            };
            let key = (self.name(alias), dep_path);
            if let Some(known) = self.shared.get(&key) {
                self.graph.nodes[parent].children.push(*known);
                continue;
            }
            let dep_path = key.1.clone();
            let representative =
                self.representatives.entry(version_of(&dep_path)).or_insert_with(|| dep_path.clone()).clone();
            let peers = self.peers_of(&dep_path);
            let node = self.push(alias, Package::Snapshot(representative), package_key(&dep_path), peers);
            self.shared.insert(key, node);
            self.graph.nodes[parent].children.push(node);
            let below = self.dependencies(&dep_path);
            open.push((node, below.into_iter()));
        }
    }

    /// A project's own dependencies; where several maps have a name, the optional one counts, then the one for development.
    fn direct(&self, id: &str) -> Edges<'a> {
        let HoistRequest { lockfile, include, snapshots, .. } = self.request;
        let Some(importer) = lockfile.importers.get(id) else { return Vec::new() };
        let maps = [
            (include.prod, &importer.dependencies),
            (include.dev, &importer.dev_dependencies),
            (include.optional, &importer.optional_dependencies),
        ];
        let included = maps.into_iter().filter(|(included, _)| *included).flat_map(|(_, map)| map);
        let merged: BTreeMap<&'a str, &'a DirectDependency> =
            included.map(|(alias, direct)| (alias.as_str(), direct)).collect();
        let edge = |(alias, direct): (&'a str, &'a DirectDependency)| match direct.version.strip_prefix("link:") {
            Some(path) => Some((alias, Edge::Link(path.to_owned()))),
            None => {
                let dep_path = dep_path_of(alias, &direct.version);
                snapshots.contains(&dep_path).then_some((alias, Edge::Snapshot(dep_path)))
            }
        };
        merged.into_iter().filter_map(edge).collect()
    }

    fn dependencies(&self, dep_path: &str) -> Edges<'a> {
        let HoistRequest { lockfile, include, snapshots, .. } = self.request;
        let Some(snapshot) = lockfile.snapshots.get(dep_path) else { return Vec::new() };
        let optional = snapshot.optional_dependencies.iter().filter(|_| include.optional);
        let merged: BTreeMap<&'a str, &'a str> = snapshot
            .dependencies
            .iter()
            .chain(optional)
            .map(|(alias, reference)| (alias.as_str(), reference.as_str()))
            .collect();
        let edges = merged.into_iter().map(|(alias, reference)| (alias, dep_path_of(alias, reference)));
        let installed = edges.filter(|(_, dep_path)| snapshots.contains(dep_path));
        installed.map(|(alias, dep_path)| (alias, Edge::Snapshot(dep_path))).collect()
    }

    fn peers_of(&mut self, dep_path: &str) -> BTreeSet<NameId> {
        let lockfile = self.request.lockfile;
        if lockfile.settings.auto_install_peers {
            return BTreeSet::new();
        }
        let own = lockfile.packages.get(package_key(dep_path)).into_iter();
        let own = own.flat_map(|package| package.peer_dependencies.keys());
        let further_down = lockfile.snapshots.get(dep_path).into_iter();
        let further_down = further_down.flat_map(|snapshot| &snapshot.transitive_peer_dependencies);
        own.chain(further_down).map(|name| self.name(name)).collect()
    }
}

fn kind_of(package: &Package) -> &'static str {
    match package {
        Package::Project(_) => "project",
        Package::Snapshot(_) => "snapshot",
        Package::Link(_) => "link",
    }
}

/// What is the same for all variants of a package that can share a directory. Copies of a directory do not: each is there
/// for its own peers.
fn version_of(dep_path: &str) -> String {
    let key = package_key(dep_path);
    let is_tarball = [".tgz", ".tar.gz", ".tar"].iter().any(|end| key.ends_with(end));
    if key.contains("@file:") && !is_tarball { dep_path.to_owned() } else { key.to_owned() }
}
