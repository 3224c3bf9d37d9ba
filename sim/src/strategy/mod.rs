//! Strategies: how a schedule is chosen. One file each.

mod random;
mod replay;

pub use random::Random;
pub use replay::{Divergence, Replay};

use crate::schedule::Branch;
use installer::rt::Point;

/// Chooses a schedule, decision by decision.
pub trait Strategy {
    /// Which of these tasks runs next, as an index. There are at least two, in the order of their spawning.
    fn pick(&mut self, ready: &[&str]) -> usize;

    /// What the task does at this point.
    fn branch(&mut self, task: &str, point: Point) -> Branch;

    /// Where a replayed schedule stopped fitting the run.
    fn divergence(&self) -> Option<Divergence> {
        None
    }
}
