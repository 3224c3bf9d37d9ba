//! The command line: arguments in, table or explanation out, exit code.

use crate::bugs::Coordination;
use crate::explain::explain;
use crate::explore::{Exploration, Failure, explore, replay};
use crate::oracles::{self, Reference, judge};
use crate::prepare::{Prepared, prepare};
use crate::replay_file::{ReplayFile, ReplayFileError};
use crate::scenario::{Scenario, ScenarioError};
use clap::{Args, Parser, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use installer::rt::Point;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// An oracle failed.
const EXIT_FAILED: u8 = 1;
/// A file or an argument is wrong.
const EXIT_BAD_INPUT: u8 = 2;
/// One seed came out differently the second time.
const EXIT_NOT_DETERMINISTIC: u8 = 3;

/// Where scenarios are looked for by name, and where failures are left.
const SCENARIOS_DIR: &str = "scenarios";
const FAILURES_DIR: &str = "target/sim-failures";

/// Run the real installer under chosen interleavings, and judge every run
#[derive(Debug, Parser)]
#[command(name = "cargo sim", bin_name = "cargo sim", version, max_term_width = 100, after_help = AFTER_HELP)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    explore: ExploreArgs,
}

const AFTER_HELP: &str = "\
Examples:
  cargo sim                                                   explore all scenarios
  cargo sim run prefetch-cold-race --runs 5000                one scenario, more runs
  cargo sim run prefetch-cold-race --coordination none        see the race of pnpm#12241
  cargo sim replay target/sim-failures/…json                  do a failure again, exactly

Exit codes: 0 held, 1 an oracle failed, 2 bad input, 3 not deterministic";

#[derive(Debug, Subcommand)]
enum Command {
    /// Explore one scenario
    Run(RunArgs),
    /// Do a recorded failure again, decision by decision
    Replay {
        /// The file that the failure left behind
        file: PathBuf,
    },
    /// List the scenarios
    List,
    /// List the oracles: what must hold of every run
    Oracles,
    /// List the interleaving points, as ARCHITECTURE.md has them
    Points,
}

#[derive(Debug, Args)]
struct ExploreArgs {
    /// Threads to run on [default: all cores]
    #[arg(long, global = true, value_name = "N")]
    jobs: Option<usize>,
    /// Stop beginning new scenarios after so many seconds
    #[arg(long, value_name = "SECONDS")]
    budget: Option<u64>,
}

#[derive(Debug, Args)]
struct RunArgs {
    /// A scenario's name, or the path of its file
    scenario: String,
    /// One run, with this seed
    #[arg(long, value_name = "N", conflicts_with = "runs")]
    seed: Option<u64>,
    /// So many runs, with the seeds 0, 1, 2, … [default: as the scenario says]
    #[arg(long, value_name = "N")]
    runs: Option<u64>,
    /// The coordination of downloads; all but `shared` are bugs that once were real
    #[arg(long, value_enum, default_value_t = Coordination::Shared)]
    coordination: Coordination,
    /// Where to leave the replay file of a failure
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Why nothing was explored.
#[derive(Debug, thiserror::Error)]
enum InputError {
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    #[error(transparent)]
    ReplayFile(#[from] ReplayFileError),
    #[error("there is no scenario {name}; `cargo sim list` shows those there are")]
    NoSuchScenario { name: String },
    #[error("cannot list {}: {source}", dir.display())]
    NoScenarios { dir: PathBuf, source: std::io::Error },
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
    let jobs = cli.explore.jobs.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, |n| n.get()));
    let outcome = match cli.command {
        None => explore_all(jobs, cli.explore.budget.map(Duration::from_secs)),
        Some(Command::Run(args)) => run_one(&args, jobs),
        Some(Command::Replay { file }) => replay_one(&file),
        Some(Command::List) => list(),
        Some(Command::Oracles) => Ok(list_oracles()),
        Some(Command::Points) => Ok(list_points()),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error}");
        ExitCode::from(EXIT_BAD_INPUT)
    })
}

fn explore_all(jobs: usize, budget: Option<Duration>) -> Result<ExitCode, InputError> {
    let started = Instant::now();
    let scenarios = all_scenarios()?;
    let bar = progress_bar(scenarios.iter().map(|scenario| scenario.runs).sum());
    let mut rows = Vec::new();
    let mut code = 0;
    let mut explanations = String::new();
    for scenario in scenarios {
        let (name, runs) = (scenario.name.clone(), scenario.runs);
        if budget.is_some_and(|budget| started.elapsed() > budget) {
            rows.push(Row { name, runs: 0, schedules: 0, verdict: "not run: out of budget".to_owned() });
            continue;
        }
        bar.set_message(name.clone());
        let prepared = prepare(scenario)?;
        let exploration = explore(&prepared, Coordination::Shared, 0..runs, jobs, &|| bar.inc(1));
        let (row, row_code, explanation) = conclude(&prepared, Coordination::Shared, exploration, None)?;
        rows.push(row);
        code = code.max(row_code);
        explanations.push_str(&explanation);
    }
    bar.finish_and_clear();
    print_table(&rows);
    let total: u64 = rows.iter().map(|row| row.runs).sum();
    println!("\n{total} runs in {:.1} s", started.elapsed().as_secs_f64());
    if !explanations.is_empty() {
        print!("\n{explanations}");
    }
    Ok(ExitCode::from(code))
}

fn run_one(args: &RunArgs, jobs: usize) -> Result<ExitCode, InputError> {
    let prepared = prepare(find_scenario(&args.scenario)?)?;
    let seeds = match (args.seed, args.runs) {
        (Some(seed), _) => seed..seed + 1,
        (None, runs) => 0..runs.unwrap_or(prepared.scenario.runs),
    };
    let bar = progress_bar(seeds.end - seeds.start);
    let exploration = explore(&prepared, args.coordination, seeds, jobs, &|| bar.inc(1));
    bar.finish_and_clear();
    let (row, code, explanation) = conclude(&prepared, args.coordination, exploration, args.json.as_deref())?;
    print_table(&[row]);
    if !explanation.is_empty() {
        print!("\n{explanation}");
    }
    Ok(ExitCode::from(code))
}

fn replay_one(path: &Path) -> Result<ExitCode, InputError> {
    let file = ReplayFile::read(path)?;
    let scenario = Scenario::from_value(file.scenario.clone(), path)?;
    let name = scenario.name.clone();
    let prepared = prepare(scenario)?;
    let run = replay(&prepared, file.coordination, file.seed, file.decisions.clone());
    if let Some(divergence) = &run.divergence {
        let recorded = divergence.recorded.as_ref().map_or("its end".to_owned(), |decision| format!("{decision:?}"));
        println!(
            "the schedule no longer fits from decision {} on: recorded {recorded}, found {}",
            divergence.index, divergence.found
        );
    }
    let Some((oracle, violation)) = judge(&run.observation, &Reference::default()) else {
        println!("{name}: holds; {} does not fail any more", file.oracle);
        return Ok(ExitCode::SUCCESS);
    };
    let same = oracle.id() == file.oracle && violation.subject == file.subject;
    println!("{}", if same { "reproduced:\n" } else { "fails, but differently from the record:\n" });
    let failure = Failure { seed: file.seed, oracle, violation, run };
    print!("{}", explain(&name, file.coordination, &failure, path));
    Ok(ExitCode::from(EXIT_FAILED))
}

struct Row {
    name: String,
    runs: u64,
    schedules: usize,
    verdict: String,
}

/// The table's row, the exit code and the explanation; leaves a replay file where an oracle failed.
fn conclude(
    prepared: &Arc<Prepared>,
    coordination: Coordination,
    exploration: Exploration,
    json: Option<&Path>,
) -> Result<(Row, u8, String), InputError> {
    let name = prepared.scenario.name.clone();
    let Exploration { runs, schedules, failure, nondeterminism } = exploration;
    let row = |verdict: String| Row { name: name.clone(), runs, schedules, verdict };
    if let Some(nondeterminism) = nondeterminism {
        let verdict = format!("NOT DETERMINISTIC (seed {})", nondeterminism.seed);
        let text = format!("{name}: seed {} gave two traces; {}\n", nondeterminism.seed, nondeterminism.difference);
        return Ok((row(verdict), EXIT_NOT_DETERMINISTIC, text));
    }
    let Some(failure) = failure else { return Ok((row("held".to_owned()), 0, String::new())) };
    let default = || Path::new(FAILURES_DIR).join(format!("{name}-{}-{}.json", coordination.label(), failure.seed));
    let file = json.map_or_else(default, Path::to_owned);
    ReplayFile::new(&prepared.scenario, coordination, &failure).write(&file)?;
    let verdict = format!("{} FAILED (seed {})", failure.oracle.id(), failure.seed);
    let explanation = explain(&name, coordination, &failure, &file);
    Ok((row(verdict), EXIT_FAILED, explanation))
}

fn print_table(rows: &[Row]) {
    let width = rows.iter().map(|row| row.name.len()).max().unwrap_or(0).max("scenario".len());
    println!("{:<width$}  {:>6}  {:>9}  verdict", "scenario", "runs", "schedules");
    for Row { name, runs, schedules, verdict } in rows {
        println!("{name:<width$}  {runs:>6}  {schedules:>9}  {verdict}");
    }
}

fn progress_bar(runs: u64) -> ProgressBar {
    // Hidden by itself where stderr is no terminal.
    let bar = ProgressBar::new(runs);
    let template = "{bar:30} {pos}/{len} runs  {msg}";
    bar.set_style(ProgressStyle::with_template(template).expect("a fixed template").progress_chars("=> "));
    bar
}

fn all_scenarios() -> Result<Vec<Scenario>, InputError> {
    let dir = Path::new(SCENARIOS_DIR);
    let unlisted = |source| InputError::NoScenarios { dir: dir.to_owned(), source };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(unlisted)? {
        let path = entry.map_err(unlisted)?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths.iter().map(|path| Scenario::read(path)).collect::<Result<_, _>>()?)
}

fn find_scenario(name: &str) -> Result<Scenario, InputError> {
    let by_name = Path::new(SCENARIOS_DIR).join(format!("{name}.json"));
    let path = [PathBuf::from(name), by_name].into_iter().find(|path| path.is_file());
    let path = path.ok_or_else(|| InputError::NoSuchScenario { name: name.to_owned() })?;
    Ok(Scenario::read(&path)?)
}

fn list() -> Result<ExitCode, InputError> {
    let scenarios = all_scenarios()?;
    let width = scenarios.iter().map(|scenario| scenario.name.len()).max().unwrap_or(0);
    for Scenario { name, description, .. } in scenarios {
        println!("{name:<width$}  {description}");
    }
    Ok(ExitCode::SUCCESS)
}

fn list_oracles() -> ExitCode {
    for oracle in oracles::all() {
        println!("{:<4} holds when {}", oracle.id(), oracle.demand());
    }
    ExitCode::SUCCESS
}

fn list_points() -> ExitCode {
    for point in Point::ALL {
        println!("{:<18} {}", point.label(), point.meaning());
    }
    ExitCode::SUCCESS
}
