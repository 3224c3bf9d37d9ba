//! Does a recorded schedule again. Whatever it does not mention goes the default way, so unrelated changes of the code leave
//! it alone; what it mentions and the run never comes to is a misfit.

use super::{Ready, Strategy};
use crate::schedule::{Hold, Moment, Preemption, Schedule, Turn};
use std::collections::{BTreeMap, BTreeSet};

/// See the module.
#[derive(Debug)]
pub struct Replay {
    recorded: Schedule,
    holds: BTreeMap<Moment, u64>,
    /// Whose turn it would be → who goes before.
    preemptions: BTreeMap<Turn, Vec<Turn>>,
    held: BTreeSet<Moment>,
    /// Who has gone out of turn.
    gone: BTreeSet<Turn>,
    crashed: bool,
}

impl Replay {
    /// Replays this schedule.
    pub fn new(schedule: Schedule) -> Self {
        let holds = schedule.holds.iter().map(|hold| (hold.at.clone(), hold.delay_ms)).collect();
        let mut preemptions: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for Preemption { goes, before } in schedule.preemptions.iter().cloned() {
            preemptions.entry(before).or_default().push(goes);
        }
        Replay { recorded: schedule, holds, preemptions, held: BTreeSet::new(), gone: BTreeSet::new(), crashed: false }
    }
}

impl Strategy for Replay {
    fn pick(&mut self, ready: &[&Ready]) -> usize {
        if self.preemptions.is_empty() {
            return 0;
        }
        let Some(first) = self.preemptions.get(&ready[0].named()) else { return 0 };
        let turns: Vec<_> = ready.iter().map(|ready| ready.named()).collect();
        let goes = first.iter().find_map(|goes| turns.iter().position(|turn| turn == goes));
        if let Some(index) = goes {
            self.gone.insert(turns[index].clone());
        }
        goes.unwrap_or(0)
    }

    fn hold(&mut self, moment: &Moment) -> Option<u64> {
        let delay_ms = self.holds.get(moment).copied();
        if delay_ms.is_some() {
            self.held.insert(moment.clone());
        }
        delay_ms
    }

    fn latency(&mut self, request: &Moment, from_ms: u64, _to_ms: u64) -> u64 {
        self.hold(request).unwrap_or(from_ms)
    }

    fn crash(&mut self, moment: &Moment, _nth: u64) -> bool {
        let here = self.recorded.crash.as_ref() == Some(moment);
        self.crashed |= here;
        here
    }

    fn misfit(&self) -> Option<String> {
        let missing = |hold: &&Hold| !self.held.contains(&hold.at);
        let waits = |preemption: &&Preemption| !self.gone.contains(&preemption.goes);
        let crash = self.recorded.crash.as_ref().filter(|_| !self.crashed);
        let hold = self.recorded.holds.iter().find(missing).map(ToString::to_string);
        let preemption = || self.recorded.preemptions.iter().find(waits).map(ToString::to_string);
        hold.or_else(preemption).or_else(|| crash.map(|moment| format!("the end of the program, {moment}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(task: &str, occurrence: u32) -> Moment {
        Moment { task: task.into(), point: "p".into(), occurrence }
    }

    #[test]
    fn a_schedule_that_does_not_fit_names_its_first_decision() {
        let holds = vec![Hold { at: moment("a", 1), delay_ms: 3 }, Hold { at: moment("b", 2), delay_ms: 0 }];
        let mut replay = Replay::new(Schedule { holds, ..Schedule::default() });
        assert_eq!(replay.misfit().as_deref(), Some("a at p waits 3 ms"));
        assert_eq!(replay.hold(&moment("a", 1)), Some(3));
        assert_eq!(replay.hold(&moment("b", 1)), None);
        assert_eq!(replay.misfit().as_deref(), Some("b at p (visit 2) lets the others go first"));
        assert_eq!(replay.hold(&moment("b", 2)), Some(0));
        assert_eq!(replay.misfit(), None);
    }

    #[test]
    fn whoever_is_named_goes_before_another_and_nobody_else_does() {
        let ready = |task: &str| Ready::first(0, task.into());
        let [a, b, c, stranger] = ["a", "b", "c", "stranger"].map(ready);
        let preemption = |goes, before| Preemption { goes: ready(goes).named(), before: ready(before).named() };
        let preemptions = vec![preemption("b", "a"), preemption("c", "a")];
        let mut replay = Replay::new(Schedule { preemptions, ..Schedule::default() });
        assert_eq!(replay.pick(&[&stranger, &a, &b]), 0);
        assert_eq!(replay.pick(&[&a, &c, &b]), 2);
        assert_eq!(replay.misfit().as_deref(), Some("c at start goes before a at start"));
        assert_eq!(replay.pick(&[&a, &c]), 1);
        assert_eq!(replay.pick(&[&a, &stranger]), 0);
        assert_eq!(replay.misfit(), None);
    }
}
