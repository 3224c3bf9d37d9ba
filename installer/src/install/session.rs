//! What the stages of one install share, and how it ends.

use super::{CoordinationMode, InstallError, InstallOptions, Residue, Summary};
use crate::git::RemoteRefs;
use crate::lockfile::Platform;
use crate::registry::RegistryClient;
use crate::reporter::{ProgressEvent, Reporter};
use crate::resolve::{Dispensable, PrefetchingResolver};
use crate::rt;
use crate::store::{StoreDir, StoreIndexWriter, WriterHandle, WriterSettings};
use crate::tarball::{Beside, Coordinator, Downloader};
use crate::virtual_store::shared::name::dir_of_package;
use crate::virtual_store::{Coordination, Importer, Layout};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

/// One install's registry, store, writer and coordination.
pub(super) struct Session<C: Coordinator> {
    pub(super) options: InstallOptions,
    pub(super) platform: Platform,
    pub(super) downloader: Arc<Downloader>,
    pub(super) coordination: Coordination<C>,
    pub(super) importer: Arc<Importer>,
    pub(super) prefetcher: PrefetchingResolver<C>,
    pub(super) reporter: Arc<dyn Reporter>,
    /// Tarballs, by their URLs, that this install asked for without an integrity: whoever asks for one again has to ask the same.
    unpinned: Mutex<BTreeSet<String>>,
    /// What git said of a repository, by its URL: who asks for it again has to hear the same.
    remote_refs: Mutex<BTreeMap<String, Arc<RemoteRefs>>>,
    writer: StoreIndexWriter,
    writer_handle: WriterHandle,
}

impl<C: Coordinator> Session<C> {
    /// Sets the store and the registry client up; nothing is downloaded yet.
    pub(super) async fn open(
        options: InstallOptions,
        layout: &Layout,
        cache: C,
        reporter: Arc<dyn Reporter>,
    ) -> Result<Self, InstallError> {
        let store = StoreDir::new(&options.settings.store_dir);
        store.create().map_err(|source| super::ProjectError::store(store.root(), source))?;
        let registry = RegistryClient::new(&options.settings, reporter.clone())?;
        if options.edit.is_some() {
            // Whoever adds or updates wants what is newest.
            registry.distrust_fresh_packuments();
        }
        let writer_settings = WriterSettings { commit_lag: options.commit_lag };
        let (writer, writer_handle) = StoreIndexWriter::start(store.clone(), writer_settings);
        let shared = options.coordination == CoordinationMode::Shared;
        let beside = match shared {
            true => Beside::agreeing(&store, reporter.clone()).await,
            false => Beside::regardless(reporter.clone()),
        };
        let downloader = Downloader::new(registry, store.clone(), writer.clone(), beside, options.settings.tarballs);
        let platform = Platform::supported(&options.settings.project.supported_architectures);
        let dispensable = dispensable(&options, &store);
        Ok(Session {
            prefetcher: PrefetchingResolver::new(
                downloader.clone(),
                cache.clone(),
                platform.clone(),
                dispensable,
                reporter.clone(),
            ),
            coordination: Coordination { store, cache, shared },
            importer: Arc::new(match options.force {
                true => Importer::replacing(),
                false => Importer::new(&layout.modules_dir),
            }),
            options,
            platform,
            downloader,
            reporter,
            unpinned: Mutex::default(),
            remote_refs: Mutex::default(),
            writer,
            writer_handle,
        })
    }

    /// Remembers that a tarball was asked for without an integrity.
    pub(super) fn note_unpinned(&self, url: &str) {
        self.unpinned.lock().unwrap_or_else(PoisonError::into_inner).insert(url.to_owned());
    }

    /// Whether a tarball was asked for without an integrity.
    pub(super) fn is_unpinned(&self, url: &str) -> bool {
        self.unpinned.lock().unwrap_or_else(PoisonError::into_inner).contains(url)
    }

    /// What git said of a repository during this install.
    pub(super) fn remote_refs(&self, remote: &str) -> Option<Arc<RemoteRefs>> {
        self.remote_refs.lock().unwrap_or_else(PoisonError::into_inner).get(remote).cloned()
    }

    /// Remembers what git said of a repository, unless it is known by now; gives what holds.
    pub(super) fn note_remote_refs(&self, remote: &str, refs: RemoteRefs) -> Arc<RemoteRefs> {
        let mut known = self.remote_refs.lock().unwrap_or_else(PoisonError::into_inner);
        known.entry(remote.to_owned()).or_insert_with(|| Arc::new(refs)).clone()
    }

    /// Tells people something.
    pub(super) fn report(&self, event: ProgressEvent) {
        self.reporter.report(&event);
    }

    /// Ends what nobody needed, then commits the rows that are queued. Runs after success and failure alike.
    pub(super) async fn close(self, installed: Result<Summary, InstallError>) -> Result<Summary, InstallError> {
        self.prefetcher.stop().await;
        let slots_in_progress = self.coordination.cache.close().await;
        self.downloader.finish().await;
        if let Err(error) = self.writer.finish(self.writer_handle).await {
            let message = format!("some packages will be downloaded again next time: {error}");
            self.reporter.report(&ProgressEvent::Warning { code: "INDEX_NOT_WRITTEN", message });
        }
        let permits_in_use = self.downloader.registry().permits_in_use();
        rt::drop_last(self.coordination.cache);
        let mut summary = installed?;
        summary.residue = Residue { slots_in_progress, permits_in_use };
        Ok(summary)
    }
}

/// The packages that all projects share, and of which the store has some variant: most likely the one that this install comes to.
fn dispensable(options: &InstallOptions, store: &StoreDir) -> Dispensable {
    if options.force || !options.settings.project.shares_packages() {
        return Arc::new(|_| false);
    }
    let links_dir = store.links_dir();
    Arc::new(move |package| rt::fs::exists(&links_dir.join(dir_of_package(&package.name, &package.version))))
}
