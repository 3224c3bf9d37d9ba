//! The contract of `tarball::mem_cache`, clause by clause, on real threads. The simulator proves it under chosen schedules.

use installer::package::PackageId;
use installer::registry::Demand;
use installer::tarball::{
    CacheKey, Caller, Coordinator, Download, Fetched, MemCache, Source, TarballError, TarballErrorCause,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::{Notify, Semaphore};

/// What one run of a scripted download does.
#[derive(Clone, Copy)]
enum Step {
    Succeed,
    FailForNow,
    FailForGood,
    Panic,
}

/// A download that waits at a gate, then does the next step of its script; the last step repeats.
#[derive(Clone)]
struct Scripted {
    steps: Arc<Vec<Step>>,
    runs: Arc<AtomicUsize>,
    gate: Arc<Semaphore>,
    started: Arc<Notify>,
    demand_seen: Arc<AtomicUsize>,
}

impl Scripted {
    fn new(steps: &[Step], open: bool) -> Self {
        Scripted {
            steps: Arc::new(steps.to_vec()),
            runs: Arc::default(),
            gate: Arc::new(Semaphore::new(if open { Semaphore::MAX_PERMITS } else { 0 })),
            started: Arc::default(),
            demand_seen: Arc::default(),
        }
    }

    fn open(&self) {
        self.gate.add_permits(1000);
    }

    fn runs(&self) -> usize {
        self.runs.load(Ordering::SeqCst)
    }
}

impl Download for Scripted {
    fn name(&self) -> String {
        "scripted@1.0.0".to_owned()
    }

    async fn run(&self, demand: Demand) -> Result<Fetched, TarballError> {
        let run = self.runs.fetch_add(1, Ordering::SeqCst);
        self.started.notify_one();
        self.gate.acquire().await.expect("never closed").forget();
        if demand.is_raised() {
            self.demand_seen.fetch_add(1, Ordering::SeqCst);
        }
        match self.steps[run.min(self.steps.len() - 1)] {
            Step::Succeed => Ok(Fetched { row: Arc::default(), source: Source::Network }),
            Step::FailForNow => Err(error(TarballErrorCause::Lost("the network is down".to_owned()))),
            Step::FailForGood => Err(error(TarballErrorCause::Integrity(
                installer::tarball::integrity::verify(b"wrong", &installer::tarball::integrity::of(b"right"))
                    .unwrap_err(),
            ))),
            Step::Panic => panic!("planted"),
        }
    }

    fn lost(&self, reason: String) -> TarballError {
        error(TarballErrorCause::Lost(reason))
    }
}

fn error(cause: TarballErrorCause) -> TarballError {
    TarballError { package: PackageId::new("scripted", "1.0.0"), url: "u".to_owned(), cause }
}

fn key(integrity: &str) -> CacheKey {
    CacheKey { url: "u".into(), integrity: Some(integrity.into()) }
}

/// `callers` of the install and nobody else; each one's result.
async fn fetch_together(
    cache: &MemCache,
    download: &Scripted,
    callers: usize,
) -> Vec<Result<Arc<Fetched>, Arc<TarballError>>> {
    let tasks: Vec<_> = (0..callers)
        .map(|_| {
            let (cache, download) = (cache.clone(), download.clone());
            tokio::spawn(async move { cache.fetch(&key("a"), Caller::Install, download).await })
        })
        .collect();
    let mut results = Vec::new();
    for task in tasks {
        results.push(task.await.expect("a caller never panics"));
    }
    results
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_callers_one_download() {
    for _ in 0..200 {
        let (cache, download) = (MemCache::default(), Scripted::new(&[Step::Succeed], true));
        let results = fetch_together(&cache, &download, 16).await;
        assert!(results.iter().all(Result::is_ok));
        assert_eq!(download.runs(), 1);
    }
}

#[tokio::test]
async fn two_integrities_of_one_url_are_two_downloads() {
    let (cache, download) = (MemCache::default(), Scripted::new(&[Step::Succeed], true));
    cache.fetch(&key("a"), Caller::Install, download.clone()).await.unwrap();
    cache.fetch(&key("b"), Caller::Install, download.clone()).await.unwrap();
    assert_eq!(download.runs(), 2);
}

#[tokio::test]
async fn a_caller_that_goes_away_does_not_cancel_the_download() {
    let (cache, download) = (MemCache::default(), Scripted::new(&[Step::Succeed], false));
    let first = tokio::spawn({
        let (cache, download) = (cache.clone(), download.clone());
        async move { cache.fetch(&key("a"), Caller::Prefetch, download).await }
    });
    download.started.notified().await;
    first.abort();
    let key = key("a");
    let second = cache.fetch(&key, Caller::Install, download.clone());
    download.open();
    second.await.unwrap();
    assert_eq!(download.runs(), 1);
}

#[tokio::test]
async fn a_permanent_failure_reaches_everybody_and_is_tried_once() {
    let (cache, download) = (MemCache::default(), Scripted::new(&[Step::FailForGood], true));
    let results = fetch_together(&cache, &download, 8).await;
    assert!(results.iter().all(Result::is_err));
    assert_eq!(download.runs(), 1);
}

#[tokio::test]
async fn a_failed_prefetch_is_tried_once_more_by_the_install() {
    let (cache, download) = (MemCache::default(), Scripted::new(&[Step::FailForNow, Step::Succeed], true));
    cache.fetch(&key("a"), Caller::Prefetch, download.clone()).await.unwrap_err();
    let results = fetch_together(&cache, &download, 8).await;
    assert!(results.iter().all(Result::is_ok));
    assert_eq!(download.runs(), 2);
}

#[tokio::test]
async fn the_installs_own_failure_is_shared_and_not_repeated_by_each_waiter() {
    let (cache, download) = (MemCache::default(), Scripted::new(&[Step::FailForNow], true));
    let results = fetch_together(&cache, &download, 8).await;
    assert!(results.iter().all(Result::is_err));
    assert_eq!(download.runs(), 1);
}

#[tokio::test]
async fn after_a_panic_exactly_one_waiter_takes_over() {
    let (cache, download) = (MemCache::default(), Scripted::new(&[Step::Panic, Step::Succeed], true));
    let results = fetch_together(&cache, &download, 8).await;
    assert!(results.iter().all(Result::is_ok));
    assert_eq!(download.runs(), 2);
}

#[tokio::test]
async fn leaders_that_always_panic_are_not_tried_for_ever() {
    let (cache, download) = (MemCache::default(), Scripted::new(&[Step::Panic], true));
    let results = fetch_together(&cache, &download, 8).await;
    assert!(
        results.iter().all(|result| result.as_ref().is_err_and(|error| error.to_string().contains("scripted@1.0.0")))
    );
    assert!(download.runs() <= 10, "{} runs for 8 callers", download.runs());
}

#[tokio::test]
async fn a_waiter_of_the_install_raises_a_prefetchs_demand() {
    let (cache, download) = (MemCache::default(), Scripted::new(&[Step::Succeed], false));
    let prefetch = tokio::spawn({
        let (cache, download) = (cache.clone(), download.clone());
        async move { cache.fetch(&key("a"), Caller::Prefetch, download).await }
    });
    download.started.notified().await;
    let install = tokio::spawn({
        let (cache, download) = (cache.clone(), download.clone());
        async move { cache.fetch(&key("a"), Caller::Install, download).await }
    });
    tokio::task::yield_now().await;
    download.open();
    prefetch.await.unwrap().unwrap();
    install.await.unwrap().unwrap();
    assert_eq!(download.demand_seen.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn close_ends_what_nobody_needed() {
    let (cache, download) = (MemCache::default(), Scripted::new(&[Step::Succeed], false));
    let prefetch = tokio::spawn({
        let (cache, download) = (cache.clone(), download.clone());
        async move { cache.fetch(&key("a"), Caller::Prefetch, download).await }
    });
    download.started.notified().await;
    assert_eq!(cache.close().await, 0);
    prefetch.await.unwrap().unwrap_err();
    assert_eq!(download.runs(), 1);
}
