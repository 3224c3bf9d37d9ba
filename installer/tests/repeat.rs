//! A second install where nothing changed ends at once; one where anything changed does not.

mod support;
mod tree;

use serde_json::json;
use std::path::Path;
use support::{LocalRegistry, Package, lockstep, project, succeeded};
use tempfile::TempDir;
use tree::tree;

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
