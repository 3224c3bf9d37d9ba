//! `cargo sim replay`, and recorded regressions.

use super::{EXIT_FAILED, InputError, write};
use crate::explain::explain;
use crate::explore::{Failure, replay};
use crate::oracles::judge;
use crate::perfetto::chrome_trace;
use crate::prepare::prepare;
use crate::replay_file::ReplayFile;
use crate::report::ScenarioReport;
use crate::scenario::Scenario;
use crate::shrink::Shrunk;
use std::path::Path;
use std::process::ExitCode;

pub(super) fn one(path: &Path, perfetto: Option<&Path>) -> Result<ExitCode, InputError> {
    let Replayed { file, name, shrunk, misfit, trace } = replayed(path)?;
    if let Some(perfetto) = perfetto {
        write(perfetto, &trace.to_string())?;
        println!("the run as a Chrome trace: {}", perfetto.display());
    }
    if let Some(misfit) = misfit {
        println!("the record no longer fits from this decision on, which the run never came to: {misfit}");
    }
    let Some(shrunk) = shrunk else {
        println!("{name}: holds; {} does not fail any more", file.oracle);
        return Ok(ExitCode::SUCCESS);
    };
    let failure = &shrunk.failure;
    let same = failure.oracle.id() == file.oracle && failure.violation.subject == file.subject;
    println!("{}", if same { "reproduced:\n" } else { "fails, but differently from the record:\n" });
    print!("{}", explain(&name, file.coordination, &shrunk, None, path));
    Ok(ExitCode::from(EXIT_FAILED))
}

struct Replayed {
    file: ReplayFile,
    name: String,
    /// The failure, if it still fails; it was shrunk when it was recorded.
    shrunk: Option<Shrunk>,
    misfit: Option<String>,
    /// The run as a Chrome trace.
    trace: serde_json::Value,
}

fn replayed(path: &Path) -> Result<Replayed, InputError> {
    let file = ReplayFile::read(path)?;
    let scenario = Scenario::from_value(file.scenario.clone(), path)?;
    let name = scenario.name.clone();
    let prepared = prepare(scenario)?;
    let run = replay(&prepared, file.coordination, file.schedule.clone());
    let misfit = run.misfit.clone();
    let trace = chrome_trace(&run.observation);
    let shrunk = judge(&run.observation).map(|(oracle, violation)| {
        let failure = Failure { seed: file.seed, oracle, violation, run };
        Shrunk { prepared, schedule: file.schedule.clone(), failure, runs: 0 }
    });
    Ok(Replayed { file, name, shrunk, misfit, trace })
}

/// Does a recorded regression again.
pub(super) fn regression(path: &Path) -> Result<ScenarioReport, InputError> {
    let Replayed { file, shrunk, .. } = replayed(path)?;
    let explained = |shrunk: Shrunk| explain(&path.display().to_string(), file.coordination, &shrunk, None, path);
    Ok(ScenarioReport::regression(path, shrunk.map(explained)))
}
