//! The command line: arguments in, table or explanation out, exit code.

mod args;

use crate::bugs::Coordination;
use crate::exhaust::{Enumeration, Exhausted, enumerate};
use crate::explain::explain;
use crate::explore::{Failure, Plan, explore, replay};
use crate::oracles::{self, judge};
use crate::perfetto::chrome_trace;
use crate::prepare::prepare;
use crate::replay_file::{ReplayFile, ReplayFileError};
use crate::report::{Report, ScenarioReport, Verdict};
use crate::scenario::{Scenario, ScenarioError};
use crate::shrink::Shrunk;
use args::{CALLERS, Cli, Command, ExhaustArgs, GateArgs, RunArgs};
use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use installer::rt::Point;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

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
    #[error("there is no scenario {name}; `cargo sim list` shows those there are")]
    NoSuchScenario { name: String },
    #[error("cannot list {}: {source}", dir.display())]
    NoScenarios { dir: PathBuf, source: std::io::Error },
    #[error("`{name}` is not a coordinator of its own: there is nothing to enumerate")]
    NotACoordinator { name: &'static str },
    #[error("cannot write {}: {source}", path.display())]
    Unwritable { path: PathBuf, source: std::io::Error },
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
        None => explore_all(&cli),
        Some(Command::Run(args)) => run_one(&cli, args),
        Some(Command::Replay { file, perfetto }) => replay_one(file, perfetto.as_deref()),
        Some(Command::Exhaust(args)) => exhaust_all(&cli, args),
        Some(Command::Gate(args)) => gate(&cli, args),
        Some(Command::List) => list(),
        Some(Command::Oracles) => Ok(list_oracles()),
        Some(Command::Points) => Ok(list_points()),
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

impl Cli {
    fn jobs(&self) -> usize {
        self.explore.jobs.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, |n| n.get()))
    }
}

fn explore_all(cli: &Cli) -> Result<ExitCode, InputError> {
    let report = explore_scenarios(cli, cli.explore.budget, Verdict::Held)?;
    print_report(&report);
    Ok(exit_code(report.verdict()))
}

/// Explores every scenario. One for which the budget leaves no time gets the verdict `unrun`.
fn explore_scenarios(cli: &Cli, budget_s: Option<u64>, unrun: Verdict) -> Result<Report, InputError> {
    let started = Instant::now();
    let budget = budget_s.map(Duration::from_secs);
    let scenarios = all_scenarios()?;
    let bar = progress_bar(scenarios.iter().map(|scenario| scenario.runs).sum());
    let mut report = Report::default();
    for scenario in scenarios {
        if budget.is_some_and(|budget| started.elapsed() > budget) {
            report.scenarios.push(ScenarioReport::not_run(&scenario.name, unrun));
            continue;
        }
        bar.set_message(scenario.name.clone());
        let runs = scenario.runs;
        let plan = Plan {
            prepared: prepare(scenario)?,
            coordination: Default::default(),
            strategy: cli.explore.strategy,
            seeds: 0..runs,
            jobs: cli.jobs(),
        };
        let exploration = explore(&plan, &|| bar.inc(1));
        report.scenarios.push(ScenarioReport::new(&plan, exploration, None)?);
    }
    bar.finish_and_clear();
    report.seconds = started.elapsed().as_secs_f64();
    Ok(report)
}

fn print_report(report: &Report) {
    print!("{}", report.table());
    println!("\n{}", report.meaning());
    for row in report.scenarios.iter().filter(|row| !row.explanation.is_empty()) {
        print!("\n{}", row.explanation);
    }
}

fn run_one(cli: &Cli, args: &RunArgs) -> Result<ExitCode, InputError> {
    let prepared = prepare(find_scenario(&args.scenario)?)?;
    let runs = args.runs.unwrap_or(prepared.scenario.runs);
    let seeds = match (args.seed, args.shard) {
        (Some(seed), _) => seed..seed + 1,
        (None, Some(shard)) => shard.seeds(runs),
        (None, None) => 0..runs,
    };
    let started = Instant::now();
    let plan =
        Plan { prepared, coordination: args.coordination, strategy: cli.explore.strategy, seeds, jobs: cli.jobs() };
    let bar = progress_bar(plan.seeds.end - plan.seeds.start);
    let exploration = explore(&plan, &|| bar.inc(1));
    bar.finish_and_clear();
    let scenarios = vec![ScenarioReport::new(&plan, exploration, args.json.as_deref())?];
    let report = Report { scenarios, seconds: started.elapsed().as_secs_f64() };
    print_report(&report);
    Ok(exit_code(report.verdict()))
}

fn replay_one(path: &Path, perfetto: Option<&Path>) -> Result<ExitCode, InputError> {
    let Replayed { file, name, shrunk, misfit, trace } = replayed(path)?;
    if let Some(perfetto) = perfetto {
        let unwritable = |source| InputError::Unwritable { path: perfetto.to_owned(), source };
        std::fs::write(perfetto, trace.to_string()).map_err(unwritable)?;
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

fn exhaust_all(cli: &Cli, args: &ExhaustArgs) -> Result<ExitCode, InputError> {
    let ExhaustArgs { callers, coordination } = args;
    let Some(all) = enumerate(*coordination, usize::from(*callers), cli.jobs()) else {
        return Err(InputError::NotACoordinator { name: coordination.label() });
    };
    for Enumeration { fault, found } in &all {
        let Exhausted { schedules, states, violation } = found;
        let verdict = match violation {
            Some(_) => "FAILED".to_owned(),
            None => format!("held in {schedules} of {schedules} schedules, through {states} states"),
        };
        println!("{:<45} {verdict}", fault.words());
    }
    let explanations: Vec<_> = all.iter().filter_map(Enumeration::explanation).collect();
    explanations.iter().for_each(|text| print!("\n{text}"));
    Ok(exit_code(if explanations.is_empty() { Verdict::Held } else { Verdict::Failed }))
}

fn gate(cli: &Cli, args: &GateArgs) -> Result<ExitCode, InputError> {
    let mut report = explore_scenarios(cli, args.budget, Verdict::Failed)?;
    for path in json_files(Path::new(REGRESSIONS_DIR))? {
        let Replayed { file, shrunk, .. } = replayed(&path)?;
        let explanation =
            shrunk.map(|shrunk| explain(&path.display().to_string(), file.coordination, &shrunk, None, &path));
        report.scenarios.push(ScenarioReport::regression(&path, explanation));
    }
    let started = Instant::now();
    let all = enumerate(Coordination::Shared, usize::from(CALLERS), cli.jobs()).expect("the installer's own is one");
    report.scenarios.push(ScenarioReport::exhausted(&all));
    report.seconds += started.elapsed().as_secs_f64();
    print_report(&report);
    let write = |path: &Path, text: &str, append: bool| {
        let mut options = std::fs::OpenOptions::new();
        options.create(true).write(true).append(append).truncate(!append);
        let written = options.open(path).and_then(|mut file| file.write_all(text.as_bytes()));
        written.map_err(|source| InputError::Unwritable { path: path.to_owned(), source })
    };
    if let Some(path) = &args.junit {
        write(path, &report.junit(), false)?;
    }
    if let Some(path) = &args.json {
        write(path, &serde_json::to_string_pretty(&report).expect("a report is plain data"), false)?;
    }
    let step_summary = || std::env::var_os("GITHUB_STEP_SUMMARY").map(PathBuf::from);
    if let Some(path) = args.summary.clone().or_else(step_summary) {
        write(&path, &report.markdown(), true)?;
    }
    if std::env::var_os("GITHUB_ACTIONS").is_some() {
        print!("{}", report.annotations());
    }
    Ok(exit_code(report.verdict()))
}

fn progress_bar(runs: u64) -> ProgressBar {
    // Hidden by itself where stderr is no terminal.
    let bar = ProgressBar::new(runs);
    let template = "{bar:30} {pos}/{len} runs  {msg}";
    bar.set_style(ProgressStyle::with_template(template).expect("a fixed template").progress_chars("=> "));
    bar
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
