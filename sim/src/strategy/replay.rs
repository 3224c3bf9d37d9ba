//! Does a recorded schedule again. Whatever it does not mention goes the default way, so unrelated changes of the code leave
//! it alone; what it mentions and the run never comes to is a misfit.

use super::{Ready, Strategy};
use crate::schedule::{Hold, Moment, Schedule, Turn, label};
use std::collections::{BTreeMap, BTreeSet};

/// See the module.
#[derive(Debug)]
pub struct Replay {
    recorded: Schedule,
    holds: BTreeMap<Moment, u64>,
    places: BTreeMap<Turn, usize>,
    held: BTreeSet<Moment>,
    crashed: bool,
}

impl Replay {
    /// Replays this schedule.
    pub fn new(schedule: Schedule) -> Self {
        let holds = schedule.holds.iter().map(|hold| (hold.at.clone(), hold.delay_ms)).collect();
        let places = schedule.order.iter().cloned().enumerate().map(|(place, turn)| (turn, place)).collect();
        Replay { recorded: schedule, holds, places, held: BTreeSet::new(), crashed: false }
    }

    fn place(&self, ready: &Ready) -> usize {
        if self.places.is_empty() {
            return 0;
        }
        let at = Moment { task: ready.task.clone(), point: label(ready.point).into(), occurrence: ready.occurrence };
        self.places.get(&Turn { at, turn: ready.turn }).copied().unwrap_or(usize::MAX)
    }
}

impl Strategy for Replay {
    fn pick(&mut self, ready: &[Ready]) -> usize {
        // The first of those in the lowest place.
        (0..ready.len()).min_by_key(|index| self.place(&ready[*index])).expect("there are at least two")
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
        let crash = self.recorded.crash.as_ref().filter(|_| !self.crashed);
        let hold = self.recorded.holds.iter().find(missing).map(ToString::to_string);
        hold.or_else(|| crash.map(|moment| format!("the end of the program, {moment}")))
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
    fn turns_come_in_their_order_and_strangers_last() {
        let ready = |task: &str| Ready { task: task.into(), point: None, occurrence: 1, turn: 1 };
        let turn =
            |task: &str| Turn { at: Moment { task: task.into(), point: label(None).into(), occurrence: 1 }, turn: 1 };
        let mut replay = Replay::new(Schedule { order: vec![turn("b"), turn("a")], ..Schedule::default() });
        assert_eq!(replay.pick(&[ready("stranger"), ready("a"), ready("b")]), 2);
        assert_eq!(replay.pick(&[ready("stranger"), ready("a")]), 1);
    }
}
