//! The coordination at the level of its locks.
//!
//! `cargo sim` interleaves the installer at its points and awaits. Below that, two threads can meet between any two
//! operations on shared memory. Here the cache's own source, the same file, is compiled against shuttle, which takes
//! over every lock, atomic, map and notification and tries orders of those operations. The contract is the same.

mod rt;

#[path = "../../../installer/src/tarball/mem_cache.rs"]
mod mem_cache;

/// What the cache's source finds beside itself.
mod coordinator {
    pub use installer::tarball::{CacheKey, Caller, Coordinator, Download};
}

/// What the cache's source finds in its crate.
mod registry {
    pub use installer::registry::Demand;
}

use installer::tarball::{Fetched, TarballError};

pub use mem_cache::MemCache;
