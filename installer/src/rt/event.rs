//! What the installer tells the simulator about itself: facts for a trace, never a decision.
//!
//! In real builds [`event()`](super::event()) is an empty inlined function and the closure that builds the event never runs.

use std::fmt;

/// One fact of a run. Keys are those of `tarball::mem_cache`: the tarball's URL and its integrity.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Event {
    /// The caller's leader runs for this key.
    Lead { key: String },
    /// The caller goes to sleep until this key's leader is done.
    Wait { key: String },
    /// The caller waits until another install is done with this key's tarball.
    WaitForOther { key: String },
    /// The caller that slept goes on.
    Woken { key: String },
    /// The leader flipped its slot: `available`, `failed` or `vacated`.
    Publish { key: String, outcome: &'static str },
    /// Index rows were committed.
    Commit { keys: Vec<String> },
    /// The committed rows were read: how many packages are warm and how many cold.
    Partition { warm: usize, cold: usize },
    /// A package's files are in node_modules.
    Import { package: String },
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Lead { key } => write!(f, "leads {key}"),
            Event::Wait { key } => write!(f, "waits for {key}"),
            Event::WaitForOther { key } => write!(f, "waits for another install's {key}"),
            Event::Woken { key } => write!(f, "woken for {key}"),
            Event::Publish { key, outcome } => write!(f, "publishes {key}: {outcome}"),
            Event::Commit { keys } => write!(f, "commits {}", keys.join(" ")),
            Event::Partition { warm, cold } => write!(f, "partitions: {warm} warm, {cold} cold"),
            Event::Import { package } => write!(f, "imports {package}"),
        }
    }
}
