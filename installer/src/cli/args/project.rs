//! What the commands share that change a project: where it is, where packages come from, how to show progress.

use clap::{Args, ValueEnum};
use installer::config::Overrides;
use installer::install::{CoordinationMode, InstallOptions};
use std::path::PathBuf;
use std::time::Duration;

const NETWORK: &str = "Network";

#[derive(Debug, Args)]
pub struct ProjectArgs {
    /// The project's directory [default: the current one]
    #[arg(long, short = 'C', value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Only these projects: names, globs, ./directories, with ... and !
    #[arg(long, short = 'F', value_name = "SELECTOR")]
    filter: Vec<String>,
    /// Where the files of all projects' packages are kept
    #[arg(long, value_name = "DIR")]
    store_dir: Option<String>,
    /// Make node_modules of links (isolated) or of directories (hoisted)
    #[arg(long, value_name = "KIND", value_parser = ["isolated", "hoisted"], hide_possible_values = true)]
    node_linker: Option<String>,
    /// Do not list packages that have build scripts (they are never run)
    #[arg(long)]
    ignore_scripts: bool,
    /// Bring pnpm-lock.yaml up to date, and leave node_modules as it is
    #[arg(long)]
    lockfile_only: bool,
    /// Put every package in place anew, whatever is there
    #[arg(long)]
    force: bool,
    /// Make no requests: use only what is in the store
    #[arg(long, help_heading = NETWORK)]
    offline: bool,
    /// Ask for newer versions only where what is in the store does not do
    #[arg(long, help_heading = NETWORK)]
    prefer_offline: bool,
    /// The default registry, in place of the one in .npmrc
    #[arg(long, value_name = "URL", help_heading = NETWORK)]
    registry: Option<String>,
    /// The most requests at any one time [default: 64]
    #[arg(long, value_name = "N", help_heading = NETWORK, value_parser = clap::value_parser!(u32).range(1..=1024))]
    network_concurrency: Option<u32>,
    /// How to show progress
    #[arg(long, value_enum, value_name = "KIND", default_value_t = ReporterKind::Default)]
    pub reporter: ReporterKind,

    /// `none` installs as before pnpm#12241 was fixed: for comparisons
    #[arg(long, value_enum, default_value_t = Coordination::Shared, hide = true)]
    coordination: Coordination,
    /// Hold index rows back for so many milliseconds: for reproductions
    #[arg(long, value_name = "MS", default_value_t = 0, hide = true)]
    index_commit_lag: u64,
    /// Download nothing before resolution is complete: for comparisons
    #[arg(long, hide = true)]
    no_prefetch: bool,
}

/// How to show progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReporterKind {
    /// Redrawn on a terminal, plain lines elsewhere
    Default,
    /// Plain lines
    AppendOnly,
    /// One JSON object per event, on stdout
    Ndjson,
    /// Nothing but errors
    Silent,
}

/// See [`CoordinationMode`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Coordination {
    Shared,
    None,
}

impl From<Coordination> for CoordinationMode {
    fn from(coordination: Coordination) -> Self {
        match coordination {
            Coordination::Shared => CoordinationMode::Shared,
            Coordination::None => CoordinationMode::None,
        }
    }
}

impl ProjectArgs {
    /// What the command line says about settings.
    pub fn overrides(&self) -> Overrides {
        Overrides {
            registry: self.registry.clone(),
            store_dir: self.store_dir.clone(),
            network_concurrency: self.network_concurrency.map(|n| n as usize),
            offline: self.offline.then_some(true),
            prefer_offline: self.prefer_offline.then_some(true),
            node_linker: self.node_linker.clone(),
            ..Overrides::default()
        }
    }

    /// What it says about the install.
    pub fn apply(&self, options: &mut InstallOptions) {
        options.coordination = self.coordination.into();
        options.prefetch = !self.no_prefetch;
        options.commit_lag = Duration::from_millis(self.index_commit_lag);
        options.ignore_scripts = self.ignore_scripts;
        options.lockfile_only = self.lockfile_only;
        options.force = self.force;
        options.filter = self.filter.clone();
    }
}
