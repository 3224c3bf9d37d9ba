//! The stages of an install, each a few lines that hand one stage's result to the next module.

use super::ahead::{Ahead, link_request};
use super::build::{self, Builds};
use super::commands;
use super::foreign::{SessionForeignPackages, row_of_directory};
use super::project::Project;
use super::session::Session;
use super::summary::{Changes, DirectChange};
use super::{Edit, InstallError, ProjectError, Summary, engines, git, hoisted, repeat};
use crate::config::NodeLinker;
use crate::lockfile::{self, DepPath, IncludeKinds, LockedPackage, Lockfile, LockfileDocument};
use crate::package::PackageId;
use crate::reporter::{ProgressEvent, Stage};
use crate::resolve::{self, NoHook, OnResolved, RegistryPackuments, ResolveRequest, VersionChooser};
use crate::rt;
use crate::store::PackageRow;
use crate::tarball::{Coordinator, Origin, TarballRequest, integrity};
use crate::virtual_store::bins::{Bin, Providers};
use crate::virtual_store::link::Link;
use crate::virtual_store::prune::PrunePlan;
use crate::virtual_store::{
    CreateVirtualStore, Imported, InstalledPackages, Places, SnapshotToInstall, bins, boot_note, direct, has_files,
    link, modules_yaml, prune,
};
use crate::workspace::{ImporterId, ROOT};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The project with package.json changed as it was asked for; nothing is written yet.
pub(super) async fn edit<C: Coordinator>(
    project: &Project,
    session: &Session<C>,
    edit: &Edit,
) -> Result<Project, InstallError> {
    let registry = session.downloader.registry();
    let chooser = VersionChooser::new(RegistryPackuments::new(registry.clone()), &project.workspace);
    let edit = &SessionForeignPackages { project, session }.named(edit).await?;
    let choose = || edit.changes(project.manifest(), project.previous_lockfile(), &chooser);
    let mut changes = choose().await;
    if changes.is_err() && registry.ask_for_every_packument() {
        changes = choose().await;
    }
    project.edited(edit, &changes?)
}

/// The lockfile that decides the versions.
pub(super) struct LockfileInForce {
    pub(super) lockfile: Arc<LockfileDocument>,
    /// Whether it was made just now, and is still to be written.
    pub(super) is_new: bool,
}

/// The lockfile that is there, where it fits, and a new one otherwise.
pub(super) async fn lockfile<C: Coordinator>(
    project: &Project,
    session: &Session<C>,
) -> Result<LockfileInForce, InstallError> {
    if let Some(lockfile) = project.lockfile_in_force(session.options.path)? {
        lockfile.check_names()?;
        return Ok(LockfileInForce { lockfile: lockfile.clone(), is_new: false });
    }
    // What an edit saves was chosen just now: it has been said.
    if session.options.edit.is_none() {
        session.report(ProgressEvent::Stage { stage: Stage::Resolving });
    }
    let lockfile = resolve(project, session).await?;
    lockfile.check_names()?;
    Ok(LockfileInForce { lockfile: Arc::new(lockfile.into()), is_new: true })
}

/// Chooses versions; prefetches go on in the background meanwhile.
async fn resolve<C: Coordinator>(project: &Project, session: &Session<C>) -> Result<Lockfile, InstallError> {
    let prefetches = session.options.prefetch && !session.options.lockfile_only;
    let hook: &dyn OnResolved = if prefetches { &session.prefetcher } else { &NoHook };
    let registry = session.downloader.registry();
    let packuments = RegistryPackuments::new(registry.clone());
    let foreign = SessionForeignPackages { project, session };
    let resolve = || {
        resolve::resolve(ResolveRequest {
            workspace: &project.workspace,
            packuments: &packuments,
            foreign: &foreign,
            previous: project.kept_lockfile(),
            hook,
        })
    };
    let mut resolved = resolve().await;
    // What is cached did not do: the registry may have what is missing by now.
    if resolved.is_err() && registry.ask_for_every_packument() {
        resolved = resolve().await;
    }
    registry.forget_packuments();
    Ok(resolved?)
}

/// To be called before anything in node_modules changes: what vouched for it does so no more.
pub(super) async fn begin_changes(project: &Project) -> Result<(), InstallError> {
    let layout = project.layout.clone();
    let failed = |source| ProjectError::modules("remove the state of", &project.layout.modules_dir, source);
    Ok(rt::blocking("forget the last install", move || repeat::forget(&layout)).await.map_err(failed)?)
}

/// What there is once every package has its files.
pub(super) struct Filled {
    /// Whether there was no virtual store before.
    pub(super) is_new: bool,
    /// The projects that the packages are for.
    pub(super) importers: BTreeSet<ImporterId>,
    pub(super) installed: InstalledPackages,
    pub(super) places: Arc<Places>,
    pub(super) ahead: Ahead,
}

impl Filled {
    /// The packages that are there.
    pub(super) fn names(&self) -> BTreeSet<DepPath> {
        self.installed.keys().cloned().collect()
    }
}

/// Where the files of these snapshots go.
pub(super) async fn places<C: Coordinator>(
    project: &Project,
    session: &Session<C>,
    lockfile: &Lockfile,
    importers: &BTreeSet<ImporterId>,
    snapshots: &BTreeSet<DepPath>,
) -> Result<Arc<Places>, InstallError> {
    Ok(Arc::new(match project.workspace.settings.node_linker {
        NodeLinker::Isolated => Places::VirtualStore(project.layout.clone()),
        NodeLinker::Hoisted => {
            Places::Hoisted(hoisted::places(project, session, lockfile, importers, snapshots).await?)
        }
    }))
}

/// Fills the directories of all packages.
pub(super) async fn create_virtual_store<C: Coordinator>(
    project: &Project,
    session: &Session<C>,
    lockfile: &Arc<LockfileDocument>,
) -> Result<Filled, InstallError> {
    let is_new = !rt::fs::exists(&project.layout.virtual_store_dir);
    let importers = hoisted::importers(project, lockfile).await;
    let snapshots = lockfile::installable(lockfile, &importers, &session.platform, session.options.include);
    let places = places(project, session, lockfile, &importers, &snapshots).await?;
    engines::check(project, lockfile, &snapshots).await?;
    let wanted = snapshots.clone();
    let (copied, snapshots): (BTreeSet<DepPath>, BTreeSet<DepPath>) =
        snapshots.into_iter().partition(|dep_path| directory_of(lockfile, dep_path).is_some());
    let packages = snapshots_to_install(project, session, lockfile, &snapshots)?;
    for package in packages.iter().map(|package| &package.tarball.package).collect::<BTreeSet<_>>() {
        session.report(ProgressEvent::Resolved { package: package.clone() });
    }
    let stage = CreateVirtualStore {
        packages,
        places: places.clone(),
        importer: session.importer.clone(),
        coordination: session.coordination.clone(),
        reporter: session.reporter.clone(),
    };
    let ahead = async { Ahead::new(project, session, lockfile, &importers, wanted, &places) };
    // A task of its own: what is worked out beside it does not yield.
    let stage = rt::ScopedTask::new(rt::spawn(|| "create virtual store".to_owned(), stage.run()));
    let (installed, ahead) = tokio::join!(stage, ahead);
    let mut installed = rt::joined(installed)?;
    git::check_all_prepared(session, &installed)?;
    for dep_path in copied {
        let row = copy_directory(project, session, lockfile, &dep_path, &places).await?;
        installed.insert(dep_path, row);
    }
    Ok(Filled { is_new, importers, installed, places, ahead })
}

/// The directory that a package is a copy of.
fn directory_of<'a>(lockfile: &'a Lockfile, dep_path: &str) -> Option<&'a String> {
    lockfile.packages.get(lockfile::package_key(dep_path))?.resolution.directory.as_ref()
}

/// Makes the copies of a directory, unless those that are there have the same files.
async fn copy_directory<C: Coordinator>(
    project: &Project,
    session: &Session<C>,
    lockfile: &Lockfile,
    dep_path: &str,
    places: &Places,
) -> Result<Arc<PackageRow>, InstallError> {
    let path = directory_of(lockfile, dep_path).expect("the caller chose those that have one");
    let dir = project.workspace.root.join(path);
    let (mut slots, store) = (places.slots(dep_path), session.coordination.store.clone());
    let importer = session.importer.clone();
    let copied = rt::blocking("copy directory", move || {
        let io = |source| ProjectError::directory(&dir, source);
        let row = row_of_directory(&dir, &store).map_err(io)?;
        for slot in &mut slots {
            slot.is_known = slot.is_known && rt::fs::exists(&slot.dir) && has_files(&row.files, &store, &slot.dir)?;
        }
        let imported = importer.import_into(&slots, &row.files, &store, None, false)?;
        Ok::<_, InstallError>((row, imported))
    });
    let (row, imported) = copied.await?;
    if imported == Imported::Added {
        session.report(ProgressEvent::Imported { dep_path: dep_path.to_owned() });
    }
    Ok(Arc::new(row))
}

fn snapshots_to_install<C: Coordinator>(
    project: &Project,
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
        if locked.resolution.kind.is_some() || locked.resolution.path.is_some() {
            return Err(ProjectError::UnsupportedResolution { dep_path: dep_path.clone() }.into());
        }
        let package = PackageId::new(name, locked.version.as_deref().unwrap_or(version));
        let url = locked.resolution.url(session.downloader.registry().registry_for(name).as_str(), &package);
        let origin = match url.strip_prefix("file:") {
            // That of a package of a registry is no file of this machine, whatever is said of it.
            Some(path) if version.starts_with("file:") => Origin::File(project.workspace.root.join(path)),
            _ if version.contains("://") => Origin::Elsewhere,
            _ => Origin::Registry,
        };
        let integrity = integrity_of(&package, locked)?.filter(|_| !session.is_unpinned(&url));
        let optional = lockfile.snapshots.get(dep_path).is_some_and(|snapshot| snapshot.optional);
        let downloader = session.downloader.clone();
        let tarball = TarballRequest::new(downloader, package, url, integrity, origin);
        let patch = project.patch_of(dep_path);
        packages.push(SnapshotToInstall { dep_path: dep_path.clone(), tarball, patch: patch.cloned(), optional });
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

/// Everything that follows once all packages are there: links, commands, builds, and the records of all that.
pub(super) async fn finish<C: Coordinator>(
    project: &Project,
    session: &Session<C>,
    lockfile: &Lockfile,
    filled: &mut Filled,
) -> Result<Summary, InstallError> {
    session.report(ProgressEvent::Stage { stage: Stage::Linking });
    let Linked { changes, tree, bins } = match &*filled.places.clone() {
        Places::VirtualStore(_) => link(project, session, lockfile, filled).await?,
        Places::Hoisted(places) => hoisted::link(project, session, lockfile, filled, places).await?,
    };
    let mut builds = build::dependencies(project, session, lockfile, filled, bins).await?;
    std::mem::take(&mut builds.shared).mark_complete(project, session, &filled.installed).await?;
    record(project, session, filled, tree, &builds).await?;
    build::projects_after(project, session).await?;
    Ok(Summary::new(&filled.installed, changes, &builds.ignored))
}

/// What linking came to.
pub(super) struct Linked {
    pub(super) changes: Changes,
    pub(super) tree: LinkedTree,
    pub(super) bins: Vec<Bin>,
}

/// What can be found in the tree without being asked for.
pub(super) enum LinkedTree {
    Isolated { hoisted: BTreeMap<String, DepPath>, public: BTreeMap<String, DepPath> },
    Hoisted { projects: BTreeMap<String, ImporterId> },
}

/// Links and commands, and away with what is no longer wanted. Says what the install changed.
async fn link<C: Coordinator>(
    project: &Project,
    session: &Session<C>,
    lockfile: &Lockfile,
    filled: &mut Filled,
) -> Result<Linked, InstallError> {
    let layout = &project.layout;
    hoisted::clear(layout).await?;
    let before = direct::linked(layout);
    let links = filled.ahead.take_links(&filled.installed).unwrap_or_else(|| {
        let (names, projects) = (filled.names(), project.named_dirs());
        link::plan(link_request(project, session, lockfile, &filled.importers, &names, &projects))
    });
    let installed = &filled.installed;
    let linked = commands::linked_manifests(&links).await;
    let carried = commands::carried_packages(lockfile, filled, layout).await;
    let bins = bins::plan(&links, Providers { installed, linked: &linked, carried: &carried }, layout);
    let of_others = (!project.is_whole()).then(|| {
        let all = project.workspace.members.keys();
        lockfile::installable(lockfile, all, &session.platform, IncludeKinds::ALL)
    });
    let projects = project.dirs();
    let wanted = prune::Wanted {
        links: &links,
        bins: &bins,
        installed,
        of_others: of_others.as_ref(),
        projects: &projects,
        is_new: filled.is_new,
    };
    let pruned = prune::plan(layout, wanted);
    let lockfiles = [Some(lockfile), project.previous_lockfile()];
    let changes = Changes {
        added: session.importer.added(),
        removed: pruned.snapshots,
        direct: DirectChange::between(&before, &links.direct_packages(ROOT), &lockfiles),
    };
    apply_links(project, pruned, links.links, &bins).await?;
    // pnpm calls a project that every package can find by its directory.
    let projects = links.hoisted_projects.into_iter().filter_map(|(name, dir)| {
        let dir = dir.strip_prefix(&project.layout.project_dir).ok()?.to_str()?.to_owned();
        Some((name, dir))
    });
    let hoisted = links.hoisted.into_iter().chain(projects).collect();
    let tree = LinkedTree::Isolated { hoisted, public: links.public };
    Ok(Linked { changes, tree, bins })
}

/// Away with what is not wanted, then links, then commands.
pub(super) async fn apply_links(
    project: &Project,
    pruned: PrunePlan,
    links: Vec<Link>,
    bins: &[Bin],
) -> Result<(), InstallError> {
    rt::blocking("prune", move || prune::apply(&pruned)).await?;
    let layout = project.layout.clone();
    let linked = rt::parallel("link", link::by_directory(links), move |links| {
        links.iter().try_for_each(|link| link::apply(link, &layout))
    });
    linked.await.into_iter().collect::<Result<(), _>>()?;
    // Commands read the files that the links lead to.
    build::write_commands(project, bins.to_vec()).await?;
    let modules_dir = project.layout.modules_dir.clone();
    // A hint: without the note the next install looks into the directories.
    let _ = rt::blocking("note the boot", move || boot_note::write(&modules_dir)).await;
    Ok(())
}

/// Writes down what is in node_modules now, as pnpm does.
async fn record<C: Coordinator>(
    project: &Project,
    session: &Session<C>,
    filled: &mut Filled,
    tree: LinkedTree,
    builds: &Builds,
) -> Result<(), InstallError> {
    let include = session.options.include;
    let current = std::mem::take(&mut filled.ahead.current);
    let (installed, layout) = (filled.installed.clone(), project.layout.clone());
    let pnpm_store_dir = session.options.settings.pnpm_store_dir.clone();
    let (ignored_builds, pending_builds) = (builds.ignored.clone(), builds.pending.clone());
    let policy = session.options.settings.builds.clone();
    let (settings, places) = (project.workspace.settings.clone(), filled.places.clone());
    let written = rt::blocking("write .modules.yaml", move || {
        let tree = match (&tree, &*places) {
            (LinkedTree::Isolated { hoisted, public }, _) => modules_yaml::Tree::Isolated { hoisted, public },
            (LinkedTree::Hoisted { projects }, Places::Hoisted(places)) => {
                modules_yaml::Tree::Hoisted { locations: &places.locations, projects }
            }
            (LinkedTree::Hoisted { .. }, Places::VirtualStore(_)) => unreachable!("a tree is linked as it was filled"),
        };
        let contents = modules_yaml::Contents {
            current: &current,
            installed: &installed,
            tree,
            hoist_pattern: settings.hoist_pattern.texts(),
            public_hoist_pattern: settings.public_hoist_pattern.texts(),
            include,
            ignored_builds: &ignored_builds,
            pending_builds: &pending_builds,
            allow_builds: policy.rules(),
            pnpm_store_dir: &pnpm_store_dir,
        };
        modules_yaml::write(&layout, &contents)
    })
    .await;
    let failed = |source| ProjectError::modules("write the state of", &project.layout.modules_dir, source);
    Ok(written.map_err(failed)?)
}

/// Lets the next install end at once, if it is asked for the same; not where an optional package is still to be had.
pub(super) async fn remember<C: Coordinator>(
    project: &Project,
    session: &Session<C>,
    lockfile: &Lockfile,
    filled: &Filled,
    summary: &Summary,
) {
    if project.is_told_by_inputs(lockfile) && filled.ahead.is_all(&filled.installed) {
        let inputs = filled.ahead.inputs.clone();
        let (layout, options, summary) = (project.layout.clone(), session.options.clone(), summary.clone());
        rt::blocking("remember the install", move || repeat::remember(&layout, &inputs, &options, &summary)).await;
    }
}
