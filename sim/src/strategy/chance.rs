//! Chance: the one generator of a strategy, and how long it makes somebody wait.

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// What a delay may last, in milliseconds: around the network's latency, and well beyond it.
const DELAYS_MS: [u64; 5] = [1, 3, 10, 30, 100];

/// A generator that gives the same numbers for the same seed on every machine.
#[derive(Debug)]
pub struct Chance(ChaCha8Rng);

impl Chance {
    /// The numbers of this seed.
    pub fn new(seed: u64) -> Self {
        Chance(ChaCha8Rng::seed_from_u64(seed))
    }

    /// A number below `limit`.
    pub fn below(&mut self, limit: usize) -> usize {
        self.0.random_range(0..limit as u32) as usize
    }

    /// Any number.
    pub fn number(&mut self) -> u64 {
        self.0.random()
    }

    /// A delay in milliseconds.
    pub fn delay_ms(&mut self) -> u64 {
        DELAYS_MS[self.below(DELAYS_MS.len())]
    }

    /// A number between the two, both included.
    pub fn between(&mut self, from: u64, to: u64) -> u64 {
        self.0.random_range(from..=to.max(from))
    }
}
