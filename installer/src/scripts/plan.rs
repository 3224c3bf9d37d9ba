//! Which dependencies build, and after which others. Pure.

use crate::config::{BuildPolicy, Verdict};
use crate::lockfile::{DepPath, Lockfile, name_and_version};
use crate::package::PackageId;
use crate::virtual_store::InstalledPackages;
use std::collections::{BTreeMap, BTreeSet};

/// What an install has to build.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BuildPlan {
    /// What runs, dependencies before their dependents.
    pub steps: Vec<BuildStep>,
    /// What would run if somebody allowed it.
    pub undecided: BTreeSet<DepPath>,
}

/// One dependency that builds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildStep {
    /// Which snapshot.
    pub dep_path: DepPath,
    /// Which package.
    pub package: PackageId,
    /// Whether only optional dependencies lead to it: its failure is a warning then.
    pub optional: bool,
    /// The steps, by their index, that have to end first.
    pub after: BTreeSet<usize>,
}

/// Plans the builds of what is installed and not built already.
pub fn plan(
    lockfile: &Lockfile,
    installed: &InstalledPackages,
    policy: &BuildPolicy,
    is_built: &dyn Fn(&DepPath) -> bool,
) -> BuildPlan {
    let mut plan = BuildPlan::default();
    let mut builds = BTreeSet::new();
    for (dep_path, _) in installed.iter().filter(|(_, row)| row.manifest.has_build_script) {
        let PackageId { name, version } = package(dep_path);
        match policy.verdict(&name, &version) {
            Verdict::Runs if !is_built(dep_path) => drop(builds.insert(dep_path.clone())),
            Verdict::Undecided => drop(plan.undecided.insert(dep_path.clone())),
            Verdict::Runs | Verdict::Denied => {}
        }
    }
    if builds.is_empty() {
        return plan;
    }
    let mut order = Order { lockfile, installed, below: BTreeMap::new(), open: BTreeSet::new(), builds: &builds };
    let mut indices: BTreeMap<DepPath, usize> = BTreeMap::new();
    let mut sorted: Vec<DepPath> = Vec::new();
    for dep_path in &builds {
        order.visit(dep_path, &mut sorted);
    }
    for dep_path in sorted {
        let below = order.below.get(&dep_path).cloned().unwrap_or_default();
        let after = below.iter().filter_map(|dep_path| indices.get(dep_path).copied()).collect();
        let optional = lockfile.snapshots.get(&dep_path).is_some_and(|snapshot| snapshot.optional);
        indices.insert(dep_path.clone(), plan.steps.len());
        plan.steps.push(BuildStep { package: package(&dep_path), dep_path, optional, after });
    }
    plan
}

fn package(dep_path: &str) -> PackageId {
    let (name, version) = name_and_version(dep_path).unwrap_or((dep_path, ""));
    PackageId::new(name, version)
}

/// Walks below what builds, each snapshot once. A cycle is cut where it is entered.
struct Order<'a> {
    lockfile: &'a Lockfile,
    installed: &'a InstalledPackages,
    builds: &'a BTreeSet<DepPath>,
    /// Snapshot → what builds at or below its dependencies.
    below: BTreeMap<DepPath, BTreeSet<DepPath>>,
    open: BTreeSet<DepPath>,
}

impl Order<'_> {
    fn visit(&mut self, dep_path: &DepPath, sorted: &mut Vec<DepPath>) {
        if self.below.contains_key(dep_path) || !self.open.insert(dep_path.clone()) {
            return;
        }
        let mut below = BTreeSet::new();
        for dependency in self.lockfile.dependencies_of(dep_path).into_values() {
            if !self.installed.contains_key(&dependency) {
                continue;
            }
            self.visit(&dependency, sorted);
            below.extend(self.below.get(&dependency).into_iter().flatten().cloned());
            if self.builds.contains(&dependency) {
                below.insert(dependency);
            }
        }
        self.open.remove(dep_path);
        self.below.insert(dep_path.clone(), below);
        if self.builds.contains(dep_path) {
            sorted.push(dep_path.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::BundledManifest;
    use crate::store::PackageRow;
    use serde_json::json;
    use std::path::Path;
    use std::sync::Arc;

    const LOCKFILE: &str = "
lockfileVersion: '9.0'
snapshots:
  top@1.0.0: {dependencies: {middle: 1.0.0, other: 1.0.0}}
  middle@1.0.0: {dependencies: {low: 1.0.0, top: 1.0.0}}
  low@1.0.0: {}
  other@1.0.0: {optional: true}
  denied@1.0.0: {}
  asked@1.0.0: {}
";

    #[test]
    fn dependencies_build_first_and_what_is_independent_does_not_wait() {
        let lockfile = Lockfile::parse(LOCKFILE, Path::new("pnpm-lock.yaml")).unwrap();
        let row = |has_build_script| {
            let manifest = BundledManifest { has_build_script, ..BundledManifest::default() };
            Arc::new(PackageRow { manifest, ..PackageRow::default() })
        };
        // `middle` only leads from one to the other.
        let installed: InstalledPackages =
            lockfile.snapshots.keys().map(|dep_path| (dep_path.clone(), row(dep_path != "middle@1.0.0"))).collect();
        let settings = json!({ "allowBuilds": { "top": true, "low": true, "other": true, "denied": false } });
        let policy = BuildPolicy::of_settings(settings.as_object().unwrap());
        let planned = plan(&lockfile, &installed, &policy, &|_| false);
        let steps: Vec<_> =
            planned.steps.iter().map(|step| (step.dep_path.as_str(), step.optional, step.after.len())).collect();
        assert_eq!(steps, [("low@1.0.0", false, 0), ("other@1.0.0", true, 0), ("top@1.0.0", false, 2)]);
        assert_eq!(planned.undecided, BTreeSet::from(["asked@1.0.0".to_owned()]));

        let planned = plan(&lockfile, &installed, &policy, &|dep_path| dep_path == "low@1.0.0");
        assert_eq!(planned.steps.iter().map(|step| step.after.len()).collect::<Vec<_>>(), [0, 1]);
    }
}
