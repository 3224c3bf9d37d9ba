//! A strategy under which the program ends before a change of the disk; the rest is another strategy's.
//!
//! The first seeds go through all changes in turn, so that an exploration from seed 0 leaves none out; later ones draw lots.

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
        let nth = if seed < trial.changes { seed + 1 } else { Chance::new(seed ^ STREAM).between(1, trial.changes) };
        Crashing { inner, nth }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::strategy::Fifo;
    use std::collections::BTreeSet;

    #[test]
    fn no_change_is_left_out() {
        let trial = Trial { changes: 40, ..Trial::default() };
        let nth = |seed| Crashing::new(seed, &trial, Box::new(Fifo)).nth;
        assert_eq!((0..40).map(nth).collect::<BTreeSet<_>>(), (1..=40).collect());
        let drawn: BTreeSet<_> = (40..100).map(nth).collect();
        assert!(drawn.len() > 10 && drawn.iter().all(|nth| (1..=40).contains(nth)), "{drawn:?}");
    }
}
