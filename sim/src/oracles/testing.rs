//! Runs made by hand, for the oracles' own tests.

use super::{Oracle, Violation};
use crate::committed::CommittedRow;
use crate::observation::{Observation, Outcome};
use crate::registry::Get;
use crate::scenario::{Scenario, VersionedName};
use crate::trace::{TraceEntry, What};
use installer::install::Residue;
use installer::package::PackageId;
use installer::rt::Event;
use serde_json::json;
use std::path::Path;
use std::sync::Arc;

/// A scenario with one package, `a@1.0.0`, and these fields besides.
pub fn scenario(fields: serde_json::Value) -> Arc<Scenario> {
    let mut scenario = json!({ "description": "", "packages": { "a@1.0.0": {} }, "dependencies": { "a": "1" } });
    scenario.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    Arc::new(Scenario::from_value(scenario, Path::new("test")).unwrap())
}

/// A run in which all is well: one request, one body, one event.
pub fn good_run() -> Observation {
    Observation {
        scenario: scenario(json!({})),
        gets: vec![get(1_000, 2_000)],
        trace: Vec::new(),
        progress: vec![installer::reporter::ProgressEvent::Fetched { package: PackageId::new("a", "1.0.0") }],
        outcome: Outcome::Installed(Residue::default()),
        returned_us: 9_000,
        leftover_tasks: Vec::new(),
        leftover_files: Vec::new(),
        tree: Default::default(),
        beside: Vec::new(),
        expected_tree: None,
        rows: vec![CommittedRow { package: Some(VersionedName(PackageId::new("a", "1.0.0"))), problem: None }],
        crash: None,
    }
}

/// A whole body of `a@1.0.0`, served between these two instants.
pub fn get(started_us: u64, ended_us: u64) -> Get {
    Get {
        path: "/a/-/a-1.0.0.tgz".to_owned(),
        accept: "*/*".to_owned(),
        tarball: Some(VersionedName(PackageId::new("a", "1.0.0"))),
        started_us,
        ended_us: Some(ended_us),
        status: 200,
        completed: true,
    }
}

/// A task that sets out to download `a@1.0.0` at once.
pub fn lead() -> TraceEntry {
    let key = "http://r/a/-/a-1.0.0.tgz#x".to_owned();
    TraceEntry { at_us: 0, task: "download a@1.0.0".into(), what: What::Told(Event::Lead { key }) }
}

/// What the oracle says of the run.
pub fn check(oracle: &dyn Oracle, run: &Observation) -> Result<(), Violation> {
    oracle.check(run)
}
