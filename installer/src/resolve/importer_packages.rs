//! The projects of a workspace other than its root, as packages of the solver.
//!
//! The solver knows one root, whose dependencies are seen from everywhere: that is the root project, whose dependencies
//! serve all projects as peers in pnpm too. Every other project is a package below it, with dependencies and no tarball:
//! what its dependencies need as peers is looked for in that project first.

use super::roots::Roots;
use crate::workspace::ImporterId;
use deno_npm::registry::{NpmPackageInfo, NpmPackageVersionInfo};
use deno_semver::package::PackageReq;
use deno_semver::{Version, VersionReq};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// No package of a registry has a name with a colon.
const PREFIX: &str = "importer:";

const VERSION: &str = "1.0.0";

/// The solver's name for a project.
fn solver_name(importer: &str) -> String {
    format!("{PREFIX}{importer}")
}

/// Whether the solver calls a project this.
pub(super) fn is_importer(name: &str) -> bool {
    name.starts_with(PREFIX)
}

/// What the solver is asked for so that it solves this project.
pub(super) fn requirement(importer: &str) -> PackageReq {
    let version_req = VersionReq::parse_from_npm(VERSION).expect("a version is a range");
    PackageReq { name: solver_name(importer).as_str().into(), version_req }
}

/// The packuments of these projects, by the solver's names.
pub(super) fn packuments(roots: &Roots) -> BTreeMap<String, Arc<NpmPackageInfo>> {
    let below_root = |(id, _): &(&ImporterId, _)| *id != crate::workspace::ROOT;
    let packument = |(id, importer): (&ImporterId, &super::roots::ImporterRoots)| {
        let version = Version::parse_from_npm(VERSION).expect("a fixed version");
        let dependencies =
            importer.resolved.iter().map(|(alias, root)| (alias.as_str().into(), root.range.as_str().into()));
        let info = NpmPackageVersionInfo {
            version: version.clone(),
            dependencies: dependencies.collect(),
            ..NpmPackageVersionInfo::default()
        };
        let name = solver_name(id);
        let packument = NpmPackageInfo {
            name: name.as_str().into(),
            versions: HashMap::from([(version.clone(), info)]).into(),
            dist_tags: HashMap::from([("latest".to_owned(), version)]),
            time: HashMap::default(),
        };
        (name, Arc::new(packument))
    };
    roots.importers.iter().filter(below_root).map(packument).collect()
}
