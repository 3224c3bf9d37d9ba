//! Who depends on a package, up to the project.

use super::{Installed, Package};
use crate::lockfile::dep_path_of;
use std::collections::{BTreeMap, BTreeSet};

/// A package, or the project, and who depends on it.
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
    /// The project itself.
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
    /// Snapshot → the field of package.json that asks for it, and the name under which.
    fields: BTreeMap<String, BTreeSet<(&'static str, String)>>,
}

impl<'a> Parents<'a> {
    fn of(installed: &'a Installed) -> Self {
        let mut parents = Parents { installed, packages: BTreeMap::new(), fields: BTreeMap::new() };
        for parent in installed.lockfile.snapshots.keys() {
            for (alias, dep_path) in installed.lockfile.dependencies_of(parent) {
                parents.packages.entry(dep_path).or_default().insert((parent.clone(), alias.to_owned()));
            }
        }
        if let Some(importer) = installed.lockfile.importers.get(".") {
            for (field, map) in [
                ("dependencies", &importer.dependencies),
                ("devDependencies", &importer.dev_dependencies),
                ("optionalDependencies", &importer.optional_dependencies),
            ] {
                for (alias, direct) in map {
                    let dep_path = dep_path_of(alias, &direct.version);
                    parents.fields.entry(dep_path).or_default().insert((field, alias.clone()));
                }
            }
        }
        parents
    }

    fn is_alias(&self, package: &Package, names: &[String]) -> bool {
        let of_packages = self.packages.get(&package.dep_path).into_iter().flatten().map(|(_, alias)| alias);
        let of_project = self.fields.get(&package.dep_path).into_iter().flatten().map(|(_, alias)| alias);
        of_packages.chain(of_project).any(|alias| names.contains(alias))
    }

    fn dependent(&self, package: Package, shown: &mut BTreeSet<String>) -> Dependent {
        let dep_path = &package.dep_path;
        if !shown.insert(dep_path.clone()) {
            return Dependent::Package { package, deduped: true, dependents: Vec::new() };
        }
        let parents: BTreeSet<&String> =
            self.packages.get(dep_path).into_iter().flatten().map(|(parent, _)| parent).collect();
        let mut above: Vec<(String, Option<&'static str>)> =
            parents.into_iter().map(|parent| (parent.clone(), None)).collect();
        let fields = self.fields.get(dep_path).into_iter().flatten();
        let project = self.installed.manifest.name.clone().unwrap_or_default();
        above.extend(fields.map(|(field, _)| (project.clone(), Some(*field))));
        above.sort();
        let dependents = above.into_iter().map(|(name, field)| match field {
            Some(field) => {
                let version = self.installed.manifest.version.clone().unwrap_or_default();
                Dependent::Project { name, version, field }
            }
            None => self.dependent(Package::of(&name), shown),
        });
        let dependents = dependents.collect();
        Dependent::Package { package, deduped: false, dependents }
    }
}
