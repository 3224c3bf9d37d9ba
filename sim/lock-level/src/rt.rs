//! The names of `installer::rt` that the cache uses, on shuttle's tasks.

pub use installer::rt::{Event, Point};

use shuttle::future;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Shuttle's locks and atomics: each of their operations is a point at which another task may go on.
pub mod sync {
    pub use dashmap::DashMap;
    pub use shuttle::sync::atomic::{AtomicBool, Ordering};
    pub use shuttle::sync::{Mutex, MutexGuard};
    pub use std::sync::{Arc, PoisonError};

    /// What is set once. Shuttle has none of its own: a lock of shuttle's makes each look at it, and its setting, a point.
    #[derive(Debug)]
    pub struct OnceLock<T> {
        point: Mutex<()>,
        value: std::sync::OnceLock<T>,
    }

    impl<T> OnceLock<T> {
        /// Nothing yet.
        pub fn new() -> Self {
            OnceLock { point: Mutex::new(()), value: std::sync::OnceLock::new() }
        }

        /// What it was set to.
        pub fn get(&self) -> Option<&T> {
            drop(self.point.lock());
            self.value.get()
        }

        /// Sets it; gives the value back where it is set.
        pub fn set(&self, value: T) -> Result<(), T> {
            drop(self.point.lock());
            self.value.set(value)
        }
    }
}

/// Why a task gave no result.
#[derive(Debug)]
pub struct JoinError;

/// A running task. Dropping it lets the task go on.
#[derive(Debug)]
pub struct JoinHandle<T>(future::JoinHandle<T>);

impl<T> JoinHandle<T> {
    /// Ends the task at its next await.
    pub fn abort(&self) {
        self.0.abort();
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map_err(|_| JoinError)
    }
}

/// Runs `future` as a task of its own.
pub fn spawn<F>(_name: impl FnOnce() -> String, future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    JoinHandle(future::spawn(future))
}

/// Shuttle chooses its own points.
pub async fn point(_point: Point) {}

/// Nobody listens.
pub fn event(_event: impl FnOnce() -> Event) {}
