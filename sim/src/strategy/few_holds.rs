//! Few holds: the default order, but for one, two or three moments of the trial run at which somebody waits.
//!
//! Most bugs need one or two orderings. What this strategy finds is small from the start, which is also why shrinking uses it.

use super::chance::Chance;
use super::{Ready, Strategy, Trial};
use crate::schedule::Moment;
use std::collections::BTreeMap;

/// See the module.
#[derive(Debug)]
pub struct FewHolds(BTreeMap<Moment, u64>);

impl FewHolds {
    /// The schedule of this seed with so many holds at most, for a scenario with this trial run.
    pub fn new(seed: u64, holds: usize, trial: &Trial) -> Self {
        let mut chance = Chance::new(seed);
        let mut chosen = BTreeMap::new();
        for _ in 0..holds {
            if !trial.moments.is_empty() {
                let moment = trial.moments[chance.below(trial.moments.len())].clone();
                chosen.insert(moment, chance.delay_ms());
            }
        }
        FewHolds(chosen)
    }
}

impl Strategy for FewHolds {
    fn pick(&mut self, _ready: &[&Ready]) -> usize {
        0
    }

    fn hold(&mut self, moment: &Moment) -> Option<u64> {
        self.0.get(moment).copied()
    }

    fn latency(&mut self, request: &Moment, from_ms: u64, to_ms: u64) -> u64 {
        self.0.get(request).map_or(from_ms, |delay_ms| (*delay_ms).clamp(from_ms, to_ms.max(from_ms)))
    }
}
