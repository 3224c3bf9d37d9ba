//! `cargo sim replay`, recorded regressions, and pictures of a failure.

use super::args::Pictures;
use super::{EXIT_FAILED, InputError, write};
use crate::explain::{Explanation, explanation};
use crate::explore::{Failure, replay};
use crate::html;
use crate::observation::Observation;
use crate::oracles::judge;
use crate::perfetto::chrome_trace;
use crate::prepare::prepare;
use crate::replay_file::ReplayFile;
use crate::report::ScenarioReport;
use crate::scenario::Scenario;
use crate::shrink::Shrunk;
use std::path::Path;
use std::process::ExitCode;

pub(super) fn one(path: &Path, pictures: &Pictures) -> Result<ExitCode, InputError> {
    let Replayed { file, name, misfit, outcome } = replayed(path)?;
    outcome.draw(pictures)?;
    if let Some(misfit) = misfit {
        println!("the record no longer fits from this decision on, which the run never came to: {misfit}");
    }
    let Outcome::Fails { same, explanation, .. } = outcome else {
        println!("{name}: holds; {} does not fail any more", file.oracle);
        return Ok(ExitCode::SUCCESS);
    };
    println!("{}", if same { "reproduced:\n" } else { "fails, but differently from the record:\n" });
    print!("{explanation}");
    Ok(ExitCode::from(EXIT_FAILED))
}

/// Draws the failure that this file records.
pub(super) fn draw(path: &Path, pictures: &Pictures) -> Result<(), InputError> {
    if pictures.are_wanted() { replayed(path)?.outcome.draw(pictures) } else { Ok(()) }
}

/// Does a recorded regression again.
pub(super) fn regression(path: &Path) -> Result<ScenarioReport, InputError> {
    let text = match replayed(path)?.outcome {
        Outcome::Fails { explanation, .. } => Some(explanation.to_string()),
        Outcome::Holds(_) => None,
    };
    Ok(ScenarioReport::regression(path, text))
}

struct Replayed {
    file: ReplayFile,
    name: String,
    misfit: Option<String>,
    outcome: Outcome,
}

/// What the recorded schedule comes to now.
enum Outcome {
    Holds(Box<Observation>),
    Fails { same: bool, explanation: Box<Explanation>, run: Box<Observation> },
}

impl Outcome {
    fn draw(&self, pictures: &Pictures) -> Result<(), InputError> {
        let (Outcome::Holds(run) | Outcome::Fails { run, .. }) = self;
        if let Some(path) = &pictures.perfetto {
            write(path, &chrome_trace(run).to_string())?;
            println!("the run as a Chrome trace: {}", path.display());
        }
        if let (Some(path), Outcome::Fails { explanation, .. }) = (&pictures.html, self) {
            write(path, &html::page(explanation, run))?;
            println!("the failure as a page: {}", path.display());
        }
        Ok(())
    }
}

fn replayed(path: &Path) -> Result<Replayed, InputError> {
    let file = ReplayFile::read(path)?;
    let scenario = Scenario::from_value(file.scenario.clone(), path)?;
    let name = scenario.name.clone();
    let prepared = prepare(scenario)?;
    let run = replay(&prepared, file.coordination, file.schedule.clone());
    let (misfit, observation) = (run.misfit.clone(), Box::new(run.observation.clone()));
    let outcome = match judge(&run.observation) {
        None => Outcome::Holds(observation),
        Some((oracle, violation)) => {
            let same = oracle.id() == file.oracle && violation.subject == file.subject;
            // It was shrunk when it was recorded.
            let failure = Failure { seed: file.seed, oracle, violation, run };
            let shrunk = Shrunk { prepared, schedule: file.schedule.clone(), failure, runs: 0 };
            let explanation = Box::new(explanation(&name, file.coordination, &shrunk, None, path));
            Outcome::Fails { same, explanation, run: observation }
        }
    };
    Ok(Replayed { file, name, misfit, outcome })
}
