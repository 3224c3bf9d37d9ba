//! Versions that are taken where a range leaves a choice, so that a graph has fewer of them: pnpm's weights.
//!
//! A project has its own: what another project of its workspace asks for does not hold it back, as in pnpm since 12.16
//! (pnpm/pnpm#17235), unless it has the package as a peer or `autoDedupe` is set.

use super::packument::Packument;
use super::specifier::target_of;
use crate::lockfile::{Lockfile, name_and_version};
use crate::workspace::{ImporterId, Member, Target, Workspace};
use deno_semver::{Version, VersionReq};
use rpds::{RedBlackTreeMap, RedBlackTreeSet};
use std::collections::BTreeMap;
use std::rc::Rc;

/// A version that the previous lockfile has.
const LOCKED: u64 = 1_000_000;

/// What a project asks for itself.
pub(super) const DIRECT: u64 = 1_000;

/// What stands above a package, or beside something above it.
pub(super) const ABOVE: u64 = 1;

/// What is preferred below one project.
#[derive(Debug, Default)]
pub(super) struct Preferences {
    /// The project.
    pub importer: ImporterId,
    /// What it asks for.
    asked: Selectors,
    /// What the previous lockfile has.
    locked: Rc<Selectors>,
}

/// Package name → version, range or tag → weight.
#[derive(Debug, Default)]
struct Selectors(BTreeMap<String, BTreeMap<String, Selector>>);

#[derive(Debug)]
struct Selector {
    matches: Matches,
    weight: u64,
}

#[derive(Debug)]
enum Matches {
    Version(Version),
    Range(VersionReq),
    Tag,
}

impl Preferences {
    /// Of every project.
    pub fn of(workspace: &Workspace, previous: Option<&Lockfile>) -> BTreeMap<ImporterId, Rc<Preferences>> {
        let mut locked = Selectors::default();
        let keys = previous.into_iter().flat_map(|lockfile| lockfile.packages.keys());
        for (name, text) in keys.filter_map(|key| name_and_version(key)) {
            if let Ok(version) = Version::parse_from_npm(text) {
                locked.add(name, text, Matches::Version(version), LOCKED);
            }
        }
        let locked = Rc::new(locked);
        let of_project = |(importer, member): (&ImporterId, &Member)| {
            let asked = Selectors::asked_by(workspace, importer, member);
            let preferences = Preferences { importer: importer.clone(), asked, locked: locked.clone() };
            (importer.clone(), Rc::new(preferences))
        };
        workspace.members.iter().map(of_project).collect()
    }

    /// The versions of a package that are preferred to others of `range`, with their weights.
    pub fn weights(&self, packument: &Packument, range: &str) -> BTreeMap<Version, u64> {
        let mut weights = BTreeMap::new();
        for selectors in [&self.asked, &*self.locked] {
            selectors.add_to(&mut weights, packument, range);
        }
        weights
    }
}

impl Selectors {
    /// What a project asks for; what others ask for too, of the packages that it has as peers, or of all.
    fn asked_by(workspace: &Workspace, importer: &str, member: &Member) -> Selectors {
        let mut selectors = Selectors::default();
        for (other, Member { wanted, .. }) in &workspace.members {
            let counts = |alias: &String| {
                let peers = &member.manifest.peer_dependencies;
                other == importer || workspace.settings.auto_dedupe || peers.contains_key(alias)
            };
            for (alias, wanted) in wanted.iter().filter(|(alias, _)| counts(alias)) {
                let Target::Resolved { specifier, .. } = &wanted.target else { continue };
                let plain = !specifier.starts_with("npm:") && target_of(alias, specifier).is_some();
                if let Some(matches) = Some(specifier).filter(|_| plain).and_then(|specifier| Matches::of(specifier)) {
                    selectors.add(alias, specifier, matches, DIRECT);
                }
            }
        }
        selectors
    }

    fn add(&mut self, name: &str, text: &str, matches: Matches, weight: u64) {
        let of_package = self.0.entry(name.to_owned()).or_default();
        of_package.entry(text.to_owned()).or_insert(Selector { matches, weight: 0 }).weight += weight;
    }

    /// Adds what these prefer to others of `range`.
    fn add_to(&self, weights: &mut BTreeMap<Version, u64>, packument: &Packument, range: &str) {
        let selectors = self.0.get(&packument.name).into_iter().flatten();
        for (text, selector) in selectors.filter(|(text, _)| *text != range) {
            let mut add = |version: &Version| *weights.entry(version.clone()).or_default() += selector.weight;
            match &selector.matches {
                Matches::Version(version) if packument.has(version) => add(version),
                Matches::Version(_) => {}
                Matches::Range(range) => packument.versions().filter(|version| range.matches(version)).for_each(add),
                Matches::Tag => packument.dist_tags().get(text).into_iter().for_each(add),
            }
        }
    }
}

impl Matches {
    fn of(specifier: &str) -> Option<Matches> {
        if let Ok(version) = Version::parse_from_npm(specifier) {
            return Some(Matches::Version(version));
        }
        let range = VersionReq::parse_from_npm(specifier).ok()?;
        Some(if range.tag().is_some() { Matches::Tag } else { Matches::Range(range) })
    }
}

/// What stands above one place in the graph, and beside what is above it: those versions are preferred below. What two places
/// have in common above them they share.
#[derive(Debug, Clone)]
pub(super) struct Layer {
    /// Of the project that all of it is below.
    pub preferences: Rc<Preferences>,
    /// By package name.
    versions: RedBlackTreeMap<String, Rc<BTreeMap<Version, u64>>>,
    /// Names under node_modules.
    aliases: RedBlackTreeSet<String>,
}

impl Layer {
    /// What a project asks for, before anything is chosen.
    pub fn new<'a>(preferences: Rc<Preferences>, aliases: impl IntoIterator<Item = &'a String>) -> Layer {
        let aliases = aliases.into_iter().cloned().collect();
        Layer { preferences, versions: RedBlackTreeMap::default(), aliases }
    }

    /// Prefers a version from here on; where that is done already, what was said above stays.
    pub fn insert(&mut self, alias: &str, name: &str, version: &Version, weight: u64) {
        let above = self.versions.get(name);
        if above.is_none_or(|versions| !versions.contains_key(version)) {
            let mut versions = above.map(|versions| BTreeMap::clone(versions)).unwrap_or_default();
            versions.insert(version.clone(), weight);
            self.versions.insert_mut(name.to_owned(), Rc::new(versions));
        }
        if !self.has(alias) {
            self.aliases.insert_mut(alias.to_owned());
        }
    }

    /// Whether something here has this name under node_modules.
    pub fn has(&self, alias: &str) -> bool {
        self.aliases.contains(alias)
    }

    /// The versions of a package that are preferred here to others of `range`, with their weights.
    pub fn weights(&self, packument: &Packument, range: &str) -> BTreeMap<Version, u64> {
        let mut weights = self.preferences.weights(packument, range);
        for (version, weight) in self.versions.get(&packument.name).into_iter().flat_map(|versions| versions.iter()) {
            if packument.has(version) {
                weights.entry(version.clone()).or_insert(*weight);
            }
        }
        weights
    }
}
