//! `cargo sim gate` and `cargo sim merge`: one report, in every form that a CI reads.

use super::args::{CALLERS, Cli, GateArgs, MergeArgs, Outputs};
use super::explore::{print_report, scenarios, spinner};
use super::scenario_files::regressions;
use super::{InputError, exit_code, replay, write};
use crate::bugs::Coordination;
use crate::exhaust::enumerate;
use crate::explore::{Exploration, Plan};
use crate::prepare::prepare;
use crate::report::{Leave, Report, ScenarioReport, Verdict};
use crate::scenario::Scenario;
use crate::shard::{self, ScenarioPart, ShardResult, Whole};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

pub(super) fn gate(cli: &Cli, args: &GateArgs) -> Result<ExitCode, InputError> {
    let leave = args.save_regressions.clone().map_or(Leave::Failure, Leave::RegressionIn);
    let mut explored = scenarios(cli, Verdict::Failed, &leave)?;
    // What is not split is the first shard's.
    if cli.shard().number == 1 {
        let started = Instant::now();
        for path in regressions()? {
            explored.add_row(replay::regression(&path)?);
        }
        let spinner = spinner("exhaust: every schedule of a small world");
        let all = enumerate(Coordination::Shared, usize::from(CALLERS), cli.jobs());
        spinner.finish_and_clear();
        explored.add_row(ScenarioReport::exhausted(&all.expect("the installer's own is a coordinator")));
        explored.report.seconds += started.elapsed().as_secs_f64();
    }
    let report = explored.finish(cli)?;
    publish(&report, &args.outputs)?;
    Ok(exit_code(report.verdict()))
}

pub(super) fn merge(cli: &Cli, args: &MergeArgs) -> Result<ExitCode, InputError> {
    let results = args.results.iter().map(|path| ShardResult::read(path)).collect::<Result<_, _>>()?;
    let whole = shard::merge(results)?;
    let mut report = Report { scenarios: Vec::new(), seconds: whole.seconds };
    for ScenarioPart { of, blocks } in whole.scenarios {
        let Whole { scenario, coordination, strategy, swarm, runs } = of;
        let scenario = Scenario::from_value(scenario, &args.results[0])?;
        let Some(blocks) = blocks else {
            report.scenarios.push(ScenarioReport::not_run(&scenario.name, Verdict::Failed));
            continue;
        };
        let plan =
            Plan { prepared: prepare(scenario)?, coordination, strategy, swarm, seeds: 0..runs, jobs: cli.jobs() };
        let exploration = Exploration::of(&plan, blocks);
        report.scenarios.push(ScenarioReport::new(&plan, exploration, &Leave::Failure)?);
    }
    report.scenarios.extend(whole.rows);
    print_report(&report);
    publish(&report, &args.outputs)?;
    Ok(exit_code(report.verdict()))
}

/// Writes the report in every form that is asked for.
fn publish(report: &Report, outputs: &Outputs) -> Result<(), InputError> {
    if let Some(path) = &outputs.junit {
        write(path, &report.junit())?;
    }
    if let Some(path) = &outputs.json {
        write(path, &serde_json::to_string_pretty(report).expect("a report is plain data"))?;
    }
    let step_summary = || std::env::var_os("GITHUB_STEP_SUMMARY").map(PathBuf::from);
    if let Some(path) = outputs.summary.clone().or_else(step_summary) {
        let file = std::fs::OpenOptions::new().create(true).append(true).open(&path);
        let appended = file.and_then(|mut file| file.write_all(report.markdown().as_bytes()));
        appended.map_err(|source| InputError::Unwritable { path, source })?;
    }
    if std::env::var_os("GITHUB_ACTIONS").is_some() {
        print!("{}", report.annotations());
    }
    Ok(())
}
