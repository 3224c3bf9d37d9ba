//! The coordination beside caches that also let one of many callers do the work: what a fetch costs in each, of a value that
//! is there (hit) and of one that is not (miss). Their work costs nothing, and runs in the caller; the coordination gives
//! each download a task of its own, so that a caller that goes away takes nothing with it.
//!
//! Beside them the least: a map alone, in which two callers may do the same work, and a task for each piece of work, without a map.

use benches::cost_free::{Instant, key};
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, criterion_group, criterion_main};
use dashmap::DashMap;
use installer::registry::Demand;
use installer::rt::sync;
use installer::tarball::{CacheKey, Caller, Coordinator, Download, Fetched, MemCache, TarballError};
use std::hint::black_box;
use std::sync::Arc;
use std::time::{self, Duration};
use tokio::runtime::{self, Runtime};
use tokio::sync::OnceCell;

/// How many packages an install has.
const PACKAGES: usize = 500;

/// Enough for none to be evicted.
const CAPACITY: usize = 2 * PACKAGES;

/// The allocator of the installer's program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Fetch = Result<Arc<Fetched>, Arc<TarballError>>;

/// A cache in which the first who asks does the work.
trait Cache: Clone {
    fn fresh() -> Self;
    async fn fetch(&self, key: &CacheKey) -> Fetch;
}

async fn work() -> Fetch {
    Instant.run(Demand::install()).await.map(Arc::new).map_err(Arc::new)
}

impl Cache for MemCache {
    fn fresh() -> Self {
        MemCache::default()
    }

    async fn fetch(&self, key: &CacheKey) -> Fetch {
        Coordinator::fetch(self, key, Caller::Install, Instant).await
    }
}

impl Cache for moka::future::Cache<CacheKey, Arc<Fetched>> {
    fn fresh() -> Self {
        moka::future::Cache::new(CAPACITY as u64)
    }

    async fn fetch(&self, key: &CacheKey) -> Fetch {
        self.try_get_with_by_ref(key, work()).await.map_err(|error| (*error).clone())
    }
}

impl Cache for Arc<quick_cache::sync::Cache<CacheKey, Arc<Fetched>>> {
    fn fresh() -> Self {
        Arc::new(quick_cache::sync::Cache::new(CAPACITY))
    }

    async fn fetch(&self, key: &CacheKey) -> Fetch {
        self.get_or_insert_async(key, work()).await
    }
}

/// What people write who take no cache: a map of cells that are filled once.
type Cells = Arc<DashMap<CacheKey, Arc<OnceCell<Arc<Fetched>>>>>;

impl Cache for Cells {
    fn fresh() -> Self {
        Cells::default()
    }

    async fn fetch(&self, key: &CacheKey) -> Fetch {
        let cell = self.entry(key.clone()).or_default().clone();
        cell.get_or_try_init(work).await.cloned()
    }
}

/// The map that the coordination is built on, by itself: whoever finds nothing does the work, whoever else does it too.
#[derive(Clone, Default)]
struct MapAlone(Arc<sync::DashMap<CacheKey, Arc<Fetched>>>);

impl Cache for MapAlone {
    fn fresh() -> Self {
        Self::default()
    }

    async fn fetch(&self, key: &CacheKey) -> Fetch {
        if let Some(fetched) = self.0.get(key) {
            return Ok(fetched.clone());
        }
        let fetched = work().await?;
        self.0.insert(key.clone(), fetched.clone());
        Ok(fetched)
    }
}

fn measure<C: Cache>(group: &mut BenchmarkGroup<'_, WallTime>, runtime: &Runtime, name: &str) {
    group.bench_function(format!("{name}/hit"), |b| {
        let (cache, key) = (C::fresh(), key(0));
        runtime.block_on(cache.fetch(&key)).expect("it succeeds");
        b.to_async(runtime).iter(|| async { black_box(cache.fetch(&key).await) });
    });
    // As an install fills it.
    let keys: Vec<_> = (0..PACKAGES).map(key).collect();
    let keys = keys.as_slice();
    group.bench_function(format!("{name}/miss"), |b| {
        b.to_async(runtime).iter_custom(|times| async move {
            let (mut left, mut taken) = (times, Duration::ZERO);
            while left > 0 {
                let cache = C::fresh();
                let keys = &keys[..PACKAGES.min(usize::try_from(left).unwrap_or(PACKAGES))];
                let started = time::Instant::now();
                for key in keys {
                    drop(black_box(cache.fetch(key).await));
                }
                taken += started.elapsed();
                left -= keys.len() as u64;
            }
            taken
        });
    });
}

fn caches(c: &mut Criterion) {
    let runtime = runtime::Builder::new_current_thread().build().expect("a runtime");
    let mut group = c.benchmark_group("caches");
    group.measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_secs(1));
    group.bench_function("none", |b| b.to_async(&runtime).iter(|| async { black_box(work().await) }));
    group.bench_function("task", |b| {
        b.to_async(&runtime).iter(|| async { black_box(tokio::spawn(work()).await) });
    });
    measure::<MapAlone>(&mut group, &runtime, "map");
    measure::<MemCache>(&mut group, &runtime, "coordination");
    measure::<moka::future::Cache<CacheKey, Arc<Fetched>>>(&mut group, &runtime, "moka");
    measure::<Arc<quick_cache::sync::Cache<CacheKey, Arc<Fetched>>>>(&mut group, &runtime, "quick_cache");
    measure::<Cells>(&mut group, &runtime, "cells");
    group.finish();
}

criterion_group!(benches, caches);
criterion_main!(benches);
