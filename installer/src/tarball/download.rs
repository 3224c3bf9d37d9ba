//! From a URL to files in the store: look in the store, download, verify, extract, queue the index row.
//!
//! Two entries, as in the installer that the bug report is about: [`TarballRequest::run_with_mem_cache`] goes through the
//! coordination, [`TarballRequest::run_without_mem_cache`] does the work itself.

use super::beside::{Beside, Wait, Waited};
use super::coordinator::{CacheKey, Caller, Coordinator, Download};
use super::error::{TarballError, TarballErrorCause};
use super::integrity::IntegrityError;
use super::lookups::{Before, Lookups, Turn};
use super::{extract, integrity};
use crate::config::TarballLimits;
use crate::git;
use crate::package::PackageId;
use crate::registry::{Demand, FetchErrorKind, Permit, RegistryClient, TarballFetch};
use crate::rt::{self, Event, Point};
use crate::store::{DownloadLock, PackageRow, QueuedRow, RowKey, StoreDir, StoreIndexWriter};
use bytes::Bytes;
use dashmap::DashSet;
use std::path::PathBuf;
use std::sync::Arc;

/// A tarball's files, and how they came here.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// Its manifest and its files, all of them in the store.
    pub row: Arc<PackageRow>,
    /// Where this install got them from.
    pub source: Source,
}

/// Where an install got a tarball's files from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// They were downloaded during this install.
    Network,
    /// They were in the store before.
    Store,
}

/// What every download of one install shares. Lives in an [`Arc`].
#[derive(Debug)]
pub struct Downloader {
    registry: RegistryClient,
    store: StoreDir,
    writer: StoreIndexWriter,
    beside: Arc<Beside>,
    limits: TarballLimits,
    /// Whether there was an index when the install began.
    has_index: bool,
    lookups: Lookups,
    /// What came over the network during this install; filled before the row is queued, so that whoever sees the row
    /// committed knows where it came from (pnpm#12235).
    fetched: DashSet<RowKey>,
}

impl Downloader {
    /// Downloads through `registry` into `store`, whose index `writer` keeps, and which it shares with installs `beside`.
    pub fn new(
        registry: RegistryClient,
        store: StoreDir,
        writer: StoreIndexWriter,
        beside: Arc<Beside>,
        limits: TarballLimits,
    ) -> Arc<Self> {
        let has_index = rt::fs::exists(&store.index_path());
        let lookups = Lookups::start(store.clone(), beside.clone());
        Arc::new(Downloader { registry, store, writer, beside, limits, has_index, lookups, fetched: DashSet::new() })
    }

    /// The store that downloads go to.
    pub fn store(&self) -> &StoreDir {
        &self.store
    }

    /// The registry that downloads come from.
    pub fn registry(&self) -> &RegistryClient {
        &self.registry
    }

    /// Where this install got the files of a committed row from.
    pub fn source_of(&self, key: &RowKey) -> Source {
        if self.fetched.contains(key) { Source::Network } else { Source::Store }
    }

    /// Whether this install has written the files of a row, or has looked whether they are all there: nobody needs to look
    /// again.
    pub fn knows_whole(&self, key: &RowKey) -> bool {
        self.fetched.contains(key) || self.found(key).is_some()
    }

    /// A committed row that this install has come across: it need not be read again.
    pub fn found(&self, key: &RowKey) -> Option<Arc<PackageRow>> {
        self.lookups.whole(key)
    }

    /// Tells that the files of a committed row are all there, for whoever is about to look.
    pub fn note_whole(&self, key: RowKey, row: Arc<PackageRow>) {
        self.lookups.note_whole(key, row);
    }

    /// Ends what belongs to the downloads. Comes when they have ended.
    pub async fn finish(&self) {
        self.lookups.finish().await;
    }
}

/// One package's tarball, and all that is needed to get it. Cheap to clone.
#[derive(Debug, Clone)]
pub struct TarballRequest {
    /// What all downloads share.
    pub downloader: Arc<Downloader>,
    /// Whose tarball it is.
    pub package: PackageId,
    /// Where it is.
    pub url: String,
    /// What it must hash to, where known.
    pub integrity: Option<ssri::Integrity>,
    /// Who vouches for the URL.
    pub origin: Origin,
    /// Whether whoever asks has looked into the index just before, and it was not there.
    pub missed: bool,
    key: RowKey,
}

/// Who vouches for a tarball's URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A registry: what it once served under a URL stays.
    Registry,
    /// Nobody: without an integrity, the store does not know whether it has what is there now.
    Elsewhere,
    /// It is a file of this machine, and the URL only names it.
    File(PathBuf),
}

impl TarballRequest {
    /// A request of somebody who has not looked into the index.
    pub fn new(
        downloader: Arc<Downloader>,
        package: PackageId,
        url: String,
        integrity: Option<ssri::Integrity>,
        origin: Origin,
    ) -> Self {
        let key = RowKey::new(&url, integrity.as_ref());
        TarballRequest { downloader, package, url, integrity, origin, missed: false, key }
    }

    /// Names this tarball in the coordination.
    pub fn cache_key(&self) -> CacheKey {
        let integrity = self.integrity.as_ref().map(|integrity| integrity.to_string().into());
        CacheKey { url: self.url.as_str().into(), integrity }
    }

    /// Names this tarball in the store's index.
    pub fn row_key(&self) -> &RowKey {
        &self.key
    }

    /// Takes a finished download at once, waits for the one that runs, or starts it.
    ///
    /// # Errors
    /// The error of the download, shared with everybody who relied on it.
    pub async fn run_with_mem_cache<C: Coordinator>(
        self,
        cache: &C,
        caller: Caller,
    ) -> Result<Arc<Fetched>, Arc<TarballError>> {
        cache.fetch(&self.cache_key(), caller, self).await
    }

    /// Finds it in the store, or downloads it whatever others do.
    ///
    /// # Errors
    /// When the registry, the bytes, the archive or the disk is at fault; nothing is in the index then.
    pub async fn run_without_mem_cache(&self, demand: Demand) -> Result<Fetched, TarballError> {
        self.find_or_download(demand).await.map_err(|cause| self.error(cause))
    }

    async fn find_or_download(&self, demand: Demand) -> Result<Fetched, TarballErrorCause> {
        let agrees = self.downloader.beside.is_agreeing();
        // Who agrees with others looks again when it is its turn: a look that finds nothing is left to that one.
        let finds_nothing = agrees && (self.missed || !self.downloader.has_index);
        if !self.may_be_stale()
            && !finds_nothing
            && let Turn::Found(row) = self.look(Before::Look).await?
        {
            return Ok(self.found(row));
        }
        if let Origin::File(path) = &self.origin {
            let path = path.clone();
            let read = move || rt::fs::read(&path).map_err(|source| TarballErrorCause::Unreadable { path, source });
            let row = self.verify_and_extract(rt::blocking("read tarball", read).await?.into()).await?;
            return Ok(self.publish(row, None).await);
        }
        let fetch = self.downloader.registry.tarball(&self.package, &self.url, &demand);
        let mut fetch = fetch.map_err(TarballErrorCause::Fetch)?;
        let mut waited = agrees.then(Waited::default);
        loop {
            let permit = fetch.permit().await;
            let lock = match self.claim(waited.is_some()).await? {
                Turn::Found(row) => return Ok(self.found(row)),
                Turn::Download(lock) => lock,
                Turn::Wait => {
                    drop(permit);
                    waited = self.wait_for_other(waited).await;
                    continue;
                }
            };
            match self.attempt(&mut fetch, permit).await? {
                Ok(row) => return Ok(self.publish(row, lock).await),
                Err(failure) => {
                    // Whoever else wants it may try while this one waits for its next attempt.
                    drop(lock);
                    failure.try_again(&mut fetch).await?;
                }
            }
        }
    }

    /// One attempt, and what another one may mend.
    async fn attempt(
        &self,
        fetch: &mut TarballFetch,
        permit: Permit,
    ) -> Result<Result<PackageRow, Failure>, TarballErrorCause> {
        let bytes = match fetch.attempt(permit).await {
            Ok(bytes) => bytes,
            Err(failure) => return Ok(Err(Failure::Fetch(failure))),
        };
        match self.verify_and_extract(bytes).await {
            Err(TarballErrorCause::Integrity(error)) => Ok(Err(Failure::WrongBytes(error))),
            outcome => outcome.map(Ok),
        }
    }

    /// Whether what the store has under this name may be other bytes than those that are there now.
    fn may_be_stale(&self) -> bool {
        self.origin != Origin::Registry && self.integrity.is_none()
    }

    /// Whose turn it is to download this tarball, of all installs on this store; whoever had it last may have left it there.
    async fn claim(&self, agreeing: bool) -> Result<Turn, TarballErrorCause> {
        if !agreeing {
            return Ok(Turn::Download(None));
        }
        let before = if self.may_be_stale() { Before::ClaimUnseen } else { Before::Claim };
        let turn = match self.claim_alone() {
            Some(lock) => Turn::Download(Some(lock)),
            None => self.look(before).await?,
        };
        if let Turn::Download(Some(_)) = turn {
            rt::point(Point::LockHeld).await;
        }
        Ok(turn)
    }

    /// Claims this tarball, where nobody can have put it into the store since this install looked for it.
    fn claim_alone(&self) -> Option<DownloadLock> {
        let is_new = !self.downloader.fetched.contains(self.row_key());
        is_new.then(|| self.downloader.beside.claim_alone(self.row_key())).flatten()
    }

    /// Waits for the install that downloads this tarball; gives no patience back when that takes too long.
    async fn wait_for_other(&self, waited: Option<Waited>) -> Option<Waited> {
        rt::point(Point::LockBusy).await;
        rt::event(|| Event::WaitForOther { key: self.cache_key().to_string() });
        let mut waited = waited?;
        let wait = self.downloader.beside.wait(self.row_key(), &self.package, &mut waited).await;
        rt::event(|| Event::Woken { key: self.cache_key().to_string() });
        (wait == Wait::Over).then_some(waited)
    }

    fn found(&self, row: Arc<PackageRow>) -> Fetched {
        Fetched { row, source: self.downloader.source_of(self.row_key()) }
    }

    async fn publish(&self, row: PackageRow, lock: Option<DownloadLock>) -> Fetched {
        let row = Arc::new(row);
        self.downloader.fetched.insert(self.row_key().clone());
        rt::point(Point::FilesWritten).await;
        let queued = QueuedRow { key: self.row_key_of(&row), row: row.clone(), lock };
        // A writer that has ended means that the install is over: the files stay, and the row is written another time.
        let _ = self.downloader.writer.queue(queued).await;
        rt::point(Point::RowQueued).await;
        Fetched { row, source: Source::Network }
    }

    /// Where the row of a new tarball goes: under its hash, unless a registry vouches for the URL.
    fn row_key_of(&self, row: &PackageRow) -> RowKey {
        let computed = row.integrity.as_deref().filter(|_| self.origin != Origin::Registry);
        let integrity = computed.and_then(|integrity| integrity::parse(integrity).ok());
        integrity.map_or_else(|| self.row_key().clone(), |integrity| RowKey::new(&self.url, Some(&integrity)))
    }

    async fn verify_and_extract(&self, bytes: Bytes) -> Result<PackageRow, TarballErrorCause> {
        let (expected, store, limits) = (self.integrity.clone(), self.downloader.store.clone(), self.downloader.limits);
        let expected_is_known = expected.is_some();
        let extract = if git::is_archive(&self.url) { extract::extract_archive } else { extract::extract };
        let verify_and_extract = move || {
            if let Some(expected) = expected {
                integrity::verify(&bytes, &expected).map_err(TarballErrorCause::Integrity)?;
            }
            let computed = (!expected_is_known).then(|| integrity::of(&bytes).to_string());
            let row = extract(&bytes, &store, limits).map_err(TarballErrorCause::Extract)?;
            Ok(PackageRow { integrity: computed, ..row })
        };
        rt::blocking("extract", verify_and_extract).await
    }

    async fn look(&self, before: Before) -> Result<Turn, TarballErrorCause> {
        let looked = self.downloader.lookups.ask(self.row_key().clone(), &self.package, before).await;
        looked.map_err(TarballErrorCause::Index)
    }

    fn error(&self, cause: TarballErrorCause) -> TarballError {
        TarballError { package: self.package.clone(), url: self.url.clone(), cause }
    }
}

/// A failed attempt that another one may mend. Bytes that do not hash to what was promised are one: a broken proxy or disk
/// may do better next time.
enum Failure {
    Fetch(FetchErrorKind),
    WrongBytes(IntegrityError),
}

impl Failure {
    /// Waits until there may be another attempt.
    async fn try_again(self, fetch: &mut TarballFetch) -> Result<(), TarballErrorCause> {
        match self {
            Failure::Fetch(failure) => fetch.failed(failure).await.map_err(TarballErrorCause::Fetch),
            Failure::WrongBytes(error) => {
                let rejected = FetchErrorKind::Rejected { reason: error.to_string() };
                fetch.failed(rejected).await.map_err(|_| TarballErrorCause::Integrity(error))
            }
        }
    }
}

impl Download for TarballRequest {
    fn name(&self) -> String {
        self.package.to_string()
    }

    async fn run(&self, demand: Demand) -> Result<Fetched, TarballError> {
        self.run_without_mem_cache(demand).await
    }

    fn lost(&self, reason: String) -> TarballError {
        self.error(TarballErrorCause::Lost(reason))
    }
}
