//! What packages carry in their tarballs (`bundledDependencies`): nothing is installed for it, and its commands are made where
//! pnpm makes them.

use crate::support::{LocalRegistry, Package, lockstep, project, succeeded};
use serde_json::{Value, json};
use std::path::Path;
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

/// The commands in a directory, each with the last part of what it starts.
fn commands(dir: &Path) -> Vec<String> {
    let command = |entry: std::io::Result<std::fs::DirEntry>| {
        let path = entry.unwrap().path();
        let target = match std::fs::read_link(&path) {
            Ok(target) => target.to_str().unwrap().to_owned(),
            Err(_) => std::fs::read_to_string(&path).unwrap().split('"').rev().nth(3).unwrap().to_owned(),
        };
        let target = target.trim_start_matches("$basedir/").trim_start_matches("../");
        let target = target.rsplit_once("@1.0.0/node_modules/").map_or(target, |(_, rest)| rest);
        format!("{} {target}", path.file_name().unwrap().to_str().unwrap())
    };
    let mut commands: Vec<String> = std::fs::read_dir(dir).into_iter().flatten().map(command).collect();
    commands.sort();
    commands
}

#[test]
fn what_a_package_carries_has_its_commands_beside_those_of_its_dependencies() {
    let (registry, dir) = (registry(), application(json!({ "carrier": "1.0.0", "says-nothing": "1.0.0" }), ""));
    succeeded(&lockstep(&registry, dir.path(), &[]));
    let bin =
        |name: &str| dir.path().join(format!("node_modules/.pnpm/{name}@1.0.0/node_modules/{name}/node_modules/.bin"));
    let expected =
        ["a a/a.sh", "b @s/b/bin/b", "both a/a.sh", "d d/d.sh", "lies lies-there/lies.sh", "of-d a/a.sh", "own own.sh"];
    assert_eq!(commands(&bin("carrier")), expected);
    assert_eq!(commands(&bin("says-nothing")), ["both own.sh", "d d/d.sh", "of-d d/d.sh", "own own.sh"]);
    let run = std::process::Command::new("sh").arg(bin("carrier").join("b")).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&run.stdout), "carried\n");
    let root = commands(&dir.path().join("node_modules/.bin"));
    assert_eq!(root, ["both carrier/own.sh", "own carrier/own.sh"], "a project has none of them");
    std::fs::remove_dir_all(bin("carrier")).unwrap();
    succeeded(&lockstep(&registry, dir.path(), &["--force"]));
    assert_eq!(commands(&bin("carrier")), expected);
}

#[test]
fn among_real_directories_a_package_has_the_commands_of_what_lies_in_it() {
    let dependencies = json!({ "carrier": "1.0.0", "says-nothing": "1.0.0" });
    let (registry, dir) = (registry(), application(dependencies, "nodeLinker: hoisted\n"));
    let bin = |name: &str| commands(&dir.path().join(format!("node_modules/{name}/node_modules/.bin")));
    for arguments in [[].as_slice(), &["--frozen-lockfile", "--force"]] {
        succeeded(&lockstep(&registry, dir.path(), arguments));
        let expected = ["a a/a.sh", "b @s/b/bin/b", "both a/a.sh", "lies lies-there/lies.sh", "of-d a/a.sh"];
        assert_eq!(bin("carrier"), expected);
        assert_eq!(bin("says-nothing"), [""; 0]);
    }
}

#[test]
fn what_all_projects_share_has_these_commands_too() {
    let settings = "enableGlobalVirtualStore: true\n";
    let (registry, dir) = (registry(), application(json!({ "carrier": "1.0.0" }), settings));
    for _ in 0..2 {
        succeeded(&lockstep(&registry, dir.path(), &[]));
        let carrier = std::fs::canonicalize(dir.path().join("node_modules/carrier")).unwrap();
        assert!(commands(&carrier.join("node_modules/.bin")).contains(&"b @s/b/bin/b".to_owned()));
        std::fs::remove_dir_all(dir.path().join("node_modules")).unwrap();
    }
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
        assert!(commands(&beside.join("carries-all/node_modules/.bin")).contains(&"a a/a.sh".to_owned()));
        assert!(dir.path().join("node_modules/.pnpm/says-a-text@1.0.0/node_modules/a").exists());
    }
}
