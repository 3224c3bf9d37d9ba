//! O7: a committed index row means complete, verified files, whenever the program ends; and they are used.

use super::{Oracle, Violation};
use crate::committed::CommittedRow;
use crate::observation::{CrashSeen, Observation};
use crate::scenario::{Crash, DiskFaults};
use installer::reporter::ProgressEvent;
use installer::store::BUSY_PAUSES;
use std::collections::BTreeSet;

/// See the module.
pub struct RowsMeanFiles;

impl Oracle for RowsMeanFiles {
    fn id(&self) -> &'static str {
        "O7"
    }

    fn demand(&self) -> &'static str {
        "a committed row means complete files, whenever the program ends, and they are used; what is fetched gets a row"
    }

    fn check(&self, run: &Observation) -> Result<(), Violation> {
        complete(&run.rows, "at the end")?;
        arrived(run)?;
        // After a power loss files may be gone; that the install does not trust them shows in the tree.
        match &run.crash {
            Some(crash) if run.scenario.crash != Some(Crash::PowerLoss) => {
                complete(&crash.rows, "when the program ended before its time")?;
                used(crash, run)
            }
            _ => Ok(()),
        }
    }
}

fn complete(rows: &[CommittedRow], when: &str) -> Result<(), Violation> {
    let Some((row, problem)) = rows.iter().find_map(|row| Some((row, row.problem.as_ref()?))) else { return Ok(()) };
    let package = row.package.as_ref().map_or("a tarball".to_owned(), ToString::to_string);
    Err(Violation::of(&package, format!("{when} the row of {package} was committed, and {problem}")))
}

/// What an install has fetched is in the index when it succeeds, or the user is told that it is not.
fn arrived(run: &Observation) -> Result<(), Violation> {
    let told = |event: &ProgressEvent| matches!(event, ProgressEvent::Warning { code: "INDEX_NOT_WRITTEN", .. });
    if !run.installed() {
        return Ok(());
    }
    if run.progress.iter().any(told) {
        let index = &run.scenario.index;
        let refused = index.read_only
            || index.busy_times as usize > BUSY_PAUSES.len()
            || run.scenario.disk != DiskFaults::default();
        return if refused {
            Ok(())
        } else {
            Err(Violation::new("rows were given up, and the index would have taken them"))
        };
    }
    let rows: BTreeSet<String> =
        run.rows.iter().filter_map(|row| row.package.as_ref()).map(ToString::to_string).collect();
    let fetched = run.progress.iter().filter_map(|event| match event {
        ProgressEvent::Fetched { package } => Some(package.to_string()),
        _ => None,
    });
    match fetched.into_iter().find(|package| !rows.contains(package)) {
        None => Ok(()),
        Some(package) => {
            let sentence = format!("{package} was fetched, its row was never committed, and nobody was told");
            Err(Violation::of(package, sentence))
        }
    }
}

fn used(crash: &CrashSeen, run: &Observation) -> Result<(), Violation> {
    let gets = run.tarball_gets();
    let again = crash.rows.iter().filter_map(|row| row.package.as_ref()).find(|package| gets.contains_key(package));
    match again {
        None => Ok(()),
        Some(package) => {
            let sentence = format!("{package} was in the store when the program ended, and was downloaded again");
            Err(Violation::of(package, sentence))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracles::testing::{check, good_run, scenario};
    use crate::schedule::Moment;
    use serde_json::json;

    fn row(run: &Observation, problem: Option<&str>) -> CommittedRow {
        CommittedRow { package: run.gets[0].tarball.clone(), problem: problem.map(str::to_owned) }
    }

    fn crash(rows: Vec<CommittedRow>) -> Option<CrashSeen> {
        Some(CrashSeen { at: Moment { task: "t".into(), point: "disk".into(), occurrence: 1 }, rows })
    }

    #[test]
    fn a_row_without_its_files_is_wrong_at_any_time() {
        let mut run = good_run();
        run.rows = vec![row(&run, None)];
        assert!(check(&RowsMeanFiles, &run).is_ok());
        run.crash = crash(vec![row(&run, Some("f is not there"))]);
        assert!(check(&RowsMeanFiles, &run).unwrap_err().sentence.contains("before its time"));
        run.rows = vec![row(&run, Some("f is not there"))];
        assert!(check(&RowsMeanFiles, &run).unwrap_err().sentence.contains("at the end"));
    }

    #[test]
    fn what_is_fetched_gets_a_row_or_the_user_is_told() {
        let mut run = good_run();
        run.rows.clear();
        assert!(check(&RowsMeanFiles, &run).unwrap_err().sentence.contains("nobody was told"));
        run.progress.push(ProgressEvent::Warning { code: "INDEX_NOT_WRITTEN", message: String::new() });
        assert!(check(&RowsMeanFiles, &run).unwrap_err().sentence.contains("would have taken"));
        run.scenario = scenario(json!({ "index": { "busy_times": BUSY_PAUSES.len() + 1 } }));
        assert!(check(&RowsMeanFiles, &run).is_ok());
    }

    #[test]
    fn what_was_committed_is_not_downloaded_again() {
        let mut run = good_run();
        run.crash = crash(vec![row(&run, None)]);
        assert!(check(&RowsMeanFiles, &run).unwrap_err().sentence.contains("downloaded again"));
        run.gets.clear();
        assert!(check(&RowsMeanFiles, &run).is_ok());
    }
}
