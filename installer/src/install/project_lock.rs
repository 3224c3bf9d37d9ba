//! One install at a time in a project: the others wait, and then find everything done.
//!
//! The lock is on the project's directory itself, so no file has to be there for it, and the system takes it back when its
//! holder ends, however it ends.

use crate::reporter::{ProgressEvent, Reporter, Stage};
use crate::rt::{self, DirLock, Point};
use std::io;
use std::path::Path;
use std::time::Duration;

/// How long to wait before looking again whether the other install has ended.
const PAUSE: Duration = Duration::from_millis(20);

/// The right to change a project; dropped, it goes to whoever waits.
pub(super) struct ProjectLock {
    /// None where directories cannot be locked.
    _dir: Option<DirLock>,
}

impl ProjectLock {
    /// Waits until no other install works in the project at `dir`, however long that takes; says so once.
    pub(super) async fn acquire(dir: &Path, reporter: &dyn Reporter) -> Self {
        let mut told = false;
        loop {
            rt::point(Point::ProjectLock).await;
            let path = dir.to_owned();
            match rt::blocking("lock project", move || rt::try_lock_dir(&path)).await {
                Ok(Some(dir)) => return ProjectLock { _dir: Some(dir) },
                Ok(None) => {}
                // That there is no such directory is found out, and said better, by whoever reads package.json.
                Err(error) if error.kind() == io::ErrorKind::NotFound => return ProjectLock { _dir: None },
                Err(error) => {
                    let message = format!(
                        "{} cannot be locked ({error}): start no other install there before this one has ended",
                        dir.display()
                    );
                    reporter.report(&ProgressEvent::Warning { code: "PROJECT_NOT_LOCKED", message });
                    return ProjectLock { _dir: None };
                }
            }
            if !std::mem::replace(&mut told, true) {
                reporter.report(&ProgressEvent::Stage { stage: Stage::Waiting });
            }
            rt::sleep(PAUSE).await;
        }
    }
}
