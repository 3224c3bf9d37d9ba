//! PCT, probabilistic concurrency testing: random priorities per task, and `d` random moments at which the running task
//! falls behind all others.
//!
//! A bug that needs `d` such orderings is found with a probability that can be stated. After "A Randomized Scheduler with
//! Probabilistic Guarantees of Finding Bugs" (Burckhardt, Kothari, Musuvathi, Nagarakatte; ASPLOS 2010). Falling behind also
//! means waiting, because here the network and timers are opponents too.

use super::by_number::ByNumber;
use super::chance::Chance;
use super::{Ready, Strategy, Trial};
use crate::schedule::Moment;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// See the module.
#[derive(Debug)]
pub struct Pct {
    chance: Chance,
    /// Who falls behind, at which visit of a point, counted over all tasks.
    falls: BTreeSet<usize>,
    visits: usize,
    /// Task → priority; the higher goes first.
    priorities: BTreeMap<Arc<str>, u64>,
    /// The same for the tasks that were ready since one last fell behind.
    known: ByNumber<u64>,
    /// The next priority below all others.
    lowest: u64,
}

/// Priorities above this one are drawn, those below it are for who fell behind.
const FALLEN: u64 = 1 << 32;

impl Pct {
    /// The schedule of this seed with so many falls, for a scenario with this trial run.
    pub fn new(seed: u64, depth: usize, trial: &Trial) -> Self {
        let mut chance = Chance::new(seed);
        let visits = trial.moments.len().max(1);
        let falls = (0..depth).map(|_| chance.below(visits)).collect();
        Pct { chance, falls, visits: 0, priorities: BTreeMap::new(), known: ByNumber::default(), lowest: FALLEN }
    }
}

impl Strategy for Pct {
    fn pick(&mut self, ready: &[&Ready]) -> usize {
        let Pct { chance, priorities, known, .. } = self;
        for ready in ready {
            known.get_or_insert_with(ready.number, || {
                *priorities.entry(ready.task.clone()).or_insert_with(|| chance.number() | FALLEN)
            });
        }
        let highest = (0..ready.len()).max_by_key(|index| *known.get(ready[*index].number));
        highest.expect("there are at least two")
    }

    fn hold(&mut self, moment: &Moment) -> Option<u64> {
        let visit = self.visits;
        self.visits += 1;
        if !self.falls.contains(&visit) {
            return Some(0);
        }
        self.lowest -= 1;
        self.priorities.insert(moment.task.clone(), self.lowest);
        self.known.clear();
        Some(self.chance.delay_ms())
    }

    fn latency(&mut self, request: &Moment, from_ms: u64, to_ms: u64) -> u64 {
        match self.hold(request) {
            None | Some(0) => from_ms,
            Some(delay_ms) => delay_ms.clamp(from_ms, to_ms.max(from_ms)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_falls_behind_waits_and_comes_last() {
        let moment = Moment { task: "a".into(), point: "p".into(), occurrence: 1 };
        let trial = Trial { moments: vec![moment.clone()], ..Trial::default() };
        let mut pct = Pct::new(3, 1, &trial);
        assert!(pct.hold(&moment).is_some_and(|delay_ms| delay_ms > 0));
        assert_eq!(pct.hold(&moment), Some(0));
        let [a, b] = [(0, "a"), (1, "b")].map(|(number, name)| Ready::first(number, name.into()));
        assert_eq!(pct.pick(&[&a, &b]), 1);
    }
}
