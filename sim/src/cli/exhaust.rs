//! `cargo sim exhaust`.

use super::args::{Cli, ExhaustArgs};
use super::explore::spinner;
use super::{InputError, exit_code};
use crate::exhaust::{Enumeration, Exhausted, enumerate};
use crate::report::Verdict;
use std::process::ExitCode;

pub(super) fn all(cli: &Cli, args: &ExhaustArgs) -> Result<ExitCode, InputError> {
    let ExhaustArgs { callers, coordination } = args;
    let spinner = spinner("every schedule, with each fault");
    let all = enumerate(*coordination, usize::from(*callers), cli.jobs());
    spinner.finish_and_clear();
    let Some(all) = all else {
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
