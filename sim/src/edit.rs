//! Additions to the code, made synthetically: what a replay file has to survive between the day it is recorded and the day it
//! is replayed.
//!
//! Each seed stands for one edit: at some of the interleaving points it adds a point of its own, a fact in the trace, draws of
//! random numbers, or a step that takes a turn.

use crate::scheduler::Scheduler;
use crate::strategy::Chance;
use installer::rt::Point;
use std::collections::BTreeMap;

/// See the module.
pub struct Edit(BTreeMap<Point, Addition>);

#[derive(Debug, Clone, Copy)]
enum Addition {
    Point,
    Fact,
    RandomDraws(u32),
    Task,
}

impl Edit {
    /// The edit of this seed: about half of the points get something in front of them.
    pub fn new(seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let mut additions = BTreeMap::new();
        for point in Point::ALL {
            let addition = match chance.below(8) {
                0 => Addition::Point,
                1 => Addition::Fact,
                2 => Addition::RandomDraws(1 + chance.below(5) as u32),
                3 => Addition::Task,
                _ => continue,
            };
            additions.insert(*point, addition);
        }
        Edit(additions)
    }

    /// Does what was added in front of `point`.
    pub fn before(&self, point: Point, task: &str, scheduler: &Scheduler) {
        match self.0.get(&point) {
            None => {}
            Some(Addition::Point) => scheduler.added_point(task, point),
            Some(Addition::Fact) => scheduler.added_fact(task),
            Some(Addition::RandomDraws(draws)) => {
                (0..*draws).for_each(|_| drop(madsim::rand::random::<u64>().to_string()));
            }
            Some(Addition::Task) => scheduler.added_task(),
        }
    }
}
