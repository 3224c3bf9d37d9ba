//! The arguments, as clap parses them, lifted into the installer's types.

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use installer::config::Overrides;
use installer::install::CoordinationMode;
use installer::lockfile::{self, IncludeKinds};
use std::path::{Path, PathBuf};

/// An npm installer that never downloads a tarball twice.
#[derive(Debug, Parser)]
#[command(name = "lockstep", version, max_term_width = 100, arg_required_else_help = true, after_help = START)]
pub struct Args {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Install what package.json asks for
    #[command(visible_alias = "i", after_help = EXAMPLES)]
    Install(Box<InstallArgs>),
    /// Print a completion script for your shell
    #[command(
        after_help = "Example:\n  lockstep completion bash > ~/.local/share/bash-completion/completions/lockstep"
    )]
    Completion {
        /// The shell to complete for
        shell: clap_complete::Shell,
    },
}

const START: &str = "\
Run `lockstep install` in a directory with a package.json.
All options of a command: `lockstep help install`";

const EXAMPLES: &str = "\
Examples:
  lockstep install                     bring pnpm-lock.yaml and node_modules up to date
  lockstep install --frozen-lockfile   exactly what pnpm-lock.yaml says (the default in CI)
  lockstep install --prod --offline    no devDependencies, and only what is in the store

Settings are read from .npmrc and from npm_config_* variables, as npm and pnpm do.

Exit codes: 0 installed, 1 failed, 2 wrong arguments, 130 interrupted, 143 terminated";

const LOCKFILE: &str = "Lockfile";

const NETWORK: &str = "Network";

/// Says what to do instead to people who write `lockstep install react`.
fn refuse_package(package: &str) -> Result<String, String> {
    Err(format!("add {package} to package.json, then run `lockstep install`"))
}

#[derive(Debug, ClapArgs)]
pub struct InstallArgs {
    /// Refuses what people try first; see [`refuse_package`].
    #[arg(hide = true, value_name = "PACKAGE", value_parser = refuse_package)]
    packages: Vec<String>,

    /// Fail if pnpm-lock.yaml would change [default in CI, if the file is there]
    #[arg(long, overrides_with = "no_frozen_lockfile", help_heading = LOCKFILE)]
    frozen_lockfile: bool,
    /// Bring pnpm-lock.yaml up to date, also in CI
    #[arg(long, help_heading = LOCKFILE)]
    no_frozen_lockfile: bool,
    /// Neither read nor write pnpm-lock.yaml
    #[arg(long, conflicts_with = "frozen_lockfile", help_heading = LOCKFILE)]
    pub no_lockfile: bool,
    /// Leave devDependencies out
    #[arg(long, short = 'P', visible_alias = "production")]
    prod: bool,
    /// Do not list packages that have build scripts (they are never run)
    #[arg(long)]
    pub ignore_scripts: bool,
    /// The project's directory [default: the current one]
    #[arg(long, short = 'C', value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Where the files of all projects' packages are kept
    #[arg(long, value_name = "DIR")]
    store_dir: Option<String>,
    /// Make no requests: use only what is in the store
    #[arg(long, help_heading = NETWORK)]
    offline: bool,
    /// The default registry, in place of the one in .npmrc
    #[arg(long, value_name = "URL", help_heading = NETWORK)]
    registry: Option<String>,
    /// The most requests at any one time [default: 3 per processor, 16 to 64]
    #[arg(long, value_name = "N", help_heading = NETWORK, value_parser = clap::value_parser!(u32).range(1..=1024))]
    network_concurrency: Option<u32>,
    /// How to show progress
    #[arg(long, value_enum, value_name = "KIND", default_value_t = ReporterKind::Default)]
    pub reporter: ReporterKind,

    /// `none` installs as before pnpm#12241 was fixed: for comparisons
    #[arg(long, value_enum, default_value_t = Coordination::Shared, hide = true)]
    pub coordination: Coordination,
    /// Hold index rows back for so many milliseconds: for reproductions
    #[arg(long, value_name = "MS", default_value_t = 0, hide = true)]
    pub index_commit_lag: u64,
    /// Download nothing before resolution is complete: for comparisons
    #[arg(long, hide = true)]
    pub no_prefetch: bool,
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
pub enum Coordination {
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

impl InstallArgs {
    /// What the command line says about settings.
    pub fn overrides(&self) -> Overrides {
        Overrides {
            registry: self.registry.clone(),
            store_dir: self.store_dir.clone(),
            network_concurrency: self.network_concurrency.map(|n| n as usize),
            offline: self.offline.then_some(true),
            ..Overrides::default()
        }
    }

    /// Which dependencies are wanted.
    pub fn include(&self) -> IncludeKinds {
        IncludeKinds { dev: !self.prod, ..IncludeKinds::ALL }
    }

    /// Whether the lockfile may not change: when told so, or in CI where there is one.
    pub fn frozen(&self, dir: &Path, environment: &dyn Fn(&str) -> Option<String>) -> bool {
        let in_ci = environment("CI").is_some_and(|ci| !matches!(ci.as_str(), "" | "0" | "false"));
        let has_lockfile = || dir.join(lockfile::FILE_NAME).exists();
        self.frozen_lockfile || (!self.no_frozen_lockfile && in_ci && has_lockfile())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Box<InstallArgs> {
        let line = ["lockstep", "install"].iter().chain(arguments);
        match Args::try_parse_from(line).expect("these arguments are right").command {
            Command::Install(args) => args,
            Command::Completion { .. } => unreachable!("the line says install"),
        }
    }

    #[test]
    fn frozen_is_the_default_in_ci_where_there_is_a_lockfile() {
        let dir = tempfile::tempdir().unwrap();
        let ci = |name: &str| (name == "CI").then(|| "true".to_owned());
        let no_ci = |_: &str| None;
        assert!(!parse(&[]).frozen(dir.path(), &ci), "no lockfile yet");
        std::fs::write(dir.path().join(lockfile::FILE_NAME), "").unwrap();
        assert!(parse(&[]).frozen(dir.path(), &ci));
        assert!(!parse(&[]).frozen(dir.path(), &no_ci));
        assert!(!parse(&["--no-frozen-lockfile"]).frozen(dir.path(), &ci));
        assert!(parse(&["--frozen-lockfile"]).frozen(dir.path(), &no_ci));
        assert!(
            parse(&["--no-frozen-lockfile", "--frozen-lockfile"]).frozen(dir.path(), &no_ci),
            "the last one counts"
        );
        assert!(!parse(&["--frozen-lockfile", "--no-frozen-lockfile"]).frozen(dir.path(), &ci));
    }

    #[test]
    fn prod_leaves_dev_dependencies_out() {
        assert!(!parse(&["--prod"]).include().dev);
        assert!(parse(&[]).include().dev);
    }
}
