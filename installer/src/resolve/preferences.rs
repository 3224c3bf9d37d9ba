//! Versions that are taken where a range leaves a choice, so that a graph has fewer of them: pnpm's weights.

use super::packument::Packument;
use super::specifier::target_of;
use crate::lockfile::{Lockfile, name_and_version};
use crate::workspace::{Target, Workspace};
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

/// What is preferred everywhere: package name → version, range or tag → weight.
#[derive(Debug, Default)]
pub(super) struct Preferences(BTreeMap<String, BTreeMap<String, Selector>>);

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
    /// What the projects ask for, and what the previous lockfile has.
    pub fn of(workspace: &Workspace, previous: Option<&Lockfile>) -> Preferences {
        let mut preferences = Preferences::default();
        let wanted = workspace.members.values().flat_map(|member| &member.wanted);
        for (alias, wanted) in wanted {
            let Target::Resolved { specifier, .. } = &wanted.target else { continue };
            let plain = !specifier.starts_with("npm:") && target_of(alias, specifier).is_some();
            if let Some(matches) = Some(specifier).filter(|_| plain).and_then(|specifier| Matches::of(specifier)) {
                preferences.add(alias, specifier, matches, DIRECT);
            }
        }
        let keys = previous.into_iter().flat_map(|lockfile| lockfile.packages.keys());
        for (name, text) in keys.filter_map(|key| name_and_version(key)) {
            if let Ok(version) = Version::parse_from_npm(text) {
                preferences.add(name, text, Matches::Version(version), LOCKED);
            }
        }
        preferences
    }

    fn add(&mut self, name: &str, text: &str, matches: Matches, weight: u64) {
        let of_package = self.0.entry(name.to_owned()).or_default();
        of_package.entry(text.to_owned()).or_insert(Selector { matches, weight: 0 }).weight += weight;
    }

    /// The versions of a package that are preferred to others of `range`, with their weights.
    pub fn weights(&self, packument: &Packument, range: &str) -> BTreeMap<Version, u64> {
        let mut weights: BTreeMap<Version, u64> = BTreeMap::new();
        let selectors = self.0.get(&packument.name).into_iter().flatten();
        for (text, selector) in selectors.filter(|(text, _)| *text != range) {
            let mut add = |version: &Version| *weights.entry(version.clone()).or_default() += selector.weight;
            match &selector.matches {
                Matches::Version(version) if packument.has(version) => add(version),
                Matches::Version(_) => {}
                Matches::Range(range) => packument.versions().filter(|version| range.matches(version)).for_each(add),
                Matches::Tag => packument.dist_tags.get(text).into_iter().for_each(add),
            }
        }
        weights
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
#[derive(Debug, Clone, Default)]
pub(super) struct Layer {
    /// By package name.
    versions: RedBlackTreeMap<String, Rc<BTreeMap<Version, u64>>>,
    /// Names under node_modules.
    aliases: RedBlackTreeSet<String>,
}

impl Layer {
    /// What a project asks for, before anything is chosen.
    pub fn of_names<'a>(aliases: impl IntoIterator<Item = &'a String>) -> Layer {
        Layer { aliases: aliases.into_iter().cloned().collect(), ..Layer::default() }
    }

    /// Prefers a version from here on; where that is done already, what was said above stays.
    pub fn insert(&mut self, alias: &str, name: &str, version: &Version, weight: u64) {
        let mut versions = self.versions.get(name).map(|versions| BTreeMap::clone(versions)).unwrap_or_default();
        versions.entry(version.clone()).or_insert(weight);
        self.versions.insert_mut(name.to_owned(), Rc::new(versions));
        self.aliases.insert_mut(alias.to_owned());
    }

    /// Whether something here has this name under node_modules.
    pub fn has(&self, alias: &str) -> bool {
        self.aliases.contains(alias)
    }

    /// Adds to `weights` what this layer prefers, where they do not have it.
    pub fn add_to(&self, weights: &mut BTreeMap<Version, u64>, packument: &Packument) {
        for (version, weight) in self.versions.get(&packument.name).into_iter().flat_map(|versions| versions.iter()) {
            if packument.has(version) {
                weights.entry(version.clone()).or_insert(*weight);
            }
        }
    }
}
