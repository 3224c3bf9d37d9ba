//! What an install is asked to do.

use super::Edit;
use crate::config::Settings;
use crate::lockfile::IncludeKinds;
use std::path::PathBuf;
use std::time::Duration;

/// What an install is asked to do.
#[derive(Debug, Clone)]
pub struct InstallOptions {
    /// The project's directory, with its package.json. In a workspace any of its directories stands for all.
    pub dir: PathBuf,
    /// Registries, auth, network and store.
    pub settings: Settings,
    /// How versions are found.
    pub path: InstallPath,
    /// `--filter`: the projects of the workspace whose node_modules is filled; empty means all.
    pub filter: Vec<String>,
    /// Which of the project's dependencies are installed.
    pub include: IncludeKinds,
    /// How the cold batch gets its tarballs.
    pub coordination: CoordinationMode,
    /// Whether tarballs are downloaded while resolution goes on. Off, the install is slower and otherwise the same.
    pub prefetch: bool,
    /// How long each batch of index rows is held back. Zero outside of tests.
    pub commit_lag: Duration,
    /// Whether packages that want to run build scripts go unmentioned. None is run in either case.
    pub ignore_scripts: bool,
    /// What is changed in package.json first; saved when the install has gone well.
    pub edit: Option<Edit>,
    /// Whether node_modules is left as it is: versions are chosen and written down, nothing is downloaded.
    pub lockfile_only: bool,
    /// Whether every package is put in place anew, whatever is there.
    pub force: bool,
}

/// How versions are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InstallPath {
    /// From pnpm-lock.yaml where it still matches package.json, else by resolving; the lockfile is written then.
    Fresh,
    /// From pnpm-lock.yaml, which must match package.json.
    Frozen,
    /// By walking the packages one by one, with no lockfile read or written.
    NoLockfile,
}

/// How the cold batch gets its tarballs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CoordinationMode {
    /// Through the cache that the prefetcher fills: at most one download per tarball.
    Shared,
    /// Past that cache, as before pnpm#12241 was fixed. For benches and for the reproduction.
    None,
}

impl InstallOptions {
    /// The defaults: fresh, everything included, coordinated, prefetching.
    pub fn new(dir: PathBuf, settings: Settings) -> Self {
        InstallOptions {
            dir,
            settings,
            path: InstallPath::Fresh,
            filter: Vec::new(),
            include: IncludeKinds::ALL,
            coordination: CoordinationMode::Shared,
            prefetch: true,
            commit_lag: Duration::ZERO,
            ignore_scripts: false,
            edit: None,
            lockfile_only: false,
            force: false,
        }
    }
}
