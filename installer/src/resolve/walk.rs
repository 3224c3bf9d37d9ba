//! Chooses a version for everything that is asked for, level by level, as pnpm does.
//!
//! All of a level is chosen before anything below it. Of a package that is met more than once, the dependencies are chosen
//! where it was met first: on the highest level; there, below the first project; there, on the path that sorts first. So the
//! graph is a function of the manifests, the packuments and the previous lockfile.

use super::graph::{Graph, GraphPackage, PackageIndex};
use super::loader::Loader;
use super::locked::Locked;
use super::look_ahead::{LookAhead, detail_of};
use super::obstacle::{Obstacle, explain};
use super::packuments::{ResolveWarning, ResolvedTarball};
use super::peers::Direct;
use super::preferences::{ABOVE, DIRECT, Layer, Preferences};
use super::roots::{Opened, Root, Roots};
use super::specifier::target_of;
use super::version_pick::pick;
use super::wanted_peers::WantedPeer;
use super::{ResolveError, ResolveRequest};
use crate::manifest::DependencyKind;
use crate::package::PackageId;
use crate::workspace::{ImporterId, shown};
use deno_semver::Version;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// Name under node_modules → package.
pub(super) type Dependencies = BTreeMap<String, PackageIndex>;

/// See the module.
pub(super) struct Walk<'l> {
    loader: &'l Loader<'l>,
    request: &'l ResolveRequest<'l>,
    opened: &'l Opened,
    locked: Locked<'l>,
    preferences: BTreeMap<ImporterId, Rc<Preferences>>,
    ahead: LookAhead<'l>,
    pub graph: Graph,
    /// What was left out.
    pub skipped: BTreeSet<ResolveWarning>,
}

/// One dependency, as it is asked for.
struct Edge<'e> {
    alias: &'e str,
    specifier: &'e str,
    /// What the previous lockfile has, where that will do.
    locked: Option<Version>,
    /// Whether whoever asks for it works without.
    optional: bool,
    /// Who asks for it, for people.
    parent: &'e str,
}

/// What was chosen for an edge, and whether it was not in the graph before.
type Chosen = (PackageIndex, bool);

/// A package whose dependencies are to be chosen.
struct Occurrence {
    /// Where it comes in its level: the place of what is above it in the level before, or of its project; then its key.
    place: (usize, String),
    package: PackageIndex,
    layer: Layer,
}

impl<'l> Walk<'l> {
    pub fn new(loader: &'l Loader<'l>, request: &'l ResolveRequest<'l>, opened: &'l Opened) -> Self {
        Walk {
            loader,
            request,
            opened,
            locked: Locked::new(request.previous),
            preferences: Preferences::of(request.workspace, request.previous),
            ahead: LookAhead::new(loader),
            graph: Graph::default(),
            skipped: BTreeSet::new(),
        }
    }

    /// What the projects ask for, and everything below it.
    pub async fn projects(&mut self, roots: &Roots) -> Result<BTreeMap<ImporterId, Direct>, ResolveError> {
        for (id, roots) in roots {
            let preferences = self.preferences[id].clone();
            for (alias, root) in roots.resolved.iter().filter(|(_, root)| root.foreign.is_none()) {
                self.look_ahead(&preferences, alias, &root.range, root.kind == DependencyKind::Optional);
            }
        }
        let (mut direct, mut level) = (BTreeMap::new(), Vec::new());
        for (number, (id, roots)) in roots.iter().enumerate() {
            let names = Layer::new(self.preferences[id].clone(), roots.resolved.keys().chain(roots.linked.keys()));
            let mut chosen = Vec::new();
            for (alias, root) in &roots.resolved {
                let package = self.choose_root(id, alias, root, &names).await?;
                chosen.extend(package.map(|package| (alias.clone(), package)));
            }
            let layer = self.layer(&names, &chosen, DIRECT);
            level.extend(self.occurrences(number, &chosen, &layer));
            let linked = roots.linked.iter().map(|(alias, root)| (alias.clone(), self.graph.add_linked(alias, root)));
            let linked = linked.collect();
            let places = roots.resolved.iter().map(|(alias, root)| (alias.clone(), root.place)).collect();
            let dependencies = dependencies_of(chosen);
            direct.insert(id.clone(), Direct { dependencies, places, linked, ..Direct::default() });
        }
        self.below(level).await?;
        Ok(direct)
    }

    /// Peers that a project is to have although it does not ask for them, and everything below.
    pub async fn peers(
        &mut self,
        importer: &str,
        peers: &BTreeMap<String, WantedPeer>,
        project: &Direct,
    ) -> Result<Dependencies, ResolveError> {
        let preferences = self.preferences[importer].clone();
        for (name, wanted) in peers {
            wanted.specifiers().take(1).for_each(|specifier| self.look_ahead(&preferences, name, specifier, false));
        }
        let own = project.dependencies.keys().chain(project.linked.keys());
        let names = own.chain(project.providers.keys()).chain(peers.keys());
        let names = Layer::new(preferences, names);
        let mut chosen = Vec::new();
        for (name, wanted) in peers {
            let package = self.choose_peer(name, wanted, &names).await?;
            chosen.extend(package.map(|package| (name.clone(), package)));
        }
        let layer = self.layer(&names, &chosen, ABOVE);
        let level = self.occurrences(0, &chosen, &layer).collect();
        self.below(level).await?;
        Ok(dependencies_of(chosen))
    }

    /// `None` where no version will do, and none is needed.
    async fn choose_peer(
        &mut self,
        name: &str,
        wanted: &WantedPeer,
        names: &Layer,
    ) -> Result<Option<Chosen>, ResolveError> {
        let mut obstacles = Vec::new();
        for specifier in wanted.specifiers() {
            let edge = Edge { alias: name, specifier, locked: None, optional: false, parent: "" };
            match self.find(&edge, names).await? {
                Ok(chosen) => return Ok(Some(chosen)),
                Err(obstacle) => obstacles.push(obstacle),
            }
        }
        match obstacles.pop().filter(|_| wanted.range.is_some()) {
            Some(obstacle) => Err(explain(obstacle, self.request.workspace, &self.graph, self.loader)),
            None => Ok(None),
        }
    }

    async fn choose_root(
        &mut self,
        importer: &str,
        alias: &str,
        root: &Root,
        names: &Layer,
    ) -> Result<Option<Chosen>, ResolveError> {
        if let Some(source) = &root.foreign {
            let opened = &self.opened[source];
            let manifest = opened.manifest.clone().below(|name| names.has(name));
            return Ok(Some(self.graph.add_foreign(opened, manifest, importer)));
        }
        let locked = self.locked.of_project(importer, alias, &root.range);
        let optional = root.kind == DependencyKind::Optional;
        let edge = Edge { alias, specifier: &root.range, locked, optional, parent: &shown(importer) };
        self.choose(&edge, names).await
    }

    /// Chooses the dependencies of the packages of a level, then of those that are new, and so on.
    async fn below(&mut self, mut level: Vec<Occurrence>) -> Result<(), ResolveError> {
        while !level.is_empty() {
            level.sort_by(|one, other| one.place.cmp(&other.place));
            for occurrence in &level {
                let manifest = self.graph.packages[occurrence.package].manifest.clone();
                let preferences = &occurrence.layer.preferences;
                let edges = manifest.edges();
                edges.for_each(|(alias, specifier, optional)| self.look_ahead(preferences, alias, specifier, optional));
            }
            let mut next = Vec::new();
            for (place, Occurrence { package, layer, .. }) in level.into_iter().enumerate() {
                let GraphPackage { key, manifest, .. } = &self.graph.packages[package];
                let (key, manifest) = (key.clone(), manifest.clone());
                let mut chosen = Vec::new();
                for (alias, specifier, optional) in manifest.edges() {
                    let locked = self.locked.of_package(&key, alias, specifier);
                    let edge = Edge { alias, specifier, locked, optional, parent: &key };
                    let dependency = self.choose(&edge, &layer).await?;
                    // A package that depends on itself has itself already.
                    let dependency = dependency.filter(|(dependency, _)| *dependency != package);
                    chosen.extend(dependency.map(|dependency| (alias.to_owned(), dependency)));
                }
                let layer = self.layer(&layer, &chosen, ABOVE);
                next.extend(self.occurrences(place, &chosen, &layer));
                self.graph.packages[package].dependencies = dependencies_of(chosen);
            }
            level = next;
        }
        Ok(())
    }

    fn look_ahead(&mut self, preferences: &Rc<Preferences>, alias: &str, specifier: &str, optional: bool) {
        if let Some((name, range)) = target_of(alias, specifier) {
            self.ahead.ask(preferences, name, range, detail_of(optional));
        }
    }

    /// Chooses a version. `None` where there is none, and none is needed.
    async fn choose(&mut self, edge: &Edge<'_>, layer: &Layer) -> Result<Option<Chosen>, ResolveError> {
        let obstacle = match self.find(edge, layer).await? {
            Ok(chosen) => return Ok(Some(chosen)),
            Err(obstacle) => obstacle,
        };
        if !edge.optional {
            return Err(explain(obstacle, self.request.workspace, &self.graph, self.loader));
        }
        let dependency = format!("{}@{}", edge.alias, edge.specifier);
        self.skipped.insert(ResolveWarning::OptionalSkipped { parent: edge.parent.to_owned(), dependency });
        Ok(None)
    }

    async fn find(&mut self, edge: &Edge<'_>, layer: &Layer) -> Result<Result<Chosen, Obstacle>, ResolveError> {
        let Some((name, range)) = target_of(edge.alias, edge.specifier) else {
            let (alias, specifier) = (edge.alias.to_owned(), edge.specifier.to_owned());
            return Ok(Err(Obstacle::Foreign { alias, specifier }));
        };
        let packument = self.ahead.packument(&layer.preferences, name, range, detail_of(edge.optional));
        let Some(packument) = packument.await? else {
            return Ok(Err(Obstacle::NoPackage { name: name.to_owned() }));
        };
        let locked = edge.locked.clone().filter(|version| packument.version(version).is_some());
        let version = locked.or_else(|| pick(&packument, range, &layer.weights(&packument, range)));
        let found = version.and_then(|version| Some((packument.version(&version)?, version)));
        let Some((manifest, version)) = found else {
            return Ok(Err(Obstacle::NoVersion { name: name.to_owned(), range: range.to_owned() }));
        };
        let manifest = manifest.below(|name| layer.has(name));
        let (package, is_new) = self.graph.add(name, &version, manifest.clone(), &layer.preferences.importer);
        if is_new {
            self.request.hook.on_resolved(ResolvedTarball {
                package: PackageId::new(name, version.to_string()),
                tarball_url: manifest.tarball.clone(),
                integrity: manifest.integrity.clone(),
                os: manifest.os.clone(),
                cpu: manifest.cpu.clone(),
                libc: manifest.libc.clone(),
            });
        }
        Ok(Ok((package, is_new)))
    }

    /// What is preferred below packages that stand side by side.
    fn layer(&self, above: &Layer, chosen: &[(String, Chosen)], weight: u64) -> Layer {
        let mut layer = above.clone();
        for (alias, (package, _)) in chosen {
            let package = &self.graph.packages[*package];
            layer.insert(alias, &package.name, &package.version, weight);
        }
        layer
    }

    /// Those of `chosen` that are met for the first time.
    fn occurrences(
        &self,
        above: usize,
        chosen: &[(String, Chosen)],
        layer: &Layer,
    ) -> impl Iterator<Item = Occurrence> {
        chosen.iter().filter(|(_, (_, is_new))| *is_new).map(move |(_, (package, _))| {
            let place = (above, self.graph.packages[*package].key.clone());
            Occurrence { place, package: *package, layer: layer.clone() }
        })
    }
}

fn dependencies_of(chosen: Vec<(String, Chosen)>) -> Dependencies {
    chosen.into_iter().map(|(alias, (package, _))| (alias, package)).collect()
}
