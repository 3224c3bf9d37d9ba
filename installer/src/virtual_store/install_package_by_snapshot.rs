//! `InstallPackageBySnapshot`: one snapshot of the cold batch, from its tarball to its directory.

use super::create_virtual_store::{CreateVirtualStoreError, SnapshotToInstall, SourceReport};
use super::{ImportError, Imported, Importer, Places, shared};
use crate::registry::Demand;
use crate::reporter::{ProgressEvent, Reporter};
use crate::rt::{self, Event, Point};
use crate::store::{PackageRow, StoreDir};
use crate::tarball::{Caller, Coordinator, Fetched, TarballError, TarballRequest};
use std::sync::Arc;

/// How the cold batch gets tarballs.
#[derive(Debug, Clone)]
pub struct Coordination<C> {
    /// The store that rows and files are in.
    pub store: StoreDir,
    /// The cache that the prefetcher uses too.
    pub cache: C,
    /// Whether the cold batch asks the cache. `false` is the installer as it was before pnpm#12241 was fixed: the
    /// baseline of the benches and of the reproduction.
    pub shared: bool,
}

impl<C: Coordinator> Coordination<C> {
    /// The store that rows and files are in.
    pub fn store(&self) -> &StoreDir {
        &self.store
    }

    async fn fetch(&self, tarball: TarballRequest) -> Result<Arc<Fetched>, Arc<TarballError>> {
        if self.shared {
            tarball.run_with_mem_cache(&self.cache, Caller::Install).await
        } else {
            tarball.run_without_mem_cache(Demand::install()).await.map(Arc::new).map_err(Arc::new)
        }
    }
}

pub(super) struct InstallPackageBySnapshot<C: Coordinator> {
    pub(super) places: Arc<Places>,
    pub(super) importer: Arc<Importer>,
    pub(super) coordination: Coordination<C>,
    pub(super) sources: SourceReport,
    pub(super) reporter: Arc<dyn Reporter>,
}

impl<C: Coordinator> InstallPackageBySnapshot<C> {
    /// Gets the tarball, then imports it.
    pub(super) async fn install_cold(
        self: &Arc<Self>,
        package: &SnapshotToInstall,
    ) -> Result<Arc<PackageRow>, CreateVirtualStoreError> {
        let fetched = self.coordination.fetch(package.tarball.clone()).await?;
        rt::point(Point::ColdFiles).await;
        let (install, package, row) = (self.clone(), package.clone(), fetched.row.clone());
        rt::blocking("import", move || install.import(&package, &fetched)).await?;
        Ok(row)
    }

    /// Reports a package that is in place already.
    pub(super) fn note_present(&self, package: &SnapshotToInstall) {
        let source = package.tarball.downloader.source_of(package.tarball.row_key());
        self.sources.report(&package.tarball.package, source);
        rt::event(|| Event::Import { package: package.dep_path.clone() });
    }

    /// Reports where the files came from and puts them into the package's directories.
    pub(super) fn import(&self, package: &SnapshotToInstall, fetched: &Fetched) -> Result<(), ImportError> {
        let (row, store, patch) = (&fetched.row, self.coordination.store(), package.patch.as_deref());
        let (downloader, key) = (&package.tarball.downloader, package.tarball.row_key());
        let whole = downloader.knows_whole(key);
        let imported = if let Some(layout) = self.places.shared(&package.dep_path) {
            let content = shared::Content { row, store, patch, whole };
            shared::import(&package.dep_path, layout, &self.importer, content)?
        } else {
            self.importer.import_into(&self.places.slots(&package.dep_path), &row.files, store, patch, whole)?
        };
        self.sources.report(&package.tarball.package, fetched.source);
        rt::event(|| Event::Import { package: package.dep_path.clone() });
        if imported == Imported::Added {
            if !whole {
                downloader.note_whole(key.clone(), row.clone());
            }
            self.reporter.report(&ProgressEvent::Imported { dep_path: package.dep_path.clone() });
        }
        Ok(())
    }
}
