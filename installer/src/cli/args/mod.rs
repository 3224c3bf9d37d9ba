//! The arguments, as clap parses them, lifted into the installer's types.

mod edit;
mod inspect;
mod install;
mod kinds;
mod project;
pub mod unsupported;

pub use edit::{AddArgs, RemoveArgs, UpdateArgs};
pub use inspect::{ListArgs, PlaceArgs, StoreArgs, StoreCommand, WhyArgs};
pub use install::InstallArgs;
pub use project::{ProjectArgs, ReporterKind};

use clap::{Parser, Subcommand};
use installer::config::{Overrides, Settings, workspace_root};
use installer::install::{InstallError, InstallOptions};
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
    #[command(visible_alias = "i", after_help = install::EXAMPLES)]
    Install(Box<InstallArgs>),
    /// Add packages to package.json, and install them
    #[command(after_help = edit::ADD_EXAMPLES)]
    Add(Box<AddArgs>),
    /// Remove packages from package.json and from node_modules
    #[command(visible_aliases = ["rm", "uninstall", "un"])]
    Remove(Box<RemoveArgs>),
    /// Take dependencies to newer versions, within their ranges or beyond
    #[command(visible_aliases = ["up", "upgrade"], after_help = edit::UPDATE_EXAMPLES)]
    Update(Box<UpdateArgs>),
    /// Show what is installed
    #[command(visible_alias = "ls")]
    List(Box<ListArgs>),
    /// Show who depends on a package
    Why(Box<WhyArgs>),
    /// Look after the store
    Store(Box<StoreArgs>),
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

/// A command that ends with an install.
pub trait Installs {
    /// The arguments that all of these commands share.
    fn project(&self) -> &ProjectArgs;

    /// What this command asks for beyond them.
    fn apply(&self, options: &mut InstallOptions, environment: &dyn Fn(&str) -> Option<String>);
}

/// What an install is asked to do.
///
/// # Errors
/// When the settings are wrong, or there is no working directory.
pub fn install_options(command: &dyn Installs) -> Result<InstallOptions, InstallError> {
    let environment = |name: &str| std::env::var(name).ok();
    let project = command.project();
    let (dir, settings) = settings(project.dir.as_deref(), project.overrides(), &environment)?;
    let mut options = InstallOptions::new(dir, settings);
    project.apply(&mut options);
    command.apply(&mut options, &environment);
    Ok(options)
}

/// The project's directory, and all settings there.
///
/// # Errors
/// As [`install_options`].
pub fn settings(
    dir: Option<&Path>,
    overrides: Overrides,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<(PathBuf, Settings), InstallError> {
    let dir = std::path::absolute(dir.unwrap_or(".".as_ref())).map_err(InstallError::Runtime)?;
    let home = environment("HOME").or_else(|| environment("USERPROFILE")).map(PathBuf::from);
    let root = workspace_root(&dir).unwrap_or_else(|| dir.clone());
    let settings = Settings::load(&root, home.as_deref(), environment, overrides)?;
    Ok((dir, settings))
}
