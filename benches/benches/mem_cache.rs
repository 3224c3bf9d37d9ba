//! What the coordination costs: one fetch that finds a finished download (hit), one that starts a download (miss), and
//! one that waits for a download in flight (wait), each beside the same download without the cache.

use benches::cost_free::{Instant, key};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use installer::registry::Demand;
use installer::tarball::{Caller, Coordinator, Download, MemCache};
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime;

/// The allocator of the installer's program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn mem_cache(c: &mut Criterion) {
    // One thread: with several, waking a thread that sleeps costs a hundred times what the cache does.
    let runtime = runtime::Builder::new_current_thread().build().expect("a runtime");
    let mut group = c.benchmark_group("mem_cache");
    group.measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_secs(1));

    group.bench_function("uncoordinated", |b| {
        b.to_async(&runtime).iter(|| async { black_box(Instant.run(Demand::install()).await.map(Arc::new)) });
    });

    group.bench_function("hit", |b| {
        let (cache, key) = (MemCache::default(), key(0));
        runtime.block_on(cache.fetch(&key, Caller::Install, Instant)).expect("it succeeds");
        b.to_async(&runtime).iter(|| {
            let (cache, key) = (cache.clone(), key.clone());
            async move { black_box(cache.fetch(&key, Caller::Install, Instant).await) }
        });
    });

    group.bench_function("miss", |b| {
        let fresh = || (MemCache::default(), key(0));
        b.to_async(&runtime).iter_batched(
            fresh,
            |(cache, key)| async move { black_box(cache.fetch(&key, Caller::Install, Instant).await) },
            BatchSize::SmallInput,
        );
    });

    group.bench_function("wait", |b| {
        let fresh = || (MemCache::default(), key(0));
        b.to_async(&runtime).iter_batched(
            fresh,
            |(cache, key)| async move {
                let prefetch = {
                    let (cache, key) = (cache.clone(), key.clone());
                    tokio::spawn(async move { cache.fetch(&key, Caller::Prefetch, Instant).await })
                };
                black_box(cache.fetch(&key, Caller::Install, Instant).await).expect("it succeeds");
                prefetch.await.expect("no panic")
            },
            BatchSize::SmallInput,
        );
    });

    // 500 packages at once, as a cold batch asks for them.
    group.bench_function("cold batch of 500, all prefetched", |b| {
        let cache = MemCache::default();
        let keys: Vec<_> = (0..500).map(key).collect();
        for key in &keys {
            runtime.block_on(cache.fetch(key, Caller::Prefetch, Instant)).expect("it succeeds");
        }
        b.to_async(&runtime).iter(|| {
            let (cache, keys) = (cache.clone(), &keys);
            async move {
                for key in keys {
                    black_box(cache.fetch(key, Caller::Install, Instant).await).expect("it succeeds");
                }
            }
        });
    });
    group.finish();
}

criterion_group!(benches, mem_cache);
criterion_main!(benches);
