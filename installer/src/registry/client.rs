//! The client that everything above uses: packuments once per install, tarballs on demand.

use super::demand::Demand;
use super::document::Document;
use super::error::{FetchError, FetchErrorKind};
use super::packument_cache::{CachedPackument, PackumentCache};
use super::packument_request::{Detail, fresh_for, packument_url};
use super::partial::Partial;
use super::permits::{Permit, Permits, Purpose, requests_max};
use super::retry::RetryPolicy;
use super::transport::{Question, Transport, with_decoded};
use crate::config::{ConfigError, Registries, Settings, redact_url};
use crate::package::PackageId;
use crate::reporter::{ProgressEvent, Reporter};
use crate::rt::{self, Point};
use crate::store::StoreDir;
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::{Shared, WeakShared};
use http::{HeaderValue, StatusCode, header};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use url::Url;

/// Asks the registries. Cheap to clone: all clones share connections, permits and packuments.
#[derive(Clone)]
pub struct RegistryClient {
    shared: Arc<Inner>,
}

struct Inner {
    registries: Registries,
    transport: Transport,
    permits: Permits,
    policy: RetryPolicy,
    cache: PackumentCache,
    offline: bool,
    prefers_offline: AtomicBool,
    /// Whether what a registry said to stay right for a while is used for that while.
    trusts_fresh: AtomicBool,
    /// Whether a cached packument was used without asking.
    unasked: AtomicBool,
    reporter: Arc<dyn Reporter>,
    packuments: Mutex<BTreeMap<(String, Detail), PackumentSlot>>,
}

type PackumentResult = Result<Document, Arc<FetchError>>;
type PackumentFuture = Pin<Box<dyn Future<Output = PackumentResult> + Send>>;

enum PackumentSlot {
    /// Lives as long as a caller waits for it.
    InFlight(WeakShared<PackumentFuture>),
    Done(PackumentResult),
}

impl RegistryClient {
    /// A client for one install. Nothing is opened or read yet.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] when the user agent cannot stand in a header.
    pub fn new(settings: &Settings, reporter: Arc<dyn Reporter>) -> Result<Self, ConfigError> {
        let network = &settings.network;
        let user_agent = HeaderValue::from_str(&network.user_agent).map_err(|_| ConfigError::Invalid {
            key: "user-agent".to_owned(),
            origin: "the settings".to_owned(),
            value: network.user_agent.clone(),
            expected: "text without control characters",
        })?;
        let inner = Inner {
            registries: settings.registries.clone(),
            transport: Transport::new(network, settings.auth.clone(), user_agent),
            permits: Permits::new(requests_max(network.network_concurrency, rt::open_files_max())),
            policy: RetryPolicy::new(network),
            cache: PackumentCache::new(StoreDir::new(&settings.store_dir)),
            offline: network.offline,
            prefers_offline: AtomicBool::new(network.prefer_offline),
            trusts_fresh: AtomicBool::new(true),
            unasked: AtomicBool::new(false),
            reporter,
            packuments: Mutex::default(),
        };
        Ok(RegistryClient { shared: Arc::new(inner) })
    }

    /// The registry of a package, by its real name.
    pub fn registry_for(&self, name: &str) -> &Url {
        self.shared.registries.registry_for(name)
    }

    /// How many requests are in flight.
    pub fn permits_in_use(&self) -> usize {
        self.shared.permits.in_use()
    }

    /// How many requests may be in flight.
    pub fn permits_limit(&self) -> usize {
        self.shared.permits.limit()
    }

    /// What is needed of the packument of a package. A registry that knows no abbreviated ones sends the full one.
    ///
    /// One fetch per name, detail and client: callers share it and its result, also when it fails. It ends when the last
    /// caller goes away, and starts anew with the next.
    ///
    /// # Errors
    /// [`FetchError`] once the retries are used up, at once when it is permanent.
    pub async fn packument(&self, name: &str, detail: Detail) -> PackumentResult {
        let fetch = match self.packument_slot(name, detail) {
            Ok(fetch) => fetch,
            Err(done) => return done,
        };
        // `fetch` outlives the answer's way into the slot: nobody finds the slot empty in between.
        let result = fetch.clone().await;
        self.shared.packuments().insert((name.to_owned(), detail), PackumentSlot::Done(result.clone()));
        result
    }

    /// Drops the packuments that have arrived: for the end of resolution. One that is asked for again is fetched again.
    pub fn forget_packuments(&self) {
        let is_done = |slot: &PackumentSlot| matches!(slot, PackumentSlot::Done(_));
        let done: Vec<_> = self.shared.packuments().extract_if(.., |_, slot| is_done(slot)).collect();
        rt::drop_aside(done);
    }

    /// From now on cached packuments are checked with the registry, and what has arrived is forgotten. Whether that may
    /// make a difference: false where none was used without asking.
    pub fn ask_for_every_packument(&self) -> bool {
        self.forget_packuments();
        self.shared.prefers_offline.store(false, Ordering::Relaxed);
        self.shared.trusts_fresh.store(false, Ordering::Relaxed);
        self.shared.unasked.swap(false, Ordering::Relaxed)
    }

    /// Asks for what the registry said to be right for a while all the same: for whoever wants to know what is newest.
    pub fn distrust_fresh_packuments(&self) {
        self.shared.trusts_fresh.store(false, Ordering::Relaxed);
    }

    /// A download of a tarball; nothing is asked yet. `package` is what progress is reported for.
    ///
    /// # Errors
    /// [`FetchError`] when it is no URL to download from, or when this client is offline.
    pub fn tarball(&self, package: &PackageId, url: &str, demand: &Demand) -> Result<TarballFetch, FetchError> {
        let question = Question {
            url: parse(url).map_err(|kind| FetchError::new(url, 0, kind))?,
            accept: "*/*",
            gzip: false,
            if_none_match: None,
            rest: None,
        };
        if self.shared.offline {
            return Err(FetchError::new(url, 0, FetchErrorKind::Offline));
        }
        let attempts = Attempts::new(self.shared.clone(), url);
        let (package, demand, partial) = (package.clone(), demand.clone(), Partial::default());
        Ok(TarballFetch { question, package, demand, attempts, partial })
    }

    /// The fetch to wait for, or what it came to.
    fn packument_slot(&self, name: &str, detail: Detail) -> Result<Shared<PackumentFuture>, PackumentResult> {
        let mut packuments = self.shared.packuments();
        let key = (name.to_owned(), detail);
        let in_flight = match packuments.get(&key) {
            Some(PackumentSlot::Done(result)) => return Err(result.clone()),
            Some(PackumentSlot::InFlight(fetch)) => fetch.upgrade(),
            None => None,
        };
        Ok(in_flight.unwrap_or_else(|| {
            let (shared, fetched) = (self.shared.clone(), name.to_owned());
            let fetch: PackumentFuture =
                Box::pin(async move { shared.fetch_packument(&fetched, detail).await.map_err(Arc::new) });
            let fetch = fetch.shared();
            let weak = fetch.downgrade().expect("a fetch that was never polled is not done");
            packuments.insert(key, PackumentSlot::InFlight(weak));
            fetch
        }))
    }
}

impl std::fmt::Debug for RegistryClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RegistryClient").field("registries", &self.shared.registries).finish_non_exhaustive()
    }
}

/// One download of one tarball: a single ladder of attempts, whoever finds fault with their outcome.
#[derive(Debug)]
pub struct TarballFetch {
    question: Question,
    package: PackageId,
    demand: Demand,
    attempts: Attempts,
    /// What the attempts before have left.
    partial: Partial,
}

impl TarballFetch {
    /// Waits for the right to make an attempt: a permit is held while a request is in flight, never while waiting between
    /// two.
    pub async fn permit(&self) -> Permit {
        rt::point(Point::PermitQueue).await;
        let permit = self.attempts.client.permits.acquire(Purpose::Tarball(&self.demand)).await;
        rt::point(Point::PermitHeld).await;
        permit
    }

    /// One attempt: the bytes, as the registry sent them, not verified. Of a body that broke off only the rest is asked for,
    /// where the registry can do that.
    ///
    /// # Errors
    /// What went wrong; [`failed`](Self::failed) says whether there is another attempt.
    pub async fn attempt(&mut self, permit: Permit) -> Result<Bytes, FetchErrorKind> {
        self.question.rest = self.partial.rest();
        let bytes = self.attempts.client.clone().download(self, permit).await?;
        rt::point(Point::BodyComplete).await;
        Ok(bytes)
    }

    /// Counts an attempt that failed, and waits until there may be another.
    ///
    /// # Errors
    /// [`FetchError`] once the attempts are used up, at once when the failure is permanent.
    pub async fn failed(&mut self, failure: FetchErrorKind) -> Result<(), FetchError> {
        self.attempts.failed(failure).await
    }
}

impl Inner {
    fn packuments(&self) -> MutexGuard<'_, BTreeMap<(String, Detail), PackumentSlot>> {
        self.packuments.lock().expect("nothing panics while it holds this lock")
    }

    async fn fetch_packument(self: Arc<Self>, name: &str, detail: Detail) -> Result<Document, FetchError> {
        let registry = self.registries.registry_for(name);
        let url = packument_url(registry, name).map_err(|kind| FetchError::new(registry.as_str(), 0, kind))?;
        let cache_key = detail.cache_key(&url);
        let cached = self.cache.read(&cache_key).await;
        if self.offline {
            let missing = || FetchError::new(url.as_str(), 0, FetchErrorKind::Offline);
            return cached.map(|(cached, _)| cached.document).ok_or_else(missing);
        }
        if let Some((cached, is_fresh)) = &cached
            && self.need_not_ask(*is_fresh)
        {
            self.unasked.store(true, Ordering::Relaxed);
            return Ok(cached.document.clone());
        }
        let cached = cached.map(|(cached, _)| cached);
        let etag = cached.as_ref().and_then(|cached| HeaderValue::from_str(cached.etag.as_deref()?).ok());
        let question =
            Question { url: url.clone(), accept: detail.accept(), gzip: true, if_none_match: etag, rest: None };
        let mut attempts = Attempts::new(self.clone(), url.as_str());
        loop {
            match self.ask_for_packument(&question, &cache_key, cached.as_ref()).await {
                Ok(document) => return Ok(document),
                Err(failure) => attempts.failed(failure).await?,
            }
        }
    }

    /// Whether a cached packument is used without asking the registry.
    fn need_not_ask(&self, is_fresh: bool) -> bool {
        self.prefers_offline.load(Ordering::Relaxed) || (is_fresh && self.trusts_fresh.load(Ordering::Relaxed))
    }

    /// One attempt at a packument.
    async fn ask_for_packument(
        &self,
        question: &Question,
        cache_key: &str,
        cached: Option<&CachedPackument>,
    ) -> Result<Document, FetchErrorKind> {
        let permit = self.permits.acquire(Purpose::Metadata).await;
        let answer = self.transport.get(question).await?;
        if let (StatusCode::NOT_MODIFIED, Some(cached)) = (answer.status, cached) {
            if cached.fresh_for.is_some() {
                self.cache.renew(cache_key).await;
            }
            return Ok(cached.document.clone());
        }
        let fresh_for = fresh_for(&answer.headers);
        let encoding = answer.headers.get(header::CONTENT_ENCODING).cloned();
        let etag = answer.headers.get(header::ETAG).and_then(|etag| etag.to_str().ok()).map(str::to_owned);
        let body = answer.bytes().await?;
        drop(permit);
        let (cache, cache_key) = (self.cache.clone(), cache_key.to_owned());
        let read = move || {
            let parsed = with_decoded(&body, encoding.as_ref(), Document::parse)?;
            let document = parsed.map_err(|error| FetchErrorKind::Packument(Arc::new(error)))?;
            let packument = CachedPackument { etag, fresh_for, document };
            let written = cache.write(&cache_key, &packument);
            Ok((packument.document, written))
        };
        let (document, written) = rt::blocking("read packument", read).await?;
        if let Err(error) = written {
            self.reporter.report(&ProgressEvent::Warning {
                code: "PACKUMENT_NOT_CACHED",
                message: format!("the packument of {} is not cached: {error}", question.url),
            });
        }
        Ok(document)
    }

    /// One attempt at a tarball.
    async fn download(&self, fetch: &mut TarballFetch, permit: Permit) -> Result<Bytes, FetchErrorKind> {
        let partial = &mut fetch.partial;
        let answer = match self.transport.get(&fetch.question).await {
            Err(FetchErrorKind::Status { status: 416, .. }) if fetch.question.rest.is_some() => {
                partial.forget();
                return Err(FetchErrorKind::Rejected { reason: "the registry has no more of it".to_owned() });
            }
            answer => answer?,
        };
        partial.before(&answer)?;
        let bytes_total = answer.bytes_total().map(|bytes| partial.bytes.len() as u64 + bytes);
        let url = redact_url(&fetch.attempts.url);
        let download = DownloadReport::start(&*self.reporter, &url, &fetch.package, bytes_total);
        let arrived = answer.append_to(&mut partial.bytes, |bytes| download.progress(bytes)).await;
        drop(permit);
        arrived.map(|()| partial.take())
    }
}

/// Tells of one download from its headers to its end, however that comes.
struct DownloadReport<'a> {
    reporter: &'a dyn Reporter,
    url: &'a str,
}

impl<'a> DownloadReport<'a> {
    fn start(reporter: &'a dyn Reporter, url: &'a str, package: &PackageId, bytes_total: Option<u64>) -> Self {
        let (url_owned, package) = (url.to_owned(), package.clone());
        reporter.report(&ProgressEvent::DownloadStarted { url: url_owned, package, bytes_total });
        DownloadReport { reporter, url }
    }

    fn progress(&self, bytes: u64) {
        self.reporter.report(&ProgressEvent::DownloadProgress { url: self.url.to_owned(), bytes });
    }
}

impl Drop for DownloadReport<'_> {
    fn drop(&mut self) {
        self.reporter.report(&ProgressEvent::DownloadEnded { url: self.url.to_owned() });
    }
}

/// The attempts at one URL: counts them, and waits in between.
struct Attempts {
    client: Arc<Inner>,
    url: String,
    made: u32,
}

impl std::fmt::Debug for Attempts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Attempts")
            .field("url", &redact_url(&self.url))
            .field("made", &self.made)
            .finish_non_exhaustive()
    }
}

impl Attempts {
    fn new(client: Arc<Inner>, url: &str) -> Self {
        Attempts { client, url: url.to_owned(), made: 0 }
    }

    /// Waits until the next attempt may start.
    ///
    /// # Errors
    /// The failure itself, when it is final.
    async fn failed(&mut self, failure: FetchErrorKind) -> Result<(), FetchError> {
        self.made += 1;
        let policy = &self.client.policy;
        let Some(delay) = policy.delay_after(self.made, &failure).map(rt::jittered) else {
            return Err(FetchError::new(&self.url, self.made, failure));
        };
        self.client.reporter.report(&ProgressEvent::Retrying {
            url: redact_url(&self.url),
            attempt: self.made,
            attempts_max: policy.attempts_max,
            delay_ms: u64::try_from(delay.as_millis()).unwrap_or(u64::MAX),
            cause: failure.to_string(),
        });
        rt::sleep(delay).await;
        Ok(())
    }
}

fn parse(url: &str) -> Result<Url, FetchErrorKind> {
    let invalid = |reason: String| FetchErrorKind::InvalidUrl { reason };
    let url = Url::parse(url).map_err(|error| invalid(format!("the URL is not valid: {error}")))?;
    match url.scheme() {
        "http" | "https" => Ok(url),
        scheme => Err(invalid(format!("`{scheme}:` URLs cannot be downloaded"))),
    }
}
