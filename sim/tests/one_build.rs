//! The simulator's tests are built from the same libraries as the simulator: one that is asked for more by a test is compiled
//! twice, and everything above it.

#![cfg(not(madsim))]

use sim::cargo;
use std::collections::BTreeMap;

/// Library and version → features, of all that a simulation build needs; `edges` as `cargo tree` calls them.
fn features(edges: &str) -> BTreeMap<String, String> {
    let arguments = ["tree", "--package", "sim", "--prefix", "none", "--format", "{p};{f}", "--edges", edges];
    let output = cargo::flagged(&arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    // Whatever was printed before is marked so.
    let lines = text.lines().filter_map(|line| line.trim_end_matches(" (*)").split_once(';'));
    lines.map(|(name, features)| (name.to_owned(), features.to_owned())).collect()
}

#[test]
fn tests_ask_no_more_of_libraries_than_the_simulator() {
    let (own, with_tests) = (features("normal,build"), features("normal,build,dev"));
    assert!(own.len() > 100, "{own:?}");
    let other: Vec<_> = own.iter().filter(|(name, features)| with_tests.get(*name) != Some(features)).collect();
    assert!(other.is_empty(), "a test asks more of these: {other:?}");
}
