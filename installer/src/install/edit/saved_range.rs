//! How a chosen version is written into package.json: pnpm's rule. Pure.

use deno_semver::Version;

/// What stands before a version in package.json, and thereby what may come in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RangePrefix {
    /// `^`: everything with the same first number that is not 0.
    Caret,
    /// `~`: the same first two numbers.
    Tilde,
    /// Nothing: this version alone.
    Exact,
}

impl RangePrefix {
    /// The prefix that a range implies: `^1.2.0` and `1` give a caret, `~1.2.0`, `1.2` and `1.x` a tilde, `1.2.0` nothing.
    /// None for a range that no prefix can stand for: `*`, `>=1 <3`, `1 || 2`, a tag.
    pub fn of(range: &str) -> Option<Self> {
        let range = range.trim();
        let (prefix, version) = match range.chars().next()? {
            '^' => (Some(RangePrefix::Caret), &range[1..]),
            '~' => (Some(RangePrefix::Tilde), &range[1..]),
            _ => (None, range.trim_start_matches(['v', '='])),
        };
        let core = version.split(['-', '+']).next().unwrap_or(version);
        let numbers: Vec<&str> = core.split('.').collect();
        let is_number = |part: &str| !part.is_empty() && part.chars().all(|digit| digit.is_ascii_digit());
        let is_place = |part: &&str| is_number(part) || matches!(*part, "x" | "X" | "*");
        if !is_number(numbers[0]) || numbers.len() > 3 || !numbers.iter().all(is_place) {
            return None;
        }
        prefix.or(Some(match numbers.len() {
            1 => RangePrefix::Caret,
            2 => RangePrefix::Tilde,
            _ => RangePrefix::Exact,
        }))
    }

    /// The range with this prefix. A prerelease stands alone, as in pnpm: `^1.0.0-rc.1` would take 1.0.0 and later.
    pub fn range(self, version: &str) -> String {
        let prerelease = Version::parse_from_npm(version).is_ok_and(|version| !version.pre.is_empty());
        match self {
            RangePrefix::Caret if !prerelease => format!("^{version}"),
            RangePrefix::Tilde if !prerelease => format!("~{version}"),
            _ => version.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::RangePrefix::{Caret, Exact, Tilde};
    use super::*;

    #[test]
    fn prefixes_are_those_that_pnpm_sees() {
        for (range, prefix) in [
            ("^1.2.3", Some(Caret)),
            ("^6", Some(Caret)),
            ("6", Some(Caret)),
            ("~1.2", Some(Tilde)),
            ("1.2", Some(Tilde)),
            ("7.x", Some(Tilde)),
            ("1.2.3", Some(Exact)),
            ("v1.2.3", Some(Exact)),
            ("1.2.3-rc.1", Some(Exact)),
            ("*", None),
            ("", None),
            (">=1 <3", None),
            ("^4.0.0 || ^3", None),
            ("latest", None),
            ("next", None),
        ] {
            assert_eq!(RangePrefix::of(range), prefix, "{range}");
        }
    }

    #[test]
    fn a_prerelease_stands_alone() {
        assert_eq!(Caret.range("1.2.3"), "^1.2.3");
        assert_eq!(Tilde.range("1.2.3"), "~1.2.3");
        assert_eq!(Exact.range("1.2.3"), "1.2.3");
        assert_eq!(Caret.range("1.2.3-rc.1"), "1.2.3-rc.1");
    }
}
