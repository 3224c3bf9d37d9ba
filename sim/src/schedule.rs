//! A schedule as data: where a run departs from the default order.
//!
//! By default every task goes on at every point, ready tasks run first come, first served, and the registry answers at
//! once. A schedule names the exceptions. Places in a run are named by task, point and count, so that code which has
//! nothing to do with them may change without the schedule losing its meaning.

use installer::rt::Point;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::{Arc, LazyLock};

/// What a task is about to do when it changes the disk, in a [`Moment`].
pub const CHANGE: &str = "disk";

/// Who answers requests, in a [`Moment`].
pub const REGISTRY: &str = "registry";

/// A task's point before its first.
const START: &str = "start";

/// The label of a task's last point.
pub fn label(point: Option<Point>) -> &'static str {
    point.map_or(START, Point::label)
}

/// The label of a point, for a [`Moment`].
pub fn shared_label(point: Point) -> Arc<str> {
    static LABELS: LazyLock<Vec<Arc<str>>> = LazyLock::new(|| Point::ALL.iter().map(|at| at.label().into()).collect());
    LABELS[point as usize].clone()
}

/// A place in a run: a task comes to a point for the n-th time, or is about to change the disk for the n-th time, or the
/// registry gets the n-th request for a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Moment {
    /// The task's name; `registry` for a request.
    pub task: Arc<str>,
    /// The point's label; `disk` for a change of the disk; `GET /path` for a request.
    pub point: Arc<str>,
    /// Which visit, from 1.
    pub occurrence: u32,
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.task, self.point)?;
        if self.occurrence > 1 {
            write!(f, " (visit {})", self.occurrence)?;
        }
        Ok(())
    }
}

/// Somebody does not go on at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Who, and where.
    #[serde(flatten)]
    pub at: Moment,
    /// For how long, in milliseconds of virtual time; 0 lets everybody who is ready go first.
    pub delay_ms: u64,
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.delay_ms {
            0 => write!(f, "{} lets the others go first", self.at),
            ms => write!(f, "{} waits {ms} ms", self.at),
        }
    }
}

/// One turn of a task: the n-th since it came to a point.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Turn {
    /// Where the task stands.
    #[serde(flatten)]
    pub at: Moment,
    /// Which turn since then, from 1.
    pub turn: u32,
}

impl fmt::Display for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.turn {
            1 => write!(f, "{}", self.at),
            turn => write!(f, "{}, turn {turn}", self.at),
        }
    }
}

/// Somebody goes on before another who was ready first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preemption {
    /// Who goes on.
    pub goes: Turn,
    /// Whose turn it would be.
    pub before: Turn,
}

impl fmt::Display for Preemption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} goes before {}", self.goes, self.before)
    }
}

/// A schedule.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// Who waits, in the order in which it happened.
    #[serde(default)]
    pub holds: Vec<Hold>,
    /// Who goes on out of turn, in the order in which it happened.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub preemptions: Vec<Preemption>,
    /// Before which change of the disk the program ends, where its scenario says that it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crash: Option<Moment>,
}

impl Schedule {
    /// How many decisions depart from the default order.
    pub fn decisions(&self) -> usize {
        self.holds.len() + self.preemptions.len()
    }
}
