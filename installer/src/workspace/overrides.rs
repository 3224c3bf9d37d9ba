//! `overrides`: what is resolved otherwise than packages ask for, by pnpm's rules.
//!
//! A selector is `name`, `name@range`, or either of them below a parent (`parent@range>name`); a value is a range, an
//! alias, `$name` for what the root project asks for under that name, a `catalog:` entry, or `-` for none at all. It
//! applies to what a manifest asks for, not to what that would resolve to: `name@^1` concerns those who ask for a range
//! that has a version in common with `^1`.

use super::{ROOT, WorkspaceError, shown, wanted};
use crate::manifest::Manifest;
use crate::range;
use deno_semver::Version;
use std::collections::BTreeMap;

/// The value that takes a dependency away.
pub const REMOVED: &str = "-";

/// See the module.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overrides {
    /// As a lockfile has them: selector → value, with references and catalogs looked up.
    pub texts: BTreeMap<String, String>,
    /// Those with a parent first.
    rules: Vec<Rule>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    parent: Option<Selector>,
    target: Selector,
    value: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Selector {
    name: String,
    range: Option<String>,
}

impl Overrides {
    /// Reads the setting; `root` is what `$name` refers to.
    pub(super) fn of(
        setting: &BTreeMap<String, String>,
        root: Option<&Manifest>,
        catalogs: &BTreeMap<String, BTreeMap<String, String>>,
    ) -> Result<Overrides, WorkspaceError> {
        let mut overrides = Overrides::default();
        for (selector, value) in setting {
            let wrong = |reason: String| WorkspaceError::Override { selector: selector.clone(), reason };
            let mut parts: Vec<_> = split(selector).into_iter().map(Selector::parse).collect();
            let target =
                parts.pop().filter(|target| !target.name.is_empty()).ok_or_else(|| wrong("it names nothing".into()))?;
            if parts.len() > 1 {
                return Err(wrong("it has more than one parent".to_owned()));
            }
            let value = match (value.strip_prefix('$'), wanted::catalog_of(value)) {
                (Some(name), _) => {
                    let asked = root.and_then(|root| root.asked_for(name));
                    asked.ok_or_else(|| wrong(format!("{} does not ask for {name}", shown(ROOT))))?.to_owned()
                }
                (None, Some(catalog)) => {
                    let entry = catalogs.get(catalog).and_then(|catalog| catalog.get(&target.name));
                    entry.ok_or_else(|| wrong(format!("the catalog {catalog} has no {}", target.name)))?.clone()
                }
                (None, None) => value.clone(),
            };
            overrides.texts.insert(selector.clone(), value.clone());
            overrides.rules.push(Rule { parent: parts.pop(), target, value });
        }
        overrides.rules.sort_by_key(|rule| (rule.parent.is_none(), rule.target.range.is_none()));
        Ok(overrides)
    }

    /// What `parent` (name, and version where it has one) gets in place of its dependency; [`REMOVED`] for nothing.
    /// `None` where no override concerns it.
    pub fn replacement(&self, parent: (&str, Option<&Version>), dependency: &str, range: &str) -> Option<&str> {
        let rule = self.rules.iter().find(|rule| {
            let of_parent = |selector: &Selector| selector.name == parent.0 && selector.accepts(parent.1);
            rule.target.name == dependency && rule.target.concerns(range) && rule.parent.as_ref().is_none_or(of_parent)
        });
        rule.map(|rule| rule.value.as_str())
    }

    /// The names that some override is about: a manifest that has none of them stays as it is.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.rules.iter().map(|rule| rule.target.name.as_str())
    }
}

impl Selector {
    fn parse(text: &str) -> Selector {
        match text.char_indices().skip(1).find(|(_, character)| *character == '@') {
            Some((at, _)) => Selector { name: text[..at].to_owned(), range: Some(text[at + 1..].to_owned()) },
            None => Selector { name: text.to_owned(), range: None },
        }
    }

    /// Whether this version is in the selector's range.
    fn accepts(&self, version: Option<&Version>) -> bool {
        let Some(range) = &self.range else { return true };
        let range = range::parse(range);
        range.zip(version).is_some_and(|(range, version)| range.matches(version))
    }

    /// Whether who asks for `asked` can get a version in the selector's range.
    fn concerns(&self, asked: &str) -> bool {
        let Some(range) = &self.range else { return true };
        if range == asked {
            return true;
        }
        range::parse(range).zip(range::parse(asked)).is_some_and(|(range, asked)| range.intersects(&asked))
    }
}

/// `a@>=1>b` is `b` below `a@>=1`: a `>` divides only where a name can start after it.
fn split(selector: &str) -> Vec<&str> {
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
    use std::path::Path;

    fn overrides(entries: &[(&str, &str)]) -> Result<Overrides, WorkspaceError> {
        let setting = entries.iter().map(|(selector, value)| (selector.to_string(), value.to_string())).collect();
        let root = Manifest::parse(br#"{"dependencies":{"own":"^3"}}"#, Path::new("package.json")).unwrap();
        let catalog = BTreeMap::from([("c".to_owned(), "7.0.0".to_owned())]);
        Overrides::of(&setting, Some(&root), &BTreeMap::from([("default".to_owned(), catalog)]))
    }

    #[test]
    fn selectors_divide_where_a_name_starts() {
        assert_eq!(split("a>b"), ["a", "b"]);
        assert_eq!(split("a@>=1>b"), ["a@>=1", "b"]);
        assert_eq!(split("a@1>@s/b@<2"), ["a@1", "@s/b@<2"]);
        assert_eq!(split("a@>1"), ["a@>1"]);
    }

    #[test]
    fn the_nearest_override_counts() {
        let all = [("a", "1"), ("p@2>a", "2"), ("b@^1", "3"), ("@s/x", "-"), ("d", "$own"), ("c", "catalog:")];
        let overrides = overrides(&all).unwrap();
        let version = |text: &str| Version::parse_from_npm(text).unwrap();
        let (one, two) = (version("1.0.0"), version("2.1.0"));
        assert_eq!(overrides.replacement(("p", Some(&one)), "a", "^9"), Some("1"));
        assert_eq!(overrides.replacement(("p", Some(&two)), "a", "^9"), Some("2"));
        assert_eq!(overrides.replacement(("p", None), "b", "1.5.0"), Some("3"));
        assert_eq!(overrides.replacement(("p", None), "b", "^2"), None);
        assert_eq!(overrides.replacement(("p", None), "@s/x", "*"), Some(REMOVED));
        assert_eq!((&*overrides.texts["d"], &*overrides.texts["c"]), ("^3", "7.0.0"));
    }

    #[test]
    fn nonsense_is_an_error() {
        for selector in ["", "a>b>c"] {
            assert!(overrides(&[(selector, "1")]).is_err(), "{selector}");
        }
        assert!(overrides(&[("a", "$nobody")]).unwrap_err().to_string().contains("nobody"));
    }
}
