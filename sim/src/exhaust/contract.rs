//! What a coordinator promises to a few callers of one key.

use super::Fault;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// How a promise is broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Violation {
    /// These tasks cannot go on.
    Hangs(Vec<String>),
    /// Two downloads of the key run at the same time.
    TwoAtOnce,
    /// More downloads are run than anything excuses.
    DownloadsAgain {
        /// How many were run.
        runs: u32,
        /// How many may be.
        runs_max: u32,
    },
    /// A caller of the install fails where it need not.
    Fails {
        /// Which.
        caller: usize,
        /// With what.
        error: String,
    },
    /// A caller of the install has the error of a download that only the prefetch relied on.
    InheritsFailure {
        /// Which.
        caller: usize,
    },
    /// A caller has files that nobody could download.
    Invents {
        /// Which.
        caller: usize,
    },
    /// A caller that nothing has gone wrong for ends without a result.
    NoResult {
        /// Which.
        caller: usize,
    },
}

impl Violation {
    /// In a word or two, for tables.
    pub fn label(&self) -> &'static str {
        match self {
            Violation::Hangs(_) => "hangs",
            Violation::TwoAtOnce => "two at once",
            Violation::DownloadsAgain { .. } => "downloads again",
            Violation::Fails { .. } => "fails",
            Violation::InheritsFailure { .. } => "inherits it",
            Violation::Invents { .. } => "invents files",
            Violation::NoResult { .. } => "no result",
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Violation::Hangs(tasks) => {
                write!(f, "{} never {} on", tasks.join(" and "), if tasks.len() == 1 { "goes" } else { "go" })
            }
            Violation::TwoAtOnce => write!(f, "two downloads run at once"),
            Violation::DownloadsAgain { runs, runs_max } => {
                write!(f, "{runs} downloads were run; {runs_max} is the most")
            }
            Violation::Fails { caller, error } => write!(f, "caller {caller} of the install fails: {error}"),
            Violation::InheritsFailure { caller } => {
                write!(f, "caller {caller} of the install fails with the passing failure of the prefetch")
            }
            Violation::Invents { caller } => write!(f, "caller {caller} got what nobody could have"),
            Violation::NoResult { caller } => write!(f, "caller {caller} has no result"),
        }
    }
}

/// What the downloads and callers of one schedule did.
#[derive(Debug, Default)]
pub(super) struct Log {
    runs: AtomicU32,
    in_flight: AtomicU32,
    in_flight_max: AtomicU32,
    /// Whose download ran first.
    first: AtomicUsize,
    results: Mutex<BTreeMap<usize, Result<(), String>>>,
}

impl Log {
    /// The download of `caller` begins; says how many have before.
    pub(super) fn begins(&self, caller: usize) -> u32 {
        let before = self.runs.fetch_add(1, Ordering::Relaxed);
        if before == 0 {
            self.first.store(caller, Ordering::Relaxed);
        }
        let in_flight = 1 + self.in_flight.fetch_add(1, Ordering::Relaxed);
        self.in_flight_max.fetch_max(in_flight, Ordering::Relaxed);
        before
    }

    /// A download is over, however it ended.
    pub(super) fn ends(&self) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn returns(&self, caller: usize, result: Result<(), String>) {
        self.results.lock().unwrap_or_else(PoisonError::into_inner).insert(caller, result);
    }

    /// The promise that is broken, where all is over. Caller 0 is the prefetch, the others are the install's; nothing is
    /// owed to who was `struck`.
    pub(super) fn violation(
        &self,
        callers: usize,
        fault: Fault,
        struck: Option<usize>,
        unfinished: Vec<String>,
    ) -> Option<Violation> {
        if !unfinished.is_empty() {
            return Some(Violation::Hangs(unfinished));
        }
        if self.in_flight_max.load(Ordering::Relaxed) > 1 {
            return Some(Violation::TwoAtOnce);
        }
        let runs = self.runs.load(Ordering::Relaxed);
        let again = matches!(fault, Fault::FailsForNow(_) | Fault::LeaderCancelled(_) | Fault::LeaderPanics(_));
        let runs_max = if again { 2 } else { 1 };
        if runs > runs_max {
            return Some(Violation::DownloadsAgain { runs, runs_max });
        }
        let by_prefetch = self.first.load(Ordering::Relaxed) == 0;
        let results = self.results.lock().unwrap_or_else(PoisonError::into_inner);
        (1..callers).filter(|caller| struck != Some(*caller)).find_map(|caller| match (fault, results.get(&caller)) {
            (_, None) => Some(Violation::NoResult { caller }),
            (Fault::FailsForGood(_), Some(Ok(()))) => Some(Violation::Invents { caller }),
            (Fault::FailsForGood(_), Some(Err(_))) | (_, Some(Ok(()))) => None,
            (Fault::FailsForNow(_), Some(Err(_))) => by_prefetch.then_some(Violation::InheritsFailure { caller }),
            (_, Some(Err(error))) => Some(Violation::Fails { caller, error: error.clone() }),
        })
    }
}
