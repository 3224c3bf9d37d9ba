//! URW, the unweighted random walk made fair: a task is picked as often as it has turns left.
//!
//! Picking uniformly among the ready tasks favours schedules in which short tasks run early; picking in proportion to the
//! turns that are left, estimated from a trial run, makes every interleaving about equally likely. After "Selectively
//! Uniform Concurrency Testing" (Zhao, Wolff, Mathur, Roychoudhury; ASPLOS 2025).

use super::by_number::ByNumber;
use super::chance::Chance;
use super::{Ready, Strategy, Trial};
use crate::schedule::Moment;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Of so many visits of a point, one waits; all others let the walk decide who goes on.
const ONE_WAITS_OF: usize = 6;

/// See the module.
#[derive(Debug)]
pub struct Urw {
    chance: Chance,
    /// Task → how many turns it took in the trial run.
    turns: BTreeMap<Arc<str>, u32>,
    turns_left: ByNumber<u32>,
}

impl Urw {
    /// The schedule of this seed, for a scenario with this trial run.
    pub fn new(seed: u64, trial: &Trial) -> Self {
        Urw { chance: Chance::new(seed), turns: trial.turns.clone(), turns_left: ByNumber::default() }
    }
}

impl Strategy for Urw {
    fn pick(&mut self, ready: &[&Ready]) -> usize {
        let Urw { chance, turns, turns_left } = self;
        let mut left = |ready: &Ready| {
            *turns_left.get_or_insert_with(ready.number, || turns.get(&ready.task).copied().unwrap_or(0))
        };
        let weights: Vec<_> = ready.iter().map(|ready| left(ready).max(1) as usize).collect();
        let mut ticket = chance.below(weights.iter().sum());
        let picked = weights.iter().position(|weight| {
            let won = ticket < *weight;
            ticket = ticket.saturating_sub(*weight);
            won
        });
        let picked = picked.expect("a ticket is below the sum of the weights");
        let left = turns_left.get_or_insert_with(ready[picked].number, || 0);
        *left = left.saturating_sub(1);
        picked
    }

    fn hold(&mut self, _moment: &Moment) -> Option<u64> {
        Some(if self.chance.below(ONE_WAITS_OF) == 0 { self.chance.delay_ms() } else { 0 })
    }

    fn latency(&mut self, _request: &Moment, from_ms: u64, to_ms: u64) -> u64 {
        self.chance.between(from_ms, to_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_more_to_do_is_picked_more_often() {
        let names: [Arc<str>; 2] = ["long".into(), "short".into()];
        let [long, short] = [0, 1].map(|number| Ready::first(number, names[number].clone()));
        let turns = BTreeMap::from([(names[0].clone(), 90), (names[1].clone(), 10)]);
        let trial = Trial { turns, moments: Vec::new(), ..Trial::default() };
        let first_picks = (0..1000).map(|seed| Urw::new(seed, &trial).pick(&[&long, &short]));
        let long = first_picks.filter(|index| *index == 0).count();
        assert!((850..950).contains(&long), "{long}");
    }
}
