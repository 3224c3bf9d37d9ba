//! `cargo sim cost`.

use super::args::CostArgs;
use super::explore::progress_bar;
use super::{EXIT_FAILED, InputError, write};
use crate::cost::{self, Costs, SCENARIOS, TOLERANCE_PERCENT};
use std::process::ExitCode;

pub(super) fn cost(args: &CostArgs) -> Result<ExitCode, InputError> {
    let bar = progress_bar(SCENARIOS.len() as u64, "scenarios");
    let costs = cost::count(args.planted, || bar.inc(1))?;
    bar.finish_and_clear();
    if let Some(file) = &args.record {
        let text = serde_json::to_string_pretty(&costs).expect("costs are plain data");
        write(file, &format!("{text}\n"))?;
    }
    let recorded = args.check.as_ref().map(|file| {
        let unreadable = |source| InputError::Unreadable { path: file.clone(), source };
        let text = std::fs::read_to_string(file).map_err(unreadable)?;
        serde_json::from_str::<Costs>(&text).map_err(|error| unreadable(error.into()))
    });
    let recorded = recorded.transpose()?;
    let since = recorded.as_ref().and_then(|recorded| costs.since(recorded));
    for (scenario, instructions) in &costs.instructions_per_run {
        let more = since.as_ref().map_or_else(String::new, |since| format!("{:+9.1} %", since[scenario.as_str()]));
        println!("{scenario:20} {:8.2} million instructions a run{more}", *instructions as f64 / 1e6);
    }
    if let (Some(recorded), None) = (&recorded, &since) {
        println!("not compared: recorded with {}, and this is {}", recorded.compiler, costs.compiler);
    }
    let too_much = since.is_some_and(|since| since.values().any(|percent| *percent > TOLERANCE_PERCENT));
    if too_much {
        println!(
            "more than {TOLERANCE_PERCENT} % above what was recorded; where that is wanted, `--record` it and say why"
        );
    }
    Ok(if too_much { ExitCode::from(EXIT_FAILED) } else { ExitCode::SUCCESS })
}
