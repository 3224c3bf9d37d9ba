//! A scenario of the simulator, as its file has it: what is read and written again reads the same.

use serde_json::Value;
use sim::scenario::Scenario;
use std::path::Path;

/// The writing, or one that is broken on purpose.
pub type Write = fn(&Scenario) -> Value;

/// Any bytes; what is no JSON is refused before it is a scenario.
pub fn check(data: &[u8]) {
    check_with(data, Scenario::to_value);
}

/// As [`check`], with this writing.
pub fn check_with(data: &[u8], write: Write) {
    let Ok(value) = serde_json::from_slice::<Value>(data) else { return };
    let path = Path::new("scenario.json");
    let Ok(scenario) = Scenario::from_value(value, path) else { return };
    match Scenario::from_value(write(&scenario), path) {
        Ok(again) => assert_eq!(again, scenario, "it reads otherwise once it is written"),
        Err(error) => panic!("what was written cannot be read: {error}"),
    }
}
