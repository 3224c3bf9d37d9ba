//! The command line: arguments in, table or explanation out, exit code.

mod args;
mod exhaust;
mod explore;
mod gate;
mod list;
mod replay;

use crate::replay_file::ReplayFileError;
use crate::report::Verdict;
use crate::scenario::{Scenario, ScenarioError};
use crate::shard::MergeError;
use args::{Cli, Command};
use clap::Parser;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// An oracle failed.
const EXIT_FAILED: u8 = 1;
/// A file or an argument is wrong.
const EXIT_BAD_INPUT: u8 = 2;
/// One seed came out differently the second time.
const EXIT_NOT_DETERMINISTIC: u8 = 3;

/// Where scenarios are looked for by name, and regressions.
const SCENARIOS_DIR: &str = "scenarios";
const REGRESSIONS_DIR: &str = "scenarios/regressions";

/// Why nothing was explored.
#[derive(Debug, thiserror::Error)]
enum InputError {
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    #[error(transparent)]
    ReplayFile(#[from] ReplayFileError),
    #[error(transparent)]
    Merge(#[from] MergeError),
    #[error("there is no scenario {name}; `cargo sim list` shows those there are")]
    NoSuchScenario { name: String },
    #[error("cannot list {}: {source}", dir.display())]
    NoScenarios { dir: PathBuf, source: std::io::Error },
    #[error("`{name}` is not a coordinator of its own: there is nothing to enumerate")]
    NotACoordinator { name: &'static str },
    #[error("cannot write {}: {source}", path.display())]
    Unwritable { path: PathBuf, source: std::io::Error },
}

fn write(path: &Path, text: &str) -> Result<(), InputError> {
    std::fs::write(path, text).map_err(|source| InputError::Unwritable { path: path.to_owned(), source })
}

/// Whether there is such a command, with such options.
///
/// # Errors
/// What is wrong with it.
pub fn accepts(arguments: &[&str]) -> Result<(), String> {
    let command = ["cargo sim"].into_iter().chain(arguments.iter().copied());
    Cli::try_parse_from(command).map(drop).map_err(|error| error.to_string())
}

/// Runs the program.
pub fn main() -> ExitCode {
    // A panic inside a run is judged by an oracle; what it prints by itself would only confuse.
    std::panic::set_hook(Box::new(|panic| {
        if std::thread::current().name() != Some("simulation") {
            eprintln!("{panic}");
        }
    }));
    let cli = Cli::parse();
    let outcome = match &cli.command {
        None => explore::all(&cli),
        Some(Command::Run(args)) => explore::one(&cli, args),
        Some(Command::Replay { file, perfetto }) => replay::one(file, perfetto.as_deref()),
        Some(Command::Exhaust(args)) => exhaust::all(&cli, args),
        Some(Command::Gate(args)) => gate::gate(&cli, args),
        Some(Command::Merge(args)) => gate::merge(&cli, args),
        Some(Command::List) => list::scenarios(),
        Some(Command::Oracles) => Ok(list::oracles()),
        Some(Command::Points) => Ok(list::points()),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error}");
        ExitCode::from(EXIT_BAD_INPUT)
    })
}

fn exit_code(verdict: Verdict) -> ExitCode {
    match verdict {
        Verdict::Held => ExitCode::SUCCESS,
        Verdict::Failed => ExitCode::from(EXIT_FAILED),
        Verdict::NotDeterministic => ExitCode::from(EXIT_NOT_DETERMINISTIC),
    }
}

fn json_files(dir: &Path) -> Result<Vec<PathBuf>, InputError> {
    let unlisted = |source| InputError::NoScenarios { dir: dir.to_owned(), source };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(unlisted)? {
        let path = entry.map_err(unlisted)?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn all_scenarios() -> Result<Vec<Scenario>, InputError> {
    let paths = json_files(Path::new(SCENARIOS_DIR))?;
    Ok(paths.iter().map(|path| Scenario::read(path)).collect::<Result<_, _>>()?)
}

fn find_scenario(name: &str) -> Result<Scenario, InputError> {
    let by_name = Path::new(SCENARIOS_DIR).join(format!("{name}.json"));
    let path = [PathBuf::from(name), by_name].into_iter().find(|path| path.is_file());
    let path = path.ok_or_else(|| InputError::NoSuchScenario { name: name.to_owned() })?;
    Ok(Scenario::read(&path)?)
}
