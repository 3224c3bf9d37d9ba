//! Installing, end to end: the real binary, a registry on a local socket, and what is on the disk afterwards.

use crate::support::{LocalRegistry, Package, lockstep, project, succeeded};
use crate::tree::{assert_same_tree, tree};
use serde_json::json;
use tempfile::TempDir;

/// A registry with one package of each kind that matters here.
fn registry() -> LocalRegistry {
    let registry = LocalRegistry::start();
    registry.publish(&[
        Package::new("app", "1.0.0")
            .with("dependencies", json!({ "leaf": "^1.0.0", "@scope/leaf": "^1.0.0" }))
            .with("bin", json!({ "app": "cli.sh" }))
            .file("cli.sh", "#!/bin/sh\necho \"app got $1\"\n")
            .file("index.js", "module.exports = 'app+' + require('leaf') + '+' + require('@scope/leaf')\n"),
        Package::new("leaf", "1.0.0").file("index.js", "module.exports = 'leaf 1.0.0'\n"),
        Package::new("leaf", "1.1.0").file("index.js", "module.exports = 'leaf 1.1.0'\n"),
        Package::new("@scope/leaf", "1.0.0").file("index.js", "module.exports = '@scope/leaf'\n"),
        Package::new("tool", "1.0.0").with("bin", json!("tool.sh")).file("tool.sh", "#!/bin/sh\necho tool\n"),
    ]);
    registry
}

/// An application: a dependency with dependencies, and a devDependency.
fn application() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    project(dir.path(), &json!({ "dependencies": { "app": "^1.0.0" }, "devDependencies": { "tool": "1.0.0" } }));
    dir
}

fn lockfile(dir: &TempDir) -> String {
    std::fs::read_to_string(dir.path().join("pnpm-lock.yaml")).unwrap()
}

#[test]
fn a_project_runs_from_what_was_installed() {
    let (registry, dir) = (registry(), application());
    let text = succeeded(&lockstep(&registry, dir.path(), &[]));
    assert!(text.contains("+ app 1.0.0") && text.contains("4 packages"), "{text}");

    let modules = dir.path().join("node_modules");
    let app = std::fs::read_link(modules.join("app")).unwrap();
    assert_eq!(app.to_str().unwrap(), ".pnpm/app@1.0.0/node_modules/app");
    let leaf = std::fs::read_link(modules.join(".pnpm/app@1.0.0/node_modules/@scope/leaf")).unwrap();
    assert_eq!(leaf.to_str().unwrap(), "../../../@scope+leaf@1.0.0/node_modules/@scope/leaf");
    assert!(!modules.join("leaf").exists(), "the project did not ask for it");
    assert!(modules.join(".pnpm/node_modules/leaf/package.json").exists(), "hoisted for those who forgot to ask");
    for words in ["lockfileVersion: '9.0'", "app@1.0.0:", "specifier: ^1.0.0", "leaf: 1.1.0", "'@scope/leaf': 1.0.0"] {
        assert!(lockfile(&dir).contains(words), "{words} is missing in:\n{}", lockfile(&dir));
    }

    let said = std::process::Command::new("sh").arg(modules.join(".bin/app")).arg("it").output().unwrap();
    assert_eq!(String::from_utf8_lossy(&said.stdout), "app got it\n");
    let node = std::process::Command::new("node").args(["-p", "require('app')"]).current_dir(dir.path()).output();
    // Not every machine that runs the tests has Node.js.
    if let Ok(said) = node {
        assert_eq!(String::from_utf8_lossy(&said.stdout), "app+leaf 1.1.0+@scope/leaf\n");
    }
}

#[test]
fn a_second_install_asks_for_nothing_and_changes_nothing() {
    let (registry, dir) = (registry(), application());
    succeeded(&lockstep(&registry, dir.path(), &[]));
    let (before, locked) = (tree(&dir.path().join("node_modules")), lockfile(&dir));
    registry.forget_requests();
    succeeded(&lockstep(&registry, dir.path(), &[]));
    assert_eq!(registry.requests(), 0);
    assert_eq!(tree(&dir.path().join("node_modules")), before);
    assert_eq!(lockfile(&dir), locked);
}

#[test]
fn frozen_gives_the_same_tree_elsewhere() {
    let (registry, dir) = (registry(), application());
    succeeded(&lockstep(&registry, dir.path(), &[]));
    registry.publish(&[Package::new("@scope/leaf", "1.9.0")]);

    let copy = application();
    std::fs::create_dir(copy.path().join("node_modules")).unwrap();
    std::fs::write(copy.path().join("pnpm-lock.yaml"), lockfile(&dir)).unwrap();
    let store = dir.path().join("store");
    let arguments = ["--frozen-lockfile", "--store-dir", store.to_str().unwrap()];
    succeeded(&lockstep(&registry, copy.path(), &arguments));
    assert_eq!(tree(&copy.path().join("node_modules")), tree(&dir.path().join("node_modules")));
    assert_eq!(lockfile(&copy), lockfile(&dir));
}

#[test]
fn prod_leaves_dev_dependencies_out() {
    let (registry, dir) = (registry(), application());
    succeeded(&lockstep(&registry, dir.path(), &["--prod"]));
    let modules = dir.path().join("node_modules");
    assert!(modules.join("app").exists() && modules.join(".bin/app").exists());
    assert!(!modules.join("tool").exists() && !modules.join(".bin/tool").exists());
    assert!(!modules.join(".pnpm/tool@1.0.0").exists());
    assert!(lockfile(&dir).contains("tool@1.0.0"), "the lockfile is for everybody");
    succeeded(&lockstep(&registry, dir.path(), &[]));
    assert!(modules.join(".bin/tool").exists());
}

#[test]
fn no_lockfile_writes_none_and_reads_none() {
    let (registry, dir) = (registry(), application());
    succeeded(&lockstep(&registry, dir.path(), &["--no-lockfile"]));
    assert!(!dir.path().join("pnpm-lock.yaml").exists());
    assert!(dir.path().join("node_modules/.pnpm/app@1.0.0/node_modules/leaf/index.js").exists());
    let with_lockfile = application();
    succeeded(&lockstep(&registry, with_lockfile.path(), &[]));
    assert_same_tree(&dir.path().join("node_modules"), &with_lockfile.path().join("node_modules"));
    std::fs::write(dir.path().join("pnpm-lock.yaml"), "not a lockfile").unwrap();
    succeeded(&lockstep(&registry, dir.path(), &["--no-lockfile"]));
}

#[test]
fn offline_lives_on_the_store() {
    let (registry, dir) = (registry(), application());
    succeeded(&lockstep(&registry, dir.path(), &[]));
    let (before, locked) = (tree(&dir.path().join("node_modules")), lockfile(&dir));
    registry.forget_requests();
    for also_gone in [None, Some("pnpm-lock.yaml")] {
        std::fs::remove_dir_all(dir.path().join("node_modules")).unwrap();
        if let Some(name) = also_gone {
            std::fs::remove_file(dir.path().join(name)).unwrap();
        }
        succeeded(&lockstep(&registry, dir.path(), &["--offline"]));
        assert_eq!(tree(&dir.path().join("node_modules")), before);
        assert_eq!(lockfile(&dir), locked);
    }
    assert_eq!(registry.requests(), 0);
}

#[test]
fn build_scripts_are_mentioned_unless_told_not_to() {
    let (registry, dir) = (LocalRegistry::start(), tempfile::tempdir().unwrap());
    registry.publish(&[Package::new("native", "1.0.0").with("scripts", json!({ "install": "touch ran" }))]);
    project(dir.path(), &json!({ "dependencies": { "native": "1.0.0" } }));
    let text = succeeded(&lockstep(&registry, dir.path(), &[]));
    assert!(text.contains("native@1.0.0"), "{text}");
    let text = succeeded(&lockstep(&registry, dir.path(), &["--ignore-scripts"]));
    assert!(!text.contains("native@1.0.0"), "{text}");
    assert!(!dir.path().join("node_modules/native/ran").exists());
}

#[test]
fn peer_variants_share_one_tarball() {
    let (registry, dir) = (LocalRegistry::start(), tempfile::tempdir().unwrap());
    let plugin = Package::new("plugin", "1.0.0").with("peerDependencies", json!({ "host": "*" }));
    let user =
        |name, host: &str| Package::new(name, "1.0.0").with("dependencies", json!({ "plugin": "1.0.0", "host": host }));
    registry.publish(&[
        plugin.clone(),
        user("new", "2.0.0"),
        user("old", "1.0.0"),
        Package::new("host", "1.0.0"),
        Package::new("host", "2.0.0"),
    ]);
    project(dir.path(), &json!({ "dependencies": { "new": "1.0.0", "old": "1.0.0" } }));
    succeeded(&lockstep(&registry, dir.path(), &[]));
    for host in ["host@1.0.0", "host@2.0.0"] {
        let modules = dir.path().join(format!("node_modules/.pnpm/plugin@1.0.0_{host}/node_modules"));
        assert!(modules.join("plugin/package.json").exists());
        let link = std::fs::read_link(modules.join("host")).unwrap();
        assert_eq!(link.to_str().unwrap(), format!("../../{host}/node_modules/host"));
    }
    assert_eq!(registry.tarball_requests()[&plugin.tarball_path()], 1);
}

#[test]
fn what_is_for_another_platform_is_neither_downloaded_nor_linked() {
    let (registry, dir) = (LocalRegistry::start(), tempfile::tempdir().unwrap());
    let elsewhere = Package::new("elsewhere", "1.0.0").with("os", json!(["aix"]));
    let everywhere = Package::new("everywhere", "1.0.0").with("os", json!(["!aix"]));
    let optional = json!({ "elsewhere": "1.0.0", "everywhere": "1.0.0" });
    let app = Package::new("app", "1.0.0").with("optionalDependencies", optional);
    registry.publish(&[elsewhere.clone(), everywhere, app]);
    project(dir.path(), &json!({ "dependencies": { "app": "1.0.0" } }));
    for arguments in [[].as_slice(), &["--no-lockfile"]] {
        succeeded(&lockstep(&registry, dir.path(), arguments));
        let store = dir.path().join("node_modules/.pnpm");
        assert!(store.join("app@1.0.0/node_modules/everywhere/package.json").exists());
        assert!(!store.join("elsewhere@1.0.0").exists());
        assert!(std::fs::symlink_metadata(store.join("app@1.0.0/node_modules/elsewhere")).is_err());
        assert!(!registry.tarball_requests().contains_key(&elsewhere.tarball_path()));
        std::fs::remove_dir_all(dir.path().join("node_modules")).unwrap();
    }
    assert!(lockfile(&dir).contains("elsewhere@1.0.0"), "the lockfile is for every platform");
}

#[test]
fn an_optional_package_that_cannot_be_had_is_a_warning() {
    for arguments in [[].as_slice(), &["--no-lockfile"]] {
        let (registry, dir) = (LocalRegistry::start(), tempfile::tempdir().unwrap());
        let lost = Package::new("lost", "1.0.0");
        let app = Package::new("app", "1.0.0").with("optionalDependencies", json!({ "lost": "1.0.0" }));
        registry.publish(&[lost.clone(), app]);
        registry.answer(&lost.tarball_path(), 404, "");
        project(dir.path(), &json!({ "dependencies": { "app": "1.0.0" } }));
        let text = succeeded(&lockstep(&registry, dir.path(), arguments));
        assert!(text.contains("WARN") && text.contains("lost"), "{text}");
        assert!(dir.path().join("node_modules/app/package.json").exists());
        assert!(!dir.path().join("node_modules/.pnpm/lost@1.0.0/node_modules/lost").exists());
        assert!(std::fs::symlink_metadata(dir.path().join("node_modules/.pnpm/app@1.0.0/node_modules/lost")).is_err());
    }
}

#[test]
fn aliases_lead_to_the_real_package() {
    let (registry, dir) = (registry(), tempfile::tempdir().unwrap());
    let dependencies = json!({ "old": "npm:leaf@1.0.0", "new": "npm:leaf@^1.0.0", "@mine/s": "npm:@scope/leaf@1" });
    project(dir.path(), &json!({ "dependencies": dependencies }));
    for arguments in [[].as_slice(), &["--frozen-lockfile"], &["--no-lockfile"]] {
        succeeded(&lockstep(&registry, dir.path(), arguments));
        let file = |path: &str| std::fs::read_to_string(dir.path().join("node_modules").join(path)).unwrap();
        assert!(file("old/index.js").contains("1.0.0"));
        assert!(file("new/index.js").contains("1.1.0"));
        assert!(file("@mine/s/index.js").contains("@scope/leaf"));
        std::fs::remove_dir_all(dir.path().join("node_modules")).unwrap();
    }
}

#[test]
fn what_nobody_wants_any_more_goes() {
    let (registry, dir) = (registry(), application());
    succeeded(&lockstep(&registry, dir.path(), &[]));
    project(dir.path(), &json!({ "dependencies": { "leaf": "1.0.0" } }));
    succeeded(&lockstep(&registry, dir.path(), &[]));
    let fresh = tempfile::tempdir().unwrap();
    project(fresh.path(), &json!({ "dependencies": { "leaf": "1.0.0" } }));
    succeeded(&lockstep(&registry, fresh.path(), &[]));
    assert_eq!(tree(&dir.path().join("node_modules")), tree(&fresh.path().join("node_modules")));
    assert_eq!(lockfile(&dir), lockfile(&fresh));
}
