//! O9: nothing is left after the install: no task, no slot, no temporary file, no request.

use super::{Oracle, Violation};
use crate::observation::{Observation, Outcome};
use crate::run::PACKET_LATENCY;
use installer::rt::Event;

/// A request that was sent before the install returned may arrive so much later.
const ON_ITS_WAY_US: u64 = 2 * PACKET_LATENCY.as_micros() as u64;

/// See the module.
pub struct NothingLeft;

impl Oracle for NothingLeft {
    fn id(&self) -> &'static str {
        "O9"
    }

    fn demand(&self) -> &'static str {
        "after the install no task, slot, temporary file or request is left"
    }

    fn check(&self, run: &Observation) -> Result<(), Violation> {
        if matches!(run.outcome, Outcome::Hung(_)) {
            return Ok(());
        }
        if let Some(task) = run.leftover_tasks.first() {
            return Err(Violation::new(format!("the task {task} still runs after the install has returned")));
        }
        let mut commits = run.told().filter(|(.., event)| matches!(event, Event::Commit { .. }));
        if let Some((_, entry, _)) = commits.find(|(_, entry, _)| entry.at_us > run.returned_us) {
            let task = &entry.task;
            return Err(Violation::new(format!("the task {task} still wrote rows after the install had returned")));
        }
        if let Some(file) = run.leftover_files.first() {
            return Err(Violation::new(format!("the temporary file {file} is left")));
        }
        // Requests do not tell which install made them.
        let all_returned_us = run.beside.iter().map(|beside| beside.returned_us).fold(run.returned_us, u64::max);
        if let Some(late) = run.gets.iter().find(|get| get.started_us > all_returned_us + ON_ITS_WAY_US) {
            return Err(Violation::new(format!("{} was asked for after the install had returned", late.path)));
        }
        match &run.outcome {
            Outcome::Installed(residue) if residue.slots_in_progress > 0 => {
                Err(Violation::new(format!("{} slots are still in progress", residue.slots_in_progress)))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracles::testing::{check, get, good_run};
    use crate::trace::{TraceEntry, What};
    use installer::install::Residue;

    #[test]
    fn each_kind_of_leftover_is_noticed() {
        assert!(check(&NothingLeft, &good_run()).is_ok());
        let broken: [fn(&mut Observation); 5] = [
            |run| {
                let what = What::Told(Event::Commit { keys: Vec::new() });
                run.trace.push(TraceEntry { at_us: 12_000, task: "index writer".into(), what });
            },
            |run| run.leftover_tasks.push("prefetch a@1.0.0".to_owned()),
            |run| run.leftover_files.push("v1/tmp/1".to_owned()),
            |run| run.gets.push(get(12_000, 13_000)),
            |run| run.outcome = Outcome::Installed(Residue { slots_in_progress: 1, ..Residue::default() }),
        ];
        for breaks in broken {
            let mut run = good_run();
            breaks(&mut run);
            assert!(check(&NothingLeft, &run).is_err());
        }
    }
}
