//! `--no-lockfile`: the older recursive path. It walks from package to package, and each one goes through
//! `run_with_mem_cache` as soon as it is reached; nothing is read from or written to pnpm-lock.yaml.
//!
//! This path always coordinated: it is the control that pnpm#12241 names. It solves no peers. What it walked is put down
//! as a [`Lockfile`] in memory, so that linking is the same code as everywhere.

use super::ahead::Ahead;
use super::project::Project;
use super::session::Session;
use super::stages::Filled;
use super::{InstallError, Summary, stages};
use crate::config::NodeLinker;
use crate::lockfile::{
    DepPath, DirectDependency, Importer as LockfileImporter, LOCKFILE_VERSION, LockedPackage, Lockfile, Snapshot,
    package_key, reference_to,
};
use crate::manifest::DependencyKind;
use crate::package::PackageId;
use crate::package_name;
use crate::reporter::{ProgressEvent, Stage};
use crate::resolve::{ChosenVersion, RegistryPackuments, VersionChooser};
use crate::rt;
use crate::store::PackageRow;
use crate::tarball::{Caller, Coordinator, Origin, Source, TarballRequest};
use crate::virtual_store::{CreateVirtualStoreError, ImportError, Imported, InstalledPackages, Slot};
use crate::workspace::{ImporterId, Member, Target, shown};
use futures_util::future::{LocalBoxFuture, try_join_all};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Installs the project by walking its packages.
pub(super) async fn install<C: Coordinator>(project: &Project, session: &Session<C>) -> Result<Summary, InstallError> {
    session.report(ProgressEvent::Stage { stage: Stage::Importing });
    let walk = InstallPackageFromRegistry {
        project,
        session,
        chooser: VersionChooser::new(
            RegistryPackuments::new(session.downloader.registry().clone()),
            &project.workspace,
        ),
        walked: RefCell::default(),
    };
    let members = project.workspace.members.iter().filter(|(id, _)| project.selection.importers.contains(*id));
    let members = members.map(|(id, member)| walk.install_direct_dependencies(id, member));
    let importers: Vec<_> = try_join_all(members).await?;
    let Walked { mut lockfile, installed } = walk.walked.into_inner();
    lockfile.lockfile_version = LOCKFILE_VERSION.to_owned();
    lockfile.importers.extend(importers);
    session.downloader.registry().forget_packuments();
    stages::begin_changes(project).await?;
    let (importers, snapshots) = (project.selection.importers.clone(), installed.keys().cloned().collect());
    let places = stages::places(project, session, &lockfile, &importers, &snapshots).await?;
    let lockfile = Arc::new(lockfile.into());
    let ahead = Ahead::new(project, session, &lockfile, &importers, snapshots, &places);
    let mut filled = Filled { is_new: false, importers, installed, places, ahead };
    if filled.places.are_known_late() {
        import_all(session, &filled).await?;
    }
    stages::finish(project, session, &lockfile, &mut filled).await
}

/// Fills the directories that are only known when everything is resolved.
async fn import_all<C: Coordinator>(session: &Session<C>, filled: &Filled) -> Result<(), InstallError> {
    let slots =
        |(dep_path, row): (&DepPath, &Arc<PackageRow>)| (dep_path.clone(), filled.places.slots(dep_path), row.clone());
    let packages: Vec<_> = filled.installed.iter().map(slots).collect();
    let (importer, store) = (session.importer.clone(), session.coordination.store.clone());
    let import = move |(dep_path, slots, row): (DepPath, Vec<Slot>, Arc<PackageRow>)| {
        let imported = importer.import_into(&slots, &row.files, &store, None, false)?;
        Ok::<_, ImportError>((imported == Imported::Added).then_some(dep_path))
    };
    for imported in rt::parallel("import", packages, import).await {
        if let Some(dep_path) = imported? {
            session.report(ProgressEvent::Imported { dep_path });
        }
    }
    Ok(())
}

struct InstallPackageFromRegistry<'a, C: Coordinator> {
    project: &'a Project,
    session: &'a Session<C>,
    chooser: VersionChooser<RegistryPackuments>,
    walked: RefCell<Walked>,
}

#[derive(Default)]
struct Walked {
    lockfile: Lockfile,
    installed: InstalledPackages,
}

impl<C: Coordinator> InstallPackageFromRegistry<'_, C> {
    async fn install_direct_dependencies(
        &self,
        id: &ImporterId,
        member: &Member,
    ) -> Result<(ImporterId, LockfileImporter), InstallError> {
        let (include, project) = (self.session.options.include, shown(id));
        let mut importer = LockfileImporter::default();
        let kinds = [
            (include.prod, DependencyKind::Production, &mut importer.dependencies),
            (include.dev, DependencyKind::Development, &mut importer.dev_dependencies),
            (include.optional, DependencyKind::Optional, &mut importer.optional_dependencies),
        ];
        for (_, kind, direct) in kinds.into_iter().filter(|(included, ..)| *included) {
            let of_kind = member.wanted.iter().filter(|(_, wanted)| wanted.kind == kind);
            let mut ranges = BTreeMap::new();
            for (alias, wanted) in of_kind {
                match &wanted.target {
                    Target::Resolved { specifier, .. } => drop(ranges.insert(alias.clone(), specifier.clone())),
                    Target::Link { path } => {
                        let (specifier, version) = (wanted.specifier.clone(), format!("link:{path}"));
                        direct.insert(alias.clone(), DirectDependency { specifier, version });
                    }
                }
            }
            for (alias, version) in self.install_all(&project, ranges, kind == DependencyKind::Optional).await? {
                let specifier = member.wanted[&alias].specifier.clone();
                direct.insert(alias, DirectDependency { specifier, version });
            }
        }
        Ok((id.clone(), importer))
    }

    /// Installs these dependencies and all below them; alias → reference of those that could be had.
    fn install_all<'s>(
        &'s self,
        parent: &'s str,
        ranges: BTreeMap<String, String>,
        optional: bool,
    ) -> LocalBoxFuture<'s, Result<BTreeMap<String, String>, InstallError>> {
        Box::pin(async move {
            let each = ranges.into_iter().map(|(alias, range)| async move {
                match self.install_one(parent, &alias, &range).await {
                    Ok(dep_path) => Ok(dep_path.map(|dep_path| {
                        let reference = reference_to(&alias, &dep_path);
                        (alias, reference)
                    })),
                    Err(error) if optional => {
                        let message = format!("skipped the optional package {alias}: {error}");
                        self.session.report(ProgressEvent::Warning { code: "OPTIONAL_SKIPPED", message });
                        Ok(None)
                    }
                    Err(error) => Err(error),
                }
            });
            Ok(try_join_all(each).await?.into_iter().flatten().collect())
        })
    }

    async fn install_one(&self, parent: &str, alias: &str, range: &str) -> Result<Option<DepPath>, InstallError> {
        package_name::check(alias, || parent.to_owned())?;
        let chosen = self.chooser.choose(alias, range, parent).await?;
        package_name::check(&chosen.package.name, || parent.to_owned())?;
        if !self.session.platform.matches(&chosen.locked) {
            return Ok(None);
        }
        let dep_path = chosen.package.to_string();
        if self.is_first_to_reach(&dep_path, &chosen) {
            self.session.report(ProgressEvent::Resolved { package: chosen.package.clone() });
            self.install_files(&dep_path, &chosen).await?;
            let dependencies = self.install_all(&dep_path, chosen.dependencies, false).await?;
            let optional_dependencies = self.install_all(&dep_path, chosen.optional_dependencies, true).await?;
            let snapshot = Snapshot { dependencies, optional_dependencies, ..Snapshot::default() };
            self.walked.borrow_mut().lockfile.snapshots.insert(dep_path.clone(), snapshot);
        }
        Ok(Some(dep_path))
    }

    fn is_first_to_reach(&self, dep_path: &str, chosen: &ChosenVersion) -> bool {
        let packages: &mut BTreeMap<String, LockedPackage> = &mut self.walked.borrow_mut().lockfile.packages;
        packages.insert(package_key(dep_path).to_owned(), chosen.locked.clone()).is_none()
    }

    async fn install_files(&self, dep_path: &str, chosen: &ChosenVersion) -> Result<(), InstallError> {
        let package: PackageId = chosen.package.clone();
        let integrity = stages::integrity_of(&package, &chosen.locked)?;
        let (url, downloader) = (chosen.tarball_url.clone(), self.session.downloader.clone());
        let origin = Origin::Registry;
        let request = TarballRequest::new(downloader, package.clone(), url, integrity, origin);
        let fetched = request.run_with_mem_cache(&self.session.coordination.cache, Caller::Install).await?;
        self.session.report(match fetched.source {
            Source::Network => ProgressEvent::Fetched { package },
            Source::Store => ProgressEvent::FoundInStore { package },
        });
        if self.project.workspace.settings.node_linker == NodeLinker::Isolated {
            let target = self.project.layout.package_dir(dep_path);
            let (importer, store, row) =
                (self.session.importer.clone(), self.session.coordination.store.clone(), fetched.row.clone());
            let imported = rt::blocking("import", move || importer.import(&row.files, &store, &target)).await;
            if imported.map_err(CreateVirtualStoreError::from)? == Imported::Added {
                self.session.report(ProgressEvent::Imported { dep_path: dep_path.to_owned() });
            }
        }
        self.walked.borrow_mut().installed.insert(dep_path.to_owned(), fetched.row.clone());
        Ok(())
    }
}
