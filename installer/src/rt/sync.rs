//! Locks and atomics of the coordination. `sim/lock-level` compiles the cache's source with shuttle's in their place.

pub use std::sync::atomic::{AtomicBool, Ordering};
pub use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
