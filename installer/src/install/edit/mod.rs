//! What `add`, `remove` and `update` change in package.json before they install: decided here, applied to the text by
//! [`manifest::edit`](crate::manifest::edit), and saved by the install when all of it has gone well.
//!
//! The registry is asked for the versions that are not spelled out, through the same client as the resolution that
//! follows, so each packument is still one request.

mod error;
mod saved_range;

pub use error::EditError;
pub use saved_range::RangePrefix;

use super::InstallError;
use crate::lockfile::{Lockfile, name_and_version};
use crate::manifest::Manifest;
use crate::manifest::edit::{DependencyMap, ManifestChange};
use crate::range;
use crate::resolve::{ForeignSource, Packuments, VersionChooser, target_of};
use crate::workspace::ROOT;
use std::collections::{BTreeMap, BTreeSet};

/// What is changed in package.json first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// `add`
    Add(Add),
    /// `remove`: the names, and the one map to take them from.
    Remove {
        /// Names under node_modules.
        names: Vec<String>,
        /// The only map that is changed; all of them where there is none.
        from: Option<DependencyMap>,
    },
    /// `update`
    Update(Update),
}

/// What to add.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Add {
    /// The packages.
    pub packages: Vec<PackageSpec>,
    /// Where they go; where they are already, or `dependencies`, if nobody says.
    pub to: Option<DependencyMap>,
    /// Whether they are peers of the project too.
    pub peer: bool,
    /// How their versions are saved; as their ranges imply, if nobody says.
    pub prefix: Option<RangePrefix>,
}

/// What to update.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Update {
    /// The packages; all of the project's where there is none.
    pub packages: Vec<PackageSpec>,
    /// Whether the ranges in package.json give way.
    pub latest: bool,
    /// The maps whose dependencies are updated.
    pub maps: Vec<DependencyMap>,
}

/// A package as the command line names it: `react`, `react@18`, `@types/node@latest`, `old@npm:react@16`, `owner/repo`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageSpec {
    /// Name under node_modules; empty where only the package itself says it.
    pub name: String,
    /// Range, tag or alias; a repository, a URL or a path.
    pub specifier: Option<String>,
}

impl PackageSpec {
    /// Reads one; what is wrong with it otherwise.
    ///
    /// # Errors
    /// For what names no package.
    pub fn parse(text: &str) -> Result<Self, String> {
        let at = text.get(1..).and_then(|rest| rest.find('@')).map(|at| at + 1);
        let (name, specifier) = at.map_or((text, None), |at| (&text[..at], Some(&text[at + 1..])));
        let base = name.strip_prefix('@').map_or(Some(name), |scoped| Some(scoped.split_once('/')?.1));
        let is_name = |base: &str| {
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '~');
            !base.is_empty() && !base.starts_with('.') && base.chars().all(plain)
        };
        match base {
            Some(base) if is_name(base) && specifier != Some("") => {
                Ok(PackageSpec { name: name.to_owned(), specifier: specifier.map(ToOwned::to_owned) })
            }
            _ => Err(format!("{text} names no package: write NAME, NAME@RANGE, NAME@TAG or ALIAS@npm:NAME@RANGE")),
        }
    }

    /// Reads what is to be added, which may also be a git repository, the URL of a tarball or `file:` and a path: such a package
    /// says its name itself.
    ///
    /// # Errors
    /// For what names no package.
    pub fn parse_to_add(text: &str) -> Result<Self, String> {
        let specifier = match ForeignSource::of(ROOT, text) {
            None => return Self::parse(text).map_err(|error| format!("{error}, OWNER/REPO, a URL or file:PATH")),
            Some(ForeignSource::Git { git, .. }) => git.saved(),
            Some(source) => source.reference(),
        };
        Ok(PackageSpec { name: String::new(), specifier: Some(specifier) })
    }
}

/// Where a name stands in package.json, and what is asked for.
type Direct<'a> = (DependencyMap, &'a str);

impl Edit {
    /// The changes of package.json, sorted by nothing but the order in which they were asked for.
    ///
    /// # Errors
    /// When a package that is named is not there, has no such version, or is not asked for by this project.
    pub(super) async fn changes<P: Packuments>(
        &self,
        manifest: &Manifest,
        lockfile: Option<&Lockfile>,
        chooser: &VersionChooser<P>,
    ) -> Result<Vec<ManifestChange>, InstallError> {
        let direct = direct(manifest);
        match self {
            Edit::Add(add) => add.changes(&direct, chooser).await,
            Edit::Remove { names, from } => Ok(removals(names, *from, manifest, &direct)?),
            Edit::Update(update) => update.changes(&direct, lockfile, chooser).await,
        }
    }

    /// The lockfile whose versions are to be kept: without those that an update lets go.
    pub(super) fn kept(&self, lockfile: &Lockfile) -> Lockfile {
        let mut kept = lockfile.clone();
        if let Edit::Update(update) = self {
            let names: BTreeSet<&str> = update.packages.iter().map(|spec| spec.name.as_str()).collect();
            let everything = names.is_empty();
            let goes = |key: &str| everything || name_and_version(key).is_some_and(|(name, _)| names.contains(name));
            kept.packages.retain(|key, _| !goes(key));
        }
        kept
    }

    /// Whether versions are chosen anew, whatever the lockfile says.
    pub(super) fn resolves(&self) -> bool {
        matches!(self, Edit::Update(_))
    }
}

fn direct(manifest: &Manifest) -> BTreeMap<&str, Direct<'_>> {
    let mut direct = BTreeMap::new();
    // Where a name stands twice, the map counts that an installer looks at first.
    for (map, names) in [
        (DependencyMap::Development, &manifest.dev_dependencies),
        (DependencyMap::Production, &manifest.dependencies),
        (DependencyMap::Optional, &manifest.optional_dependencies),
    ] {
        direct.extend(names.iter().map(|(name, specifier)| (name.as_str(), (map, specifier.as_str()))));
    }
    direct
}

impl Add {
    async fn changes<P: Packuments>(
        &self,
        direct: &BTreeMap<&str, Direct<'_>>,
        chooser: &VersionChooser<P>,
    ) -> Result<Vec<ManifestChange>, InstallError> {
        let mut changes = Vec::new();
        for spec in &self.packages {
            let there = direct.get(spec.name.as_str()).copied();
            let map = match (self.to, self.peer) {
                (Some(map), _) => map,
                // As pnpm does it: a peer is there for whoever works on the project.
                (None, true) => DependencyMap::Development,
                (None, false) => there.map_or(DependencyMap::Production, |(map, _)| map),
            };
            let specifier = self.specifier(spec, there.map(|(_, specifier)| specifier), chooser).await?;
            let elsewhere = [DependencyMap::Production, DependencyMap::Development, DependencyMap::Optional];
            let name = &spec.name;
            changes.extend(elsewhere.into_iter().filter(|other| *other != map).map(|map| removal(map, name)));
            let peer = self.peer.then_some(DependencyMap::Peer);
            changes.extend([map].into_iter().chain(peer).map(|map| ManifestChange::Set {
                map,
                name: name.clone(),
                specifier: specifier.clone(),
            }));
        }
        Ok(changes)
    }

    async fn specifier<P: Packuments>(
        &self,
        spec: &PackageSpec,
        there: Option<&str>,
        chooser: &VersionChooser<P>,
    ) -> Result<String, InstallError> {
        let wanted = match (&spec.specifier, there) {
            (Some(specifier), _) => specifier.clone(),
            (None, Some(there)) if self.prefix.is_none() => return Ok(there.to_owned()),
            (None, _) => "latest".to_owned(),
        };
        let prefix = self.prefix.or_else(|| range_of(&spec.name, &wanted).and_then(RangePrefix::of));
        let prefix = prefix.or_else(|| there.and_then(|there| range_of(&spec.name, there)).and_then(RangePrefix::of));
        saved(&spec.name, &wanted, prefix.unwrap_or(RangePrefix::Caret), chooser).await
    }
}

impl Update {
    async fn changes<P: Packuments>(
        &self,
        direct: &BTreeMap<&str, Direct<'_>>,
        lockfile: Option<&Lockfile>,
        chooser: &VersionChooser<P>,
    ) -> Result<Vec<ManifestChange>, InstallError> {
        let mut changes = Vec::new();
        self.check_names(direct, lockfile)?;
        for (name, (map, there)) in direct {
            let spec = self.packages.iter().find(|spec| spec.name == *name);
            if !self.maps.contains(map) || (spec.is_none() && !self.packages.is_empty()) {
                continue;
            }
            let asked = spec.and_then(|spec| spec.specifier.as_deref());
            let Some(specifier) = self.specifier(name, there, asked, chooser).await? else { continue };
            if specifier != **there {
                changes.push(ManifestChange::Set { map: *map, name: (*name).to_owned(), specifier });
            }
        }
        Ok(changes)
    }

    /// None for what has no versions to choose from: tags, URLs, files.
    async fn specifier<P: Packuments>(
        &self,
        name: &str,
        there: &str,
        asked: Option<&str>,
        chooser: &VersionChooser<P>,
    ) -> Result<Option<String>, InstallError> {
        let Some((package, range)) = target_of(name, there) else { return Ok(None) };
        let prefix = RangePrefix::of(range);
        let is_range = prefix.is_some() || range::parse(range).is_some();
        if asked.is_none() && !is_range {
            return Ok(None);
        }
        let new_range = asked.unwrap_or(if self.latest { "latest" } else { range });
        let wanted = if package == name { new_range.to_owned() } else { format!("npm:{package}@{new_range}") };
        let prefix = asked.and_then(RangePrefix::of).or(prefix).unwrap_or(RangePrefix::Caret);
        Ok(Some(saved(name, &wanted, prefix, chooser).await?))
    }

    fn check_names(&self, direct: &BTreeMap<&str, Direct<'_>>, lockfile: Option<&Lockfile>) -> Result<(), EditError> {
        for PackageSpec { name, specifier } in &self.packages {
            if self.latest && specifier.is_some() {
                return Err(EditError::LatestOfRange { name: name.clone() });
            }
            let locked = |lockfile: &Lockfile| {
                let mut names = lockfile.packages.keys().filter_map(|key| name_and_version(key));
                names.any(|(locked, _)| locked == name)
            };
            if !direct.contains_key(name.as_str()) && (specifier.is_some() || !lockfile.is_some_and(locked)) {
                return Err(EditError::NotThere { names: vec![name.clone()], available: names_of(direct) });
            }
        }
        Ok(())
    }
}

/// The specifier that stands for the version that is chosen now.
async fn saved<P: Packuments>(
    name: &str,
    wanted: &str,
    prefix: RangePrefix,
    chooser: &VersionChooser<P>,
) -> Result<String, InstallError> {
    let Some((package, range)) = target_of(name, wanted) else {
        // From elsewhere than a registry: resolution says whether it can be had.
        return Ok(wanted.to_owned());
    };
    let chosen = chooser.choose(name, wanted, "the command line").await?;
    let is_tag = deno_semver::VersionReq::parse_from_npm(range).is_ok_and(|range| range.tag().is_some());
    // Whoever asks for another tag than `latest` wants to follow it.
    let saved = if is_tag && range != "latest" { range.to_owned() } else { prefix.range(&chosen.package.version) };
    Ok(if package == name { saved } else { format!("npm:{package}@{saved}") })
}

/// The range or tag in a specifier of a registry's package.
fn range_of<'a>(name: &'a str, specifier: &'a str) -> Option<&'a str> {
    target_of(name, specifier).map(|(_, range)| range)
}

fn removals(
    names: &[String],
    from: Option<DependencyMap>,
    manifest: &Manifest,
    direct: &BTreeMap<&str, Direct<'_>>,
) -> Result<Vec<ManifestChange>, EditError> {
    let maps = |map: DependencyMap| match map {
        DependencyMap::Production => &manifest.dependencies,
        DependencyMap::Development => &manifest.dev_dependencies,
        DependencyMap::Optional => &manifest.optional_dependencies,
        DependencyMap::Peer => &manifest.peer_dependencies,
    };
    let missing = |name: &&String| match from {
        Some(map) => !maps(map).contains_key(*name),
        None => !direct.contains_key(name.as_str()),
    };
    let missing: Vec<String> = names.iter().filter(missing).cloned().collect();
    if !missing.is_empty() {
        let available = match from {
            Some(map) => maps(map).keys().cloned().collect(),
            None => names_of(direct),
        };
        return Err(EditError::NotThere { names: missing, available });
    }
    let from = from.map_or(DependencyMap::ALL.to_vec(), |map| vec![map]);
    Ok(names.iter().flat_map(|name| from.iter().map(|map| removal(*map, name))).collect())
}

fn removal(map: DependencyMap, name: &str) -> ManifestChange {
    ManifestChange::Remove { map, name: name.to_owned() }
}

fn names_of(direct: &BTreeMap<&str, Direct<'_>>) -> Vec<String> {
    direct.keys().map(|name| (*name).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_named_as_on_npm() {
        let parse = |text: &str| {
            let PackageSpec { name, specifier } = PackageSpec::parse(text).unwrap();
            (name, specifier)
        };
        let spec = |name: &str, specifier: Option<&str>| (name.to_owned(), specifier.map(ToOwned::to_owned));
        assert_eq!(parse("react"), spec("react", None));
        assert_eq!(parse("react@^18"), spec("react", Some("^18")));
        assert_eq!(parse("@types/node@latest"), spec("@types/node", Some("latest")));
        assert_eq!(parse("old@npm:@a/b@1"), spec("old", Some("npm:@a/b@1")));
        for wrong in ["", "@", "@scope", "a@", "./here", "owner/repo", "https://h/x.tgz", "a b"] {
            assert!(PackageSpec::parse(wrong).is_err(), "{wrong}");
        }
        for (text, saved) in [
            ("owner/repo", "github:owner/repo"),
            ("git+https://gitlab.com/o/r.git#v1", "gitlab:o/r#v1"),
            ("https://h/x.tgz", "https://h/x.tgz"),
            ("file:./x", "file:x"),
        ] {
            let spec = PackageSpec { name: String::new(), specifier: Some(saved.to_owned()) };
            assert_eq!(PackageSpec::parse_to_add(text), Ok(spec));
        }
        assert_eq!(PackageSpec::parse_to_add("react@18"), PackageSpec::parse("react@18"));
        assert!(PackageSpec::parse_to_add("./here").unwrap_err().contains("OWNER/REPO"));
    }
}
