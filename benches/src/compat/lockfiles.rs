//! Two lockfiles of one project, compared package by package.

use super::{Found, Respect};
use installer::lockfile::{Lockfile, name_and_version};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

/// A lockfile from its text.
///
/// # Errors
/// When it is none.
pub fn read(text: &str) -> io::Result<Lockfile> {
    Lockfile::parse(text, Path::new(super::LOCKFILE)).map_err(|error| io::Error::other(error.to_string()))
}

/// Adds what differs: versions by package; variants of packages whose versions are the same; then, where graph and
/// variants are the same, the first line of text that is not.
pub fn compare(theirs: &Lockfile, ours: &Lockfile, theirs_text: &str, ours_text: &str, found: &mut Found<'_>) {
    let before = found.differences.len();
    let (their_versions, our_versions) = (versions(theirs.packages.keys()), versions(ours.packages.keys()));
    let differing = differing(&their_versions, &our_versions);
    for name in &differing {
        found.add(Respect::Version, name, told(&their_versions, &our_versions, name));
    }
    let (their_variants, our_variants) = (versions(theirs.snapshots.keys()), versions(ours.snapshots.keys()));
    for name in self::differing(&their_variants, &our_variants) {
        if !differing.contains(name) {
            found.add(Respect::Variant, name, told(&their_variants, &our_variants, name));
        }
    }
    if found.differences.len() == before && theirs_text != ours_text {
        let pairs = theirs_text.lines().zip(ours_text.lines()).enumerate();
        let (line, detail) = pairs.into_iter().find(|(_, (theirs, ours))| theirs != ours).map_or_else(
            || ("end".to_owned(), "one is longer".to_owned()),
            |(line, (theirs, ours))| {
                (format!("line {}", line + 1), format!("pnpm `{}`, lockstep `{}`", theirs.trim(), ours.trim()))
            },
        );
        found.add(Respect::Lockfile, &line, detail);
    }
}

type Versions<'a> = BTreeMap<&'a str, BTreeSet<&'a str>>;

/// What follows the name in each dep path, by name.
fn versions<'a>(dep_paths: impl Iterator<Item = &'a String>) -> Versions<'a> {
    let mut versions: Versions<'a> = BTreeMap::new();
    for dep_path in dep_paths {
        let name = name_and_version(dep_path).map_or(dep_path.as_str(), |(name, _)| name);
        versions.entry(name).or_default().insert(dep_path[name.len()..].trim_start_matches('@'));
    }
    versions
}

fn differing<'a>(theirs: &Versions<'a>, ours: &Versions<'a>) -> BTreeSet<&'a str> {
    let names = theirs.keys().chain(ours.keys()).copied();
    names.filter(|name| theirs.get(name) != ours.get(name)).collect()
}

/// What only one of them has of a package.
fn told(theirs: &Versions<'_>, ours: &Versions<'_>, name: &str) -> String {
    let none = BTreeSet::new();
    let (theirs, ours) = (theirs.get(name).unwrap_or(&none), ours.get(name).unwrap_or(&none));
    let list = |of: &BTreeSet<&str>, without: &BTreeSet<&str>| {
        let list: Vec<_> = of.difference(without).copied().collect();
        if list.is_empty() { "nothing more".to_owned() } else { list.join(" and ") }
    };
    format!("pnpm has {}, lockstep has {}", list(theirs, ours), list(ours, theirs))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lockfile(packages: &[&str]) -> String {
        let mut text = "lockfileVersion: '9.0'\n\nimporters:\n\n  .: {}\n\npackages:\n".to_owned();
        let keys: BTreeSet<_> = packages.iter().map(|dep_path| installer::lockfile::package_key(dep_path)).collect();
        for key in keys {
            text.push_str(&format!("\n  {key}:\n    resolution: {{integrity: sha512-x}}\n"));
        }
        text.push_str("\nsnapshots:\n");
        for dep_path in packages {
            text.push_str(&format!("\n  {dep_path}: {{}}\n"));
        }
        text
    }

    fn differences(theirs: &[&str], ours: &[&str]) -> Vec<String> {
        let (theirs, ours) = (lockfile(theirs), lockfile(ours));
        let mut found = Found { project: "p", differences: Vec::new() };
        compare(&read(&theirs).unwrap(), &read(&ours).unwrap(), &theirs, &ours, &mut found);
        found.differences.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn versions_and_variants_are_told_apart() {
        assert_eq!(differences(&["a@1.0.0"], &["a@1.0.0"]), [""; 0]);
        assert_eq!(
            differences(&["a@1.0.0", "b@1.0.0"], &["a@1.0.0", "a@2.0.0", "b@1.0.0"]),
            ["p: version of a: pnpm has nothing more, lockstep has 2.0.0"]
        );
        assert_eq!(
            differences(&["a@1.0.0(b@1.0.0)", "b@1.0.0"], &["a@1.0.0", "b@1.0.0"]),
            ["p: variant of a: pnpm has 1.0.0(b@1.0.0), lockstep has 1.0.0"]
        );
    }

    #[test]
    fn text_counts_where_the_graph_is_the_same() {
        let theirs = lockfile(&["a@1.0.0"]);
        let ours = theirs.replace("sha512-x", "sha512-y");
        let mut found = Found { project: "p", differences: Vec::new() };
        compare(&read(&theirs).unwrap(), &read(&ours).unwrap(), &theirs, &ours, &mut found);
        assert_eq!(found.differences.len(), 1);
        assert_eq!(found.differences[0].respect, Respect::Lockfile);
    }
}
