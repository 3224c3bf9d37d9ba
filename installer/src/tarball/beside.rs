//! Other installs on the same store: a tarball is downloaded by one of them, and the others find it there.
//!
//! A download claims its tarball when it holds a permit and is about to ask the registry. Where another process has it, the
//! permit goes back, and the download waits until that process is done or gone. So no lock is held while its holder waits
//! for a permit, and no permit while its holder waits for a lock. The wait has a bound: a process that was stopped with a
//! lock in its hands costs a second download, never a hang.

use crate::package::PackageId;
use crate::reporter::{ProgressEvent, Reporter};
use crate::rt::{self, Point};
use crate::store::{DownloadLock, DownloadLocks, RowKey, StoreDir};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How long another process may take for one tarball before it is downloaded here too: longer than any download that it is
/// worth waiting for.
pub const WAIT_MAX: Duration = Duration::from_secs(300);

/// How long to wait for another process before the user hears of it.
const TELL_AFTER: Duration = Duration::from_secs(2);

/// How long to wait before looking again whether the other process is done; doubled each time.
const PAUSE_MIN: Duration = Duration::from_millis(2);

/// The longest of these waits.
const PAUSE_MAX: Duration = Duration::from_millis(64);

/// What an install knows of the others on its store.
pub struct Beside {
    locks: Option<Arc<DownloadLocks>>,
    reporter: Arc<dyn Reporter>,
    /// Whether the user knows that the store cannot be locked.
    told: AtomicBool,
    /// Whether the user knows that another process is waited for.
    told_of_waiting: AtomicBool,
}

/// Whose a tarball is to download.
#[derive(Debug)]
pub(super) enum Claim {
    /// Ours; with the lock, where there are locks.
    Ours(Option<DownloadLock>),
    /// Another process's.
    Theirs,
}

/// How long one download has waited for other processes.
#[derive(Debug, Default)]
pub(super) struct Waited(Duration);

impl Beside {
    /// Agrees with the other installs on this store, and learns whether there are any. To be called before the install looks
    /// into the index.
    pub async fn agreeing(store: &StoreDir, reporter: Arc<dyn Reporter>) -> Arc<Self> {
        let locks = DownloadLocks::new(store);
        // Who cannot does not take itself to be alone; what is wrong is told when the first tarball is claimed.
        if locks.come().is_ok() {
            rt::point(Point::StoreEntered).await;
            let _ = locks.look_around();
        }
        Self::new(Some(locks), reporter)
    }

    /// Downloads whatever the others do, as before there was an agreement.
    pub fn regardless(reporter: Arc<dyn Reporter>) -> Arc<Self> {
        Self::new(None, reporter)
    }

    fn new(locks: Option<Arc<DownloadLocks>>, reporter: Arc<dyn Reporter>) -> Arc<Self> {
        Arc::new(Beside { locks, reporter, told: AtomicBool::default(), told_of_waiting: AtomicBool::default() })
    }

    /// Whether downloads are agreed upon.
    pub(super) fn is_agreeing(&self) -> bool {
        self.locks.is_some()
    }

    /// Claims a tarball, where no other install has used the store since this one began. Takes two system calls: it is no
    /// work for another thread.
    pub(super) fn claim_alone(&self, key: &RowKey) -> Option<DownloadLock> {
        self.locks.as_ref()?.try_lock_alone(key)
    }

    /// Claims a tarball, unless another process has it. Blocks for the disk.
    pub(super) fn claim(&self, key: &RowKey) -> Claim {
        let Some(locks) = &self.locks else { return Claim::Ours(None) };
        match locks.try_lock(key) {
            Ok(Some(lock)) => Claim::Ours(Some(lock)),
            Ok(None) => Claim::Theirs,
            Err(error) => {
                if !self.told.swap(true, Ordering::AcqRel) {
                    let message = format!(
                        "the store cannot be locked ({error}): an install beside this one may download the same"
                    );
                    self.reporter.report(&ProgressEvent::Warning { code: "STORE_NOT_LOCKED", message });
                }
                Claim::Ours(None)
            }
        }
    }

    /// Waits until a tarball is nobody else's, or its time is up; says which.
    pub(super) async fn wait(self: &Arc<Self>, key: &RowKey, package: &PackageId, waited: &mut Waited) -> Wait {
        let mut pause = PAUSE_MIN;
        while waited.0 < WAIT_MAX {
            rt::sleep(pause).await;
            waited.0 += pause;
            pause = PAUSE_MAX.min(pause * 2);
            let (beside, key) = (self.clone(), key.clone());
            let theirs = rt::blocking("look at lock", move || matches!(beside.claim(&key), Claim::Theirs)).await;
            if !theirs {
                return Wait::Over;
            }
            if waited.0 >= TELL_AFTER && !self.told_of_waiting.swap(true, Ordering::AcqRel) {
                let message = format!("waiting for another install on this store, which downloads {package}");
                self.reporter.report(&ProgressEvent::Warning { code: "OTHER_INSTALL_BUSY", message });
            }
        }
        let minutes = WAIT_MAX.as_secs() / 60;
        let message =
            format!("another install has been busy with {package} for {minutes} minutes: it is downloaded here too");
        self.reporter.report(&ProgressEvent::Warning { code: "OTHER_INSTALL_SLOW", message });
        Wait::TooLong
    }
}

/// How a wait for another process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    /// The other process is done, or gone.
    Over,
    /// It is not, and has had its time.
    TooLong,
}

impl std::fmt::Debug for Beside {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Beside").field("locks", &self.locks).finish_non_exhaustive()
    }
}
