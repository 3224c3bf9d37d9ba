//! Not a bug of any installer: a coordinator that looks at something no schedule controls, here a counter of the whole process.
//! It shows that a run which cannot be repeated is noticed (exit code 3). Real sources of this kind are threads, addresses and
//! statics; clocks and std's hash seeds are madsim's inside a run.

use installer::rt;
use installer::tarball::{CacheKey, Caller, Coordinator, Download, Fetched, MemCache, TarballError};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

static CALLS: AtomicU64 = AtomicU64::new(0);

/// See the module.
#[derive(Debug, Clone, Default)]
pub struct Unsteady(MemCache);

impl Coordinator for Unsteady {
    async fn fetch<D: Download>(
        &self,
        key: &CacheKey,
        caller: Caller,
        download: D,
    ) -> Result<Arc<Fetched>, Arc<TarballError>> {
        let calls = CALLS.fetch_add(1, Ordering::Relaxed);
        rt::sleep(Duration::from_millis(calls)).await;
        self.0.fetch(key, caller, download).await
    }

    async fn close(&self) -> usize {
        self.0.close().await
    }
}
