//! Builds the simulator with `--cfg madsim` and runs it.

use crate::cargo;
use std::env;
use std::process::{Command, ExitCode};

/// The simulator could not be built or started: bad input, not a failed oracle.
const EXIT_NOT_STARTED: u8 = 2;

/// Builds the simulator, then runs it with this program's arguments.
pub fn main() -> ExitCode {
    let not_started = |problem: String| {
        eprintln!("error: {problem}");
        ExitCode::from(EXIT_NOT_STARTED)
    };
    let program = match cargo::build(cargo::workspace(), "lockstep-sim") {
        Ok(Some(program)) => program,
        Ok(None) => return not_started("the simulator does not build".to_owned()),
        Err(error) => return not_started(format!("cannot run cargo: {error}")),
    };
    match Command::new(&program).args(env::args_os().skip(1)).status() {
        // Ended by a signal: as a shell reports it.
        Ok(status) => ExitCode::from(status.code().map_or(130, |code| code as u8)),
        Err(error) => not_started(format!("cannot run {}: {error}", program.display())),
    }
}
