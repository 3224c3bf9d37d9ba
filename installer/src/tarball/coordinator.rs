//! What the prefetcher and the cold batch ask of a cache of downloads, as one small trait.
//!
//! [`MemCache`](super::MemCache) is the implementation that ships; the simulator runs the whole installer with others,
//! broken ones among them, to show that it notices. Generic, so the real binary pays nothing for it.

use super::{Fetched, TarballError};
use crate::registry::Demand;
use std::fmt;
use std::future::Future;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// Names one download: the tarball's URL and the integrity it must have.
///
/// The integrity is part of the name, so two pins of one URL never share bytes (pnpm#15021). Cheap to clone: the map, the leader and
/// whoever asks have one each.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct CacheKey {
    /// The tarball's URL.
    pub url: Arc<str>,
    /// Its subresource integrity, where known before the download.
    pub integrity: Option<Arc<str>>,
}

impl Hash for CacheKey {
    /// By the URL alone: hardly ever has one URL two integrities.
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.url.hash(state);
    }
}

impl fmt::Display for CacheKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.integrity {
            Some(integrity) => write!(f, "{}#{integrity}", self.url),
            None => f.write_str(&self.url),
        }
    }
}

/// Who asks for a tarball.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// A hint: if it fails, nobody has to know.
    Prefetch,
    /// The install, which cannot go on without it.
    Install,
}

impl Caller {
    /// How much this caller wants its download.
    pub fn demand(self) -> Demand {
        match self {
            Caller::Prefetch => Demand::prefetch(),
            Caller::Install => Demand::install(),
        }
    }
}

/// One way to get a tarball: a retry ladder of its own each time it runs.
pub trait Download: Clone + Send + Sync + 'static {
    /// Names the package in task names and messages: `left-pad@1.3.0`.
    fn name(&self) -> String;

    /// Downloads (or finds in the store), verifies, extracts, and queues the index row.
    fn run(&self, demand: Demand) -> impl Future<Output = Result<Fetched, TarballError>> + Send;

    /// The error for callers whose every leader went away without a result.
    fn lost(&self, reason: String) -> TarballError;
}

/// A cache of downloads that lasts for one install. Clones share it.
pub trait Coordinator: Clone + Send + Sync + 'static {
    /// The tarball's files: at once where they are known, else when their one download is done.
    ///
    /// # Errors
    /// The error of the download that this caller relied on, shared with everybody who relied on it.
    fn fetch<D: Download>(
        &self,
        key: &CacheKey,
        caller: Caller,
        download: D,
    ) -> impl Future<Output = Result<Arc<Fetched>, Arc<TarballError>>> + Send;

    /// Cancels downloads that still run, waits until they are gone, and says how many slots are in progress after that: 0.
    fn close(&self) -> impl Future<Output = usize> + Send;
}
