//! The pipeline: package.json and pnpm-lock.yaml in, node_modules out.
//!
//! [`install_with`] is all of it on one screen. The stages are the modules that it names; what they share for the length
//! of one install (registry, store, writer, coordination) is a `Session`.

mod advice;
mod ahead;
mod build;
mod commands;
mod edit;
mod engines;
mod foreign;
mod git;
mod hoisted;
mod local_directories;
mod no_lockfile;
mod options;
mod project;
mod project_lock;
pub mod repeat;
mod session;
mod shared;
mod stages;
mod summary;

pub use edit::{Add, Edit, EditError, PackageSpec, RangePrefix, Update};
pub use engines::EngineError;
pub use git::GitError;
pub use options::{CoordinationMode, InstallOptions, InstallPath};
pub use project::ProjectError;
pub use summary::{Change, Changes, DirectChange, Residue, Summary};

use crate::config::ConfigError;
use crate::lockfile::{LockfileError, LockfileMismatch};
use crate::manifest::ManifestError;
use crate::package_name::UnsafeName;
use crate::reporter::{ProgressEvent, Reporter, Stage};
use crate::resolve::ResolveError;
use crate::rt::{self, Point, StopSignal};
use crate::scripts::ScriptError;
use crate::tarball::{Coordinator, MemCache, TarballError};
use crate::virtual_store::hoisted::TooManyCopies;
use crate::virtual_store::{CreateVirtualStoreError, ImportError, LinkError};
use crate::workspace::WorkspaceError;
use project::Project;
use project_lock::ProjectLock;
use session::Session;
use std::sync::Arc;

/// Installs a project.
///
/// # Errors
/// The first failure that the install cannot do without. Whatever was downloaded by then stays in the store, and
/// node_modules holds complete packages only; the next run goes on from there.
pub async fn install(options: InstallOptions, reporter: Arc<dyn Reporter>) -> Result<Summary, InstallError> {
    install_with(options, MemCache::default(), reporter).await
}

/// [`install`], with a coordination of the caller's choice.
///
/// # Errors
/// As [`install`].
pub async fn install_with<C: Coordinator>(
    options: InstallOptions,
    cache: C,
    reporter: Arc<dyn Reporter>,
) -> Result<Summary, InstallError> {
    // A workspace is one project, whichever of its directories the command starts in.
    let locked_dir = options.settings.project.workspace_dir.as_ref().unwrap_or(&options.dir);
    let _lock = tokio::select! {
        biased;
        lock = ProjectLock::acquire(locked_dir, &*reporter) => lock,
        signal = rt::interrupted() => return Err(InstallError::Interrupted(signal)),
    };
    for message in options.settings.warnings.clone() {
        reporter.report(&ProgressEvent::Warning { code: "SETTINGS", message });
    }
    let last = options.clone();
    if let Some(summary) = rt::blocking("recognise", move || repeat::recognise(&last)).await {
        return Ok(summary);
    }
    let project = Project::open(&options).await?;
    if let Some(message) = project.settings_that_do_nothing() {
        reporter.report(&ProgressEvent::Warning { code: "UNSUPPORTED_SETTINGS", message });
    }
    if let Some(message) = advice::package_manager(&project) {
        reporter.report(&ProgressEvent::Warning { code: "PACKAGE_MANAGER", message });
    }
    for selector in &project.selection.unmatched {
        let message = format!("--filter {selector} matches no project");
        reporter.report(&ProgressEvent::Warning { code: "FILTER", message });
    }
    let session = Session::open(options, &project.layout, cache, reporter).await?;
    let installed = tokio::select! {
        biased;
        installed = run(project, &session) => installed,
        signal = rt::interrupted() => Err(InstallError::Interrupted(signal)),
    };
    rt::point(Point::InstallFinish).await;
    tokio::select! {
        biased;
        closed = session.close(installed) => closed,
        // Whoever asks twice does not want to wait for the index.
        signal = rt::interrupted() => Err(InstallError::Interrupted(signal)),
    }
}

async fn run<C: Coordinator>(mut project: Project, session: &Session<C>) -> Result<Summary, InstallError> {
    build::projects_before(&project, session).await?;
    if session.options.path == InstallPath::NoLockfile {
        return no_lockfile::install(&project, session).await;
    }
    if let Some(edit) = &session.options.edit {
        session.report(ProgressEvent::Stage { stage: Stage::Resolving });
        project = stages::edit(&project, session, edit).await?;
    }
    let stages::LockfileInForce { lockfile, is_new } = stages::lockfile(&project, session).await?;
    if session.options.lockfile_only {
        project.write_lockfile(&lockfile, is_new).await?;
        project.save_edit(&lockfile).await?;
        return Ok(Summary::of_lockfile(&lockfile));
    }
    let _in_use = shared::lay_out(&mut project, session, &lockfile).await?;
    let project = &project;
    stages::begin_changes(project).await?;
    session.report(ProgressEvent::Stage { stage: Stage::Importing });
    let filled = stages::create_virtual_store(project, session, &lockfile);
    let (written, filled) = tokio::join!(project.write_lockfile(&lockfile, is_new), filled);
    written?;
    let mut filled = filled?;
    let summary = stages::finish(project, session, &lockfile, &mut filled).await?;
    project.save_edit(&lockfile).await?;
    if is_new {
        advice::after_resolution(project, &lockfile).into_iter().for_each(|warning| session.report(warning));
    }
    stages::remember(project, session, &lockfile, &filled, &summary).await;
    rt::drop_last((lockfile, filled));
    Ok(summary)
}

/// Why an install failed.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum InstallError {
    /// The user or the system stopped it.
    #[error("{}", match .0 { StopSignal::Interrupt => "interrupted", StopSignal::Terminate => "told to stop" })]
    #[diagnostic(
        code(lockstep::interrupted),
        help("what was downloaded is in the store: run the same command again to go on from there")
    )]
    Interrupted(StopSignal),
    /// The system has no threads, file descriptors or working directory for the program.
    #[error("lockstep cannot start")]
    #[diagnostic(code(lockstep::start))]
    Runtime(#[source] std::io::Error),
    /// A setting is wrong.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Config(#[from] ConfigError),
    /// package.json is missing or wrong.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Manifest(#[from] ManifestError),
    /// The projects of the workspace do not fit together.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Workspace(#[from] WorkspaceError),
    /// pnpm-lock.yaml cannot be read.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Lockfile(#[from] LockfileError),
    /// pnpm-lock.yaml does not match package.json, and may not be changed.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Mismatch(#[from] LockfileMismatch),
    /// package.json cannot be changed as it was asked for.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Edit(#[from] EditError),
    /// The project or the store cannot be used.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Project(#[from] ProjectError),
    /// No set of versions satisfies package.json.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Resolve(#[from] ResolveError),
    /// A package cannot be had, or cannot be put in place.
    #[error(transparent)]
    #[diagnostic(transparent)]
    VirtualStore(#[from] CreateVirtualStoreError),
    /// A directory cannot be copied.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Import(#[from] ImportError),
    /// A script failed.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Script(#[from] Box<ScriptError>),
    /// A package does not run on this Node.js, and `engineStrict` is set.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Engine(#[from] EngineError),
    /// A git dependency cannot be had.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Git(#[from] GitError),
    /// The packages do not fit into a tree of real directories.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Hoist(#[from] TooManyCopies),
    /// A package has a name that leads out of node_modules.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Name(#[from] UnsafeName),
    /// A tarball cannot be had.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Tarball(#[from] Arc<TarballError>),
    /// A link or a command cannot be put in place.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Link(#[from] LinkError),
}

impl From<ScriptError> for InstallError {
    fn from(error: ScriptError) -> Self {
        InstallError::Script(Box::new(error))
    }
}
