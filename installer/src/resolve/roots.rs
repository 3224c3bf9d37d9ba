//! What the projects ask for, as requirements that the solver takes.

use super::adjustments::Adjustments;
use super::foreign::{ForeignSource, OpenedPackage};
use super::importer_packages;
use super::packuments::ResolveWarning;
use super::specifier::target_of;
use super::{RequiredBy, ResolveError};
use crate::manifest::DependencyKind;
use crate::workspace::{CatalogUse, ImporterId, Member, ROOT, Target, Workspace, shown};
use deno_semver::VersionReq;
use deno_semver::package::PackageReq;
use std::collections::BTreeMap;

/// One direct dependency that is resolved.
#[derive(Debug, Clone)]
pub(super) struct Root {
    pub requirement: PackageReq,
    /// What is asked for: a range, a tag or an alias.
    pub range: String,
    /// As the lockfile records it.
    pub specifier: String,
    pub kind: DependencyKind,
    pub catalog: Option<CatalogUse>,
}

/// One direct dependency that leads to a directory.
#[derive(Debug, Clone)]
pub(super) struct LinkedRoot {
    pub specifier: String,
    pub kind: DependencyKind,
    /// The way there from the project.
    pub path: String,
}

/// The direct dependencies of one project, by their names under node_modules.
#[derive(Debug, Default)]
pub(super) struct ImporterRoots {
    pub resolved: BTreeMap<String, Root>,
    pub linked: BTreeMap<String, LinkedRoot>,
}

/// The direct dependencies of all projects.
#[derive(Debug)]
pub(super) struct Roots {
    pub importers: BTreeMap<ImporterId, ImporterRoots>,
    pub skipped: Vec<ResolveWarning>,
}

/// What is behind the specifiers that no registry knows.
pub(super) type Opened = BTreeMap<ForeignSource, OpenedPackage>;

impl Roots {
    /// What the projects ask for, without the optional dependencies that run into an obstacle.
    pub fn of(workspace: &Workspace, adjustments: &Adjustments, opened: &Opened) -> Result<Roots, ResolveError> {
        let mut roots = Roots { importers: BTreeMap::new(), skipped: Vec::new() };
        for (id, member) in &workspace.members {
            let importer = roots.importer(id, member, adjustments, opened)?;
            roots.importers.insert(id.clone(), importer);
        }
        Ok(roots)
    }

    fn importer(
        &mut self,
        id: &str,
        member: &Member,
        adjustments: &Adjustments,
        opened: &Opened,
    ) -> Result<ImporterRoots, ResolveError> {
        let project = &shown(id);
        let mut importer = ImporterRoots::default();
        for (alias, wanted) in &member.wanted {
            let (specifier, kind) = (wanted.specifier.clone(), wanted.kind);
            let (mut range, catalog) = match &wanted.target {
                Target::Link { path } => {
                    importer.linked.insert(alias.clone(), LinkedRoot { specifier, kind, path: path.clone() });
                    continue;
                }
                Target::Resolved { specifier, catalog } => (specifier.clone(), catalog.clone()),
            };
            if let Some(foreign) = ForeignSource::of(id, &range).and_then(|source| opened.get(&source)) {
                range = foreign.range();
            }
            if kind == DependencyKind::Optional && adjustments.blocks(project, alias, &range) {
                let dependency = format!("{alias}@{range}");
                self.skipped.push(ResolveWarning::OptionalSkipped { parent: project.to_owned(), dependency });
                continue;
            }
            let requirement = target_of(alias, &range).and_then(|(name, range)| {
                Some(PackageReq { name: name.into(), version_req: VersionReq::parse_from_npm(range).ok()? })
            });
            let Some(requirement) = requirement else {
                let (dependency, required_by) = (alias.clone(), RequiredBy(vec![project.to_owned()]));
                return Err(ResolveError::Unsupported { dependency, specifier: range, required_by });
            };
            importer.resolved.insert(alias.clone(), Root { requirement, range, specifier, kind, catalog });
        }
        Ok(importer)
    }

    /// What the solver is given: the root project's dependencies in the order of their names, then the other projects.
    pub fn requirements(&self) -> Vec<PackageReq> {
        let root = self.importers.get(ROOT).into_iter().flat_map(|root| root.resolved.values());
        let others = self.importers.iter().filter(|(id, importer)| *id != ROOT && !importer.resolved.is_empty());
        let root = root.map(|root| root.requirement.clone());
        root.chain(others.map(|(id, _)| importer_packages::requirement(id))).collect()
    }
}
