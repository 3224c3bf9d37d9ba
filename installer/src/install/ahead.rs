//! What follows from the lockfile alone, worked out while packages are put in place: one processor would have nothing else to
//! do afterwards.

use super::project::Project;
use super::repeat::Inputs;
use super::session::Session;
use crate::lockfile::{DepPath, Lockfile, LockfileDocument};
use crate::tarball::Coordinator;
use crate::virtual_store::link::{self, Hoisting, LinkPlan, LinkRequest};
use crate::virtual_store::{InstalledPackages, Places};
use crate::workspace::ImporterId;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

/// See the module.
pub(super) struct Ahead {
    /// What decided the tree.
    pub(super) inputs: Inputs,
    /// What pnpm keeps of the lockfile.
    pub(super) current: Arc<LockfileDocument>,
    /// The packages that are to be there.
    packages: BTreeSet<DepPath>,
    /// The links between them, in a tree of links.
    links: Option<LinkPlan>,
}

impl Ahead {
    /// For these packages, if all of them can be had.
    pub(super) fn new<C: Coordinator>(
        project: &Project,
        session: &Session<C>,
        lockfile: &Arc<LockfileDocument>,
        importers: &BTreeSet<ImporterId>,
        packages: BTreeSet<DepPath>,
        places: &Places,
    ) -> Self {
        let include = session.options.include;
        let (links, current) = match places {
            Places::VirtualStore(_) => {
                let projects = project.named_dirs();
                let request = link_request(project, session, lockfile, importers, &packages, &projects);
                let links = link::plan(request);
                (Some(links), lockfile.including(include, |_| true))
            }
            // Whose directories are there must be known to the next install: it keeps them.
            Places::Hoisted(_) => (None, lockfile.including(include, |id| importers.contains(id))),
        };
        // Asked for now, while packages are put in place: it is kept.
        current.text();
        Ahead { inputs: project.inputs_with(lockfile), current, packages, links }
    }

    /// Whether these packages are all that are to be there, also those that could do without.
    pub(super) fn is_all(&self, installed: &InstalledPackages) -> bool {
        installed.keys().eq(&self.packages)
    }

    /// The links between these packages, if they are those that were expected.
    pub(super) fn take_links(&mut self, installed: &InstalledPackages) -> Option<LinkPlan> {
        self.links.take().filter(|_| self.is_all(installed))
    }
}

/// What the links of a tree come from; `projects` are those that every package can find.
pub(super) fn link_request<'a, C: Coordinator>(
    project: &'a Project,
    session: &Session<C>,
    lockfile: &'a Lockfile,
    importers: &'a BTreeSet<ImporterId>,
    installed: &'a BTreeSet<DepPath>,
    projects: &'a BTreeMap<String, PathBuf>,
) -> LinkRequest<'a> {
    let settings = &project.workspace.settings;
    LinkRequest {
        lockfile,
        installed,
        layout: &project.layout,
        include: session.options.include,
        importers,
        hoisting: Hoisting { private: &settings.hoist_pattern, public: &settings.public_hoist_pattern },
        projects,
    }
}
