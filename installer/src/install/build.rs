//! The stage that runs scripts: those of dependencies that may build and are not built, and the projects' own.

use super::InstallError;
use super::project::Project;
use super::session::Session;
use super::shared::SharedBuilds;
use super::stages::Filled;
use crate::lockfile::{DepPath, Lockfile};
use crate::reporter::{ProgressEvent, Stage};
use crate::rt;
use crate::scripts::lifecycle::{BEFORE_ALL, PROJECT, Package};
use crate::scripts::{self, BuildPlan, Environment};
use crate::tarball::Coordinator;
use crate::virtual_store::bins::{self, Bin};
use crate::virtual_store::modules_yaml;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

/// What became of the builds.
#[derive(Debug, Default)]
pub(super) struct Builds {
    /// Snapshots that nobody decided about.
    pub(super) ignored: BTreeSet<DepPath>,
    /// Snapshots that are to be built by an install that runs scripts.
    pub(super) pending: BTreeSet<DepPath>,
    /// What became of those that all projects share.
    pub(super) shared: SharedBuilds,
}

/// Builds what may build, unless no script is to run.
pub(super) async fn dependencies<C: Coordinator>(
    project: &Project,
    session: &Session<C>,
    lockfile: &Lockfile,
    filled: &Filled,
    bins: Vec<Bin>,
) -> Result<Builds, InstallError> {
    let installed = &filled.installed;
    let policy = &session.options.settings.builds;
    let any = installed.values().any(|row| row.manifest.has_build_script);
    if !any {
        return Ok(Builds::default());
    }
    let mut unbuilt = unbuilt(project, session, filled).await;
    let before = session.importer.added();
    let mut shared = SharedBuilds::claim(project, session, &filled.installed, &mut unbuilt).await?;
    if session.importer.added() != before {
        // What was made anew has lost its commands.
        write_commands(project, bins.clone()).await?;
    }
    if session.options.ignore_scripts {
        return Ok(Builds { pending: unbuilt.into_keys().collect(), shared, ..Builds::default() });
    }
    let BuildPlan { steps, undecided } =
        scripts::plan::plan(lockfile, installed, policy, &|dep_path| !unbuilt.contains_key(dep_path));
    if !steps.is_empty() {
        session.report(ProgressEvent::Stage { stage: Stage::Building });
        let environment = environment(project, session).await;
        let plan = BuildPlan { steps, undecided: BTreeSet::new() };
        shared.unbuilt = scripts::run::run(&plan, &unbuilt, &environment, &session.reporter).await?;
        // A build may have made the file that a command starts, or made it another kind of program.
        write_commands(project, bins).await?;
    }
    Ok(Builds { ignored: undecided, pending: BTreeSet::new(), shared })
}

/// Writes commands; the files that they start have to be there.
pub(super) async fn write_commands(project: &Project, bins: Vec<Bin>) -> Result<(), InstallError> {
    let layout = project.layout.clone();
    let written = rt::parallel("command", bins, move |bin| bins::apply(&bin, &layout)).await;
    Ok(written.into_iter().collect::<Result<(), _>>()?)
}

/// The snapshots with build scripts that are not known to be built, and in which of their directories: whoever made the tree,
/// pnpm or this program, wrote down what it holds, and which of that is not built.
async fn unbuilt<C: Coordinator>(
    project: &Project,
    session: &Session<C>,
    filled: &Filled,
) -> BTreeMap<DepPath, Vec<PathBuf>> {
    let building = filled.installed.iter().filter(|(_, row)| row.manifest.has_build_script);
    let building: Vec<DepPath> = building.map(|(dep_path, _)| dep_path.clone()).collect();
    let (layout, importer, places) = (project.layout.clone(), session.importer.clone(), filled.places.clone());
    rt::blocking("look for builds", move || {
        let built = modules_yaml::built(&layout);
        let unbuilt = |dep_path: DepPath| {
            let is_new = |dir: &PathBuf| match layout.entry(&dep_path) {
                // Whoever built it said so there. Where nobody may build it, nobody did.
                Some(entry) => !entry.builds || !entry.was_complete(),
                None => importer.has_added(dir) || !built.contains(&dep_path),
            };
            let dirs: Vec<PathBuf> = places.dirs(&dep_path).into_iter().filter(is_new).collect();
            (!dirs.is_empty()).then_some((dep_path, dirs))
        };
        building.into_iter().filter_map(unbuilt).collect()
    })
    .await
}

/// The scripts that run before anything else happens: the root's own for this, and a single project's first.
pub(super) async fn projects_before<C: Coordinator>(
    project: &Project,
    session: &Session<C>,
) -> Result<(), InstallError> {
    let first = if project.is_workspace() { &[] } else { &PROJECT[..1] };
    let events = [&BEFORE_ALL, first].concat();
    let root = project.layout.project_dir.clone();
    project_scripts(project, session, &events, vec![(root, BTreeSet::new())]).await
}

/// The other scripts of the projects, when everything is in place: dependencies before their dependents.
pub(super) async fn projects_after<C: Coordinator>(
    project: &Project,
    session: &Session<C>,
) -> Result<(), InstallError> {
    let events = if project.is_workspace() { &PROJECT[..] } else { &PROJECT[1..] };
    project_scripts(project, session, events, project.in_order()).await
}

async fn project_scripts<C: Coordinator>(
    project: &Project,
    session: &Session<C>,
    events: &[&'static str],
    dirs: Vec<(PathBuf, BTreeSet<usize>)>,
) -> Result<(), InstallError> {
    let options = &session.options;
    // As in pnpm: `add`, `remove` and `update` are no install of the project.
    if options.ignore_scripts || options.lockfile_only || options.edit.is_some() {
        return Ok(());
    }
    let read = move || dirs.into_iter().map(|(dir, after)| (Package::read(&dir), after)).unzip();
    let (packages, after): (Vec<Package>, Vec<BTreeSet<usize>>) = rt::blocking("read scripts", read).await;
    if !packages.iter().any(|package| package.has_any(events)) {
        return Ok(());
    }
    let environment = environment(project, session).await;
    let run = |index: usize| packages[index].run(events, &environment, &*session.reporter);
    Ok(scripts::in_order(&after.iter().collect::<Vec<_>>(), run).await?)
}

async fn environment<C: Coordinator>(project: &Project, session: &Session<C>) -> Arc<Environment> {
    let (layout, user_agent) = (project.layout.clone(), session.options.settings.network.user_agent.clone());
    rt::blocking("look around", move || Arc::new(Environment::new(&layout, &user_agent))).await
}
