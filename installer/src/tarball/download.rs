//! From a URL to files in the store: look in the store, download, verify, extract, queue the index row.
//!
//! Two entries, as in the installer that the bug report is about: [`TarballRequest::run_with_mem_cache`] goes through the
//! coordination, [`TarballRequest::run_without_mem_cache`] does the work itself.

use super::coordinator::{CacheKey, Caller, Coordinator, Download};
use super::error::{TarballError, TarballErrorCause};
use super::{extract, integrity};
use crate::package::PackageId;
use crate::registry::{Demand, RegistryClient};
use crate::rt::{self, Point};
use crate::store::{PackageRow, RowKey, StoreDir, StoreIndex, StoreIndexWriter};
use bytes::Bytes;
use dashmap::DashSet;
use std::sync::{Arc, OnceLock};

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
    index: OnceLock<StoreIndex>,
    /// What came over the network during this install; filled before the row is queued, so that whoever sees the row
    /// committed knows where it came from (pnpm#12235).
    fetched: DashSet<RowKey>,
}

impl Downloader {
    /// Downloads through `registry` into `store`, whose index `writer` keeps.
    pub fn new(registry: RegistryClient, store: StoreDir, writer: StoreIndexWriter) -> Arc<Self> {
        Arc::new(Downloader { registry, store, writer, index: OnceLock::new(), fetched: DashSet::new() })
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

    /// The row of a package's tarball. One whose files are no longer all in the store counts as absent, and so does
    /// another package's, which a wrong integrity leads to: the download then says what is wrong.
    fn committed_row(&self, key: &RowKey, package: &PackageId) -> Result<Option<Arc<PackageRow>>, TarballErrorCause> {
        if self.index.get().is_none() {
            match StoreIndex::open(&self.store).map_err(TarballErrorCause::Index)? {
                None => return Ok(None),
                Some(index) => drop(self.index.set(index)),
            }
        }
        let index = self.index.get().expect("set above, and never taken out");
        let row = index.get(key).map_err(TarballErrorCause::Index)?;
        let whole = |row: &PackageRow| row.manifest.may_be_of(package) && self.store.has_all(&row.files);
        Ok(row.filter(whole).map(Arc::new))
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
}

impl TarballRequest {
    /// Names this tarball in the coordination.
    pub fn cache_key(&self) -> CacheKey {
        CacheKey { url: self.url.clone(), integrity: self.integrity.as_ref().map(ToString::to_string) }
    }

    /// Names this tarball in the store's index.
    pub fn row_key(&self) -> RowKey {
        RowKey::new(&self.url, self.integrity.as_ref())
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
        if let Some(row) = self.find().await? {
            return Ok(Fetched { row, source: self.downloader.source_of(&self.row_key()) });
        }
        let row = Arc::new(self.download(&demand).await?);
        self.downloader.fetched.insert(self.row_key());
        rt::point(Point::FilesWritten).await;
        // A writer that has ended means that the install is over: the files stay, and the row is written another time.
        let _ = self.downloader.writer.queue(self.row_key(), row.clone()).await;
        rt::point(Point::RowQueued).await;
        Ok(Fetched { row, source: Source::Network })
    }

    /// Bytes that do not hash to what was promised count as a failed attempt: a broken proxy or disk may do better next time.
    async fn download(&self, demand: &Demand) -> Result<PackageRow, TarballErrorCause> {
        let fetch = self.downloader.registry.tarball(&self.package, &self.url, demand);
        let mut fetch = fetch.map_err(TarballErrorCause::Fetch)?;
        loop {
            let bytes = fetch.bytes().await.map_err(TarballErrorCause::Fetch)?;
            let error = match self.verify_and_extract(bytes).await {
                Err(TarballErrorCause::Integrity(error)) => error,
                outcome => return outcome,
            };
            if fetch.reject(error.to_string()).await.is_err() {
                return Err(TarballErrorCause::Integrity(error));
            }
        }
    }

    async fn verify_and_extract(&self, bytes: Bytes) -> Result<PackageRow, TarballErrorCause> {
        let (expected, store) = (self.integrity.clone(), self.downloader.store.clone());
        let extract = move || {
            if let Some(expected) = expected {
                integrity::verify(&bytes, &expected).map_err(TarballErrorCause::Integrity)?;
            }
            extract::extract(&bytes, &store).map_err(TarballErrorCause::Extract)
        };
        rt::blocking("extract", extract).await
    }

    async fn find(&self) -> Result<Option<Arc<PackageRow>>, TarballErrorCause> {
        let request = self.clone();
        let look_up = move || request.downloader.committed_row(&request.row_key(), &request.package);
        rt::blocking("look up row", look_up).await
    }

    fn error(&self, cause: TarballErrorCause) -> TarballError {
        TarballError { package: self.package.clone(), url: self.url.clone(), cause }
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
