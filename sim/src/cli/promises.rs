//! `cargo sim promises`: what docs/reliability.md promises, broken on purpose.

use super::args::{Cli, PromisesArgs};
use super::explore::progress_bar;
use super::{EXIT_FAILED, InputError};
use crate::promises::{Ended, Tests, Violation, from_here};
use crate::threads;
use std::collections::BTreeSet;
use std::process::ExitCode;

/// A test to be run, and what must come of it.
struct Trial<'a> {
    test: &'a str,
    violation: Option<&'a Violation>,
}

impl Trial<'_> {
    /// What is wrong with how it ended, if anything is.
    fn wrong(&self, ended: Ended) -> Option<String> {
        let Trial { test, violation } = self;
        let harmed = violation.map(|violation| &violation.planted.name);
        match (harmed, ended) {
            (Some(_), Ended::Failed) | (None, Ended::Passed) => None,
            (Some(name), Ended::Passed) => Some(format!("{name} is not noticed by {test}")),
            (None, Ended::Failed) => Some(format!("{test} fails where nothing is broken")),
            (_, Ended::Absent) => Some(format!("there is no test {test}")),
            (Some(name), Ended::Endless) => Some(format!("{test} does not end with {name}")),
            (None, Ended::Endless) => Some(format!("{test} does not end")),
        }
    }
}

pub(super) fn promises(cli: &Cli, args: &PromisesArgs) -> Result<ExitCode, InputError> {
    let all = Violation::all()?;
    let is_meant_by = |violation: &Violation, word: &String| {
        violation.planted.name == *word || violation.tests.iter().any(|test| test.starts_with(word))
    };
    if let Some(unknown) = args.names.iter().find(|word| !all.iter().any(|violation| is_meant_by(violation, word))) {
        return Err(InputError::NoSuchPromise { name: unknown.clone() });
    }
    let is_wanted =
        |violation: &&Violation| args.names.is_empty() || args.names.iter().any(|word| is_meant_by(violation, word));
    let wanted: Vec<_> = all.iter().filter(is_wanted).collect();
    if args.list {
        for violation in &wanted {
            let (name, story) = (&violation.planted.name, violation.planted.story.replace('\n', "\n    "));
            println!("{name} ({})\n    {story}\n", violation.tests.join(", "));
        }
        return Ok(ExitCode::SUCCESS);
    }
    let tests = Tests::build(&all)?;
    let unharmed: BTreeSet<_> = wanted.iter().flat_map(|violation| &violation.tests).collect();
    let mut trials: Vec<_> = unharmed.iter().map(|test| Trial { test, violation: None }).collect();
    for violation in &wanted {
        trials.extend(violation.tests.iter().map(|test| Trial { test, violation: Some(violation) }));
    }
    let bar = progress_bar(trials.len() as u64, "tests");
    let wrongs = threads::map(cli.jobs(), 0..trials.len() as u64, |number| {
        let trial = &trials[number as usize];
        let ended = tests.run(trial.test, trial.violation);
        bar.inc(1);
        ended.map(|(ended, printed)| Some(format!("{}: see {}", trial.wrong(ended)?, from_here(&printed).display())))
    });
    bar.finish_and_clear();
    let mut failed = 0;
    for wrong in wrongs {
        let wrong = wrong.map_err(|source| InputError::Unreadable { path: "the installer's tests".into(), source })?;
        if let Some(wrong) = wrong {
            println!("{wrong}");
            failed += 1;
        }
    }
    if failed > 0 {
        return Ok(ExitCode::from(EXIT_FAILED));
    }
    println!("{} promises broken, each noticed by its tests ({}), which pass unharmed", wanted.len(), unharmed.len());
    Ok(ExitCode::SUCCESS)
}
