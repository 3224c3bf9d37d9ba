//! Uniform random choice among the ready tasks, and at points mostly going on.
//!
//! A yield reorders tasks that are ready; a delay lets a network answer or a commit overtake. Both are needed: over
//! HTTP, points that only yield never find the lost wake-up of pnpm#13166.

use super::chance::Chance;
use super::{Ready, Strategy};
use crate::schedule::Moment;

/// Of eight visits of a point, so many go on at once, and so many of the rest yield.
const CONTINUES_OF_8: usize = 5;
const YIELDS_OF_8: usize = 1;

/// See the module.
#[derive(Debug)]
pub struct Random(Chance);

impl Random {
    /// The schedule of this seed.
    pub fn new(seed: u64) -> Self {
        Random(Chance::new(seed))
    }
}

impl Strategy for Random {
    fn pick(&mut self, ready: &[&Ready]) -> usize {
        self.0.below(ready.len())
    }

    fn hold(&mut self, _moment: &Moment) -> Option<u64> {
        match self.0.below(8) {
            n if n < CONTINUES_OF_8 => None,
            n if n < CONTINUES_OF_8 + YIELDS_OF_8 => Some(0),
            _ => Some(self.0.delay_ms()),
        }
    }

    fn latency(&mut self, _request: &Moment, from_ms: u64, to_ms: u64) -> u64 {
        self.0.between(from_ms, to_ms)
    }
}
