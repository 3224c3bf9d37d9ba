//! O7: a committed index row means complete, verified files, whenever the program ends; and they are used.

use super::{Oracle, Violation};
use crate::committed::CommittedRow;
use crate::observation::{CrashSeen, Observation};
use crate::scenario::Crash;

/// See the module.
pub struct RowsMeanFiles;

impl Oracle for RowsMeanFiles {
    fn id(&self) -> &'static str {
        "O7"
    }

    fn demand(&self) -> &'static str {
        "a committed row means complete files, whenever the program ends; they are not downloaded again"
    }

    fn check(&self, run: &Observation) -> Result<(), Violation> {
        complete(&run.rows, "at the end")?;
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
    use crate::oracles::testing::{check, good_run};
    use crate::schedule::Moment;

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
    fn what_was_committed_is_not_downloaded_again() {
        let mut run = good_run();
        run.crash = crash(vec![row(&run, None)]);
        assert!(check(&RowsMeanFiles, &run).unwrap_err().sentence.contains("downloaded again"));
        run.gets.clear();
        assert!(check(&RowsMeanFiles, &run).is_ok());
    }
}
