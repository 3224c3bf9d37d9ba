//! `cargo sim bugs`: the scoreboard of planted bugs.

use super::args::{BugsArgs, Cli};
use super::explore::progress_bar;
use super::scenario_files::find_scenario;
use super::{EXIT_FAILED, InputError};
use crate::bugs::planted::{self, Bug, VARIABLE};
use crate::bugs::scoreboard::{Row, Score, markdown, measure, table};
use crate::prepare::prepare;
use crate::strategy::StrategyKind;
use std::path::Path;
use std::process::{Command, ExitCode};

pub(super) fn bugs(cli: &Cli, args: &BugsArgs) -> Result<ExitCode, InputError> {
    let all = Bug::all()?;
    if let Some(unknown) = args.names.iter().find(|name| all.iter().all(|bug| bug.name != **name)) {
        return Err(InputError::NoSuchBug { name: unknown.clone() });
    }
    let whole = args.names.is_empty();
    let wanted: Vec<_> = all.iter().filter(|bug| whole || args.names.contains(&bug.name)).cloned().collect();
    if args.list {
        wanted.iter().for_each(|bug| println!("{}\n    {}\n", bug.name, bug.story.replace('\n', "\n    ")));
        return Ok(ExitCode::SUCCESS);
    }
    if args.here {
        return here(cli, args, &wanted);
    }
    let program = planted::build(&all)?;
    let bar = progress_bar(wanted.len() as u64);
    let mut rows = Vec::new();
    for bug in &wanted {
        bar.set_message(bug.name.clone());
        rows.push(measured(&program, cli, args, bug, true)?);
        bar.inc(1);
    }
    bar.finish_and_clear();
    // With no bug wanted the copy is the installer: whatever fails there is an edit that leaks.
    let leaks = wanted.iter().find(|bug| !bug.edits.is_empty());
    let leaks = leaks.map(|bug| measured(&program, cli, args, bug, false)).transpose()?;
    if args.markdown {
        print!("{}", markdown(&wanted, &rows));
        return Ok(ExitCode::SUCCESS);
    }
    let score = Score { leak: leaks.and_then(|row| row.oracle), rows, whole };
    print!("{}\n{}", table(&score.rows), score.words());
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

/// Measures in a process of its own, with the bug or without any.
fn measured(program: &Path, cli: &Cli, args: &BugsArgs, bug: &Bug, with: bool) -> Result<Row, InputError> {
    let failed = |message: String| InputError::BugFailed { name: bug.name.clone(), message };
    let mut child = Command::new(program);
    child.args(["bugs", "--here", &bug.name, "--starts", &args.starts.to_string(), "--jobs", &cli.jobs().to_string()]);
    if args.quick || !with {
        child.arg("--quick");
    }
    child.env(VARIABLE, if with { &bug.name } else { "" });
    let output = child.output().map_err(|error| failed(error.to_string()))?;
    serde_json::from_slice(&output.stdout)
        .map_err(|_| failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
}
