//! POS, partial order sampling: every turn has a random priority of its own, and the highest goes first.
//!
//! Unlike a random walk, a turn that lost keeps its priority, so long delays of one task are as likely as short ones. After
//! "Partial Order Aware Concurrency Sampling" (Yuan, Yang, Gu; CAV 2018); the re-drawing of racing events is left out, as
//! turns here touch several things at once.

use super::by_number::ByNumber;
use super::chance::Chance;
use super::{Ready, Strategy};
use crate::schedule::Moment;

/// Of so many visits of a point, one waits; all others let the priorities decide who goes on.
const ONE_WAITS_OF: usize = 6;

/// See the module.
#[derive(Debug)]
pub struct Pos {
    chance: Chance,
    /// The priority of each task's next turn.
    priorities: ByNumber<u64>,
}

impl Pos {
    /// The schedule of this seed.
    pub fn new(seed: u64) -> Self {
        Pos { chance: Chance::new(seed), priorities: ByNumber::default() }
    }
}

impl Strategy for Pos {
    fn pick(&mut self, ready: &[&Ready]) -> usize {
        let Pos { chance, priorities } = self;
        for ready in ready {
            priorities.get_or_insert_with(ready.number, || chance.number());
        }
        let highest = (0..ready.len()).max_by_key(|index| *priorities.get(ready[*index].number));
        let highest = highest.expect("there are at least two");
        priorities.remove(ready[highest].number);
        highest
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
    fn a_turn_that_lost_keeps_its_priority() {
        let [a, b, c] = [(0, "a"), (1, "b"), (2, "c")].map(|(number, name)| Ready::first(number, name.into()));
        let mut pos = Pos::new(7);
        let winner = pos.pick(&[&a, &b]);
        let loser = if winner == 0 { &b } else { &a };
        let kept = *pos.priorities.get(loser.number);
        if pos.pick(&[loser, &c]) == 1 {
            assert_eq!(*pos.priorities.get(loser.number), kept);
        }
    }
}
