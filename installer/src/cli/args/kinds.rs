//! Which kinds of dependencies a command is about.

use clap::Args;
use installer::lockfile::IncludeKinds;

/// Kinds that are left out.
#[derive(Debug, Clone, Args)]
pub struct KindArgs {
    /// No devDependencies
    #[arg(long, short = 'P', visible_alias = "production")]
    prod: bool,
    /// No dependencies: only the other kinds
    #[arg(long, short = 'D', conflicts_with = "prod")]
    dev: bool,
    /// No optionalDependencies
    #[arg(long)]
    no_optional: bool,
}

impl KindArgs {
    /// The kinds that are left. As in pnpm, optional ones go with either of the others.
    pub fn include(&self) -> IncludeKinds {
        IncludeKinds { prod: !self.dev, dev: !self.prod, optional: !self.no_optional }
    }
}
