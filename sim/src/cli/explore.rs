//! `cargo sim` and `cargo sim run`.

use super::args::{Cli, RunArgs};
use super::replay::draw;
use super::scenario_files::{all_scenarios, find_scenario};
use super::{InputError, exit_code, write};
use crate::explore::{Plan, explore};
use crate::prepare::prepare;
use crate::report::{Leave, Report, ScenarioReport, Verdict};
use crate::shard::{ScenarioPart, Shard, ShardResult, Whole};
use indicatif::{ProgressBar, ProgressStyle};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// The whole, where it is not split.
const WHOLE: Shard = Shard { number: 1, count: 1 };

impl Cli {
    pub(super) fn jobs(&self) -> usize {
        self.explore.jobs.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, |n| n.get()))
    }

    pub(super) fn shard(&self) -> Shard {
        self.explore.shard.unwrap_or(WHOLE)
    }
}

/// A report for people, and the same for `cargo sim merge`.
pub(super) struct Explored {
    pub(super) report: Report,
    pub(super) result: ShardResult,
}

impl Explored {
    pub(super) fn add_row(&mut self, row: ScenarioReport) {
        self.report.scenarios.push(row.clone());
        self.result.rows.push(row);
    }

    /// Prints the report, and writes the result where that is asked for.
    pub(super) fn finish(mut self, cli: &Cli) -> Result<Report, InputError> {
        print_report(&self.report);
        self.result.seconds = self.report.seconds;
        if let Some(path) = &cli.explore.result {
            write(path, &serde_json::to_string(&self.result).expect("a result is plain data"))?;
        }
        Ok(self.report)
    }
}

pub(super) fn all(cli: &Cli) -> Result<ExitCode, InputError> {
    let report = scenarios(cli, Verdict::Held, &Leave::Failure)?.finish(cli)?;
    Ok(exit_code(report.verdict()))
}

/// Explores every scenario. One for which the budget leaves no time gets the verdict `unrun`.
pub(super) fn scenarios(cli: &Cli, unrun: Verdict, leave: &Leave) -> Result<Explored, InputError> {
    let started = Instant::now();
    let budget = cli.explore.budget.map(Duration::from_secs);
    let scenarios = all_scenarios()?;
    let runs = |scenario_runs: u64| scenario_runs * cli.explore.times;
    let own = |scenario_runs| cli.shard().seeds(runs(scenario_runs));
    let bar =
        progress_bar(scenarios.iter().map(|scenario| own(scenario.runs)).map(|own| own.end - own.start).sum(), "runs");
    let mut explored = Explored { report: Report::default(), result: ShardResult::new(cli.shard()) };
    for scenario in scenarios {
        bar.set_message(scenario.name.clone());
        let scenario_runs = scenario.runs;
        let plan = Plan {
            prepared: prepare(scenario)?,
            coordination: Default::default(),
            strategy: cli.explore.strategy,
            swarm: cli.explore.swarm,
            seeds: own(scenario_runs),
            jobs: cli.jobs(),
        };
        let of = Whole::of(&plan, runs(scenario_runs));
        if budget.is_some_and(|budget| started.elapsed() > budget) {
            explored.report.scenarios.push(ScenarioReport::not_run(&plan.prepared.scenario.name, unrun));
            explored.result.scenarios.push(ScenarioPart { of, blocks: None });
            continue;
        }
        let exploration = explore(&plan, &|| bar.inc(1));
        let blocks = Some(exploration.blocks.clone());
        explored.result.scenarios.push(ScenarioPart { of, blocks });
        explored.report.scenarios.push(ScenarioReport::new(&plan, exploration, leave)?);
    }
    bar.finish_and_clear();
    explored.report.seconds = started.elapsed().as_secs_f64();
    Ok(explored)
}

pub(super) fn one(cli: &Cli, args: &RunArgs) -> Result<ExitCode, InputError> {
    let prepared = prepare(find_scenario(&args.scenario)?)?;
    let runs = args.runs.unwrap_or(prepared.scenario.runs * cli.explore.times);
    let seeds = args.seed.map_or_else(|| cli.shard().seeds(runs), |seed| seed..seed + 1);
    let started = Instant::now();
    let plan = Plan {
        prepared,
        coordination: args.coordination,
        strategy: cli.explore.strategy,
        swarm: cli.explore.swarm,
        seeds,
        jobs: cli.jobs(),
    };
    let bar = progress_bar(plan.seeds.end - plan.seeds.start, "runs");
    let exploration = explore(&plan, &|| bar.inc(1));
    bar.finish_and_clear();
    let mut result = ShardResult::new(cli.shard());
    let blocks = Some(exploration.blocks.clone());
    result.scenarios.push(ScenarioPart { of: Whole::of(&plan, runs), blocks });
    let leave = args.json.clone().map_or(Leave::Failure, Leave::At);
    let scenarios = vec![ScenarioReport::new(&plan, exploration, &leave)?];
    let report = Report { scenarios, seconds: started.elapsed().as_secs_f64() };
    let report = Explored { report, result }.finish(cli)?;
    report
        .scenarios
        .iter()
        .filter_map(|row| row.replay_file.as_ref())
        .try_for_each(|file| draw(file, &args.pictures))?;
    Ok(exit_code(report.verdict()))
}

pub(super) fn print_report(report: &Report) {
    print!("{}", report.table());
    println!("\n{}", report.meaning());
    for row in report.scenarios.iter().filter(|row| !row.explanation.is_empty()) {
        print!("\n{}", row.explanation);
    }
}

/// So many `things`, done one after the other.
pub(super) fn progress_bar(count: u64, things: &str) -> ProgressBar {
    // Hidden by itself where stderr is no terminal.
    let bar = ProgressBar::new(count);
    let template = format!("{{bar:30}} {{pos}}/{{len}} {things}  {{msg}}");
    bar.set_style(ProgressStyle::with_template(&template).expect("a fixed template").progress_chars("=> "));
    bar
}

/// Work whose end is not known, and what it is.
pub(super) fn spinner(what: &'static str) -> ProgressBar {
    let spinner = ProgressBar::new_spinner().with_message(what);
    spinner.enable_steady_tick(Duration::from_millis(100));
    spinner
}
