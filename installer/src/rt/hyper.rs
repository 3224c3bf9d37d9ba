//! What hyper asks of a runtime, answered by the seam: where to run its tasks, and how to wait.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// Runs hyper's connection tasks.
#[derive(Debug, Clone, Copy)]
pub struct Executor;

impl<F> hyper::rt::Executor<F> for Executor
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, future: F) {
        drop(super::spawn(|| "connection".to_owned(), future));
    }
}

/// Gives hyper its time.
#[derive(Debug, Clone, Copy)]
pub struct Timer;

pin_project_lite::pin_project! {
    struct Sleep { #[pin] inner: tokio::time::Sleep }
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.project().inner.poll(cx)
    }
}

impl hyper::rt::Sleep for Sleep {}

impl hyper::rt::Timer for Timer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn hyper::rt::Sleep>> {
        Box::pin(Sleep { inner: tokio::time::sleep(duration) })
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn hyper::rt::Sleep>> {
        #[allow(clippy::useless_conversion, reason = "madsim's sleep_until takes std's Instant, tokio's its own")]
        let deadline = deadline.into();
        Box::pin(Sleep { inner: tokio::time::sleep_until(deadline) })
    }

    fn now(&self) -> Instant {
        Instant::now()
    }
}
