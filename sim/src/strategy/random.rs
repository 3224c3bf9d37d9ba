//! Uniform random choice among the ready tasks, and at points mostly going on.
//!
//! A yield reorders tasks that are ready; a delay lets a network answer or a commit overtake. Both are needed: over
//! HTTP, points that only yield never find the lost wake-up of pnpm#13166.

use super::Strategy;
use crate::schedule::Branch;
use installer::rt::Point;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// Of eight visits of a point, so many go on at once, and so many of the rest yield.
const CONTINUES_OF_8: u32 = 5;
const YIELDS_OF_8: u32 = 1;

/// What a delay may last, in milliseconds: around the network's latency, and well beyond it.
const DELAYS_MS: [u64; 4] = [1, 3, 10, 30];

/// See the module.
pub struct Random(ChaCha8Rng);

impl Random {
    /// The schedule of this seed.
    pub fn new(seed: u64) -> Self {
        Random(ChaCha8Rng::seed_from_u64(seed))
    }
}

impl Strategy for Random {
    fn pick(&mut self, ready: &[&str]) -> usize {
        self.0.random_range(0..ready.len() as u32) as usize
    }

    fn branch(&mut self, _task: &str, _point: Point) -> Branch {
        match self.0.random_range(0..8_u32) {
            n if n < CONTINUES_OF_8 => Branch::Continue,
            n if n < CONTINUES_OF_8 + YIELDS_OF_8 => Branch::Yield,
            _ => Branch::Delay(DELAYS_MS[self.0.random_range(0..DELAYS_MS.len() as u32) as usize]),
        }
    }
}
