//! The one seam between the installer and the outside world.
//!
//! Everything that takes time, runs beside something else, or touches the network or the disk goes through here. Real
//! builds get tokio, `std::fs` and rayon (`real`); builds with `--cfg madsim` get whatever the simulator plugs in
//! (`simulated`). Both offer the same names, so no other file of the installer knows which one it has.
//!
//! What is left to others: the HTTP client (`registry`), which is the same code in both builds, above [`connect`].

mod dir;
mod event;
mod hyper;
mod net;
#[cfg(any(madsim, not(target_os = "linux")))]
mod no_owner;
mod point;
mod process;
#[cfg(not(madsim))]
mod real;
#[cfg(madsim)]
pub mod simulated;
pub mod sync;
mod whole;

pub use self::dir::Dir;
pub use self::event::Event;
pub use self::hyper::{Executor, Timer};
pub use self::net::{Addresses, Stream, connect, lookup};
#[cfg(any(madsim, not(target_os = "linux")))]
pub use self::no_owner::{Acting, Owner};
pub use self::point::Point;
pub use self::process::{Process, ProcessEnded};
#[cfg(not(madsim))]
pub use self::real::*;
#[cfg(madsim)]
pub use self::simulated::*;
pub use self::whole::write_whole;

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// Monotonic time; virtual in the simulation.
pub use std::time::Instant;

/// How the names of files and directories begin that are renamed when they are complete. In node_modules, whatever is
/// called so was left by an install that was killed.
pub const TEMPORARY_PREFIX: &str = ".lockstep-tmp-";

/// Waits for `duration`.
pub async fn sleep(duration: Duration) {
    tokio::time::sleep(duration).await;
}

/// `future`, unless `duration` passes first.
///
/// # Errors
/// [`Elapsed`] when the time is up; the future is dropped then.
pub async fn timeout<F: Future>(duration: Duration, future: F) -> Result<F::Output, Elapsed> {
    tokio::time::timeout(duration, future).await.map_err(|_| Elapsed)
}

/// The time given to [`timeout`] is up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("timed out")]
pub struct Elapsed;

/// Why a task gave no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JoinError {
    /// It was aborted, or the runtime went away.
    #[error("the task was cancelled")]
    Cancelled,
    /// It panicked, with this message.
    #[error("the task panicked: {0}")]
    Panicked(String),
}

/// A task that ends with its holder: dropped, it aborts the task.
#[derive(Debug)]
pub struct ScopedTask<T>(JoinHandle<T>);

impl<T> ScopedTask<T> {
    /// Ties a task to the value returned.
    pub fn new(task: JoinHandle<T>) -> Self {
        ScopedTask(task)
    }

    /// Ends the task at its next await.
    pub fn abort(&self) {
        self.0.abort();
    }
}

impl<T> Future for ScopedTask<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx)
    }
}

impl<T> Drop for ScopedTask<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The text of a panic's payload.
pub(crate) fn panic_message(payload: &(dyn std::any::Any + Send)) -> String {
    payload
        .downcast_ref::<&str>()
        .map(ToString::to_string)
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}

/// The result of a task that our own code never aborts: passes a panic on, as if it had happened here.
pub(crate) fn joined<T>(result: Result<T, JoinError>) -> T {
    result.unwrap_or_else(|error| panic!("{error}"))
}

/// Who asks the program to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopSignal {
    /// The user: Ctrl-C, SIGINT.
    Interrupt,
    /// The system or a supervisor: SIGTERM.
    Terminate,
}

/// What a path is, without following a symbolic link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link, whatever it points at.
    Symlink,
}
