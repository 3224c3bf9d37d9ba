//! What goes wrong with the disk, the index and the whole program, as the scenario says.

use super::{Scheduler, install_of};
use crate::disk::{Image, Watch};
use crate::scenario::{Crash, Scenario};
use crate::schedule::{CHANGE, Moment};
use crate::trace::What;
use installer::rt::simulated::BoxFuture;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

/// What can go wrong, and what has.
pub(super) struct Mishaps {
    scenario: Arc<Scenario>,
    /// How often the disk was changed.
    changes: Cell<u64>,
    /// How often the first install did, where it may end before its time.
    own_changes: Cell<u64>,
    /// Task → how often it changed the disk, where the program may end there.
    changes_of: RefCell<BTreeMap<Arc<str>, u32>>,
    written_bytes: Cell<u64>,
    /// How often the database is still to be found busy.
    busy_times: Cell<u32>,
    crash: RefCell<Option<Crashed>>,
    /// Whether the first install was killed, and those beside it go on.
    first_is_gone: Cell<bool>,
    interrupt: tokio::sync::watch::Sender<bool>,
}

/// The program's end before its time.
#[derive(Clone)]
pub struct Crashed {
    /// Before which change of the disk.
    pub at: Moment,
    /// What was on the disk then, where nothing could be cleaned up any more.
    pub left: Option<Image>,
}

impl Mishaps {
    pub(super) fn new(scenario: Arc<Scenario>) -> Self {
        Mishaps {
            changes: Cell::new(0),
            own_changes: Cell::new(0),
            changes_of: RefCell::default(),
            written_bytes: Cell::new(0),
            busy_times: Cell::new(scenario.index.busy_times),
            crash: RefCell::default(),
            first_is_gone: Cell::new(false),
            interrupt: tokio::sync::watch::Sender::new(false),
            scenario,
        }
    }

    /// Where the program ended before its time.
    pub(super) fn crashed_at(&self) -> Option<Moment> {
        self.crash.borrow().as_ref().map(|crashed| crashed.at.clone())
    }

    /// How many changes of the disk there were at which the program may end before its time.
    pub(super) fn changes(&self) -> u64 {
        self.own_changes.get()
    }

    pub(super) fn interrupted(&self) -> BoxFuture {
        let mut interrupt = self.interrupt.subscribe();
        Box::pin(async move {
            // An error would say that the scheduler is gone, which outlives whoever waits here.
            let _ = interrupt.wait_for(|interrupted| *interrupted).await;
        })
    }
}

impl Scheduler {
    /// How the program ended before its time, if it did.
    pub fn crashed(&self) -> Option<Crashed> {
        self.mishaps.crash.borrow().clone()
    }

    /// Whether nothing more can happen.
    pub fn is_dead(&self) -> bool {
        !self.first_is_gone() && self.mishaps.crash.borrow().as_ref().is_some_and(|crashed| crashed.left.is_some())
    }

    /// Whether the first install was killed, and those beside it go on.
    pub(super) fn first_is_gone(&self) -> bool {
        self.mishaps.first_is_gone.get()
    }

    /// Whether the running task was killed: until its turn is over, nothing that it does has an effect.
    fn is_killed(&self) -> bool {
        self.first_is_gone() && install_of(&self.current_name()) == 0
    }

    /// Ends the program before a change of the disk, if this scenario and this schedule do so here. It is the first install
    /// that ends.
    fn maybe_crash(&self) {
        let Mishaps { scenario, crash: crashed, interrupt, changes_of, first_is_gone, .. } = &self.mishaps;
        let Some(crash) = scenario.crash.filter(|_| crashed.borrow().is_none()) else { return };
        let task = self.current_name();
        if install_of(&task) != 0 {
            return;
        }
        let nth = self.mishaps.own_changes.get() + 1;
        self.mishaps.own_changes.set(nth);
        let occurrence = {
            let mut changes_of = changes_of.borrow_mut();
            let count = changes_of.entry(task.clone()).or_default();
            *count += 1;
            *count
        };
        let at = Moment { task, point: CHANGE.into(), occurrence };
        if !self.strategy.borrow_mut().crash(&at, nth) {
            return;
        }
        self.trace.add(&self.current_name(), What::Crashed(crash));
        let left = match crash {
            Crash::Kill => Some(self.disk.image()),
            Crash::PowerLoss => Some(self.disk.image_after_power_loss()),
            Crash::Interrupt => None,
        };
        crashed.replace(Some(Crashed { at, left }));
        match crash {
            Crash::Interrupt => drop(interrupt.send_replace(true)),
            Crash::Kill if scenario.beside > 0 => {
                first_is_gone.set(true);
                self.with_current(|current| current.cancelled = true);
            }
            Crash::Kill | Crash::PowerLoss => {}
        }
    }
}

impl Watch for Scheduler {
    fn before_change(&self, bytes: u64) -> io::Result<()> {
        let nth = self.mishaps.changes.get() + 1;
        self.mishaps.changes.set(nth);
        self.maybe_crash();
        if self.is_killed() {
            return Err(io::Error::other("the program was killed"));
        }
        let Mishaps { scenario, written_bytes: written, .. } = &self.mishaps;
        let faults = &scenario.disk;
        if faults.error_at_change == Some(nth) {
            return Err(io::Error::other("input/output error"));
        }
        let written_bytes = written.get() + bytes;
        if faults.full_after_bytes.is_some_and(|capacity| bytes > 0 && written_bytes > capacity) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        written.set(written_bytes);
        Ok(())
    }

    fn before_locking(&self) -> io::Result<()> {
        if self.mishaps.scenario.disk.no_locks || self.is_killed() {
            return Err(io::ErrorKind::Unsupported.into());
        }
        Ok(())
    }

    fn before_database_opens(&self) -> rusqlite::Result<()> {
        let refused = |code| Err(rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None));
        if self.is_killed() {
            return refused(rusqlite::ffi::SQLITE_IOERR);
        }
        if self.mishaps.scenario.index.read_only {
            return refused(rusqlite::ffi::SQLITE_READONLY);
        }
        match self.mishaps.busy_times.get() {
            0 => Ok(()),
            left => {
                self.mishaps.busy_times.set(left - 1);
                refused(rusqlite::ffi::SQLITE_BUSY)
            }
        }
    }
}
