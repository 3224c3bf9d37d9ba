//! What the project asks for, as requirements that the solver takes; and its overrides.

use super::adjustments::Adjustments;
use super::packuments::ResolveWarning;
use super::specifier::target_of;
use super::{RequiredBy, ResolveError};
use crate::manifest::{DependencyKind, Manifest};
use deno_npm::resolution::NpmOverrides;
use deno_semver::VersionReq;
use deno_semver::package::PackageReq;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The name by which errors and warnings call the project.
pub(super) const PROJECT: &str = "package.json";

/// One direct dependency.
#[derive(Debug, Clone)]
pub(super) struct Root {
    pub requirement: PackageReq,
    pub specifier: String,
    pub kind: DependencyKind,
}

/// The direct dependencies that are resolved, by their names under node_modules.
#[derive(Debug)]
pub(super) struct Roots {
    pub wanted: BTreeMap<String, Root>,
    pub skipped: Vec<ResolveWarning>,
}

impl Roots {
    /// The manifest's dependencies, without the optional ones that run into an obstacle.
    pub fn of(manifest: &Manifest, adjustments: &Adjustments) -> Result<Roots, ResolveError> {
        let mut roots = Roots { wanted: BTreeMap::new(), skipped: Vec::new() };
        for (alias, wanted) in manifest.wanted() {
            let specifier = wanted.specifier;
            let optional = wanted.kind == DependencyKind::Optional;
            if optional && adjustments.blocks(PROJECT, &alias, &specifier) {
                let dependency = format!("{alias}@{specifier}");
                roots.skipped.push(ResolveWarning::OptionalSkipped { parent: PROJECT.to_owned(), dependency });
                continue;
            }
            let requirement = target_of(&alias, &specifier).and_then(|(name, range)| {
                Some(PackageReq { name: name.into(), version_req: VersionReq::parse_from_npm(range).ok()? })
            });
            let Some(requirement) = requirement else {
                let required_by = RequiredBy(vec![PROJECT.to_owned()]);
                return Err(ResolveError::Unsupported { dependency: alias, specifier, required_by });
            };
            roots.wanted.insert(alias, Root { requirement, specifier, kind: wanted.kind });
        }
        Ok(roots)
    }

    /// What the solver is given, in the order of the names.
    pub fn requirements(&self) -> Vec<PackageReq> {
        self.wanted.values().map(|root| root.requirement.clone()).collect()
    }
}

/// The overrides in the solver's form: pnpm's `parent>name` becomes an object in an object.
pub(super) fn overrides_of(manifest: &Manifest) -> Result<NpmOverrides, ResolveError> {
    let mut tree = Map::new();
    for (selector, range) in &manifest.overrides {
        let mut path: Vec<&str> = split_selector(selector);
        let leaf = path.pop().unwrap_or_default();
        let mut at = &mut tree;
        for parent in path {
            let entry = at.entry(parent).or_insert_with(|| Value::Object(Map::new()));
            if let Value::String(own) = entry {
                *entry = Value::Object(Map::from_iter([(".".to_owned(), Value::String(own.clone()))]));
            }
            at = entry.as_object_mut().expect("made an object above");
        }
        match at.get_mut(leaf).and_then(Value::as_object_mut) {
            Some(object) => drop(object.insert(".".to_owned(), Value::String(range.clone()))),
            None => drop(at.insert(leaf.to_owned(), Value::String(range.clone()))),
        }
    }
    NpmOverrides::from_value(Value::Object(tree), &Default::default(), &Default::default())
        .map_err(|error| ResolveError::Overrides { message: error.to_string() })
}

/// `a@>=1>b` is `b` below `a@>=1`: a `>` divides only where a name can start after it.
fn split_selector(selector: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut start = 0;
    for (at, _) in selector.match_indices('>') {
        let before_is_range = selector[..at].ends_with(['@', ' ', '|']);
        let name_follows = selector[at + 1..].starts_with(|c: char| c.is_ascii_alphabetic() || c == '@' || c == '_');
        if at > start && !before_is_range && name_follows {
            parts.push(selector[start..at].trim());
            start = at + 1;
        }
    }
    parts.push(selector[start..].trim());
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_divide_where_a_name_starts() {
        assert_eq!(split_selector("a>b"), ["a", "b"]);
        assert_eq!(split_selector("a@>=1>b"), ["a@>=1", "b"]);
        assert_eq!(split_selector("a@1>@s/b@<2"), ["a@1", "@s/b@<2"]);
        assert_eq!(split_selector("a@>1"), ["a@>1"]);
    }

    #[test]
    fn a_name_can_have_an_override_and_nested_ones() {
        let overrides = [("a", "1"), ("a>b", "2"), ("c>d>e", "3")];
        let overrides = overrides.map(|(selector, range)| (selector.to_owned(), range.to_owned()));
        let manifest = Manifest { overrides: BTreeMap::from(overrides), ..Manifest::default() };
        assert_eq!(overrides_of(&manifest).unwrap().rules.len(), 2);
    }
}
