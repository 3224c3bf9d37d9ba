//! Who depends on a package, up to the projects: in a workspace, to all of them.

use super::{Installed, Package};
use crate::lockfile::dep_path_of;
use crate::workspace::ImporterId;
use std::collections::{BTreeMap, BTreeSet};

/// A package, or a project, and who depends on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dependent {
    /// A package.
    Package {
        /// Which one.
        package: Package,
        /// Whether who depends on it is shown elsewhere.
        deduped: bool,
        /// Who depends on it, sorted by name.
        dependents: Vec<Dependent>,
    },
    /// A project.
    Project {
        /// Its name.
        name: String,
        /// Its version.
        version: String,
        /// The field of package.json that asks for the package.
        field: &'static str,
    },
}

/// The snapshots of the packages with these names, each with who depends on it. Pure.
pub fn why(installed: &Installed, names: &[String]) -> Vec<Dependent> {
    let parents = Parents::of(installed);
    let is_asked_for = |package: &Package| names.contains(&package.name) || parents.is_alias(package, names);
    let packages = installed.lockfile.snapshots.keys().map(|dep_path| Package::of(dep_path)).filter(is_asked_for);
    packages.map(|package| parents.dependent(package, &mut BTreeSet::new())).collect()
}

/// Every edge of the lockfile, backwards.
struct Parents<'a> {
    installed: &'a Installed,
    /// Snapshot → the snapshots that depend on it, each with the name under which.
    packages: BTreeMap<String, BTreeSet<(String, String)>>,
    /// Snapshot → the projects that ask for it, each with the field of package.json and the name under which.
    projects: BTreeMap<String, BTreeSet<(ImporterId, &'static str, String)>>,
}

impl<'a> Parents<'a> {
    fn of(installed: &'a Installed) -> Self {
        let mut parents = Parents { installed, packages: BTreeMap::new(), projects: BTreeMap::new() };
        for parent in installed.lockfile.snapshots.keys() {
            for (alias, dep_path) in installed.lockfile.dependencies_of(parent) {
                parents.packages.entry(dep_path).or_default().insert((parent.clone(), alias.to_owned()));
            }
        }
        for (id, importer) in &installed.lockfile.importers {
            for (field, map) in [
                ("dependencies", &importer.dependencies),
                ("devDependencies", &importer.dev_dependencies),
                ("optionalDependencies", &importer.optional_dependencies),
            ] {
                for (alias, direct) in map {
                    let dep_path = dep_path_of(alias, &direct.version);
                    parents.projects.entry(dep_path).or_default().insert((id.clone(), field, alias.clone()));
                }
            }
        }
        parents
    }

    fn is_alias(&self, package: &Package, names: &[String]) -> bool {
        let of_packages = self.packages.get(&package.dep_path).into_iter().flatten().map(|(_, alias)| alias);
        let of_project = self.projects.get(&package.dep_path).into_iter().flatten().map(|(.., alias)| alias);
        of_packages.chain(of_project).any(|alias| names.contains(alias))
    }

    fn dependent(&self, package: Package, shown: &mut BTreeSet<String>) -> Dependent {
        let dep_path = &package.dep_path;
        if !shown.insert(dep_path.clone()) {
            return Dependent::Package { package, deduped: true, dependents: Vec::new() };
        }
        let parents: BTreeSet<&String> =
            self.packages.get(dep_path).into_iter().flatten().map(|(parent, _)| parent).collect();
        let mut above: Vec<(String, Option<(&ImporterId, &'static str)>)> =
            parents.into_iter().map(|parent| (parent.clone(), None)).collect();
        let projects = self.projects.get(dep_path).into_iter().flatten();
        above.extend(projects.map(|(id, field, _)| (self.installed.name_of(id), Some((id, *field)))));
        above.sort();
        let dependents = above.into_iter().map(|(name, project)| match project {
            Some((id, field)) => Dependent::Project { name, version: self.installed.version_of(id), field },
            None => self.dependent(Package::of(&name), shown),
        });
        let dependents = dependents.collect();
        Dependent::Package { package, deduped: false, dependents }
    }
}
