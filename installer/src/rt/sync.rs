//! Locks, atomics and the map of the coordination. `sim/lock-level` compiles the cache's source with shuttle's in their place.

pub use std::sync::atomic::{AtomicBool, Ordering};
pub use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// A map whose locks are found by a hash that is quick for URLs, and the same in each run.
pub type DashMap<K, V> = dashmap::DashMap<K, V, foldhash::fast::FixedState>;
