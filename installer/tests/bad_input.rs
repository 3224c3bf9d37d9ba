//! What goes wrong for people, and what the real binary says then: exit code 1, what failed, why, and what to do.
//! Nothing half-written stays where a later run would trust it.

use crate::support::{LocalRegistry, Package, failed, lockstep, project, says, succeeded, tarball};
use serde_json::json;

#[test]
fn no_package_json() {
    let (registry, dir) = (LocalRegistry::start(), tempfile::tempdir().unwrap());
    says(&failed(&lockstep(&registry, dir.path(), &[])), &["package.json"]);
}

#[test]
fn broken_package_json() {
    let (registry, dir) = (LocalRegistry::start(), tempfile::tempdir().unwrap());
    std::fs::write(dir.path().join("package.json"), "{ \"dependencies\": { \"a\" } }").unwrap();
    says(&failed(&lockstep(&registry, dir.path(), &[])), &["package.json", "expected `:`"]);
}

#[test]
fn broken_lockfile() {
    let (registry, dir) = (LocalRegistry::start(), tempfile::tempdir().unwrap());
    project(dir.path(), &json!({ "dependencies": { "a": "1" } }));
    std::fs::write(dir.path().join("pnpm-lock.yaml"), "lockfileVersion: '9.0'\nimporters: [").unwrap();
    says(&failed(&lockstep(&registry, dir.path(), &[])), &["pnpm-lock.yaml"]);
}

#[test]
fn frozen_without_a_lockfile() {
    let (registry, dir) = (LocalRegistry::start(), tempfile::tempdir().unwrap());
    project(dir.path(), &json!({ "dependencies": { "a": "1" } }));
    let text = failed(&lockstep(&registry, dir.path(), &["--frozen-lockfile"]));
    says(&text, &["pnpm-lock.yaml", "--no-frozen-lockfile"]);
}

#[test]
fn frozen_with_a_lockfile_that_does_not_match() {
    let (registry, dir) = (LocalRegistry::start(), tempfile::tempdir().unwrap());
    registry.publish(&[Package::new("a", "1.0.0"), Package::new("b", "1.0.0")]);
    project(dir.path(), &json!({ "dependencies": { "a": "^1.0.0" } }));
    succeeded(&lockstep(&registry, dir.path(), &[]));
    project(dir.path(), &json!({ "dependencies": { "a": "^1.0.0", "b": "^1.0.0" } }));
    let text = failed(&lockstep(&registry, dir.path(), &["--frozen-lockfile"]));
    says(&text, &["pnpm-lock.yaml", "b", "--no-frozen-lockfile"]);
}

#[test]
fn unknown_package() {
    let (registry, dir) = (LocalRegistry::start(), tempfile::tempdir().unwrap());
    project(dir.path(), &json!({ "dependencies": { "no-such-package": "1" } }));
    says(&failed(&lockstep(&registry, dir.path(), &[])), &["no-such-package"]);
    assert!(!dir.path().join("pnpm-lock.yaml").exists());
}

#[test]
fn no_matching_version() {
    let (registry, dir) = (LocalRegistry::start(), tempfile::tempdir().unwrap());
    registry.publish(&[Package::new("a", "1.0.0")]);
    project(dir.path(), &json!({ "dependencies": { "a": "^2.0.0" } }));
    says(&failed(&lockstep(&registry, dir.path(), &[])), &["a", "^2.0.0"]);
}

#[test]
fn a_tarball_that_is_not_there() {
    let (registry, dir) = (LocalRegistry::start(), tempfile::tempdir().unwrap());
    let package = Package::new("a", "1.0.0");
    registry.publish(std::slice::from_ref(&package));
    registry.answer(&package.tarball_path(), 404, "");
    project(dir.path(), &json!({ "dependencies": { "a": "1" } }));
    says(&failed(&lockstep(&registry, dir.path(), &[])), &["a@1.0.0", &package.tarball_path(), "404"]);
}

#[test]
fn a_tarball_one_may_not_have() {
    let (registry, dir) = (LocalRegistry::start(), tempfile::tempdir().unwrap());
    let package = Package::new("a", "1.0.0");
    registry.publish(std::slice::from_ref(&package));
    registry.answer(&package.tarball_path(), 401, "");
    project(dir.path(), &json!({ "dependencies": { "a": "1" } }));
    says(&failed(&lockstep(&registry, dir.path(), &[])), &["a@1.0.0", "401", "_authToken"]);
}

#[test]
fn wrong_bytes() {
    let (registry, dir) = (LocalRegistry::start(), tempfile::tempdir().unwrap());
    let package = Package::new("a", "1.0.0");
    registry.publish(std::slice::from_ref(&package));
    registry.answer(&package.tarball_path(), 200, tarball([("package.json", b"{}".to_vec())]));
    project(dir.path(), &json!({ "dependencies": { "a": "1" } }));
    says(&failed(&lockstep(&registry, dir.path(), &[])), &["a@1.0.0", "sha512-"]);
    assert!(!dir.path().join("node_modules/a").exists());
    // The right bytes later are taken: nothing of the wrong ones is trusted.
    registry.publish(&[package]);
    succeeded(&lockstep(&registry, dir.path(), &[]));
    assert!(dir.path().join("node_modules/a/package.json").exists());
}

#[test]
fn a_truncated_tarball() {
    let (registry, dir) = (LocalRegistry::start(), tempfile::tempdir().unwrap());
    let package = Package::new("a", "1.0.0");
    registry.publish(std::slice::from_ref(&package));
    let whole = package.tarball();
    registry.answer(&package.tarball_path(), 200, whole[..whole.len() / 2].to_vec());
    project(dir.path(), &json!({ "dependencies": { "a": "1" } }));
    says(&failed(&lockstep(&registry, dir.path(), &[])), &["a@1.0.0"]);
    assert!(!dir.path().join("node_modules/a").exists());
}

#[test]
fn a_hostile_tarball() {
    for path in ["../../../../escaped", "ok/../../../../../escaped"] {
        let (registry, dir) = (LocalRegistry::start(), tempfile::tempdir().unwrap());
        registry.publish(&[Package::new("a", "1.0.0").file(path, "gotcha")]);
        project(dir.path(), &json!({ "dependencies": { "a": "1" } }));
        says(&failed(&lockstep(&registry, dir.path(), &[])), &["a@1.0.0", "escaped"]);
        assert!(!dir.path().join("node_modules/a").exists());
    }
}

#[cfg(unix)]
#[test]
fn a_store_that_cannot_be_written() {
    let (registry, dir) = (LocalRegistry::start(), tempfile::tempdir().unwrap());
    registry.publish(&[Package::new("a", "1.0.0")]);
    project(dir.path(), &json!({ "dependencies": { "a": "1" } }));
    // A file where the store's directory should be: refused to root as well.
    std::fs::write(dir.path().join("store"), "").unwrap();
    says(&failed(&lockstep(&registry, dir.path(), &[])), &["store", "--store-dir"]);
}

#[test]
fn offline_with_an_empty_store() {
    let (registry, dir) = (LocalRegistry::start(), tempfile::tempdir().unwrap());
    registry.publish(&[Package::new("a", "1.0.0")]);
    project(dir.path(), &json!({ "dependencies": { "a": "1" } }));
    says(&failed(&lockstep(&registry, dir.path(), &["--offline"])), &["a", "offline"]);
}
