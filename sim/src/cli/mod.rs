//! The command line: arguments in, table or explanation out, exit code.

mod args;
mod bugs;
mod coordinators;
mod cost;
mod exhaust;
mod explore;
mod gate;
mod list;
mod promises;
mod replay;
mod scenario_files;

use crate::cost::CostError;
use crate::planted::PlantError;
use crate::replay_file::ReplayFileError;
use crate::report::Verdict;
use crate::scenario::ScenarioError;
use crate::shard::MergeError;
use crate::threads;
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

/// Why nothing was explored.
#[derive(Debug, thiserror::Error)]
enum InputError {
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    #[error(transparent)]
    ReplayFile(#[from] ReplayFileError),
    #[error(transparent)]
    Merge(#[from] MergeError),
    #[error(transparent)]
    Plant(#[from] PlantError),
    #[error(transparent)]
    Cost(#[from] CostError),
    #[error("there is no planted bug {name}; `cargo sim bugs --list` shows those there are")]
    NoSuchBug { name: String },
    #[error("there is no planted violation {name}; `cargo sim promises --list` shows those there are")]
    NoSuchPromise { name: String },
    #[error("{name} cannot be measured: {message}")]
    BugFailed { name: String, message: String },
    #[error("there is no coordinator {name}; there are {names}")]
    NoSuchContender { name: String, names: String },
    #[error("there is no scenario {name}; `cargo sim list` shows those there are")]
    NoSuchScenario { name: String },
    #[error("{} is there already", path.display())]
    Exists { path: PathBuf },
    #[error("`{name}` cannot be a file's name: use letters, digits and hyphens")]
    NoName { name: String },
    #[error("cannot list {}: {source}", dir.display())]
    NoScenarios { dir: PathBuf, source: std::io::Error },
    #[error("`{name}` is not a coordinator of its own: there is nothing to enumerate")]
    NotACoordinator { name: &'static str },
    #[error("cannot read {}: {source}", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
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

/// Nobody reads what is printed: as a shell says it of a program that SIGPIPE ended.
const EXIT_PIPE: i32 = 141;

/// Runs the program.
pub fn main() -> ExitCode {
    // A panic inside a run is judged by an oracle; what it prints by itself would only confuse.
    std::panic::set_hook(Box::new(|panic| {
        let text = panic.to_string();
        if text.contains("failed printing to stdout") {
            // Who reads has seen enough, as `head` has.
            std::process::exit(EXIT_PIPE);
        }
        if std::thread::current().name() != Some(threads::QUIET) {
            eprintln!("{text}");
        }
    }));
    let cli = Cli::parse();
    let outcome = match &cli.command {
        None => explore::all(&cli),
        Some(Command::Run(args)) => explore::one(&cli, args),
        Some(Command::Replay { file, pictures }) => replay::one(file, pictures),
        Some(Command::Exhaust(args)) => exhaust::all(&cli, args),
        Some(Command::Bugs(args)) => bugs::bugs(&cli, args),
        Some(Command::Promises(args)) => promises::promises(&cli, args),
        Some(Command::Coordinators(args)) => coordinators::coordinators(&cli, args),
        Some(Command::Cost(args)) => cost::cost(args),
        Some(Command::Gate(args)) => gate::gate(&cli, args),
        Some(Command::Merge(args)) => gate::merge(&cli, args),
        Some(Command::List) => list::scenarios(),
        Some(Command::Oracles) => Ok(list::oracles()),
        Some(Command::Points) => Ok(list::points()),
        Some(Command::Schema) => Ok(scenario_files::print_schema()),
        Some(Command::New { name }) => scenario_files::create(name),
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
