//! A strategy under which the program ends before a change of the disk, drawn by lot; the rest is another strategy's.

use super::{Chance, Ready, Strategy, Trial};
use crate::schedule::Moment;

/// Sets this draw apart from those of the strategy with the same seed.
const STREAM: u64 = 0x6372_6173_6800;

/// See the module.
pub struct Crashing {
    inner: Box<dyn Strategy>,
    nth: u64,
}

impl Crashing {
    /// As `inner`, until the program ends.
    pub fn new(seed: u64, trial: &Trial, inner: Box<dyn Strategy>) -> Self {
        Crashing { inner, nth: Chance::new(seed ^ STREAM).between(1, trial.changes) }
    }
}

impl Strategy for Crashing {
    fn pick(&mut self, ready: &[&Ready]) -> usize {
        self.inner.pick(ready)
    }

    fn hold(&mut self, moment: &Moment) -> Option<u64> {
        self.inner.hold(moment)
    }

    fn latency(&mut self, request: &Moment, from_ms: u64, to_ms: u64) -> u64 {
        self.inner.latency(request, from_ms, to_ms)
    }

    fn crash(&mut self, _moment: &Moment, nth: u64) -> bool {
        nth == self.nth
    }
}
