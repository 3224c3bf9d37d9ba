//! `cargo sim list`, `oracles` and `points`.

use super::InputError;
use super::scenario_files::all_scenarios;
use crate::oracles;
use crate::scenario::Scenario;
use installer::rt::Point;
use std::process::ExitCode;

pub(super) fn scenarios() -> Result<ExitCode, InputError> {
    let scenarios = all_scenarios()?;
    let width = scenarios.iter().map(|scenario| scenario.name.len()).max().unwrap_or(0);
    for Scenario { name, description, .. } in scenarios {
        println!("{name:<width$}  {description}");
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn oracles() -> ExitCode {
    for oracle in oracles::all() {
        println!("{:<4} holds when {}", oracle.id(), oracle.demand());
    }
    ExitCode::SUCCESS
}

pub(super) fn points() -> ExitCode {
    for point in Point::ALL {
        println!("{:<18} {}", point.label(), point.meaning());
    }
    ExitCode::SUCCESS
}
