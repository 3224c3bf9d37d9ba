//! A store and a project on a filesystem without locks: right all the same, with a word about what that costs.
//!
//! The real binary runs with other locks (fixtures/no_locks.c), which needs a C compiler and a linker that preloads.
#![cfg(all(target_os = "linux", target_env = "gnu"))]

use crate::support::{LocalRegistry, Package, command, failed, in_store, lockstep, preload, project, says, succeeded};
use crate::tree::tree;
use serde_json::json;
use std::path::Path;
use std::process::Output;

fn registry() -> LocalRegistry {
    let registry = LocalRegistry::start();
    registry.publish(&[
        Package::new("a", "1.0.0").with("dependencies", json!({ "b": "1" })),
        Package::new("b", "1.0.0"),
        Package::new("c", "1.0.0"),
    ]);
    registry
}

/// A run of the binary to which the system gives no lock.
fn without_locks(registry: &LocalRegistry, dir: &Path, arguments: &[&str]) -> Output {
    let library = preload("no_locks", dir);
    command(registry, dir, arguments).env("LD_PRELOAD", library).output().unwrap()
}

#[test]
fn a_store_without_locks_is_right_and_says_what_that_costs() {
    let (registry, dir, undisturbed) = (registry(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for dir in [dir.path(), undisturbed.path()] {
        project(dir, &json!({ "dependencies": { "a": "1", "c": "1" } }));
    }
    succeeded(&lockstep(&registry, undisturbed.path(), &[]));
    let whole = tree(&undisturbed.path().join("node_modules"));
    for _ in 0..2 {
        // Nothing was written into an index, so the second of them begins anew.
        std::fs::remove_dir_all(dir.path().join("node_modules")).unwrap_or_default();
        registry.forget_requests();
        let text = succeeded(&without_locks(&registry, dir.path(), &[]));
        says(&text, &["the store cannot be locked", "may download the same", "start no other install there"]);
        says(&text, &["downloaded again next time", "its filesystem has no locks"]);
        assert_eq!(tree(&dir.path().join("node_modules")).keys().collect::<Vec<_>>(), whole.keys().collect::<Vec<_>>());
        assert_eq!(registry.tarball_requests().values().collect::<Vec<_>>(), [&1; 3]);
    }
    // Nor does anything wait for a lock that nobody can have.
    std::fs::remove_dir_all(dir.path().join("node_modules")).unwrap();
    let text = failed(&without_locks(&registry, dir.path(), &["--offline"]));
    says(&text, &["offline"]);
}

#[test]
fn an_index_that_is_there_is_read_without_locks() {
    let (registry, dir) = (registry(), tempfile::tempdir().unwrap());
    project(dir.path(), &json!({ "dependencies": { "a": "1" } }));
    succeeded(&lockstep(&registry, dir.path(), &[]));
    // As the last to close it leaves it: a log beside it is not read without locks.
    drop(rusqlite::Connection::open(in_store(dir.path(), "index.db")).unwrap().execute_batch("PRAGMA user_version"));
    registry.forget_requests();
    std::fs::remove_dir_all(dir.path().join("node_modules")).unwrap();
    succeeded(&without_locks(&registry, dir.path(), &["--frozen-lockfile"]));
    assert_eq!(registry.tarball_requests().len(), 0);
    assert!(dir.path().join("node_modules/a/package.json").exists());

    project(dir.path(), &json!({ "dependencies": { "a": "1", "c": "1" } }));
    let text = succeeded(&without_locks(&registry, dir.path(), &[]));
    assert_eq!(registry.tarball_requests(), [("/c/-/c-1.0.0.tgz".to_owned(), 1)].into());
    says(&text, &["its filesystem has no locks"]);
    assert!(dir.path().join("node_modules/c/package.json").exists());
}
