//! Choosing versions: the projects of a workspace in, one [`Lockfile`] out, for every platform at once.
//!
//! The `deno_npm` crate solves: ranges, tags, aliases, peers; all projects in one solve. This module gives it packuments, tells the
//! [`OnResolved`] hook of each package as soon as it is chosen, leaves out optional dependencies that do not exist, and
//! writes the graph down as pnpm would. The result is a function of the manifests, the packuments and the previous
//! lockfile: the order in which packuments arrive has no part in it.

mod adjustments;
mod error;
mod foreign;
mod graph_dep_paths;
mod graph_peers;
mod importer_packages;
mod manifest_edits;
mod packument;
mod packuments;
mod prefetching_resolver;
mod registry_packuments;
mod registry_view;
mod relay;
mod roots;
mod specifier;
#[cfg(test)]
mod tests;
mod to_lockfile;
mod version_chooser;

pub use self::error::{InvalidPackument, RequiredBy, ResolveError, SharedError};
pub use self::foreign::{ForeignPackage, ForeignPackages, ForeignSource};
pub use self::packuments::{NoHook, OnResolved, PackumentError, Packuments, ResolveWarning, ResolvedTarball};
pub use self::prefetching_resolver::PrefetchingResolver;
pub use self::registry_packuments::RegistryPackuments;
pub use self::version_chooser::{ChosenVersion, VersionChooser};

use self::adjustments::{Adjustments, Obstacle};
use self::foreign::{OpenedPackage, package_key};
use self::manifest_edits::ManifestEdits;
use self::packument::Packument;
use self::registry_view::Registry;
use self::relay::Relay;
use self::roots::{Opened, Roots};
pub(crate) use self::specifier::target_of;
use self::to_lockfile::to_lockfile;
use crate::config::PeerDependencyRules;
use crate::lockfile::{Lockfile, name_and_version};
use crate::workspace::{ROOT, Target, Workspace, shown};
use deno_npm::resolution::{AddPkgReqsOptions, NpmResolutionSnapshot, NpmVersionResolver, UnmetPeerDepDiagnostic};
use deno_semver::package::PackageNv;
use deno_semver::{Version, VersionReq};
use futures_util::future::try_join_all;
use std::collections::{BTreeMap, BTreeSet};

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
    let edits = ManifestEdits::of(request.workspace);
    let registry = Registry::new(request.packuments, Adjustments::new(request.previous), edits);
    let opened = open_foreign(request.workspace, request.foreign).await?;
    let relay = Relay::new(request.hook, registry.loaded());
    let version_resolver = NpmVersionResolver {
        link_packages: Default::default(),
        newest_dependency_date_options: Default::default(),
        // The manifests that the solver sees are overridden already.
        overrides: Default::default(),
        trust_policy: Default::default(),
    };
    loop {
        let adjustments = registry.adjustments();
        let roots = Roots::of(request.workspace, &adjustments, &opened)?;
        let mut local = importer_packages::packuments(&roots);
        local.extend(opened.values().filter_map(|package| Some((package.solver_name(), package.packument()?))));
        registry.show(local);
        let options = AddPkgReqsOptions {
            package_reqs: &roots.requirements(),
            version_resolver: &version_resolver,
            should_dedup: false,
        };
        let solved = NpmResolutionSnapshot::default().add_pkg_reqs(&registry, options, Some(&relay)).await;
        if let Some(failure) = registry.take_failure() {
            return Err(failure);
        }
        let error = match solved.dep_graph_result {
            Ok(graph) => {
                let lockfile = to_lockfile(request.workspace, &roots, &opened, &graph, &registry)?;
                for warning in warnings(roots, &graph, &registry, &adjustments, &solved.unmet_peer_diagnostics) {
                    if !is_allowed(&warning, &request.workspace.settings.peer_dependency_rules) {
                        request.hook.on_warning(warning);
                    }
                }
                return Ok(lockfile);
            }
            Err(error) => error,
        };
        let Some(obstacle) = Obstacle::of(&error) else {
            return Err(ResolveError::Solver { message: error.to_string() });
        };
        let chosen = relay.chosen();
        if !registry.adjust(&obstacle, &chosen) {
            return Err(explain(obstacle, request.workspace, &registry, &chosen));
        }
    }
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
        let opened = OpenedPackage::new(alias, &source, package).filter(|package| package.packument().is_some());
        let (dependency, specifier) = (alias.clone(), source.reference());
        let no_package = || ResolveError::NoManifest { dependency, specifier, required_by: RequiredBy(vec![project]) };
        Ok::<_, ResolveError>((source, opened.ok_or_else(no_package)?))
    });
    Ok(try_join_all(open).await?.into_iter().collect())
}

/// The error for an obstacle that someone needs to pass.
fn explain(obstacle: Obstacle, workspace: &Workspace, registry: &Registry<'_>, chosen: &[PackageNv]) -> ResolveError {
    let mut required_by = Vec::new();
    for (id, member) in &workspace.members {
        let blocked = member.wanted.iter().any(|(alias, wanted)| match &wanted.target {
            Target::Resolved { specifier, .. } => obstacle.blocks(&shown(id), alias, specifier),
            Target::Link { .. } => false,
        });
        required_by.extend(blocked.then(|| shown(id)));
    }
    for package in chosen {
        let version = registry.get(&package.name).and_then(|packument| packument.version(&package.version));
        let Some(version) = version else { continue };
        let parent = package.to_string();
        let edges = version.dependencies.iter().filter(|(alias, _)| !version.is_optional(alias));
        if edges.chain(&version.peer_dependencies).any(|(alias, range)| obstacle.blocks(&parent, alias, range)) {
            required_by.push(parent);
        }
    }
    required_by.dedup();
    let required_by = RequiredBy(required_by);
    match obstacle {
        Obstacle::NoPackage { name } => {
            ResolveError::NoPackage { registry: registry.base_url(&name), package: name, required_by }
        }
        Obstacle::NoVersion { name, range } => {
            let available = registry.get(&name).map_or_else(String::new, |packument| available(&packument));
            ResolveError::NoVersion { package: name, range: range.version_text().to_owned(), required_by, available }
        }
        Obstacle::Foreign { parent, alias, specifier } => {
            let required_by = RequiredBy(vec![parent]);
            ResolveError::Unsupported { dependency: alias, specifier, required_by }
        }
    }
}

/// The dist-tags and the newest versions of a package, for people.
fn available(packument: &Packument) -> String {
    const VERSIONS_SHOWN_MAX: usize = 5;
    let name = &packument.name;
    let tags: Vec<_> = packument.dist_tags.iter().map(|(tag, version)| format!("{tag}: {version}")).collect();
    let newest: Vec<_> = packument.versions().rev().take(VERSIONS_SHOWN_MAX).map(ToString::to_string).collect();
    match (tags.is_empty(), newest.is_empty()) {
        (_, true) => format!("{name} has no versions"),
        (true, false) => format!("the newest versions are {}", newest.join(", ")),
        (false, false) => format!("its tags are {}; the newest versions are {}", tags.join(", "), newest.join(", ")),
    }
}

/// Whether the project's rules say that a peer of another version will do.
fn is_allowed(warning: &ResolveWarning, rules: &PeerDependencyRules) -> bool {
    let ResolveWarning::UnmetPeer { parent, dependency, found } = warning else { return false };
    let name_of = |text: &str| name_and_version(text).map_or(text, |(name, _)| name).to_owned();
    let (parent, peer) = (name_of(parent), name_of(dependency));
    let range = |selector: &str| VersionReq::parse_from_npm(rules.allowed_versions.get(selector)?).ok();
    let found = Version::parse_from_npm(found).ok();
    let will_do =
        |selector: &str| range(selector).zip(found.as_ref()).is_some_and(|(range, found)| range.matches(found));
    rules.allow_any.matches(&peer) || will_do(&peer) || will_do(&format!("{parent}>{peer}"))
}

/// What people should know of a resolution that went well, sorted.
fn warnings(
    roots: Roots,
    graph: &NpmResolutionSnapshot,
    registry: &Registry<'_>,
    adjustments: &Adjustments,
    unmet_peers: &[UnmetPeerDepDiagnostic],
) -> BTreeSet<ResolveWarning> {
    let mut warnings: BTreeSet<_> = roots.skipped.into_iter().collect();
    for unmet in unmet_peers {
        warnings.insert(ResolveWarning::UnmetPeer {
            parent: unmet.ancestors.first().map_or_else(|| shown(ROOT), package_key),
            dependency: unmet.dependency.to_string(),
            found: unmet.resolved.to_string(),
        });
    }
    for package in graph.all_packages_for_every_system() {
        let version = registry.get(&package.id.nv.name).and_then(|packument| packument.version(&package.id.nv.version));
        let parent = package.id.nv.to_string();
        for (alias, range) in version.iter().flat_map(|version| &version.optional_dependencies) {
            let foreign = target_of(alias, range).is_none();
            let there = package.dependencies.contains_key(alias.as_str());
            if !there && (foreign || adjustments.blocks(&parent, alias, range)) {
                let dependency = format!("{alias}@{range}");
                warnings.insert(ResolveWarning::OptionalSkipped { parent: parent.clone(), dependency });
            }
        }
    }
    warnings
}
