//! `CreateVirtualStore`: every package's directory, under node_modules/.pnpm or where hoisting wants it, from what is there,
//! the store, or the network.
//!
//! The committed index rows decide which package is warm and which is cold. Warm packages are one plain rayon pass. Each
//! cold one is a task that waits for its own tarball and for no other: there is no barrier. A package whose row is not
//! committed yet looks cold; the coordination keeps it from being downloaded again. Neither is one that all projects share
//! and that is complete.

use super::install_package_by_snapshot::{Coordination, InstallPackageBySnapshot};
use super::{ImportError, Importer, Places};
use crate::lockfile::DepPath;
use crate::patch::Patch;
use crate::reporter::{ProgressEvent, Reporter};
use crate::rt::{self, Event, JoinError, Point};
use crate::store::{IndexError, PackageRow, prefetch_cas_paths};
use crate::tarball::{Coordinator, Fetched, Source, TarballError, TarballRequest};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

/// The stage, with all that it needs.
pub struct CreateVirtualStore<C: Coordinator> {
    /// What to install, one entry per snapshot.
    pub packages: Vec<SnapshotToInstall>,
    /// Where it goes.
    pub places: Arc<Places>,
    /// How files get there.
    pub importer: Arc<Importer>,
    /// How tarballs get here.
    pub coordination: Coordination<C>,
    /// Who is told.
    pub reporter: Arc<dyn Reporter>,
}

/// One snapshot and its tarball.
#[derive(Debug, Clone)]
pub struct SnapshotToInstall {
    /// The snapshot.
    pub dep_path: DepPath,
    /// Its tarball; the peer variants of a package share one.
    pub tarball: TarballRequest,
    /// What is changed in its files.
    pub patch: Option<Arc<Patch>>,
    /// Whether only optional dependencies lead to it: its failure is a warning then.
    pub optional: bool,
}

/// What the stage made: each installed snapshot's index row.
pub type InstalledPackages = BTreeMap<DepPath, Arc<PackageRow>>;

/// Why the stage failed.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum CreateVirtualStoreError {
    /// The committed rows could not be read.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Index(#[from] IndexError),
    /// A tarball could not be had.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Tarball(#[from] Arc<TarballError>),
    /// A package's directory could not be filled.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Import(#[from] ImportError),
}

/// Says of each package once where its files came from.
pub(super) struct SourceReport {
    reporter: Arc<dyn Reporter>,
    reported: Mutex<BTreeSet<crate::package::PackageId>>,
}

impl SourceReport {
    pub(super) fn report(&self, package: &crate::package::PackageId, source: Source) {
        let mut reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
        if !reported.insert(package.clone()) {
            return;
        }
        let package = package.clone();
        self.reporter.report(&match source {
            Source::Network => ProgressEvent::Fetched { package },
            Source::Store => ProgressEvent::FoundInStore { package },
        });
    }
}

impl<C: Coordinator> CreateVirtualStore<C> {
    /// Fills the virtual store.
    ///
    /// # Errors
    /// The first error of a package that is not optional. The tasks of the others have ended by then.
    pub async fn run(mut self) -> Result<InstalledPackages, CreateVirtualStoreError> {
        let complete = self.take_complete();
        let (warm, cold) = self.partition().await?;
        let install = Arc::new(InstallPackageBySnapshot {
            places: self.places,
            importer: self.importer,
            coordination: self.coordination,
            sources: SourceReport { reporter: self.reporter.clone(), reported: Mutex::default() },
            reporter: self.reporter,
        });
        let cold: Vec<_> = cold.into_iter().map(|package| spawn_cold(&install, package)).collect();
        let mut outcome = Outcome::default();
        for (package, row) in complete {
            install.note_present(&package);
            outcome.add(&install, package, Ok(row));
        }
        let mut incomplete = Vec::new();
        for (package, imported) in install_warm(&install, warm).await {
            match imported {
                // Somebody deleted files from the store, or cut them short: the package is cold after all.
                Err(ImportError::MissingStoreFile { .. }) => incomplete.push(spawn_cold(&install, package)),
                imported => outcome.add(&install, package, imported.map_err(CreateVirtualStoreError::from)),
            }
        }
        // Whoever fails is heard at once, however slow the others are.
        let mut cold: FuturesUnordered<_> = cold.into_iter().chain(incomplete).collect();
        while let Some(ended) = cold.next().await {
            match ended {
                Ok((package, installed)) => outcome.add(&install, package, installed),
                Err(JoinError::Cancelled) if outcome.failure.is_some() => {}
                // A package that nobody installed must not go unnoticed.
                Err(error) => panic!("the task of a cold package is gone: {error}"),
            }
            if outcome.failure.is_some() {
                cold.iter().for_each(rt::ScopedTask::abort);
            }
        }
        match outcome.failure {
            Some(error) => Err(error),
            None => Ok(outcome.installed),
        }
    }

    /// The packages that are complete in the store for all projects: they need no row, no file and no tarball.
    fn take_complete(&mut self) -> Vec<WarmPackage> {
        let (mut complete, mut others) = (Vec::new(), Vec::new());
        for package in std::mem::take(&mut self.packages) {
            let layout = self.places.shared(&package.dep_path);
            let entry = layout.and_then(|layout| layout.entry(&package.dep_path));
            match entry.and_then(|entry| entry.complete.clone()) {
                Some(row) => complete.push((package, row)),
                None => others.push(package),
            }
        }
        self.packages = others;
        complete
    }

    /// Splits the packages by the rows that are committed now.
    async fn partition(&mut self) -> Result<(Vec<WarmPackage>, Vec<SnapshotToInstall>), IndexError> {
        rt::point(Point::PartitionRead).await;
        let packages = std::mem::take(&mut self.packages);
        let tarballs = || packages.iter().map(|package| &package.tarball);
        let known = |tarball: &TarballRequest| {
            let key = tarball.row_key();
            Some((key.clone(), tarball.downloader.found(key)?))
        };
        let mut rows: BTreeMap<_, _> = tarballs().filter_map(known).collect();
        let unknown = tarballs().map(TarballRequest::row_key).filter(|key| !rows.contains_key(*key)).cloned().collect();
        rows.extend(prefetch_cas_paths(self.coordination.store(), unknown).await?);
        let (mut warm, mut cold) = (Vec::new(), Vec::new());
        for mut package in packages {
            match rows.get(package.tarball.row_key()).filter(|row| row.manifest.may_be_of(&package.tarball.package)) {
                Some(row) => warm.push((package, row.clone())),
                None => {
                    package.tarball.missed = true;
                    cold.push(package);
                }
            }
        }
        rt::event(|| Event::Partition { warm: warm.len(), cold: cold.len() });
        rt::point(Point::PartitionDone).await;
        Ok((warm, cold))
    }
}

type WarmPackage = (SnapshotToInstall, Arc<PackageRow>);
type Installed<E> = (SnapshotToInstall, Result<Arc<PackageRow>, E>);

#[derive(Default)]
struct Outcome {
    installed: InstalledPackages,
    failure: Option<CreateVirtualStoreError>,
}

impl Outcome {
    fn add<C: Coordinator>(
        &mut self,
        install: &InstallPackageBySnapshot<C>,
        package: SnapshotToInstall,
        installed: Result<Arc<PackageRow>, CreateVirtualStoreError>,
    ) {
        match installed {
            Ok(row) => drop(self.installed.insert(package.dep_path, row)),
            Err(error) if package.optional => {
                let message = format!("skipped the optional package {}: {error}", package.dep_path);
                install.reporter.report(&ProgressEvent::Warning { code: "OPTIONAL_SKIPPED", message });
            }
            Err(error) => drop(self.failure.get_or_insert(error)),
        }
    }
}

fn spawn_cold<C: Coordinator>(
    install: &Arc<InstallPackageBySnapshot<C>>,
    package: SnapshotToInstall,
) -> rt::ScopedTask<Installed<CreateVirtualStoreError>> {
    let (name, install) = (package.dep_path.clone(), install.clone());
    let task = async move {
        rt::point(Point::ColdStart).await;
        let installed = install.install_cold(&package).await;
        (package, installed)
    };
    rt::ScopedTask::new(rt::spawn(|| format!("cold {name}"), task))
}

/// The warm pass: rayon over packages whose rows are committed. It waits for nothing.
async fn install_warm<C: Coordinator>(
    install: &Arc<InstallPackageBySnapshot<C>>,
    warm: Vec<WarmPackage>,
) -> Vec<Installed<ImportError>> {
    let install = install.clone();
    rt::parallel("warm", warm, move |(package, row)| {
        let source = package.tarball.downloader.source_of(package.tarball.row_key());
        let fetched = Fetched { row, source };
        let imported = install.import(&package, &fetched);
        (package, imported.map(|()| fetched.row))
    })
    .await
}
