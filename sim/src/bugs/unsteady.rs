//! Not bugs of any installer: coordinators that look at something which no schedule controls. They show that a run which
//! cannot be repeated is noticed (exit code 3).
//!
//! Inside a run std's clocks and hash seeds are madsim's, so reading those is harmless. What is left are the process's own
//! state, the addresses of values, other clocks, and threads, which madsim refuses to start.

use installer::rt;
use installer::tarball::{CacheKey, Caller, Coordinator, Download, Fetched, MemCache, TarballError};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

/// Something that a coordinator might look at, as a number of milliseconds to wait.
pub type Source = fn() -> u64;

/// The installer's own coordination, after a look at a source.
#[derive(Debug, Clone)]
pub struct Unsteady {
    cache: MemCache,
    source: Source,
}

impl Unsteady {
    /// A coordinator that looks at this.
    pub fn new(source: Source) -> Self {
        Unsteady { cache: MemCache::default(), source }
    }
}

impl Coordinator for Unsteady {
    async fn fetch<D: Download>(
        &self,
        key: &CacheKey,
        caller: Caller,
        download: D,
    ) -> Result<Arc<Fetched>, Arc<TarballError>> {
        rt::sleep(Duration::from_millis((self.source)())).await;
        self.cache.fetch(key, caller, download).await
    }

    async fn close(&self) -> usize {
        self.cache.close().await
    }
}

/// What the process has done before.
pub fn process_state() -> u64 {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    CALLS.fetch_add(1, Ordering::Relaxed)
}

/// A clock that is not std's: the kernel's, as it stamps files.
pub fn file_clock() -> u64 {
    let stamped = std::env::temp_dir().join(format!("lockstep-clock-{:?}", std::thread::current().id()));
    let written = std::fs::write(&stamped, "").and_then(|()| std::fs::metadata(&stamped)?.modified());
    let _ = std::fs::remove_file(&stamped);
    let since = written.ok().and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok());
    since.map_or(0, |since| u64::from(since.subsec_nanos()) / 1000 % 97)
}

/// Where a value happens to lie in memory, as in a map that is ordered by pointers.
pub fn address() -> u64 {
    let values: Vec<Box<u64>> = (0..64).map(Box::new).collect();
    let page = |value: &u64| (&raw const *value).addr() as u64 >> 12;
    values.iter().map(|value| page(value)).sum::<u64>() % 97
}

/// A thread of its own.
pub fn thread() -> u64 {
    std::thread::spawn(process_state).join().unwrap_or_default()
}

/// std's clocks and the order of a `HashMap`: the same every time, inside a run.
pub fn of_std() -> u64 {
    let map: HashMap<u64, u64> = (0..16).map(|number| (number, number)).collect();
    let order = map.into_keys().fold(0_u64, |order, key| order.wrapping_mul(31).wrapping_add(key));
    let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.subsec_nanos());
    let steady = Instant::now().elapsed().subsec_nanos();
    (order ^ u64::from(wall) ^ u64::from(steady)) % 97
}
