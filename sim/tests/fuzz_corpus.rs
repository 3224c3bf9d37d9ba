//! Scenario files, as `installer/tests/fuzz_corpus.rs` has it for what the installer reads: every seed, and some thousand mutations.

#![cfg(madsim)]

#[path = "../../installer/fuzz/src/campaign.rs"]
mod campaign;
#[path = "../../installer/fuzz/src/scenario.rs"]
mod scenario;

use campaign::first_failure;
use serde_json::json;
use sim::scenario::Scenario;

/// How many mutations there are.
const MUTATIONS: usize = 5_000;

#[test]
fn scenarios_read_as_they_were_written() {
    if let Some(failure) = first_failure("scenario", MUTATIONS, scenario::check) {
        panic!("see above; from {}: b\"{}\"", failure.seed, failure.input.escape_ascii());
    }
}

#[test]
fn a_scenario_that_is_written_otherwise_is_noticed() {
    let with_the_usual_runs = |scenario: &Scenario| {
        let mut value = scenario.to_value();
        value["runs"] = json!(3000);
        value
    };
    assert!(first_failure("scenario", 0, |input| scenario::check_with(input, with_the_usual_runs)).is_some());
}
