//! `lockstep add`, `remove` and `update`: package.json first, then an install.

use super::kinds::KindArgs;
use super::{Installs, ProjectArgs};
use clap::Args;
use installer::install::{Add, Edit, InstallOptions, PackageSpec, RangePrefix, Update};
use installer::lockfile::IncludeKinds;
use installer::manifest::edit::DependencyMap;

pub const ADD_EXAMPLES: &str = "\
Examples:
  lockstep add react react-dom         the latest versions, saved as ^VERSION
  lockstep add -D typescript@~5.8      a range, in devDependencies
  lockstep add old@npm:react@16        under another name";

pub const UPDATE_EXAMPLES: &str = "\
Examples:
  lockstep update                      everything, within the ranges of package.json
  lockstep update react --latest       one package, to its latest version";

#[derive(Debug, Args)]
pub struct AddArgs {
    /// NAME, NAME@RANGE, NAME@TAG, ALIAS@npm:NAME@RANGE, OWNER/REPO, a URL or file:PATH
    #[arg(required = true, value_name = "PACKAGE", value_parser = PackageSpec::parse_to_add)]
    packages: Vec<PackageSpec>,
    #[command(flatten)]
    to: MapArgs,
    /// Save as a peer dependency, and install as a devDependency
    #[arg(long, conflicts_with_all = ["save_prod", "save_optional"])]
    save_peer: bool,
    /// Save the exact version
    #[arg(long, short = 'E', conflicts_with = "tilde")]
    save_exact: bool,
    /// Save as ~VERSION
    #[arg(long)]
    tilde: bool,

    #[command(flatten)]
    project: ProjectArgs,
}

#[derive(Debug, Args)]
pub struct RemoveArgs {
    /// Names in package.json
    #[arg(required = true, value_name = "PACKAGE")]
    packages: Vec<String>,
    #[command(flatten)]
    from: MapArgs,

    #[command(flatten)]
    project: ProjectArgs,
}

#[derive(Debug, Args)]
pub struct UpdateArgs {
    /// Names, each perhaps with a new range; everything, if none is given
    #[arg(value_name = "PACKAGE", value_parser = PackageSpec::parse)]
    packages: Vec<PackageSpec>,
    /// Go beyond the ranges in package.json, and change them
    #[arg(long, short = 'L')]
    latest: bool,
    #[command(flatten)]
    kinds: KindArgs,

    #[command(flatten)]
    project: ProjectArgs,
}

/// One map of package.json.
#[derive(Debug, Args)]
#[group(multiple = false)]
struct MapArgs {
    /// In dependencies
    #[arg(long, short = 'P')]
    save_prod: bool,
    /// In devDependencies
    #[arg(long, short = 'D')]
    save_dev: bool,
    /// In optionalDependencies
    #[arg(long, short = 'O')]
    save_optional: bool,
}

impl MapArgs {
    fn map(&self) -> Option<DependencyMap> {
        let maps = [
            (self.save_prod, DependencyMap::Production),
            (self.save_dev, DependencyMap::Development),
            (self.save_optional, DependencyMap::Optional),
        ];
        maps.into_iter().find_map(|(chosen, map)| chosen.then_some(map))
    }
}

impl Installs for AddArgs {
    fn project(&self) -> &ProjectArgs {
        &self.project
    }

    fn apply(&self, options: &mut InstallOptions, _environment: &dyn Fn(&str) -> Option<String>) {
        let prefixes = [(self.save_exact, RangePrefix::Exact), (self.tilde, RangePrefix::Tilde)];
        options.edit = Some(Edit::Add(Add {
            packages: self.packages.clone(),
            to: self.to.map(),
            peer: self.save_peer,
            prefix: prefixes.into_iter().find_map(|(chosen, prefix)| chosen.then_some(prefix)),
        }));
    }
}

impl Installs for RemoveArgs {
    fn project(&self) -> &ProjectArgs {
        &self.project
    }

    fn apply(&self, options: &mut InstallOptions, _environment: &dyn Fn(&str) -> Option<String>) {
        options.edit = Some(Edit::Remove { names: self.packages.clone(), from: self.from.map() });
    }
}

impl Installs for UpdateArgs {
    fn project(&self) -> &ProjectArgs {
        &self.project
    }

    fn apply(&self, options: &mut InstallOptions, _environment: &dyn Fn(&str) -> Option<String>) {
        let IncludeKinds { prod, dev, optional } = self.kinds.include();
        let maps = [
            (prod, DependencyMap::Production),
            (dev, DependencyMap::Development),
            (prod && optional, DependencyMap::Optional),
        ];
        let maps = maps.into_iter().filter_map(|(included, map)| included.then_some(map)).collect();
        options.edit = Some(Edit::Update(Update { packages: self.packages.clone(), latest: self.latest, maps }));
    }
}
