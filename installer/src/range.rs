//! Ranges of versions, as text from strangers: `deno_semver`'s, where nothing that is no range gets to be one.
//!
//! Its parser takes a word for the name of a dist-tag, and its value then panics when it is asked for a version. Whoever has to
//! do with ranges alone starts here.

use deno_semver::VersionReq;

/// The range that a text means; `None` for a tag, and for what makes no sense.
pub fn parse(text: &str) -> Option<VersionReq> {
    VersionReq::parse_from_npm(text).ok().filter(|range| range.tag().is_none())
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_tag_is_no_range() {
        for text in ["1", "^1.0.0 || 2.x", "*", "", ">=1 <2"] {
            assert!(super::parse(text).is_some(), "{text}");
        }
        for text in ["latest", "whatever", "not a range"] {
            assert!(super::parse(text).is_none(), "{text}");
        }
    }
}
