//! Choosing versions: the projects of a workspace in, one [`Lockfile`] out, for every platform at once.
//!
//! It goes as pnpm does, so that both choose the same: `walk` chooses a version for everything that is asked for and tells
//! the [`OnResolved`] hook of each; `hoisted_peers` adds the peers that are missing; `peers` finds the variants that each
//! package has by its peers; `to_lockfile` writes them down. The result is a function of the manifests, the packuments
//! and the previous lockfile: the order in which packuments arrive has no part in it.

mod error;
mod extensions;
mod foreign;
mod graph;
mod hoisted_peers;
mod linked;
mod loader;
mod locked;
mod look_ahead;
mod manifest_edits;
mod obstacle;
mod packument;
mod packuments;
mod peers;
mod preferences;
mod prefetching_resolver;
mod registry_packuments;
mod roots;
mod specifier;
#[cfg(test)]
mod tests;
mod to_lockfile;
mod version_chooser;
mod version_pick;
mod walk;
mod wanted_peers;

pub use self::error::{InvalidPackument, RequiredBy, ResolveError, SharedError};
pub use self::foreign::{ForeignPackage, ForeignPackages, ForeignSource};
pub use self::packuments::{
    Detail, Document, NoHook, OnResolved, PackumentError, Packuments, ResolveWarning, ResolvedTarball,
};
pub use self::prefetching_resolver::{Dispensable, PrefetchingResolver};
pub use self::registry_packuments::RegistryPackuments;
pub use self::version_chooser::{ChosenVersion, VersionChooser};

use self::foreign::OpenedPackage;
use self::hoisted_peers::with_missing_peers;
use self::linked::linked_packages;
use self::loader::Loader;
use self::manifest_edits::ManifestEdits;
use self::roots::{Opened, roots_of};
pub(crate) use self::specifier::target_of;
use self::to_lockfile::to_lockfile;
use self::walk::Walk;
use crate::config::PeerDependencyRules;
use crate::lockfile::{Lockfile, name_and_version};
use crate::range;
use crate::rt;
use crate::workspace::{Target, Workspace, shown};
use deno_semver::Version;
use futures_util::future::try_join_all;
use std::collections::BTreeMap;

/// What a resolution starts from.
pub struct ResolveRequest<'a> {
    /// The projects.
    pub workspace: &'a Workspace,
    /// Where packuments come from.
    pub packuments: &'a dyn Packuments,
    /// Who looks behind specifiers that no registry knows.
    pub foreign: &'a dyn ForeignPackages,
    /// The project's lockfile so far: its versions are kept where they still fit. `None` takes the newest of all.
    pub previous: Option<&'a Lockfile>,
    /// Hears of each package as soon as it is chosen.
    pub hook: &'a dyn OnResolved,
}

/// Chooses a version for everything that the projects need.
///
/// The future is not `Send`.
///
/// # Errors
/// [`ResolveError`]: a package or version that is needed does not exist, a dependency is not from a registry, or the
/// registry cannot be asked.
pub async fn resolve(request: ResolveRequest<'_>) -> Result<Lockfile, ResolveError> {
    let workspace = request.workspace;
    let opened = open_foreign(workspace, request.foreign).await?;
    let linked = linked_packages(workspace, request.foreign).await;
    let roots = roots_of(workspace, &opened, &linked);
    let loader = Loader::new(request.packuments, ManifestEdits::of(workspace));
    let mut walk = Walk::new(&loader, &request, &opened);
    let projects = walk.projects(&roots).await?;
    let mut all = with_missing_peers(&mut walk, workspace, request.previous, projects).await?;
    let warnings = std::mem::take(&mut all.warnings);
    let mut variants = all.into_variants(&walk.graph);
    variants.dedupe();
    for warning in warnings.into_iter().chain(std::mem::take(&mut walk.skipped)) {
        if !is_allowed(&warning, &workspace.settings.peer_dependency_rules) {
            request.hook.on_warning(warning);
        }
    }
    let lockfile = to_lockfile(workspace, &roots, &walk.graph, &variants, &loader);
    drop((variants, walk));
    rt::drop_aside(loader.into_packuments());
    Ok(lockfile)
}

/// Looks behind every specifier of the projects that no registry knows, each once.
async fn open_foreign(workspace: &Workspace, foreign: &dyn ForeignPackages) -> Result<Opened, ResolveError> {
    let mut sources = BTreeMap::new();
    for (id, member) in &workspace.members {
        for (alias, wanted) in &member.wanted {
            if let Target::Resolved { specifier, .. } = &wanted.target
                && let Some(source) = ForeignSource::of(id, specifier)
            {
                sources.entry(source).or_insert_with(|| (alias, shown(id)));
            }
        }
    }
    let open = sources.into_iter().map(|(source, (alias, project))| async move {
        let package = foreign.open(alias, &source).await?;
        let opened = OpenedPackage::new(alias, &source, package);
        let (dependency, specifier) = (alias.clone(), source.reference());
        let no_package = || ResolveError::NoManifest { dependency, specifier, required_by: RequiredBy(vec![project]) };
        Ok::<_, ResolveError>((source, opened.ok_or_else(no_package)?))
    });
    Ok(try_join_all(open).await?.into_iter().collect())
}

/// Whether the project's rules say that a peer of another version will do.
fn is_allowed(warning: &ResolveWarning, rules: &PeerDependencyRules) -> bool {
    let ResolveWarning::UnmetPeer { parent, dependency, found } = warning else { return false };
    let name_of = |text: &str| name_and_version(text).map_or(text, |(name, _)| name).to_owned();
    let (parent, peer) = (name_of(parent), name_of(dependency));
    let range = |selector: &str| range::parse(rules.allowed_versions.get(selector)?);
    let found = Version::parse_from_npm(found).ok();
    let will_do =
        |selector: &str| range(selector).zip(found.as_ref()).is_some_and(|(range, found)| range.matches(found));
    rules.allow_any.matches(&peer) || will_do(&peer) || will_do(&format!("{parent}>{peer}"))
}
