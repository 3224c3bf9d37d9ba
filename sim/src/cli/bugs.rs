//! `cargo sim bugs`: the scoreboard of planted bugs.

use super::args::{BugsArgs, Cli};
use super::scenario_files::find_scenario;
use super::{EXIT_FAILED, InputError};
use crate::bugs::planted::{self, Bug, VARIABLE};
use crate::bugs::scoreboard::{Row, markdown, measure, table, unneeded};
use crate::prepare::prepare;
use crate::strategy::StrategyKind;
use std::process::{Command, ExitCode};

pub(super) fn bugs(cli: &Cli, args: &BugsArgs) -> Result<ExitCode, InputError> {
    let mut bugs = Bug::all()?;
    if let Some(unknown) = args.names.iter().find(|name| bugs.iter().all(|bug| bug.name != **name)) {
        return Err(InputError::NoSuchBug { name: unknown.clone() });
    }
    let whole = args.names.is_empty();
    if args.list {
        for bug in &bugs {
            println!("{}\n    {}\n", bug.name, bug.story.replace('\n', "\n    "));
        }
        return Ok(ExitCode::SUCCESS);
    }
    let strategies = if args.quick { vec![StrategyKind::Portfolio] } else { StrategyKind::exploring() };
    let starts = if args.quick { 1 } else { args.starts };
    if args.here {
        bugs.retain(|bug| args.names.contains(&bug.name));
        for bug in &bugs {
            let prepared = prepare(find_scenario(&bug.scenario)?)?;
            let row = measure(bug, &prepared, &strategies, starts, cli.jobs());
            println!("{}", serde_json::to_string(&row).expect("a row is plain data"));
        }
        return Ok(ExitCode::SUCCESS);
    }
    let program = planted::build(&bugs)?;
    bugs.retain(|bug| whole || args.names.contains(&bug.name));
    let mut rows = Vec::new();
    for bug in &bugs {
        let mut child = Command::new(&program);
        child.args(["bugs", "--here", &bug.name, "--starts", &starts.to_string(), "--jobs", &cli.jobs().to_string()]);
        if args.quick {
            child.arg("--quick");
        }
        let output = child.env(VARIABLE, &bug.name).output();
        let output = output.map_err(|source| InputError::Unwritable { path: program.clone(), source })?;
        let row = serde_json::from_slice(&output.stdout).map_err(|_| InputError::BugFailed {
            name: bug.name.clone(),
            message: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        })?;
        eprint!("{}", if args.quick { String::new() } else { format!("{}\n", bug.name) });
        rows.push(row);
    }
    if args.markdown {
        print!("{}", markdown(&bugs, &rows));
        return Ok(ExitCode::SUCCESS);
    }
    print!("{}", table(&rows));
    Ok(verdict(&rows, whole))
}

/// Every bug has to be found, and every oracle to be needed.
fn verdict(rows: &[Row], whole: bool) -> ExitCode {
    let found = rows.iter().filter(|row| row.oracle.is_some()).count();
    println!("\n{found} of {} planted bugs found", rows.len());
    for row in rows.iter().filter(|_| whole) {
        if let Some(oracle) = &row.needs {
            println!("without {oracle}, {} would not be found", row.name);
        }
    }
    let unneeded = if whole { unneeded(rows) } else { Vec::new() };
    if !unneeded.is_empty() {
        println!("no planted bug needs {}", unneeded.join(", "));
    }
    if found == rows.len() && unneeded.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(EXIT_FAILED) }
}
