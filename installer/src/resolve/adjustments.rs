//! What the solver is not shown, so that it solves like pnpm: optional edges that lead nowhere, and newer versions of
//! packages that the previous lockfile has.
//!
//! The solver gives up at the first dependency that it cannot satisfy. That obstacle, and every other one that optional
//! dependencies are known to run into by then, becomes an adjustment, and the solver runs again over the packuments that
//! are loaded. An obstacle is a fact about the registry, so it does not matter when it is found out. Each is taken on
//! once, so this ends.

use super::packument::Packument;
use super::specifier::target_of;
use crate::lockfile::{Lockfile, name_and_version};
use deno_npm::registry::{
    NpmDependencyEntryError, NpmPackageInfo, NpmPackageVersionInfo, NpmRegistryPackageInfoLoadError,
};
use deno_npm::resolution::{NpmPackageVersionResolutionError, NpmResolutionError};
use deno_semver::{Version, VersionReq};
use std::collections::{BTreeMap, BTreeSet};

/// Why the solver gave up.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Obstacle {
    /// There is no such package.
    NoPackage { name: String },
    /// The package has no version in this range, or no such tag.
    NoVersion { name: String, range: VersionReq },
    /// A dependency of `parent` is not from a registry, or its range is nonsense.
    Foreign { parent: String, alias: String, specifier: String },
}

impl Obstacle {
    /// `None` when the solver gave up for a reason that has nothing to do with a dependency.
    pub fn of(error: &NpmResolutionError) -> Option<Obstacle> {
        use NpmPackageVersionResolutionError as Version;
        let tag = |name: &str, tag: &str| {
            Some(Obstacle::NoVersion { name: name.to_owned(), range: VersionReq::parse_from_npm(tag).ok()? })
        };
        match error {
            NpmResolutionError::Registry(NpmRegistryPackageInfoLoadError::PackageNotExists { package_name }) => {
                Some(Obstacle::NoPackage { name: package_name.clone() })
            }
            NpmResolutionError::Resolution(Version::VersionReqNotMatched { package_name, version_req, .. }) => {
                Some(Obstacle::NoVersion { name: package_name.to_string(), range: version_req.clone() })
            }
            NpmResolutionError::Resolution(
                Version::DistTagNotFound { package_name, dist_tag }
                | Version::DistTagVersionNotFound { package_name, dist_tag, .. },
            ) => tag(package_name, dist_tag),
            NpmResolutionError::DependencyEntry(entry) => {
                let NpmDependencyEntryError { parent_nv, key, value, .. } = &**entry;
                Some(Obstacle::Foreign { parent: parent_nv.to_string(), alias: key.clone(), specifier: value.clone() })
            }
            _ => None,
        }
    }

    /// Whether the packument looks different once this obstacle is taken on.
    pub fn concerns(&self, packument: &Packument) -> bool {
        match self {
            Obstacle::NoPackage { name } | Obstacle::NoVersion { name, .. } => {
                packument.name == *name || packument.mentions(name)
            }
            Obstacle::Foreign { parent, .. } => parent.starts_with(&format!("{}@", packument.name)),
        }
    }

    /// Whether this dependency of `parent` runs into the obstacle.
    pub fn blocks(&self, parent: &str, alias: &str, specifier: &str) -> bool {
        match self {
            Obstacle::NoPackage { name } => target_of(alias, specifier).is_some_and(|(target, _)| target == name),
            Obstacle::NoVersion { name, range } => target_of(alias, specifier).is_some_and(|(target, wanted)| {
                target == name && VersionReq::parse_from_npm(wanted).is_ok_and(|wanted| wanted == *range)
            }),
            Obstacle::Foreign { parent: of, alias: at, .. } => of == parent && at == alias,
        }
    }
}

/// See the module.
#[derive(Debug, Clone, Default)]
pub(super) struct Adjustments {
    obstacles: Vec<Obstacle>,
    locked: BTreeMap<String, BTreeSet<Version>>,
}

impl Adjustments {
    /// The versions of the previous lockfile are preferred.
    pub fn new(previous: Option<&Lockfile>) -> Adjustments {
        let mut locked: BTreeMap<String, BTreeSet<Version>> = BTreeMap::new();
        let keys = previous.into_iter().flat_map(|lockfile| lockfile.packages.keys());
        for (name, version) in keys.filter_map(|key| name_and_version(key)) {
            if let Ok(version) = Version::parse_from_npm(version) {
                locked.entry(name.to_owned()).or_default().insert(version);
            }
        }
        Adjustments { obstacles: Vec::new(), locked }
    }

    /// Stops preferring the locked versions of a package that has a dependency which they do not satisfy. `false` when
    /// there were none.
    pub fn release(&mut self, obstacle: &Obstacle) -> bool {
        matches!(obstacle, Obstacle::NoVersion { name, .. } if self.locked.remove(name).is_some())
    }

    /// Makes room for an obstacle. `false` when that was done before: somebody needs what is not there.
    pub fn take_on(&mut self, obstacle: Obstacle) -> bool {
        let new = !self.obstacles.contains(&obstacle);
        if new {
            self.obstacles.push(obstacle);
        }
        new
    }

    /// Whether an optional dependency is left out.
    pub fn blocks(&self, parent: &str, alias: &str, specifier: &str) -> bool {
        self.obstacles.iter().any(|obstacle| obstacle.blocks(parent, alias, specifier))
    }

    /// The packument as the solver is shown it.
    pub fn view(&self, packument: &Packument) -> NpmPackageInfo {
        let locked = self.locked.get(&packument.name);
        let untouched = locked.is_none() && !self.obstacles.iter().any(|obstacle| obstacle.concerns(packument));
        if let Some(info) = untouched.then(|| packument.lazy_info()).flatten() {
            return info;
        }
        let shown = packument.versions().filter(|version| locked.is_none_or(|locked| !is_shadowed(version, locked)));
        let infos = shown.filter_map(|version| {
            let mut info = packument.version_info(version)?;
            self.cut(&packument.name, &mut info);
            Some((version.clone(), info))
        });
        let versions: std::collections::HashMap<_, _> = infos.collect();
        let mut dist_tags = packument.dist_tags.clone();
        let preferred = locked.and_then(|locked| locked.iter().rev().find(|version| versions.contains_key(*version)));
        if let Some(preferred) = preferred {
            dist_tags.insert("latest".to_owned(), preferred.clone());
        }
        dist_tags.retain(|tag, version| tag != "latest" || versions.contains_key(version));
        NpmPackageInfo {
            name: packument.name.as_str().into(),
            versions: versions.into(),
            dist_tags: dist_tags.into_iter().collect(),
            time: Default::default(),
        }
    }

    /// Removes the optional dependencies that run into an obstacle.
    fn cut(&self, name: &str, info: &mut NpmPackageVersionInfo) {
        if self.obstacles.is_empty() || info.optional_dependencies.is_empty() {
            return;
        }
        let parent = format!("{name}@{}", info.version);
        let blocked = info.optional_dependencies.iter().filter(|(alias, range)| self.blocks(&parent, alias, range));
        let blocked: BTreeSet<_> = blocked.map(|(alias, _)| alias.clone()).collect();
        info.optional_dependencies.retain(|alias, _| !blocked.contains(alias));
        info.dependencies.retain(|alias, _| !blocked.contains(alias));
    }
}

/// Whether a locked version stands for this one: the lockfile has a lower version that a caret range would accept in its
/// place, and does not have this one.
fn is_shadowed(version: &Version, locked: &BTreeSet<Version>) -> bool {
    let compatible = |lower: &Version| match (lower.major, lower.minor) {
        (0, 0) => false,
        (0, minor) => version.major == 0 && version.minor == minor,
        (major, _) => version.major == major,
    };
    !locked.contains(version) && locked.range(..version).any(compatible)
}
