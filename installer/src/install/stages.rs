//! The stages of an install, each a few lines that hand one stage's result to the next module.

use super::project::Project;
use super::session::Session;
use super::summary::{Changes, DirectChange};
use super::{InstallError, ProjectError};
use crate::lockfile::{self, DepPath, LockedPackage, Lockfile};
use crate::package::PackageId;
use crate::reporter::ProgressEvent;
use crate::resolve::{self, NoHook, OnResolved, RegistryPackuments, ResolveRequest};
use crate::rt;
use crate::tarball::{Coordinator, TarballRequest, integrity};
use crate::virtual_store::{
    CreateVirtualStore, InstalledPackages, SnapshotToInstall, bins, boot_note, direct, link, prune,
};
use std::collections::BTreeSet;

/// Chooses versions; prefetches go on in the background meanwhile.
pub(super) async fn resolve<C: Coordinator>(project: &Project, session: &Session<C>) -> Result<Lockfile, InstallError> {
    let hook: &dyn OnResolved = if session.options.prefetch { &session.prefetcher } else { &NoHook };
    let request = ResolveRequest {
        manifest: &project.manifest,
        packuments: &RegistryPackuments::new(session.downloader.registry().clone()),
        previous: project.previous_lockfile(),
        hook,
    };
    let resolved = resolve::resolve(request).await;
    session.downloader.registry().forget_packuments();
    Ok(resolved?)
}

/// Fills node_modules/.pnpm.
pub(super) async fn create_virtual_store<C: Coordinator>(
    project: &Project,
    session: &Session<C>,
    lockfile: &Lockfile,
) -> Result<InstalledPackages, InstallError> {
    let snapshots = lockfile::installable(lockfile, &session.platform, session.options.include);
    let packages = snapshots_to_install(session, lockfile, &snapshots)?;
    for package in packages.iter().map(|package| &package.tarball.package).collect::<BTreeSet<_>>() {
        session.report(ProgressEvent::Resolved { package: package.clone() });
    }
    let stage = CreateVirtualStore {
        packages,
        layout: project.layout.clone(),
        importer: session.importer.clone(),
        coordination: session.coordination.clone(),
        reporter: session.reporter.clone(),
    };
    Ok(stage.run().await?)
}

fn snapshots_to_install<C: Coordinator>(
    session: &Session<C>,
    lockfile: &Lockfile,
    snapshots: &BTreeSet<DepPath>,
) -> Result<Vec<SnapshotToInstall>, InstallError> {
    let mut packages = Vec::with_capacity(snapshots.len());
    for dep_path in snapshots {
        let key = lockfile::package_key(dep_path);
        let locked = lockfile.packages.get(key);
        let (Some(locked), Some((name, version))) = (locked, lockfile::name_and_version(dep_path)) else {
            return Err(ProjectError::incomplete_lockfile(dep_path).into());
        };
        let package = PackageId::new(name, version);
        let url = locked.resolution.url(session.downloader.registry().registry_for(name).as_str(), &package);
        let integrity = integrity_of(&package, locked)?;
        let optional = lockfile.snapshots.get(dep_path).is_some_and(|snapshot| snapshot.optional);
        let tarball = TarballRequest { downloader: session.downloader.clone(), package, url, integrity };
        packages.push(SnapshotToInstall { dep_path: dep_path.clone(), tarball, optional });
    }
    Ok(packages)
}

/// What a package's tarball must hash to, where that is known.
pub(super) fn integrity_of(
    package: &PackageId,
    locked: &LockedPackage,
) -> Result<Option<ssri::Integrity>, ProjectError> {
    let integrity = locked.resolution.integrity.as_deref().map(integrity::parse).transpose();
    integrity.map_err(|source| ProjectError::unreadable_integrity(package, source))
}

/// Links and commands, and away with what is no longer wanted. Says what the install changed.
pub(super) async fn link<C: Coordinator>(
    project: &Project,
    session: &Session<C>,
    lockfile: &Lockfile,
    installed: &InstalledPackages,
) -> Result<Changes, InstallError> {
    let layout = project.layout.clone();
    let before = direct::linked(&layout);
    let links = link::plan(lockfile, installed, &layout, session.options.include);
    let bins = bins::plan(&links, installed, &layout);
    let pruned = prune::plan(&layout, &links, &bins, installed);
    let changes = Changes {
        added: session.importer.added(),
        removed: pruned.snapshots,
        direct: DirectChange::between(&before, &links.direct, &[Some(lockfile), project.previous_lockfile()]),
    };
    rt::blocking("prune", move || prune::apply(&pruned)).await?;
    let linked = rt::parallel("link", links.links, move |link| link::apply(&link, &layout)).await;
    linked.into_iter().collect::<Result<(), _>>()?;
    // Commands read the files that the links lead to.
    let written = rt::parallel("command", bins, |bin| bins::apply(&bin)).await;
    written.into_iter().collect::<Result<(), _>>()?;
    let modules_dir = project.layout.modules_dir.clone();
    // A hint: without the note the next install looks into the directories.
    let _ = rt::blocking("note the boot", move || boot_note::write(&modules_dir)).await;
    Ok(changes)
}
