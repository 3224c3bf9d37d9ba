//! O5: who waits for a download gets its result although the task that leads it is cancelled or panics.

use super::{Oracle, Violation};
use crate::observation::{Observation, Outcome};
use crate::scenario::{Expectation, LeaderFault};
use crate::trace::{TraceEntry, What};
use installer::rt::Event;

/// In what time somebody takes over who waited for a leader that is gone: more than the delays at all interleaving points
/// between together.
const TAKEOVER_US: u64 = 3_000_000;

/// See the module.
pub struct SurvivesItsLeader;

impl Oracle for SurvivesItsLeader {
    fn id(&self) -> &'static str {
        "O5"
    }

    fn demand(&self) -> &'static str {
        "an install succeeds although a download's task is cancelled or panics once"
    }

    fn check(&self, run: &Observation) -> Result<(), Violation> {
        let Some(package) = run.scenario.leaders.keys().next() else { return Ok(()) };
        if run.scenario.expect != Expectation::Success {
            return Ok(());
        }
        match &run.outcome {
            Outcome::Installed(_) => succeeded_soon(run, &package.to_string()),
            Outcome::Failed(error) => {
                let error = error.replace('\n', ": ");
                Err(Violation::of(
                    package,
                    format!("the task that downloads {package} went away once, and the install failed: {error}"),
                ))
            }
            Outcome::Hung(_) | Outcome::Panicked(_) => Err(Violation::of(
                package,
                format!("the task that downloads {package} went away once, and the install never ended"),
            )),
        }
    }
}

/// Whether somebody took over as soon as the leader was gone, where somebody waited.
fn succeeded_soon(run: &Observation, package: &str) -> Result<(), Violation> {
    let Some(LeaderFault::CancelledAt(_) | LeaderFault::PanicsAt(_)) = run.scenario.leaders.values().next() else {
        return Ok(());
    };
    let download = format!("download {package}");
    let ended = |entry: &TraceEntry| *entry.task == *download && matches!(entry.what, What::Ended | What::Cancelled);
    let Some(gone) = run.trace.iter().position(ended) else { return Ok(()) };
    let gone_us = run.trace[gone].at_us;
    let another = format!("{download}#");
    let waiting = run.told().find(|(_, entry, event)| {
        matches!(event, Event::Wait { key } if run.is_of(key, package)) && entry.task.starts_with("cold ")
    });
    let next = run.told().find(|(at, entry, event)| {
        *at > gone && matches!(event, Event::Lead { .. }) && entry.task.starts_with(&another)
    });
    let (Some((_, waiting, _)), Some((_, next, _))) = (waiting, next) else { return Ok(()) };
    let since_us = gone_us.max(waiting.at_us);
    if next.at_us <= since_us + TAKEOVER_US {
        return Ok(());
    }
    let late_ms = (next.at_us - since_us) / 1000;
    let sentence =
        format!("the task that downloads {package} went away, and {late_ms} ms passed before another took over");
    Err(Violation::of(package, sentence))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracles::testing::{check, good_run, scenario};
    use serde_json::json;

    #[test]
    fn a_leader_that_goes_away_takes_nobody_with_it() {
        let mut run = good_run();
        run.scenario = scenario(json!({ "leaders": { "a@1.0.0": { "panics_at": "leader:start" } } }));
        assert!(check(&SurvivesItsLeader, &run).is_ok());
        let entry = |at_us, task: &str, what| TraceEntry { at_us, task: task.into(), what };
        let key = || "http://r/a/-/a-1.0.0.tgz#x".to_owned();
        for (led_us, holds) in [(5_000, true), (30_000_000, false)] {
            run.trace = vec![
                entry(1_000, "cold a@1.0.0", What::Told(Event::Wait { key: key() })),
                entry(2_000, "download a@1.0.0", What::Ended),
                entry(led_us, "download a@1.0.0#2", What::Told(Event::Lead { key: key() })),
            ];
            assert_eq!(check(&SurvivesItsLeader, &run).is_ok(), holds, "{led_us}");
        }
        run.outcome = Outcome::Failed("cannot get a@1.0.0".to_owned());
        assert!(check(&SurvivesItsLeader, &run).is_err());
        run.outcome = Outcome::Hung(Vec::new());
        assert!(check(&SurvivesItsLeader, &run).is_err());
    }
}
