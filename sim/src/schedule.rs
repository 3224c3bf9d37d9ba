//! A schedule as data: every decision of a run, by the names of what it chose between.

use serde::{Deserialize, Serialize};
use std::fmt;

/// One decision of the scheduler.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// Several tasks could run: this one did.
    Run(String),
    /// A task came to an interleaving point: what it did there.
    At {
        /// The task.
        task: String,
        /// The point's label.
        point: String,
        /// What it did.
        branch: Branch,
    },
}

/// What a task does at an interleaving point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Branch {
    /// Goes on at once.
    Continue,
    /// Lets the other tasks that are ready go first.
    Yield,
    /// Waits so many milliseconds of virtual time, so that the network and timers go first too.
    Delay(u64),
}

impl fmt::Display for Branch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Branch::Continue => write!(f, "goes on"),
            Branch::Yield => write!(f, "yields"),
            Branch::Delay(ms) => write!(f, "waits {ms} ms"),
        }
    }
}
