//! What the stages do otherwise where node_modules is to consist of real directories (`nodeLinker: hoisted`).

use super::InstallError;
use super::ahead::link_request;
use super::commands;
use super::project::Project;
use super::session::Session;
use super::stages::{self, Filled, Linked, LinkedTree};
use super::summary::{Changes, DirectChange};
use crate::config::NodeLinker;
use crate::lockfile::{DepPath, Lockfile, name_and_version};
use crate::package::PackageId;
use crate::rt;
use crate::tarball::Coordinator;
use crate::virtual_store::bins::Providers;
use crate::virtual_store::hoisted::{HoistRequest, Locations, Record, place};
use crate::virtual_store::{HoistedPlaces, InstalledPackages, Layout, bins, direct, link, modules_yaml, prune};
use crate::workspace::{ImporterId, ROOT};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The projects whose dependencies are installed. In a hoisted tree they share directories: those that an earlier install
/// put there stay, whichever are selected now.
pub(super) async fn importers(project: &Project, lockfile: &Lockfile) -> BTreeSet<ImporterId> {
    let selected = project.selection.importers.clone();
    if project.workspace.settings.node_linker == NodeLinker::Isolated || project.is_whole() {
        return selected;
    }
    let layout = project.layout.clone();
    let current = rt::blocking("read the current lockfile", move || {
        let is_hoisted = Record::read(&layout).dirs().next().is_some();
        let current = Lockfile::read(&layout.virtual_store_dir.join(modules_yaml::CURRENT_LOCKFILE));
        current.ok().flatten().filter(|_| is_hoisted)
    });
    let current = current.await.unwrap_or_default();
    let has_any = |id: &&ImporterId| current.importers[*id].direct().next().is_some();
    let is_here =
        |id: &&ImporterId| lockfile.importers.contains_key(*id) && project.workspace.members.contains_key(*id);
    let before = current.importers.keys().filter(has_any).filter(is_here);
    selected.into_iter().chain(before.cloned()).collect()
}

/// Decides where everything goes.
pub(super) async fn places<C: Coordinator>(
    project: &Project,
    session: &Session<C>,
    lockfile: &Lockfile,
    importers: &BTreeSet<ImporterId>,
    snapshots: &BTreeSet<DepPath>,
) -> Result<HoistedPlaces, InstallError> {
    let include = session.options.include;
    let request = HoistRequest { lockfile, importers, snapshots, include };
    let locations = Locations::hoist(request, &project.layout)?;
    let layout = project.layout.clone();
    Ok(rt::blocking("read .modules.yaml", move || {
        let record = Record::read(&layout);
        HoistedPlaces::new(locations, record, &layout)
    })
    .await)
}

/// Everything into its place, links to projects, commands, and away with what is no longer wanted. Says what the install
/// changed.
pub(super) async fn link<C: Coordinator>(
    project: &Project,
    session: &Session<C>,
    lockfile: &Lockfile,
    filled: &Filled,
    places: &HoistedPlaces,
) -> Result<Linked, InstallError> {
    let (layout, locations, installed) = (&project.layout, &places.locations, &filled.installed);
    let (there, record) = (layout.clone(), places.record.clone());
    let before = rt::blocking("look at node_modules", move || direct_before(&there, &record)).await;
    let projects = project.named_dirs();
    let taken = locations.modules_dirs().remove(&layout.modules_dir).unwrap_or_default();
    let names = filled.names();
    let request = link_request(project, session, lockfile, &filled.importers, &names, &projects);
    let links = link::plan_hoisted(request, |name| taken.contains_key(name));
    let plan = places.plan(&session.importer, |dep_path| installed.contains_key(dep_path));
    let lockfiles = [Some(lockfile), project.previous_lockfile()];
    let changes = Changes {
        added: session.importer.added(),
        removed: plan.gone.len(),
        direct: DirectChange::between(&before, &links.direct_packages(ROOT), &lockfiles),
    };
    let (there, record) = (layout.clone(), places.record.clone());
    rt::blocking("put in place", move || place::apply(&plan, &record, &there)).await?;
    let linked = commands::linked_manifests(&links).await;
    let carried = commands::carried_packages(lockfile, filled, layout).await;
    let providers = Providers { installed, linked: &linked, carried: &carried };
    let bins = bins::plan_hoisted(&links, providers, layout, locations);
    // Nothing is left in node_modules/.pnpm, whatever tree was there before.
    let (nothing, dirs) = (InstalledPackages::new(), project.dirs());
    let wanted = prune::Wanted {
        links: &links,
        bins: &bins,
        installed: &nothing,
        of_others: None,
        projects: &dirs,
        is_new: false,
    };
    let mut pruned = prune::plan(layout, wanted);
    pruned.add_inner_commands(locations, &bins);
    let hoisted_projects = links.hoisted_projects.iter().filter_map(|(name, dir)| {
        let id = project.workspace.members.keys().find(|id| project.workspace.dir(id) == *dir);
        Some((name.clone(), id?.clone()))
    });
    let tree = LinkedTree::Hoisted { projects: hoisted_projects.collect() };
    stages::apply_links(project, pruned, links.links, &bins).await?;
    Ok(Linked { changes, tree, bins })
}

/// Takes the directories of a hoisted tree away, where one is to be replaced by links.
pub(super) async fn clear(layout: &Arc<Layout>) -> Result<(), InstallError> {
    let layout = layout.clone();
    Ok(rt::blocking("clear a hoisted tree", move || place::clear(&Record::read(&layout), &layout)).await?)
}

/// What the root's node_modules offers to its project before anything changes: name → package.
fn direct_before(layout: &Layout, record: &Record) -> BTreeMap<String, PackageId> {
    let mut before = direct::linked(layout);
    let current = Lockfile::read(&layout.virtual_store_dir.join(modules_yaml::CURRENT_LOCKFILE));
    let Some(root) = current.ok().flatten().and_then(|mut current| current.importers.remove(ROOT)) else {
        return before;
    };
    for (name, _) in root.direct() {
        let there = record.known().get(&layout.modules_dir.join(name));
        if let Some((package, version)) = there.and_then(|dep_path| name_and_version(dep_path)) {
            before.insert(name.clone(), PackageId::new(package, version));
        }
    }
    before
}
