//! How much a download is wanted: a prefetch is a hint; what the install waits for goes first.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Shared by a request in the queue for a network permit and those who wait for its result. Cheap to clone.
///
/// Once raised it stays raised: a waiter may so pull a queued prefetch to the front.
#[derive(Debug, Clone)]
pub struct Demand(Arc<AtomicBool>);

impl Demand {
    /// A hint: nobody waits for it yet.
    pub fn prefetch() -> Self {
        Demand(Arc::new(AtomicBool::new(false)))
    }

    /// The install waits for it.
    pub fn install() -> Self {
        Demand(Arc::new(AtomicBool::new(true)))
    }

    /// The install waits for it from now on.
    pub fn raise(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether the install waits for it.
    pub fn is_raised(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}
