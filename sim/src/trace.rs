//! What a run did, event by event: the same seed gives the same trace, always.

use crate::scenario::Crash;
use installer::rt::{Event, Point};
use std::cell::RefCell;
use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher};
use std::rc::Rc;
use std::sync::Arc;

/// One entry of a trace.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TraceEntry {
    /// Virtual time in microseconds.
    pub at_us: u64,
    /// Which task.
    pub task: Arc<str>,
    /// What it did.
    pub what: What,
}

/// What a task did.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum What {
    /// It was spawned.
    Spawned,
    /// It came to a point.
    At(Point),
    /// It told a fact.
    Told(Event),
    /// Its body ended, or was dropped.
    Ended,
    /// The scenario cancelled it.
    Cancelled,
    /// Here the scenario ends the whole program.
    Crashed(Crash),
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            What::Spawned => write!(f, "starts"),
            What::At(point) => write!(f, "@ {}", point.label()),
            What::Told(event) => event.fmt(f),
            What::Ended => write!(f, "ends"),
            What::Cancelled => write!(f, "is cancelled"),
            What::Crashed(crash) => write!(f, "the program {}", crash.words()),
        }
    }
}

/// A trace that is being written. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct TraceLog(Rc<RefCell<Vec<TraceEntry>>>);

impl TraceLog {
    /// Adds an entry, now.
    pub fn add(&self, task: &Arc<str>, what: What) {
        let entry = TraceEntry { at_us: crate::clock::now_us(), task: task.clone(), what };
        self.0.borrow_mut().push(entry);
    }

    /// All entries so far.
    pub fn take(&self) -> Vec<TraceEntry> {
        std::mem::take(&mut self.0.borrow_mut())
    }
}

/// A number that two different traces hardly share.
pub fn digest(trace: &[TraceEntry]) -> u64 {
    let mut bytes = Bytes(Vec::new());
    trace.hash(&mut bytes);
    bytes.finish()
}

/// Hashes all at once, which is much faster than bit by bit, and gives the same.
struct Bytes(Vec<u8>);

impl Hasher for Bytes {
    fn write(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn finish(&self) -> u64 {
        // SipHash with fixed keys: the same in every process.
        let mut hasher = DefaultHasher::new();
        hasher.write(&self.0);
        hasher.finish()
    }
}
