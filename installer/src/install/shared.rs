//! The part of the virtual store that all projects share, where `enableGlobalVirtualStore` is set: what of an install is
//! there, and what has to be done before it is complete.

use super::engines::node_version;
use super::project::Project;
use super::session::Session;
use super::{InstallError, ProjectError};
use crate::lockfile::{self, DepPath, Lockfile, Platform};
use crate::reporter::{ProgressEvent, Stage};
use crate::rt;
use crate::store::StoreDir;
use crate::tarball::Coordinator;
use crate::virtual_store::shared::builds::Claim;
use crate::virtual_store::shared::name::{NameRequest, any_builds, names};
use crate::virtual_store::shared::usage::{self, InUse};
use crate::virtual_store::shared::{Content, Entry, mark_complete};
use crate::virtual_store::{InstalledPackages, Layout, Shared};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

/// Decides which packages are in the store for all projects, and looks which of them are complete. As long as the result is
/// kept, nobody takes any away.
pub(super) async fn lay_out<C: Coordinator>(
    project: &mut Project,
    session: &Session<C>,
    lockfile: &Lockfile,
) -> Result<Option<InUse>, InstallError> {
    if !project.workspace.settings.shares_packages() {
        return Ok(None);
    }
    let (store, builds) = (session.coordination.store.clone(), &session.options.settings.builds);
    let in_use = InUse::by_install(&store).await;
    let importers = &project.selection.importers;
    let snapshots = lockfile::installable(lockfile, importers, &session.platform, session.options.include);
    let engine = if any_builds(builds, &snapshots) { engine(project).await } else { String::new() };
    let named = names(NameRequest { lockfile, snapshots: &snapshots, builds, engine: &engine });
    let (project_dir, registered) = (project.layout.project_dir.clone(), store.clone());
    let registering = rt::blocking("register the project", move || {
        usage::register(&registered, &project_dir)?;
        // Links that all projects have lead there: whichever way this one calls the store.
        Ok(StoreDir::links_dir_in(&rt::fs::canonical(registered.root())?))
    });
    let links_dir = registering.await.map_err(|source| ProjectError::store(store.root(), source))?;
    let (links, force) = (links_dir.clone(), session.options.force);
    let entries = rt::parallel("look for shared packages", named.into_iter().collect(), move |(dep_path, named)| {
        let dir = links.join(named.path);
        let complete = if force { None } else { Entry::read_complete(&dir) };
        (dep_path, Entry { dir, dependencies: named.dependencies, builds: named.builds, complete })
    });
    let shared = Shared { links_dir, entries: entries.await.into_iter().collect() };
    project.layout = Arc::new(Layout { shared: Some(shared), ..(*project.layout).clone() });
    Ok(Some(in_use))
}

/// What a build may depend on: pnpm's words, the system, the processor and the major version of Node.js.
async fn engine(project: &Project) -> String {
    let Platform { os, cpu, .. } = Platform::current();
    let node = node_version(project).await.unwrap_or_default();
    let major = node.trim().trim_start_matches('v').split('.').next().unwrap_or_default().to_owned();
    format!("{};{};node{major}", os.concat(), cpu.concat())
}

/// The builds of packages that all projects share, from when they are claimed until what was built is noted as complete.
#[derive(Debug, Default)]
pub(super) struct SharedBuilds {
    claim: Option<Claim>,
    /// What is not built although it may be.
    pub(super) unbuilt: BTreeSet<DepPath>,
}

impl SharedBuilds {
    /// Claims those of `unbuilt` that this project allows, and takes away what another install has built meanwhile.
    pub(super) async fn claim<C: Coordinator>(
        project: &Project,
        session: &Session<C>,
        installed: &InstalledPackages,
        unbuilt: &mut BTreeMap<DepPath, Vec<PathBuf>>,
    ) -> Result<Self, InstallError> {
        let layout = project.layout.clone();
        let may_build = |dep_path: &&DepPath| layout.entry(dep_path).is_some_and(|entry| entry.builds);
        let wanted: BTreeSet<DepPath> = unbuilt.keys().filter(may_build).cloned().collect();
        if wanted.is_empty() {
            return Ok(SharedBuilds::default());
        }
        let store = session.coordination.store.clone();
        let claim = rt::blocking("open the locks of builds", move || Claim::new(&store)).await;
        claim.lock(&layout, &wanted, || session.report(ProgressEvent::Stage { stage: Stage::Waiting })).await;
        let runs = !session.options.ignore_scripts;
        let mut pending = BTreeSet::new();
        for dep_path in wanted {
            let (row, patch) = (installed[&dep_path].clone(), project.patch_of(&dep_path).cloned());
            let (store, importer) = (session.coordination.store.clone(), session.importer.clone());
            let (layout, claim_ref, name) = (layout.clone(), claim.clone(), dep_path.clone());
            let preparing = rt::blocking("prepare a build", move || {
                let content = Content { row: &row, store: &store, patch: patch.as_deref(), whole: false };
                claim_ref.prepare(&name, &layout, &importer, content, runs)
            });
            if preparing.await? {
                pending.insert(dep_path);
            } else {
                unbuilt.remove(&dep_path);
            }
        }
        Ok(SharedBuilds { claim: Some(claim), unbuilt: if runs { BTreeSet::new() } else { pending } })
    }

    /// Notes what is complete now.
    pub(super) async fn mark_complete<C: Coordinator>(
        self,
        project: &Project,
        session: &Session<C>,
        installed: &InstalledPackages,
    ) -> Result<(), InstallError> {
        let (layout, store) = (project.layout.clone(), session.coordination.store.clone());
        if layout.shared.is_none() {
            return Ok(());
        }
        let installed = installed.clone();
        let noting = rt::blocking("note complete packages", move || {
            let builder = self.claim.as_ref().map_or("", |claim| claim.builder.as_str());
            mark_complete(&layout, &installed, &self.unbuilt, (&store, builder))
        });
        Ok(noting.await.map_err(|source| ProjectError::store(session.coordination.store.root(), source))?)
    }
}
