//! The line between the registry and the machine: how long it takes, and how much goes through.

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};
use tokio::time::Sleep;

/// How many bytes go over a limited line at once.
const PIECE_BYTES: usize = 16 * 1024;

/// A line's latency and bandwidth.
#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Serialize)]
pub struct Link {
    /// How long every answer takes before its first byte, in milliseconds.
    pub latency_ms: u64,
    /// How much goes through, all connections together, in megabits a second. `None`: as much as the machine can.
    pub mbit_per_s: Option<u64>,
}

impl std::fmt::Display for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.mbit_per_s {
            Some(mbit) => write!(f, "{} ms, {mbit} Mbit/s", self.latency_ms),
            None => write!(f, "{} ms, no limit", self.latency_ms),
        }
    }
}

/// The line that all answers share.
#[derive(Clone)]
pub(super) struct Line {
    link: Link,
    /// When it is free again.
    free: Arc<Mutex<Instant>>,
}

impl Line {
    pub fn new(link: Link) -> Line {
        Line { link, free: Arc::new(Mutex::new(Instant::now())) }
    }

    pub async fn wait_latency(&self) {
        if self.link.latency_ms > 0 {
            tokio::time::sleep(Duration::from_millis(self.link.latency_ms)).await;
        }
    }

    pub fn send(&self, bytes: Bytes) -> Paced {
        Paced { line: self.clone(), bytes, waiting: None }
    }

    /// Takes the line for so many bytes; says how long from now until they are through. `None` without a limit.
    fn take(&self, bytes: usize) -> Option<Duration> {
        let mbit_per_s = self.link.mbit_per_s?;
        let needed = Duration::from_nanos(bytes as u64 * 8_000 / mbit_per_s);
        let now = Instant::now();
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        *free = (*free).max(now) + needed;
        Some(*free - now)
    }
}

/// A body that goes over the line.
pub(super) struct Paced {
    line: Line,
    bytes: Bytes,
    waiting: Option<Pin<Box<Sleep>>>,
}

impl Body for Paced {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.bytes.is_empty() {
            return Poll::Ready(None);
        }
        let limited = self.line.link.mbit_per_s.is_some();
        let piece = if limited { PIECE_BYTES.min(self.bytes.len()) } else { self.bytes.len() };
        if limited {
            if self.waiting.is_none() {
                let through = self.line.take(piece).unwrap_or_default();
                self.waiting = Some(Box::pin(tokio::time::sleep(through)));
            }
            if let Some(waiting) = &mut self.waiting {
                ready!(waiting.as_mut().poll(cx));
            }
            self.waiting = None;
        }
        Poll::Ready(Some(Ok(Frame::data(self.bytes.split_to(piece)))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.len() as u64)
    }
}
