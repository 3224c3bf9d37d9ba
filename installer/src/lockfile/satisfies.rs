//! Whether a lockfile still answers what package.json asks: the check of a frozen install.

use super::{DirectDependency, Lockfile};
use crate::manifest::{DependencyKind, Manifest};
use miette::Diagnostic;
use std::collections::BTreeMap;
use std::fmt;

/// package.json and the lockfile say different things.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Diagnostic)]
#[error("pnpm-lock.yaml is not up to date with package.json:\n{}", differences.iter().map(|difference| format!("  {difference}")).collect::<Vec<_>>().join("\n"))]
#[diagnostic(code(lockstep::lockfile::mismatch), help("run `lockstep install --no-frozen-lockfile`"))]
pub struct LockfileMismatch {
    /// Every difference, sorted by name.
    pub differences: Vec<Difference>,
}

/// One thing that package.json and the lockfile disagree on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// package.json asks for it, the lockfile does not know it.
    Added {
        /// Name under node_modules.
        name: String,
        /// What package.json asks for.
        specifier: String,
    },
    /// The lockfile has it, package.json does not ask for it.
    Removed {
        /// Name under node_modules.
        name: String,
        /// What package.json asked for.
        specifier: String,
    },
    /// Both have it, with other ranges.
    Changed {
        /// Name under node_modules.
        name: String,
        /// What the lockfile answers.
        locked: String,
        /// What package.json asks for.
        specifier: String,
    },
    /// Both have it, in other maps.
    Moved {
        /// Name under node_modules.
        name: String,
        /// The lockfile's map.
        locked: &'static str,
        /// package.json's map.
        wanted: &'static str,
    },
    /// The overrides differ.
    Overrides,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Difference::Added { name, specifier } => write!(f, "added: {name}@{specifier}"),
            Difference::Removed { name, specifier } => write!(f, "removed: {name}@{specifier}"),
            Difference::Changed { name, locked, specifier } => {
                write!(f, "changed: {name} from {locked} to {specifier}")
            }
            Difference::Moved { name, locked, wanted } => write!(f, "moved: {name} from {locked} to {wanted}"),
            Difference::Overrides => write!(f, "changed: overrides"),
        }
    }
}

/// Checks that the root importer has exactly package.json's specifiers, in the same maps.
///
/// # Errors
/// [`LockfileMismatch`] with every difference.
pub fn satisfies(lockfile: &Lockfile, manifest: &Manifest) -> Result<(), LockfileMismatch> {
    let empty = super::Importer::default();
    let importer = lockfile.importers.get(".").unwrap_or(&empty);
    let mut locked: BTreeMap<&str, (&DirectDependency, DependencyKind)> = BTreeMap::new();
    for (map, kind) in [
        (&importer.dependencies, DependencyKind::Production),
        (&importer.dev_dependencies, DependencyKind::Development),
        (&importer.optional_dependencies, DependencyKind::Optional),
    ] {
        locked.extend(map.iter().map(|(name, dependency)| (name.as_str(), (dependency, kind))));
    }
    let mut differences = Vec::new();
    let wanted = manifest.wanted();
    for (name, wanted) in &wanted {
        let (name, specifier) = (name.clone(), wanted.specifier.clone());
        match locked.remove(name.as_str()) {
            None => differences.push(Difference::Added { name, specifier }),
            Some((dependency, _)) if dependency.specifier != specifier => {
                differences.push(Difference::Changed { name, locked: dependency.specifier.clone(), specifier });
            }
            Some((_, kind)) if kind != wanted.kind => {
                differences.push(Difference::Moved { name, locked: map_name(kind), wanted: map_name(wanted.kind) });
            }
            Some(_) => {}
        }
    }
    for (name, (dependency, _)) in locked {
        differences.push(Difference::Removed { name: name.to_owned(), specifier: dependency.specifier.clone() });
    }
    if lockfile.overrides != manifest.overrides {
        differences.push(Difference::Overrides);
    }
    if differences.is_empty() { Ok(()) } else { Err(LockfileMismatch { differences }) }
}

fn map_name(kind: DependencyKind) -> &'static str {
    match kind {
        DependencyKind::Production => "dependencies",
        DependencyKind::Development => "devDependencies",
        DependencyKind::Optional => "optionalDependencies",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn fixture() -> (Lockfile, Manifest) {
        let lockfile = include_str!("../../tests/fixtures/pnpm/pnpm-lock.yaml");
        let manifest = include_bytes!("../../tests/fixtures/pnpm/package.json");
        (
            Lockfile::parse(lockfile, Path::new("pnpm-lock.yaml")).unwrap(),
            Manifest::parse(manifest, Path::new("package.json")).unwrap(),
        )
    }

    #[test]
    fn pnpm_s_own_lockfile_satisfies_its_manifest() {
        let (lockfile, manifest) = fixture();
        satisfies(&lockfile, &manifest).unwrap();
    }

    #[test]
    fn every_difference_is_listed() {
        let (lockfile, mut manifest) = fixture();
        manifest.dependencies.remove("express");
        manifest.dependencies.insert("react".to_owned(), "^19.0.0".to_owned());
        manifest.dependencies.insert("left-pad".to_owned(), "1".to_owned());
        let typescript = manifest.dev_dependencies.remove("typescript").unwrap();
        manifest.dependencies.insert("typescript".to_owned(), typescript);
        let error = satisfies(&lockfile, &manifest).unwrap_err();
        let expected = "pnpm-lock.yaml is not up to date with package.json:\n  added: left-pad@1\n  \
            changed: react from ^18.0.0 to ^19.0.0\n  moved: typescript from devDependencies to dependencies\n  \
            removed: express@^4.18.0";
        assert_eq!(error.to_string(), expected);
    }
}
