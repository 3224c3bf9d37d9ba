//! pnpm/pnpm#12241 on real sockets: the real binary, a registry that counts, and index rows that are committed late.
//!
//! The simulator shows the same race under every order of events (sim/tests); this shows that it is not an artefact of it.

use crate::support::{LocalRegistry, Package, lockstep, project, succeeded};
use serde_json::json;

/// Longer than resolution and prefetches take here, so the partition finds no committed row.
const COMMIT_LAG: [&str; 2] = ["--index-commit-lag", "3000"];

fn registry() -> LocalRegistry {
    let registry = LocalRegistry::start();
    let names = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta"];
    let mut packages = Vec::new();
    for (index, name) in names.into_iter().enumerate() {
        let mut package = Package::new(name, "1.0.0").file("index.js", vec![b'x'; 2000 + index]);
        if let Some(next) = names.get(index + 1) {
            package = package.with("dependencies", json!({ *next: "^1.0.0" }));
        }
        packages.push(package);
    }
    registry.publish(&packages);
    registry
}

#[test]
fn without_coordination_tarballs_are_downloaded_twice() {
    let (registry, dir) = (registry(), tempfile::tempdir().unwrap());
    project(dir.path(), &json!({ "dependencies": { "alpha": "^1.0.0" } }));
    let output = lockstep(&registry, dir.path(), &[&COMMIT_LAG[..], &["--coordination", "none"]].concat());
    succeeded(&output);
    let twice = registry.tarball_requests().into_values().filter(|requests| *requests > 1).count();
    assert!(twice > 0, "{:?}", registry.tarball_requests());
}

#[test]
fn with_coordination_each_tarball_is_downloaded_once() {
    let (registry, dir) = (registry(), tempfile::tempdir().unwrap());
    project(dir.path(), &json!({ "dependencies": { "alpha": "^1.0.0" } }));
    succeeded(&lockstep(&registry, dir.path(), &COMMIT_LAG));
    let requests = registry.tarball_requests();
    assert_eq!(requests.len(), 8, "{requests:?}");
    assert!(requests.values().all(|requests| *requests == 1), "{requests:?}");
}
