//! The scenarios are what scenarios/schema.json says; `documents` compares that file with the simulator.

#![cfg(not(madsim))]

use serde_json::{Value, json};
use sim::cargo::workspace;
use std::path::Path;

fn read(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn scenarios_are_what_the_schema_says() {
    let dir = workspace().join("scenarios");
    let validator = jsonschema::validator_for(&read(&dir.join("schema.json"))).unwrap();
    let mut scenarios = 0;
    for entry in std::fs::read_dir(&dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() || path.ends_with("schema.json") {
            continue;
        }
        let scenario = read(&path);
        assert!(validator.is_valid(&scenario), "{}: {:?}", path.display(), validator.validate(&scenario));
        scenarios += 1;
        let mut wrong = scenario;
        wrong["packges"] = json!({});
        assert!(!validator.is_valid(&wrong));
    }
    assert!(scenarios > 20);
}
