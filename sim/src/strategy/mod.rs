//! Strategies: how a schedule is chosen. One file each.

mod by_number;
mod chance;
mod crashing;
mod few_holds;
mod fifo;
mod pct;
mod portfolio;
mod pos;
mod random;
mod replay;
pub mod swarm;
mod urw;

pub use chance::Chance;
pub use crashing::Crashing;
pub use few_holds::FewHolds;
pub use fifo::Fifo;
pub use pct::Pct;
pub use portfolio::StrategyKind;
pub use pos::Pos;
pub use random::Random;
pub use replay::Replay;
pub use urw::Urw;

use crate::schedule::{Moment, Turn, label};
use installer::rt::Point;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Chooses a schedule, decision by decision.
pub trait Strategy {
    /// Which of these goes on, as an index. They are in the order in which they became ready; there are at least two.
    fn pick(&mut self, ready: &[&Ready]) -> usize;

    /// How long somebody waits who came to a moment, in milliseconds: none to go on, 0 to let all who are ready go first.
    fn hold(&mut self, moment: &Moment) -> Option<u64>;

    /// How long the registry takes to answer, in milliseconds, between the two.
    fn latency(&mut self, request: &Moment, from_ms: u64, to_ms: u64) -> u64;

    /// Whether the program ends here, before its `nth` change of the disk. Asked where its scenario says that it ends.
    fn crash(&mut self, _moment: &Moment, _nth: u64) -> bool {
        false
    }

    /// The first decision of a replayed schedule that the run never came to. Asked for when the run is over.
    fn misfit(&self) -> Option<String> {
        None
    }
}

/// A task that could go on.
#[derive(Debug, Clone)]
pub struct Ready {
    /// Its number, in the order of spawning.
    pub number: usize,
    /// Its name.
    pub task: Arc<str>,
    /// Its last point.
    pub point: Option<Point>,
    /// Which visit of that point, from 1.
    pub occurrence: u32,
    /// Which turn since then, from 1.
    pub turn: u32,
}

impl Ready {
    /// The first turn of a task.
    pub fn first(number: usize, task: Arc<str>) -> Self {
        Ready { number, task, point: None, occurrence: 1, turn: 1 }
    }

    /// Its next turn, by the names that records have.
    pub fn named(&self) -> Turn {
        let point = label(self.point).into();
        Turn { at: Moment { task: self.task.clone(), point, occurrence: self.occurrence }, turn: self.turn }
    }
}

/// What an undisturbed run of a scenario is like: some strategies plan with it.
#[derive(Debug, Clone, Default)]
pub struct Trial {
    /// How many turns each task takes.
    pub turns: BTreeMap<Arc<str>, u32>,
    /// Every visit of a point and every request, in order.
    pub moments: Vec<Moment>,
    /// How often it changes the disk.
    pub changes: u64,
}
