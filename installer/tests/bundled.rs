//! What packages carry in their tarballs (`bundledDependencies`): nothing is installed for it.

use crate::support::{LocalRegistry, Package, lockstep, project, succeeded};
use serde_json::{Value, json};
use tempfile::TempDir;

const SCRIPT: &str = "#!/bin/sh\necho carried\n";

/// A package that carries others: `a` and `@s/b`, one that only lies there, one that lies deeper, and a hidden one.
fn carrier(name: &'static str, bundled: Value) -> Package {
    Package::new(name, "1.0.0")
        .with("dependencies", json!({ "a": "1.0.0", "d": "1.0.0" }))
        .with("bundledDependencies", bundled)
        .with("bin", json!({ "own": "own.sh", "both": "own.sh" }))
        .file("own.sh", SCRIPT)
        .file(
            "node_modules/a/package.json",
            r#"{"name":"a","version":"1.0.0","bin":{"a":"a.sh","both":"a.sh","of-d":"a.sh"}}"#,
        )
        .file("node_modules/a/a.sh", SCRIPT)
        .file("node_modules/a/node_modules/deep/package.json", r#"{"name":"deep","version":"1.0.0","bin":"deep.sh"}"#)
        .file("node_modules/a/node_modules/deep/deep.sh", SCRIPT)
        .file("node_modules/@s/b/package.json", r#"{"name":"@s/b","version":"1.0.0","directories":{"bin":"bin"}}"#)
        .file("node_modules/@s/b/bin/b", SCRIPT)
        .file("node_modules/lies-there/package.json", r#"{"name":"lies","version":"1.0.0","bin":"lies.sh"}"#)
        .file("node_modules/lies-there/lies.sh", SCRIPT)
        .file("node_modules/.hidden/package.json", r#"{"name":"hidden","version":"1.0.0","bin":"hidden.sh"}"#)
        .file("node_modules/.hidden/hidden.sh", SCRIPT)
        .file("node_modules/broken/package.json", "{")
}

fn registry() -> LocalRegistry {
    let registry = LocalRegistry::start();
    registry.publish(&[
        carrier("carrier", json!(["a"])),
        carrier("says-nothing", json!([])),
        carrier("says-a-text", json!("a")),
        carrier("carries-all", json!(true)).with("peerDependencies", json!({ "a-peer": "1.0.0" })),
        Package::new("a", "1.0.0"),
        Package::new("a-peer", "1.0.0"),
        Package::new("d", "1.0.0").with("bin", json!({ "of-d": "d.sh", "d": "d.sh" })).file("d.sh", SCRIPT),
    ]);
    registry
}

fn application(dependencies: Value, settings: &str) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("pnpm-workspace.yaml"), settings).unwrap();
    project(dir.path(), &json!({ "dependencies": dependencies }));
    dir
}

#[test]
fn a_package_may_say_that_it_carries_everything() {
    let dependencies = json!({ "carries-all": "1.0.0", "says-a-text": "1.0.0" });
    let (registry, dir) = (registry(), application(dependencies, ""));
    let lockfile = || std::fs::read_to_string(dir.path().join("pnpm-lock.yaml")).unwrap();
    for arguments in [[].as_slice(), &["--frozen-lockfile", "--force"]] {
        succeeded(&lockstep(&registry, dir.path(), arguments));
        let entry = "    hasBin: true\n    peerDependencies:\n      a-peer: 1.0.0\n    bundledDependencies: true\n";
        assert!(lockfile().contains(entry), "{}", lockfile());
        assert_eq!(lockfile().matches("bundledDependencies").count(), 1, "a text is no list: {}", lockfile());
        let beside = dir.path().join("node_modules/.pnpm/carries-all@1.0.0_a-peer@1.0.0/node_modules");
        assert!(!beside.join("a").exists() && !beside.join("d").exists());
        assert!(dir.path().join("node_modules/.pnpm/says-a-text@1.0.0/node_modules/a").exists());
    }
}
