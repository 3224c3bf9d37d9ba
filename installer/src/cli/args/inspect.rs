//! `lockstep list`, `why` and `store`: they look, and change no project.

use super::kinds::KindArgs;
use clap::{Args, Subcommand};
use installer::config::Overrides;
use installer::inspect::list::ListRequest;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub struct ListArgs {
    /// Only these packages, and what leads to them
    #[arg(value_name = "PACKAGE")]
    names: Vec<String>,
    /// How many levels below the direct dependencies: a number or Infinity
    #[arg(long, value_name = "N", default_value = "0", value_parser = depth)]
    depth: Depth,
    /// Of every project of the workspace
    #[arg(long, short)]
    pub recursive: bool,
    /// As JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    kinds: KindArgs,

    #[command(flatten)]
    pub place: PlaceArgs,
}

#[derive(Debug, Args)]
pub struct WhyArgs {
    /// The packages in question
    #[arg(required = true, value_name = "PACKAGE")]
    pub names: Vec<String>,
    /// As JSON
    #[arg(long)]
    pub json: bool,

    #[command(flatten)]
    pub place: PlaceArgs,
}

#[derive(Debug, Args)]
pub struct StoreArgs {
    #[command(subcommand)]
    pub command: StoreCommand,

    #[command(flatten)]
    pub place: PlaceArgs,
}

#[derive(Debug, Clone, Subcommand)]
pub enum StoreCommand {
    /// Print where the store is
    Path,
    /// Say what is in the store, and whether it is as it was written; exit code 1 if it is not
    Status,
    /// Remove packages that no project uses
    Prune,
    /// Read every file, and remove what is damaged: the next install downloads it again
    Verify {
        /// Change nothing; exit code 1 if anything is damaged
        #[arg(long, visible_alias = "dry-run")]
        check: bool,
    },
}

/// Which project, and which store.
#[derive(Debug, Args)]
pub struct PlaceArgs {
    /// The project's directory [default: the current one]
    #[arg(long, short = 'C', value_name = "DIR", global = true)]
    pub dir: Option<PathBuf>,
    /// Where the files of all projects' packages are kept
    #[arg(long, value_name = "DIR", global = true)]
    store_dir: Option<String>,
    /// The default registry, in place of the one in .npmrc
    #[arg(long, value_name = "URL", global = true, hide = true)]
    registry: Option<String>,
}

/// How deep to go; none is no limit.
#[derive(Debug, Clone, Copy)]
struct Depth(Option<usize>);

fn depth(text: &str) -> Result<Depth, String> {
    match text {
        "Infinity" | "infinity" => Ok(Depth(None)),
        number => number.parse().map(|depth| Depth(Some(depth))).map_err(|_| "give a number or Infinity".to_owned()),
    }
}

impl ListArgs {
    /// What to list.
    pub fn request(&self) -> ListRequest {
        ListRequest { depth: self.depth.0, include: self.kinds.include(), names: self.names.clone() }
    }
}

impl PlaceArgs {
    /// What the command line says about settings.
    pub fn overrides(&self) -> Overrides {
        Overrides { registry: self.registry.clone(), store_dir: self.store_dir.clone(), ..Overrides::default() }
    }
}
