//! Each library, used for this as its documentation shows.

use installer::rt::{self, Event, Point};
use installer::tarball::{CacheKey, Caller, Coordinator, Download, Fetched, TarballError};
use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

/// What a caller gets.
type Got = Result<Arc<Fetched>, Arc<TarballError>>;

/// What all these libraries can do: give what is known, or do something to know it.
pub(super) trait Library: Clone + Default + Send + Sync + 'static {
    /// `download` runs where it is needed, and is dropped where it is not.
    fn get(&self, key: &CacheKey, download: impl Future<Output = Got> + Send) -> impl Future<Output = Got> + Send;
}

/// A library as a coordinator. It tells the simulator what every library can be asked to tell.
#[derive(Clone, Default)]
pub(super) struct Foreign<L>(L);

impl<L: Library> Coordinator for Foreign<L> {
    async fn fetch<D: Download>(&self, key: &CacheKey, caller: Caller, download: D) -> Got {
        let download = async {
            rt::event(|| Event::Lead { key: key.to_string() });
            rt::point(Point::LeaderStart).await;
            let result = download.run(caller.demand()).await;
            rt::point(Point::LeaderPublish).await;
            result.map(Arc::new).map_err(Arc::new)
        };
        rt::point(Point::WaiterRegister).await;
        self.0.get(key, download).await
    }

    async fn close(&self) -> usize {
        0
    }
}

/// moka's `try_get_with`.
#[derive(Clone)]
pub(super) struct Moka(moka::future::Cache<CacheKey, Arc<Fetched>>);

impl Default for Moka {
    fn default() -> Self {
        Moka(moka::future::Cache::new(16))
    }
}

impl Library for Moka {
    async fn get(&self, key: &CacheKey, download: impl Future<Output = Got> + Send) -> Got {
        self.0.try_get_with(key.clone(), download).await.map_err(|error| Arc::clone(&*error))
    }
}

/// quick_cache's `get_or_insert_async`.
#[derive(Clone)]
pub(super) struct QuickCache(Arc<quick_cache::sync::Cache<CacheKey, Arc<Fetched>>>);

impl Default for QuickCache {
    fn default() -> Self {
        QuickCache(Arc::new(quick_cache::sync::Cache::new(16)))
    }
}

impl Library for QuickCache {
    async fn get(&self, key: &CacheKey, download: impl Future<Output = Got> + Send) -> Got {
        self.0.get_or_insert_async(key, download).await
    }
}

/// A cell for each key.
type Cells<C> = Arc<Mutex<BTreeMap<CacheKey, Arc<C>>>>;

fn cell<C: Default>(cells: &Cells<C>, key: &CacheKey) -> Arc<C> {
    cells.lock().unwrap_or_else(PoisonError::into_inner).entry(key.clone()).or_default().clone()
}

/// tokio's `OnceCell::get_or_try_init`.
#[derive(Clone, Default)]
pub(super) struct TokioOnceCell(Cells<tokio::sync::OnceCell<Arc<Fetched>>>);

impl Library for TokioOnceCell {
    async fn get(&self, key: &CacheKey, download: impl Future<Output = Got> + Send) -> Got {
        cell(&self.0, key).get_or_try_init(|| download).await.cloned()
    }
}

/// async-once-cell's `OnceCell::get_or_try_init`.
#[derive(Clone, Default)]
pub(super) struct AsyncOnceCell(Cells<async_once_cell::OnceCell<Arc<Fetched>>>);

impl Library for AsyncOnceCell {
    async fn get(&self, key: &CacheKey, download: impl Future<Output = Got> + Send) -> Got {
        cell(&self.0, key).get_or_try_init(download).await.cloned()
    }
}

/// singleflight-async's `work`.
#[derive(Clone, Default)]
pub(super) struct Singleflight(Arc<singleflight_async::SingleFlight<CacheKey, Got>>);

impl Library for Singleflight {
    async fn get(&self, key: &CacheKey, download: impl Future<Output = Got> + Send) -> Got {
        self.0.work(key.clone(), || download).await
    }
}

/// singleflight-async's `work`, in front of a map of what was downloaded.
#[derive(Clone, Default)]
pub(super) struct RememberedSingleflight {
    flights: Singleflight,
    known: Arc<Mutex<BTreeMap<CacheKey, Arc<Fetched>>>>,
}

impl Library for RememberedSingleflight {
    async fn get(&self, key: &CacheKey, download: impl Future<Output = Got> + Send) -> Got {
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let once = async {
            // The flight before this one may have landed since.
            if let Some(fetched) = { known().get(key).cloned() } {
                return Ok(fetched);
            }
            let fetched = download.await?;
            known().insert(key.clone(), fetched.clone());
            Ok(fetched)
        };
        self.flights.get(key, once).await
    }
}

/// uv's `OnceMap`: `register_or_wait`, then `done`.
#[derive(Clone, Default)]
pub(super) struct UvOnceMap(Arc<uv_once_map::OnceMap<CacheKey, Got>>);

impl Library for UvOnceMap {
    async fn get(&self, key: &CacheKey, download: impl Future<Output = Got> + Send) -> Got {
        if let Some(got) = self.0.register_or_wait(key).await {
            return got;
        }
        let got = download.await;
        self.0.done(key.clone(), got.clone());
        got
    }
}
