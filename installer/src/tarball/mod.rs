//! Tarballs: one download each, verified, extracted into the store.
//!
//! [`mem_cache`] is the coordination and the heart of this project; [`download`] is what its leaders do.

pub mod beside;
pub mod coordinator;
pub mod download;
mod error;
pub mod extract;
pub mod integrity;
mod lookups;
pub mod mem_cache;

pub use beside::Beside;
pub use coordinator::{CacheKey, Caller, Coordinator, Download};
pub use download::{Downloader, Fetched, Origin, Source, TarballRequest};
pub use error::{TarballError, TarballErrorCause};
pub use mem_cache::MemCache;
