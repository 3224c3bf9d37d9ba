//! `nodeLinker: hoisted`: real directories, links to projects only, and what becomes of them from one install to the next.

use crate::support::{LocalRegistry, Package, failed, lockstep, modules, project, run, says, succeeded};
use crate::tree::tree;
use serde_json::{Value, json};
use std::path::Path;
use tempfile::TempDir;

fn registry() -> LocalRegistry {
    let registry = LocalRegistry::start();
    registry.publish(&[
        Package::new("app", "1.0.0").with("dependencies", json!({ "leaf": "1.0.0", "tool": "1.0.0" })),
        Package::new("old", "1.0.0").with("dependencies", json!({ "leaf": "2.0.0" })),
        Package::new("old", "2.0.0").with("dependencies", json!({ "leaf": "2.0.0" })),
        Package::new("leaf", "1.0.0").file("v", "1"),
        Package::new("leaf", "2.0.0").file("v", "2"),
        Package::new("tool", "1.0.0").with("bin", json!("tool.sh")).file("tool.sh", "#!/bin/sh\necho tool\n"),
        Package::new("tool", "2.0.0").with("bin", json!("tool.sh")).file("tool.sh", "#!/bin/sh\necho tool 2\n"),
        Package::new("native", "1.0.0")
            .with("scripts", json!({ "install": "echo \"$PWD\" >> \"$INIT_CWD/log\"; echo built > built" })),
        Package::new("native", "2.0.0"),
    ]);
    registry
}

fn application(dependencies: Value) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "pnpm-workspace.yaml", "nodeLinker: hoisted\n");
    project(dir.path(), &json!({ "dependencies": dependencies }));
    dir
}

fn write(dir: &Path, path: &str, text: &str) {
    let path = dir.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    // What is there may be the store's too.
    let _ = std::fs::remove_file(&path);
    std::fs::write(path, text).unwrap();
}

fn read(dir: &Path, path: &str) -> String {
    std::fs::read_to_string(dir.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every entry of node_modules that is no file, and what the commands are.
fn shape(dir: &Path) -> Vec<String> {
    let shown = |(path, what): (String, String)| match what.strip_prefix("-> ") {
        Some(target) => Some(format!("{path} -> {target}")),
        None => (what == "a directory").then_some(path),
    };
    tree(&dir.join("node_modules")).into_iter().filter_map(shown).collect()
}

#[test]
fn packages_are_directories_as_near_to_the_root_as_their_names_are_free() {
    let (registry, dir) = (registry(), application(json!({ "app": "1.0.0", "old": "1.0.0" })));
    let text = succeeded(&lockstep(&registry, dir.path(), &[]));
    assert!(!text.contains("WARN"), "{text}");
    let expected = [
        ".bin",
        ".bin/tool -> ../tool/tool.sh",
        ".pnpm",
        "app",
        "leaf",
        "old",
        "old/node_modules",
        "old/node_modules/leaf",
        "tool",
    ];
    assert_eq!(shape(dir.path()), expected);
    assert_eq!(read(dir.path(), "node_modules/leaf/v"), "1");
    assert_eq!(read(dir.path(), "node_modules/old/node_modules/leaf/v"), "2");
    let modules = modules(dir.path());
    assert_eq!(modules["nodeLinker"], "hoisted");
    assert_eq!(
        modules["hoistedLocations"],
        json!({
            "app@1.0.0": ["node_modules/app"],
            "leaf@1.0.0": ["node_modules/leaf"],
            "leaf@2.0.0": ["node_modules/old/node_modules/leaf"],
            "old@1.0.0": ["node_modules/old"],
            "tool@1.0.0": ["node_modules/tool"],
        })
    );
    assert!(dir.path().join("node_modules/.pnpm/lock.yaml").exists());
    let downloads = registry.tarball_requests();
    assert!(downloads.len() == 5 && downloads.values().all(|times| *times == 1), "{downloads:?}");
}

#[cfg(unix)]
#[test]
fn a_command_is_a_link_and_the_store_s_file_is_not_made_executable() {
    use std::os::unix::fs::PermissionsExt;
    let (registry, dir) = (registry(), application(json!({ "tool": "1.0.0" })));
    succeeded(&lockstep(&registry, dir.path(), &["--force"]));
    let said = std::process::Command::new(dir.path().join("node_modules/.bin/tool")).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&said.stdout), "tool\n");
    let stored = tree(&dir.path().join("store"));
    let executable = stored.values().filter(|what| what.contains("echo tool") && what.contains("0755"));
    assert_eq!(executable.count(), 0);
    let mode = std::fs::metadata(dir.path().join("node_modules/tool/tool.sh")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o755);
}

#[test]
fn the_setting_may_stand_in_npmrc_or_on_the_command_line() {
    let registry = registry();
    for (file, text, arguments) in [
        (".npmrc", "node-linker=hoisted\n", [].as_slice()),
        ("pnpm-workspace.yaml", "nodeLinker: isolated\n", &["--node-linker", "hoisted"]),
    ] {
        let dir = tempfile::tempdir().unwrap();
        project(dir.path(), &json!({ "dependencies": { "leaf": "1.0.0" } }));
        write(dir.path(), file, text);
        succeeded(&lockstep(&registry, dir.path(), arguments));
        assert_eq!(shape(dir.path()), [".pnpm", "leaf"], "{file}");
    }
    let dir = application(json!({ "leaf": "1.0.0" }));
    write(dir.path(), "pnpm-workspace.yaml", "nodeLinker: flat\n");
    says(&failed(&lockstep(&registry, dir.path(), &[])), &["node-linker", "flat", "isolated or hoisted"]);
    write(dir.path(), "pnpm-workspace.yaml", "nodeLinker: pnp\n");
    let text = succeeded(&lockstep(&registry, dir.path(), &[]));
    says(&text, &["these settings do nothing here: `nodeLinker` in pnpm-workspace.yaml"]);
}

#[test]
fn a_repeat_ends_at_once_unless_something_is_missing() {
    let (registry, dir) = (registry(), application(json!({ "app": "1.0.0", "old": "1.0.0" })));
    succeeded(&lockstep(&registry, dir.path(), &[]));
    let before = tree(&dir.path().join("node_modules"));
    for lost in ["", "node_modules/tool", "node_modules/old/node_modules/leaf", "node_modules/old", "node_modules/.bin"]
    {
        if !lost.is_empty() {
            std::fs::remove_dir_all(dir.path().join(lost)).unwrap();
        }
        registry.forget_requests();
        let text = succeeded(&lockstep(&registry, dir.path(), &["--frozen-lockfile"]));
        assert_eq!(text.contains("Installing packages"), !lost.is_empty(), "{lost}: {text}");
        assert_eq!(tree(&dir.path().join("node_modules")), before, "{lost}");
        assert_eq!(registry.requests(), 0);
    }
}

#[test]
fn only_what_changes_is_put_in_place_anew() {
    let (registry, dir) = (registry(), application(json!({ "app": "1.0.0", "old": "1.0.0" })));
    succeeded(&lockstep(&registry, dir.path(), &[]));
    for package in ["app", "leaf", "old", "old/node_modules/leaf", "tool"] {
        write(dir.path(), &format!("node_modules/{package}/mark"), "");
    }
    write(dir.path(), "node_modules/mine/x", "");
    let marked = |path: &str| dir.path().join("node_modules").join(path).join("mark").exists();

    // Another version, and what lies inside it is still right.
    succeeded(&run(&registry, dir.path(), "add", &["old@2.0.0"]));
    assert!(!marked("old") && read(dir.path(), "node_modules/old/package.json").contains("2.0.0"));
    assert!(marked("app") && marked("leaf") && marked("tool") && marked("old/node_modules/leaf"));

    // The one whose name was in the way goes, and the other one moves up.
    let text = succeeded(&run(&registry, dir.path(), "remove", &["app"]));
    assert!(text.contains("- app 1.0.0"), "{text}");
    assert_eq!(shape(dir.path()), [".pnpm", "leaf", "mine", "old"]);
    assert_eq!(read(dir.path(), "node_modules/leaf/v"), "2");
    assert!(!marked("leaf"));

    succeeded(&run(&registry, dir.path(), "add", &["leaf@1.0.0"]));
    assert_eq!(read(dir.path(), "node_modules/leaf/v"), "1");
    assert_eq!(read(dir.path(), "node_modules/old/node_modules/leaf/v"), "2");
}

#[test]
fn one_kind_of_tree_takes_the_place_of_the_other() {
    let (registry, dir) = (registry(), application(json!({ "app": "1.0.0", "old": "1.0.0" })));
    succeeded(&lockstep(&registry, dir.path(), &[]));
    write(dir.path(), "node_modules/mine/x", "");
    let hoisted = tree(&dir.path().join("node_modules"));
    write(dir.path(), "pnpm-workspace.yaml", "nodeLinker: isolated\n");
    succeeded(&lockstep(&registry, dir.path(), &[]));
    let modules_dir = dir.path().join("node_modules");
    assert!(modules_dir.join("app").is_symlink() && !modules_dir.join("leaf").exists());
    assert!(!modules_dir.join(".ignored").exists(), "nothing was in the way");
    assert_eq!(modules(dir.path())["nodeLinker"], "isolated");
    assert_eq!(modules(dir.path()).get("hoistedLocations"), None);
    write(dir.path(), "pnpm-workspace.yaml", "nodeLinker: hoisted\n");
    succeeded(&lockstep(&registry, dir.path(), &[]));
    assert_eq!(tree(&modules_dir), hoisted);
}

#[test]
fn an_install_that_fails_leaves_the_tree_as_it_was() {
    let (registry, dir) = (registry(), application(json!({ "app": "1.0.0" })));
    succeeded(&lockstep(&registry, dir.path(), &[]));
    let before = shape(dir.path());
    registry.answer("/old/-/old-1.0.0.tgz", 404, "");
    failed(&run(&registry, dir.path(), "add", &["old@1.0.0", "leaf@2.0.0"]));
    let after: Vec<_> = shape(dir.path()).into_iter().filter(|path| !path.starts_with(".pnpm/")).collect();
    assert_eq!(after, before);
    assert_eq!(read(dir.path(), "node_modules/leaf/v"), "1");
    succeeded(&lockstep(&registry, dir.path(), &[]));
    assert_eq!(shape(dir.path()), before, "nothing is left of what was filled");
}

#[test]
fn what_an_interrupted_install_was_changing_is_not_relied_on() {
    let (registry, dir) = (registry(), application(json!({ "app": "1.0.0", "leaf": "1.0.0" })));
    succeeded(&lockstep(&registry, dir.path(), &[]));
    let before = tree(&dir.path().join("node_modules"));
    // As if another install had put its own there, and ended before it could say so.
    write(dir.path(), "node_modules/leaf/v", "2");
    write(dir.path(), "node_modules/stray/x", "");
    write(dir.path(), "node_modules/.lockstep-hoisting.json", r#"["node_modules/leaf","node_modules/stray"]"#);
    std::fs::remove_file(dir.path().join("node_modules/.lockstep-state.json")).unwrap();
    succeeded(&lockstep(&registry, dir.path(), &[]));
    assert_eq!(tree(&dir.path().join("node_modules")), before);
}

#[test]
fn projects_share_the_root_and_find_each_other() {
    let (registry, dir) = (registry(), tempfile::tempdir().unwrap());
    write(dir.path(), "pnpm-workspace.yaml", "packages: ['packages/*']\nnodeLinker: hoisted\n");
    project(dir.path(), &json!({ "name": "root", "dependencies": { "leaf": "1.0.0" } }));
    let a = json!({ "name": "a", "bin": "cli.sh", "dependencies": { "leaf": "2.0.0", "@w/b": "workspace:*" } });
    write(dir.path(), "packages/a/package.json", &a.to_string());
    write(dir.path(), "packages/a/cli.sh", "#!/bin/sh\necho a\n");
    let b = json!({ "name": "@w/b", "version": "1.0.0", "dependencies": { "app": "1.0.0", "tool": "2.0.0" } });
    write(dir.path(), "packages/b/package.json", &b.to_string());
    succeeded(&lockstep(&registry, dir.path(), &[]));
    let expected = [
        ".bin",
        ".bin/tool -> ../tool/tool.sh",
        ".pnpm",
        "@w",
        "@w/b -> ../../packages/b",
        "a -> ../packages/a",
        "app",
        "leaf",
        "tool",
    ];
    assert_eq!(shape(dir.path()), expected);
    assert_eq!(shape(&dir.path().join("packages/a")), ["@w", "@w/b -> ../../../b", "leaf"]);
    let tool = [".bin", ".bin/tool -> ../tool/tool.sh", "tool"];
    assert_eq!(shape(&dir.path().join("packages/b")), tool, "the other one is come to first");
    let modules = modules(dir.path());
    assert_eq!(
        modules["hoistedDependencies"],
        json!({ "packages/a": { "a": "private" }, "packages/b": { "@w/b": "private" } })
    );
    assert_eq!(modules["hoistedLocations"]["leaf@2.0.0"], json!(["packages/a/node_modules/leaf"]));
    let said = std::process::Command::new("sh").arg(dir.path().join("node_modules/.bin/a")).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&said.stdout), "a\n", "a project's own file is not made executable");
    let listed = run(&registry, &dir.path().join("packages/a"), "list", &["--json"]);
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    let path = listed[0]["dependencies"]["leaf"]["path"].as_str().unwrap().to_owned();
    assert!(path.ends_with("packages/a/node_modules/leaf"), "{path}");
}

#[test]
fn a_selected_project_brings_its_own_and_the_others_keep_theirs() {
    let (registry, dir) = (registry(), tempfile::tempdir().unwrap());
    write(dir.path(), "pnpm-workspace.yaml", "packages: ['packages/*']\nnodeLinker: hoisted\n");
    project(dir.path(), &json!({ "name": "root" }));
    for (id, dependency) in [("a", "app"), ("b", "old")] {
        let manifest = json!({ "name": id, "dependencies": { dependency: "1.0.0" } });
        write(dir.path(), &format!("packages/{id}/package.json"), &manifest.to_string());
    }
    let packages = |dir: &Path| {
        let mut locations = Vec::new();
        for (dep_path, _) in modules(dir)["hoistedLocations"].as_object().unwrap() {
            locations.push(dep_path.clone());
        }
        locations
    };
    succeeded(&lockstep(&registry, dir.path(), &["--filter", "b"]));
    assert_eq!(packages(dir.path()), ["leaf@2.0.0", "old@1.0.0"]);
    succeeded(&lockstep(&registry, dir.path(), &["--filter", "a"]));
    assert_eq!(packages(dir.path()), ["app@1.0.0", "leaf@1.0.0", "leaf@2.0.0", "old@1.0.0", "tool@1.0.0"]);
    assert!(dir.path().join("node_modules/old/package.json").exists());
}

#[cfg(unix)]
#[test]
fn builds_run_in_every_directory_of_a_package_and_once() {
    let (registry, dir) = (registry(), tempfile::tempdir().unwrap());
    let settings = "packages: ['*']\nnodeLinker: hoisted\nallowBuilds: { native: true }\n";
    write(dir.path(), "pnpm-workspace.yaml", settings);
    project(dir.path(), &json!({ "dependencies": { "native": "2.0.0" } }));
    for id in ["a", "b"] {
        write(dir.path(), &format!("{id}/package.json"), r#"{"dependencies":{"native":"1.0.0"}}"#);
    }
    succeeded(&lockstep(&registry, dir.path(), &[]));
    let log = read(dir.path(), "log");
    let built: Vec<_> = log
        .lines()
        .map(|line| line.strip_prefix(&*dir.path().canonicalize().unwrap().to_string_lossy()).unwrap_or(line))
        .collect();
    assert_eq!(built, ["/a/node_modules/native", "/b/node_modules/native"]);
    assert_eq!(read(dir.path(), "a/node_modules/native/built"), "built\n");
    write(dir.path(), "a/package.json", r#"{"dependencies":{"native":"1.0.0","leaf":"1.0.0"}}"#);
    succeeded(&lockstep(&registry, dir.path(), &[]));
    assert_eq!(read(dir.path(), "log"), log, "they are built");
}

#[test]
fn without_a_lockfile_the_tree_is_the_same() {
    let registry = registry();
    let dependencies = json!({ "app": "1.0.0", "old": "1.0.0" });
    let (with, without) = (application(dependencies.clone()), application(dependencies));
    succeeded(&lockstep(&registry, with.path(), &[]));
    succeeded(&lockstep(&registry, without.path(), &["--no-lockfile"]));
    assert_eq!(shape(without.path()), shape(with.path()));
    assert!(!without.path().join("pnpm-lock.yaml").exists());
}

#[test]
fn a_directory_is_copied_again_when_it_changes() {
    let (registry, dir) = (registry(), application(json!({ "local": "file:local", "leaf": "2.0.0" })));
    let manifest = json!({ "name": "local", "version": "1.0.0", "dependencies": { "leaf": "1.0.0" } });
    write(dir.path(), "local/package.json", &manifest.to_string());
    write(dir.path(), "local/x.js", "1");
    succeeded(&lockstep(&registry, dir.path(), &[]));
    assert_eq!(read(dir.path(), "node_modules/local/node_modules/leaf/v"), "1");
    assert_eq!(modules(dir.path())["injectedDeps"], json!({ "local": ["node_modules/local"] }));
    write(dir.path(), "node_modules/local/node_modules/leaf/mark", "");
    write(dir.path(), "local/x.js", "2");
    succeeded(&lockstep(&registry, dir.path(), &[]));
    assert_eq!(read(dir.path(), "node_modules/local/x.js"), "2");
    assert_eq!(read(dir.path(), "node_modules/local/node_modules/leaf/mark"), "", "what lies inside it stays");
}
