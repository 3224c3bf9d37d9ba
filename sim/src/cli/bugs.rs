//! `cargo sim bugs`: the scoreboard of planted bugs.

use super::args::{BugsArgs, Cli};
use super::explore::progress_bar;
use super::scenario_files::find_scenario;
use super::{EXIT_FAILED, InputError};
use crate::bugs::planted::{self, Bug};
use crate::bugs::scoreboard::{Row, Score, measure, table};
use crate::planted::VARIABLE;
use crate::prepare::prepare;
use crate::strategy::StrategyKind;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, ExitCode, Output};

/// How many runs of each scenario must hold where no bug is wanted.
const RUNS_OF_NO_BUG: &str = "50";

pub(super) fn bugs(cli: &Cli, args: &BugsArgs) -> Result<ExitCode, InputError> {
    let all = Bug::all()?;
    if let Some(unknown) = args.names.iter().find(|name| !all.iter().any(|bug| bug.is_meant_by(name))) {
        return Err(InputError::NoSuchBug { name: unknown.clone() });
    }
    let whole = args.names.is_empty();
    let is_wanted = |bug: &&Bug| whole || args.names.iter().any(|name| bug.is_meant_by(name));
    let wanted: Vec<_> = all.iter().filter(is_wanted).cloned().collect();
    if args.list {
        for bug in &wanted {
            println!(
                "{} (scenario {})\n    {}\n",
                bug.planted.name,
                bug.scenario,
                bug.planted.story.replace('\n', "\n    ")
            );
        }
        return Ok(ExitCode::SUCCESS);
    }
    if args.here {
        return here(cli, args, &wanted);
    }
    let program = planted::build(&all)?;
    let bar = progress_bar(wanted.len() as u64, "bugs");
    let mut rows = Vec::new();
    for bug in &wanted {
        bar.set_message(bug.planted.name.clone());
        rows.push(measured(&program, cli, args, bug)?);
        bar.inc(1);
    }
    bar.finish_and_clear();
    let score = Score { leaks: leaks(&program, cli, &wanted)?, rows, whole };
    if args.markdown {
        print!("{}", score.markdown(&wanted));
    } else {
        print!("{}\n{}", table(&score.rows), score.words());
    }
    Ok(if score.is_good() { ExitCode::SUCCESS } else { ExitCode::from(EXIT_FAILED) })
}

/// Measures in this process, which has the bug.
fn here(cli: &Cli, args: &BugsArgs, bugs: &[Bug]) -> Result<ExitCode, InputError> {
    let strategies = if args.quick { vec![StrategyKind::Portfolio] } else { StrategyKind::exploring() };
    let starts = if args.quick { 1 } else { args.starts };
    for bug in bugs {
        let prepared = prepare(find_scenario(&bug.scenario)?)?;
        let row = measure(bug, &prepared, &strategies, starts, cli.jobs());
        println!("{}", serde_json::to_string(&row).expect("a row is plain data"));
    }
    Ok(ExitCode::SUCCESS)
}

/// Measures in a process of its own, which has the bug.
fn measured(program: &Path, cli: &Cli, args: &BugsArgs, bug: &Bug) -> Result<Row, InputError> {
    let mut arguments = vec!["bugs".to_owned(), "--here".to_owned(), bug.planted.name.clone()];
    arguments.extend(["--starts".to_owned(), args.starts.to_string()]);
    arguments.extend(args.quick.then(|| "--quick".to_owned()));
    let output = output(program, cli, bug, &bug.planted.name, &arguments)?;
    serde_json::from_slice(&output.stdout).map_err(|_| {
        let message = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        InputError::BugFailed { name: bug.planted.name.clone(), message }
    })
}

/// The scenarios, of those of these bugs, that fail although no bug is wanted. The copy is the installer then: where that holds,
/// an edit leaks.
fn leaks(program: &Path, cli: &Cli, bugs: &[Bug]) -> Result<BTreeSet<String>, InputError> {
    let mut leaks = BTreeSet::new();
    let mut seen = BTreeSet::new();
    for bug in bugs.iter().filter(|bug| seen.insert(&bug.scenario)) {
        let arguments = ["run", &bug.scenario, "--runs", RUNS_OF_NO_BUG].map(str::to_owned);
        if !output(program, cli, bug, "", &arguments)?.status.success() {
            leaks.insert(bug.scenario.clone());
        }
    }
    Ok(leaks)
}

/// What the copy's program prints when this bug is wanted.
fn output(program: &Path, cli: &Cli, bug: &Bug, wanted: &str, arguments: &[String]) -> Result<Output, InputError> {
    let jobs = cli.jobs().to_string();
    let output = Command::new(program).args(arguments).args(["--jobs", &jobs]).env(VARIABLE, wanted).output();
    output.map_err(|error| InputError::BugFailed { name: bug.planted.name.clone(), message: error.to_string() })
}
