//! What the commits of a repository are called now: the answer of `git ls-remote`.

use super::{GitSpecifier, Wanted};
use crate::range;
use deno_semver::Version;
use std::collections::BTreeMap;

/// The shortest beginning of a commit that is taken for one, in digits.
const SHORT_COMMIT_DIGITS_MIN: usize = 7;

/// Reference (`HEAD`, `refs/heads/main`, `refs/tags/v1.0.0^{}`) → commit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RemoteRefs(BTreeMap<String, String>);

impl RemoteRefs {
    /// Reads what `git ls-remote` prints; lines of other kinds, such as warnings, are passed over.
    pub fn parse(output: &str) -> Self {
        let line = |line: &str| {
            let (commit, name) = line.split_once('\t')?;
            GitSpecifier::is_commit(commit).then(|| (name.trim_end().to_owned(), commit.to_owned()))
        };
        RemoteRefs(output.lines().filter_map(line).collect())
    }

    /// The commit that is meant. A name is looked for where git looks: as it is, then among tags, then among branches.
    pub fn commit(&self, wanted: &Wanted) -> Option<&str> {
        match wanted {
            Wanted::Head => self.get("HEAD"),
            Wanted::Named(name) => {
                let named = self.get(name).or_else(|| self.get(&format!("refs/{name}")));
                let named = named.or_else(|| self.tag(name)).or_else(|| self.get(&format!("refs/heads/{name}")));
                named.or_else(|| self.beginning_with(name))
            }
            Wanted::Range(range) => {
                let range = range::parse(range)?;
                let tags = self.0.keys().filter_map(|name| name.strip_prefix("refs/tags/"));
                let versions = tags.filter(|tag| !tag.ends_with("^{}")).filter_map(|tag| {
                    let version = Version::parse_from_npm(tag.strip_prefix('v').unwrap_or(tag)).ok()?;
                    range.matches(&version).then_some((version, tag))
                });
                versions.max().and_then(|(_, tag)| self.tag(tag))
            }
        }
    }

    /// The commit of a tag; one with a message is an object of its own, which leads to it.
    fn tag(&self, name: &str) -> Option<&str> {
        self.get(&format!("refs/tags/{name}^{{}}")).or_else(|| self.get(&format!("refs/tags/{name}")))
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The only commit that begins so, of those that have a name.
    fn beginning_with(&self, short: &str) -> Option<&str> {
        if short.len() < SHORT_COMMIT_DIGITS_MIN {
            return None;
        }
        let mut found: Vec<_> = self.0.values().filter(|commit| commit.starts_with(short)).collect();
        found.sort();
        found.dedup();
        let [only] = found[..] else { return None };
        Some(only)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refs() -> RemoteRefs {
        let commit = |digit: char| digit.to_string().repeat(40);
        let lines = [
            ('a', "HEAD"),
            ('a', "refs/heads/main"),
            ('b', "refs/heads/feature/x"),
            ('c', "refs/tags/v1.0.0"),
            ('d', "refs/tags/v1.0.0^{}"),
            ('e', "refs/tags/1.10.0"),
            ('f', "refs/tags/v2.0.0-rc.1"),
            ('9', "refs/tags/main"),
        ];
        let lines = lines.map(|(digit, name)| format!("{}\t{name}", commit(digit)));
        RemoteRefs::parse(&format!("warning: redirecting to\n{}\n", lines.join("\n")))
    }

    #[test]
    fn names_are_found_where_git_looks() {
        let named = |name: &str| refs().commit(&Wanted::Named(name.to_owned())).map(|commit| commit[..1].to_owned());
        assert_eq!(refs().commit(&Wanted::Head).unwrap(), "a".repeat(40));
        assert_eq!(named("feature/x").as_deref(), Some("b"));
        assert_eq!(named("v1.0.0").as_deref(), Some("d"), "the commit, not the tag's own object");
        assert_eq!(named("main").as_deref(), Some("9"), "a tag goes before a branch");
        assert_eq!(named("refs/heads/main").as_deref(), Some("a"));
        assert_eq!(named("bbbbbbb").as_deref(), Some("b"));
        assert_eq!((named("bbb"), named("nothing")), (None, None));
    }

    #[test]
    fn a_range_takes_the_newest_version_that_is_a_tag() {
        let range = |range: &str| refs().commit(&Wanted::Range(range.to_owned())).map(|commit| commit[..1].to_owned());
        assert_eq!(range("^1.0.0").as_deref(), Some("e"));
        assert_eq!(range("~1.0.0").as_deref(), Some("d"));
        assert_eq!(range("*").as_deref(), Some("e"), "no prerelease unless it is asked for");
        assert_eq!(range("^3"), None);
    }
}
