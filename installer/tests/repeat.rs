//! A second install where nothing changed ends at once; one where anything changed does not.

use crate::support::{LocalRegistry, Package, lockstep, project, succeeded};
use crate::tree::tree;
use serde_json::json;
use std::path::Path;
use tempfile::TempDir;

fn installed() -> (LocalRegistry, TempDir) {
    let (registry, dir) = (LocalRegistry::start(), tempfile::tempdir().unwrap());
    registry.publish(&[
        Package::new("app", "1.0.0").with("dependencies", json!({ "leaf": "1.0.0" })),
        Package::new("leaf", "1.0.0"),
        Package::new("tool", "1.0.0").with("bin", json!("tool.sh")).file("tool.sh", "#!/bin/sh\necho tool\n"),
    ]);
    project(dir.path(), &json!({ "dependencies": { "app": "1.0.0" }, "devDependencies": { "tool": "1.0.0" } }));
    succeeded(&lockstep(&registry, dir.path(), &[]));
    (registry, dir)
}

/// Whether an install, which has to succeed, so much as looked for the store.
fn used_the_store(registry: &LocalRegistry, dir: &Path, arguments: &[&str]) -> bool {
    let aside = dir.join("store-aside");
    std::fs::rename(dir.join("store"), &aside).unwrap();
    let output = lockstep(registry, dir, arguments);
    let used = dir.join("store").exists();
    if used {
        std::fs::remove_dir_all(dir.join("store")).unwrap();
    }
    std::fs::rename(aside, dir.join("store")).unwrap();
    succeeded(&output);
    used
}

#[test]
fn what_is_up_to_date_needs_neither_the_registry_nor_the_store() {
    let (registry, dir) = installed();
    registry.forget_requests();
    let before = tree(dir.path());
    for arguments in [[].as_slice(), &["--frozen-lockfile"], &["--offline"], &["--network-concurrency", "3"]] {
        assert!(!used_the_store(&registry, dir.path(), arguments), "{arguments:?}");
        let text = succeeded(&lockstep(&registry, dir.path(), arguments));
        assert!(text.contains("Already up to date") && text.contains("3 packages"), "{text}");
    }
    assert_eq!(registry.requests(), 0);
    assert_eq!(tree(dir.path()), before);
}

#[test]
fn any_change_of_what_was_asked_for_is_noticed() {
    let write =
        |name: &'static str, text: &'static str| move |dir: &Path| std::fs::write(dir.join(name), text).unwrap();
    let add_to = |name: &'static str, text: &'static str| {
        move |dir: &Path| {
            let path = dir.join(name);
            let old = std::fs::read_to_string(&path).unwrap();
            std::fs::write(path, old + text).unwrap();
        }
    };
    type Change = Box<dyn Fn(&Path)>;
    let changes: [(&str, Change); 5] = [
        ("package.json", Box::new(add_to("package.json", " "))),
        ("pnpm-workspace.yaml", Box::new(write("pnpm-workspace.yaml", "{}\n"))),
        ("pnpm-lock.yaml", Box::new(add_to("pnpm-lock.yaml", "\n# mine\n"))),
        (".modules.yaml", Box::new(add_to("node_modules/.modules.yaml", "\n"))),
        ("lock.yaml", Box::new(add_to("node_modules/.pnpm/lock.yaml", "\n"))),
    ];
    for (name, change) in changes {
        let (registry, dir) = installed();
        change(dir.path());
        assert!(used_the_store(&registry, dir.path(), &[]), "{name}");
        assert!(!used_the_store(&registry, dir.path(), &[]), "{name} is what it was the last time");
    }
    let (registry, dir) = installed();
    for arguments in [["--prod"].as_slice(), &[]] {
        assert!(used_the_store(&registry, dir.path(), arguments), "{arguments:?}");
        assert!(!used_the_store(&registry, dir.path(), arguments), "{arguments:?}");
        assert_eq!(dir.path().join("node_modules/tool").exists(), arguments.is_empty());
    }
}

#[test]
fn a_damaged_tree_is_noticed() {
    for lost in ["app", ".bin/tool", ".pnpm/leaf@1.0.0"] {
        let (registry, dir) = installed();
        let modules = dir.path().join("node_modules");
        let before = tree(&modules);
        let path = modules.join(lost);
        let removed = if path.is_symlink() || path.is_file() {
            std::fs::remove_file(&path)
        } else {
            std::fs::remove_dir_all(&path)
        };
        removed.unwrap();
        succeeded(&lockstep(&registry, dir.path(), &[]));
        assert_eq!(tree(&modules), before, "{lost}");
    }
}

#[test]
fn an_optional_package_that_could_not_be_had_is_tried_again() {
    let (registry, dir) = (LocalRegistry::start(), tempfile::tempdir().unwrap());
    let late = Package::new("late", "1.0.0");
    registry.publish(std::slice::from_ref(&late));
    registry.answer(&late.tarball_path(), 404, "");
    project(dir.path(), &json!({ "optionalDependencies": { "late": "1.0.0" } }));
    succeeded(&lockstep(&registry, dir.path(), &[]));
    assert!(!dir.path().join("node_modules/late").exists());
    registry.answer(&late.tarball_path(), 200, late.tarball());
    succeeded(&lockstep(&registry, dir.path(), &[]));
    assert!(dir.path().join("node_modules/late/package.json").exists());
}

#[test]
fn what_pnpm_vouched_for_before_does_not_hold_after_a_change() {
    let (registry, dir) = installed();
    let validation = dir.path().join("node_modules/.pnpm-workspace-state-v1.json");
    std::fs::write(&validation, "{}").unwrap();
    succeeded(&lockstep(&registry, dir.path(), &[]));
    assert!(validation.exists(), "nothing changed");
    succeeded(&lockstep(&registry, dir.path(), &["--prod"]));
    assert!(!validation.exists());
}

#[test]
fn pnpm_s_files_say_what_is_there() {
    let (registry, dir) = installed();
    let read = |path: &str| std::fs::read_to_string(dir.path().join("node_modules").join(path)).unwrap();
    assert_eq!(read(".pnpm/lock.yaml"), std::fs::read_to_string(dir.path().join("pnpm-lock.yaml")).unwrap());
    let modules: serde_json::Value = serde_json::from_str(&read(".modules.yaml")).unwrap();
    assert_eq!(modules["hoistedDependencies"], json!({ "leaf@1.0.0": { "leaf": "private" } }));
    assert_eq!(modules["storeDir"], json!(dir.path().join("store/v11")));
    succeeded(&lockstep(&registry, dir.path(), &["--prod"]));
    let modules: serde_json::Value = serde_json::from_str(&read(".modules.yaml")).unwrap();
    assert_eq!(modules["included"]["devDependencies"], json!(false));
    assert!(!read(".pnpm/lock.yaml").contains("tool"));
}

/// A root with a tool, and two projects of which one needs the other; a patch to one of their packages.
fn installed_workspace() -> (LocalRegistry, TempDir) {
    let (registry, dir) = (LocalRegistry::start(), tempfile::tempdir().unwrap());
    registry.publish(&[
        Package::new("leaf", "1.0.0").file("index.js", "old\n"),
        Package::new("tool", "1.0.0").with("bin", json!("tool.sh")).file("tool.sh", "#!/bin/sh\necho tool\n"),
    ]);
    let settings = "packages:\n  - packages/*\npatchedDependencies:\n  leaf: leaf.patch\n";
    std::fs::write(dir.path().join("pnpm-workspace.yaml"), settings).unwrap();
    std::fs::write(dir.path().join("leaf.patch"), patch_to("new")).unwrap();
    project(dir.path(), &json!({ "name": "root", "devDependencies": { "tool": "1.0.0" } }));
    member(dir.path(), "a", &json!({ "leaf": "1.0.0" }));
    member(dir.path(), "b", &json!({ "a": "workspace:*", "tool": "1.0.0" }));
    succeeded(&lockstep(&registry, dir.path(), &[]));
    (registry, dir)
}

fn patch_to(text: &str) -> String {
    format!("diff --git a/index.js b/index.js\n--- a/index.js\n+++ b/index.js\n@@ -1 +1 @@\n-old\n+{text}\n")
}

fn member(root: &Path, name: &str, dependencies: &serde_json::Value) {
    let dir = root.join("packages").join(name);
    std::fs::create_dir_all(&dir).unwrap();
    project(&dir, &json!({ "name": name, "version": "1.0.0", "dependencies": dependencies }));
}

#[test]
fn a_workspace_is_recognised_from_any_of_its_projects() {
    let (registry, dir) = installed_workspace();
    for (importer, arguments) in [(".", [].as_slice()), ("packages/a", &[]), (".", &["--frozen-lockfile"])] {
        let store = dir.path().join("store");
        std::fs::rename(&store, dir.path().join("aside")).unwrap();
        let arguments = [arguments, &["--store-dir", store.to_str().unwrap()]].concat();
        let text = succeeded(&lockstep(&registry, &dir.path().join(importer), &arguments));
        assert!(text.contains("Already up to date") && !store.exists(), "{importer}: {text}");
        std::fs::rename(dir.path().join("aside"), &store).unwrap();
    }
}

#[test]
fn any_change_in_a_workspace_is_noticed() {
    type Change = fn(&Path);
    let changes: [(&str, Change); 6] = [
        ("a dependency more", |root| member(root, "a", &json!({ "leaf": "1.0.0", "tool": "1.0.0" }))),
        ("a project more", |root| member(root, "c", &json!({ "leaf": "1.0.0" }))),
        ("a project less", |root| std::fs::remove_dir_all(root.join("packages/b")).unwrap()),
        ("a link less", |root| std::fs::remove_file(root.join("packages/b/node_modules/a")).unwrap()),
        ("a command less", |root| std::fs::remove_file(root.join("packages/b/node_modules/.bin/tool")).unwrap()),
        ("another patch", |root| std::fs::write(root.join("leaf.patch"), patch_to("newer")).unwrap()),
    ];
    for (what, change) in changes {
        let (registry, dir) = installed_workspace();
        change(dir.path());
        assert!(used_the_store(&registry, dir.path(), &[]), "{what}");
        assert!(!used_the_store(&registry, dir.path(), &[]), "{what}, once more");
    }
}

#[test]
fn a_part_of_a_workspace_is_not_the_whole() {
    let (registry, dir) = installed_workspace();
    assert!(used_the_store(&registry, dir.path(), &["--filter", "a"]));
    assert!(used_the_store(&registry, dir.path(), &[]), "the other projects were not looked at");
    assert!(!used_the_store(&registry, dir.path(), &[]));
}
