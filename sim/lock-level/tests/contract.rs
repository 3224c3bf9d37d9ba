//! The contract of the cache under preemption between any two operations on shared memory.

use installer::package::PackageId;
use installer::registry::Demand;
use installer::tarball::{
    CacheKey, Caller, Coordinator, Download, Fetched, Source, TarballError, TarballErrorCause, integrity,
};
use lock_level::MemCache;
use shuttle::future;
use shuttle::scheduler::{PctScheduler, RandomScheduler, UrwRandomScheduler};
use shuttle::sync::Mutex;
use shuttle::sync::atomic::{AtomicU32, Ordering};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How many schedules each scheduler tries.
const SCHEDULES: usize = 4_000;

/// How many preemptions PCT plans for.
const DEPTH: usize = 3;

/// What the first download comes to; later ones succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum First {
    Succeeds,
    FailsForNow,
    FailsForGood,
}

#[derive(Clone)]
struct Scripted {
    first: First,
    runs: Arc<AtomicU32>,
    in_flight: Arc<AtomicU32>,
}

impl Scripted {
    fn new(first: First) -> Self {
        Scripted { first, runs: Arc::default(), in_flight: Arc::default() }
    }

    fn runs(&self) -> u32 {
        self.runs.load(Ordering::SeqCst)
    }
}

/// Counts a download out, however it ends.
struct InFlight(Arc<AtomicU32>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Download for Scripted {
    fn name(&self) -> String {
        "it".to_owned()
    }

    async fn run(&self, _demand: Demand) -> Result<Fetched, TarballError> {
        let run = self.runs.fetch_add(1, Ordering::SeqCst);
        assert_eq!(self.in_flight.fetch_add(1, Ordering::SeqCst), 0, "two downloads run at once");
        let _in_flight = InFlight(self.in_flight.clone());
        future::yield_now().await;
        match self.first {
            First::FailsForNow if run == 0 => Err(self.lost("the network is down".to_owned())),
            First::FailsForGood => {
                let wrong = integrity::verify(b"wrong", &integrity::of(b"right"));
                Err(error(TarballErrorCause::Integrity(wrong.expect_err("these bytes are wrong"))))
            }
            _ => Ok(Fetched { row: Arc::default(), source: Source::Network }),
        }
    }

    fn lost(&self, reason: String) -> TarballError {
        error(TarballErrorCause::Lost(reason))
    }
}

fn error(cause: TarballErrorCause) -> TarballError {
    TarballError { package: PackageId::new("it", "1.0.0"), url: "u".to_owned(), cause }
}

fn key() -> CacheKey {
    CacheKey { url: "u".into(), integrity: None }
}

/// Tries schedules by three strategies. A deadlock, which is what a lost wake-up comes to, panics.
fn under_all(world: fn()) {
    let config = shuttle::Config::default();
    shuttle::Runner::new(RandomScheduler::new(SCHEDULES), config.clone()).run(world);
    shuttle::Runner::new(UrwRandomScheduler::new(SCHEDULES), config.clone()).run(world);
    shuttle::Runner::new(PctScheduler::new(DEPTH, SCHEDULES), config).run(world);
}

/// A prefetch and two callers of the install; the results of the latter.
async fn three_callers<C: Coordinator>(cache: &C, download: &Scripted) -> Vec<Result<(), Arc<TarballError>>> {
    let ask = |caller| {
        let (cache, download) = (cache.clone(), download.clone());
        future::spawn(async move { cache.fetch(&key(), caller, download).await.map(drop) })
    };
    let prefetch = ask(Caller::Prefetch);
    let callers = [ask(Caller::Install), ask(Caller::Install)];
    let mut results = Vec::new();
    for caller in callers {
        results.push(caller.await.expect("no caller panics"));
    }
    let _ = prefetch.await;
    results
}

#[test]
fn one_download_serves_all() {
    under_all(|| {
        future::block_on(async {
            let (cache, download) = (MemCache::default(), Scripted::new(First::Succeeds));
            let results = three_callers(&cache, &download).await;
            assert!(results.iter().all(Result::is_ok));
            assert_eq!(download.runs(), 1);
            assert_eq!(cache.close().await, 0);
        });
    });
}

#[test]
fn a_failure_that_may_pass_is_tried_once_more_and_one_that_will_not_is_shared() {
    under_all(|| {
        future::block_on(async {
            let download = Scripted::new(First::FailsForNow);
            let results = three_callers(&MemCache::default(), &download).await;
            // The install's own failure is final: then nobody leads again.
            assert!(download.runs() <= 2 && results.iter().any(Result::is_ok) == (download.runs() == 2));
        });
    });
    under_all(|| {
        future::block_on(async {
            let download = Scripted::new(First::FailsForGood);
            let results = three_callers(&MemCache::default(), &download).await;
            assert!(download.runs() == 1 && results.iter().all(Result::is_err));
        });
    });
}

#[test]
fn a_caller_that_goes_away_takes_nobody_along() {
    under_all(|| {
        future::block_on(async {
            let (cache, download) = (MemCache::default(), Scripted::new(First::Succeeds));
            let leaves = {
                let (cache, download) = (cache.clone(), download.clone());
                future::spawn(async move { cache.fetch(&key(), Caller::Prefetch, download).await.map(drop) })
            };
            let (again, download_again) = (cache.clone(), download.clone());
            let stays =
                future::spawn(async move { again.fetch(&key(), Caller::Install, download_again).await.map(drop) });
            leaves.abort();
            assert!(stays.await.expect("it does not panic").is_ok());
            assert_eq!(download.runs(), 1);
        });
    });
}

#[test]
fn closing_ends_what_runs_and_leaves_no_slot() {
    under_all(|| {
        future::block_on(async {
            let (cache, download) = (MemCache::default(), Scripted::new(First::Succeeds));
            let (asking, ours) = (cache.clone(), download.clone());
            let prefetch = future::spawn(async move { asking.fetch(&key(), Caller::Prefetch, ours).await.map(drop) });
            assert_eq!(cache.close().await, 0);
            let _ = prefetch.await;
        });
    });
}

/// Looks the key up, and inserts in a second step (pnpm#13166's review): between the two lies no await and no point.
#[derive(Clone, Default)]
struct GetThenInsert(Arc<Mutex<BTreeMap<CacheKey, Arc<Cell>>>>);

type Cell = tokio::sync::OnceCell<Arc<Fetched>>;

impl Coordinator for GetThenInsert {
    async fn fetch<D: Download>(
        &self,
        key: &CacheKey,
        caller: Caller,
        download: D,
    ) -> Result<Arc<Fetched>, Arc<TarballError>> {
        let found = self.0.lock().unwrap().get(key).cloned();
        let cell = match found {
            Some(cell) => cell,
            None => {
                let cell = Arc::new(Cell::new());
                self.0.lock().unwrap().insert(key.clone(), cell.clone());
                cell
            }
        };
        let fetched = cell.get_or_try_init(async || download.run(caller.demand()).await.map(Arc::new)).await;
        fetched.cloned().map_err(Arc::new)
    }

    async fn close(&self) -> usize {
        0
    }
}

#[test]
#[should_panic(expected = "two downloads run at once")]
fn a_race_between_two_lines_is_found() {
    shuttle::check_random(
        || {
            future::block_on(async {
                three_callers(&GetThenInsert::default(), &Scripted::new(First::Succeeds)).await;
            });
        },
        SCHEDULES,
    );
}
