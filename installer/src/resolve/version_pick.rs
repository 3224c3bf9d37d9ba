//! Which version a range means: pnpm's rules.

use super::packument::Packument;
use crate::range;
use deno_semver::{Version, VersionReq};
use std::collections::BTreeMap;

/// The version of a package that `range` means, by this order: a dist-tag of that name; of the versions that are
/// preferred, the highest of those with the greatest weight; `latest`, or else the highest, where it is not deprecated;
/// `latest`, or else the highest, where it is. `None` when there is none that can be used.
pub(super) fn pick(packument: &Packument, range: &str, preferred: &BTreeMap<Version, u64>) -> Option<Version> {
    let usable = |version: &&Version| packument.version(version).is_some();
    if let Some(tagged) = packument.dist_tags().get(range) {
        return Some(tagged).filter(usable).cloned();
    }
    // Nothing but itself is in the range of a version, which need not be looked for among thousands.
    let exact = Version::parse_from_npm(range).ok();
    if let Some(version) = exact.and_then(|version| packument.listed(&version)).filter(usable) {
        return Some(version.clone());
    }
    let wanted = range::parse(range)?;
    let latest = packument.dist_tags().get("latest");
    let latest_of = |matches: &dyn Fn(&Version) -> bool| latest.filter(|latest| matches(latest)).filter(usable);
    let mut by_weight: BTreeMap<u64, Vec<&Version>> = BTreeMap::new();
    for (version, weight) in preferred.iter().filter(|(version, _)| wanted.matches(version)) {
        by_weight.entry(*weight).or_default().push(version);
    }
    for versions in by_weight.values().rev() {
        let is_preferred = |latest: &Version| versions.contains(&latest);
        let highest = || versions.iter().rev().copied().find(usable);
        if let Some(version) = latest_of(&is_preferred).or_else(highest) {
            return Some(version.clone());
        }
    }
    let not_deprecated =
        |version: &&Version| packument.version(version).is_some_and(|found| found.deprecated.is_none());
    // A pre-release is in no range of any version, and still `*` where it is all there is.
    let any = matches!(range.trim(), "" | "*");
    let latest = latest_of(&|latest| any || wanted.matches(latest));
    let highest = || packument.versions().rev().filter(|version| wanted.matches(version));
    let best = latest.filter(not_deprecated).or_else(|| highest().find(not_deprecated));
    best.or(latest).or_else(|| highest().find(usable)).cloned()
}

/// Whether `range` allows a version, or would if that were not a pre-release.
pub(super) fn allows_with_prereleases(range: &VersionReq, version: &Version) -> bool {
    let released = || Version { pre: Default::default(), ..version.clone() };
    range.matches(version) || (!version.pre.is_empty() && range.matches(&released()))
}

/// What all of these ranges allow, as a range.
pub(super) fn intersection<'a>(ranges: impl IntoIterator<Item = &'a str>) -> String {
    let mut alternatives = vec![String::new()];
    for range in ranges {
        let parts: Vec<_> = range.split("||").map(str::trim).collect();
        let both = |before: &String, part: &&str| format!("{before} {part}").trim().to_owned();
        alternatives =
            alternatives.iter().flat_map(|before| parts.iter().map(move |part| both(before, part))).collect();
    }
    alternatives.join(" || ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::Document;
    use serde_json::{Map, Value, json};
    use std::sync::Arc;

    fn packument(latest: &str, versions: &[(&str, bool)]) -> Packument {
        let version = |(version, deprecated): &(&str, bool)| {
            let mut manifest = json!({ "version": version, "dist": { "tarball": "t" } });
            if *deprecated {
                manifest["deprecated"] = "use another".into();
            }
            (version.to_string(), manifest)
        };
        let versions: Map<String, Value> = versions.iter().map(version).collect();
        let text =
            json!({ "name": "x", "dist-tags": { "latest": latest, "next": "3.0.0-rc.1" }, "versions": versions });
        Packument::new("x", Document::parse(text.to_string().as_bytes()).unwrap(), Arc::default())
    }

    fn version(text: &str) -> Version {
        Version::parse_from_npm(text).unwrap()
    }

    #[test]
    fn a_range_means_the_version_that_pnpm_takes() {
        let all = ["1.0.0", "1.1.0", "1.2.0", "2.0.0", "3.0.0-rc.1"].map(|version| (version, version == "1.2.0"));
        let packument = packument("1.0.0", &all);
        let picked = |range: &str, preferred: &[(&str, u64)]| {
            let preferred = preferred.iter().map(|(text, weight)| (version(text), *weight)).collect();
            pick(&packument, range, &preferred).map(|version| version.to_string())
        };
        let is = |version: &str| Some(version.to_owned());
        assert_eq!(picked("^1.0.0", &[]), is("1.0.0"), "latest, where the range allows it");
        assert_eq!(picked("^1.0.1", &[]), is("1.1.0"), "the highest is deprecated");
        assert_eq!(picked("1.2.0", &[]), is("1.2.0"), "nothing else will do");
        assert_eq!(picked("1.1.0", &[("1.0.0", 1), ("2.0.0", 1000)]), is("1.1.0"));
        assert_eq!(picked("3.0.0-rc.1", &[]), is("3.0.0-rc.1"));
        assert_eq!(picked("1.3.0", &[]), None);
        assert_eq!(picked("next", &[]), is("3.0.0-rc.1"));
        assert_eq!(picked(">=1", &[("1.1.0", 1), ("2.0.0", 1)]), is("2.0.0"));
        assert_eq!(picked(">=1", &[("1.1.0", 1000), ("2.0.0", 1)]), is("1.1.0"));
        assert_eq!(picked(">=1", &[("1.0.0", 1), ("2.0.0", 1)]), is("1.0.0"), "latest, where it is preferred as well");
        assert_eq!(picked("^2.0.0", &[("1.1.0", 1000)]), is("2.0.0"));
        let all = [("1.0.0", false), ("2.0.0", true)];
        assert_eq!(pick(&self::packument("2.0.0", &all), "*", &BTreeMap::new()), Some(version("1.0.0")));
        assert_eq!(picked("^4.0.0", &[]), None);
        assert_eq!(picked("no such tag", &[]), None);
    }

    #[test]
    fn any_version_may_be_a_pre_release_where_that_is_all_there_is() {
        let packument = packument("3.0.0-rc.1", &[("3.0.0-rc.1", false)]);
        for any in ["*", ""] {
            assert_eq!(pick(&packument, any, &BTreeMap::new()), Some(version("3.0.0-rc.1")));
        }
        assert_eq!(pick(&packument, "^3.0.0", &BTreeMap::new()), None);
        let range = VersionReq::parse_from_npm("^3.0.0").unwrap();
        assert!(allows_with_prereleases(&range, &version("3.0.0-rc.1")));
        assert!(!allows_with_prereleases(&range, &version("4.0.0-rc.1")));
    }

    #[test]
    fn what_all_ranges_allow() {
        assert_eq!(intersection(["^1.0.0"]), "^1.0.0");
        let both = VersionReq::parse_from_npm(&intersection(["^1.0.0 || ^2.0.0", ">=1.5.0 || ^3.0.0"])).unwrap();
        for (text, allowed) in [("1.4.0", false), ("1.5.0", true), ("2.1.0", true), ("3.0.0", false)] {
            assert_eq!(both.matches(&version(text)), allowed, "{text}");
        }
    }
}
