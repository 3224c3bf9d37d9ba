//! Workspaces, end to end: several projects, one lockfile, one virtual store, and at most one download per tarball.

use crate::support::{LocalRegistry, Package, failed, lockstep, project, says, succeeded};
use crate::tree::tree;
use serde_json::{Value, json};
use std::path::Path;
use tempfile::TempDir;

fn registry() -> LocalRegistry {
    let registry = LocalRegistry::start();
    registry.publish(&[
        Package::new("host", "1.0.0"),
        Package::new("host", "2.0.0"),
        Package::new("plugin", "1.0.0").with("peerDependencies", json!({ "host": "*" })),
        Package::new("leaf", "1.0.0"),
        Package::new("leaf", "1.1.0"),
        Package::new("tool", "1.0.0").with("bin", json!("tool.sh")).file("tool.sh", "#!/bin/sh\necho tool\n"),
    ]);
    registry
}

/// A root and three packages: `@w/a` on one host, `@w/b` on the other, `c` on nobody's list.
fn workspace() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "pnpm-workspace.yaml", "packages:\n  - packages/*\n  - '!packages/c'\n");
    package(
        dir.path(),
        ".",
        &json!({ "name": "root", "private": true, "devDependencies": { "tool": "1.0.0", "@w/a": "workspace:*" } }),
    );
    let a = json!({
        "name": "@w/a", "version": "1.2.3", "bin": { "a-cmd": "cli.sh" },
        "dependencies": { "host": "1.0.0", "plugin": "1.0.0", "leaf": "^1.0.0" },
    });
    package(dir.path(), "packages/a", &a);
    write(dir.path(), "packages/a/cli.sh", "#!/bin/sh\necho \"a got $1\"\n");
    let b = json!({
        "name": "@w/b", "version": "2.0.0",
        "dependencies": { "@w/a": "workspace:^", "alias": "workspace:@w/a@^1.0.0", "host": "^2.0.0", "plugin": "1.0.0" },
        "devDependencies": { "leaf": "^1.0.0", "linked": "link:../c" },
    });
    package(dir.path(), "packages/b", &b);
    package(dir.path(), "packages/c", &json!({ "name": "c", "version": "3.0.0", "dependencies": { "leaf": "1.0.0" } }));
    dir
}

pub(crate) fn write(dir: &Path, path: &str, text: &str) {
    let path = dir.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

pub(crate) fn package(dir: &Path, id: &str, manifest: &Value) {
    std::fs::create_dir_all(dir.join(id)).unwrap();
    project(&dir.join(id), manifest);
}

pub(crate) fn link(dir: &TempDir, path: &str) -> String {
    let target = std::fs::read_link(dir.path().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    target.to_str().unwrap().to_owned()
}

pub(crate) fn lockfile(dir: &TempDir) -> String {
    std::fs::read_to_string(dir.path().join("pnpm-lock.yaml")).unwrap()
}

#[test]
fn every_project_gets_its_own_dependencies_from_one_store() {
    let (registry, dir) = (registry(), workspace());
    let text = succeeded(&lockstep(&registry, dir.path(), &[]));
    assert!(!text.contains("WARN"), "{text}");
    assert_eq!(link(&dir, "packages/a/node_modules/host"), "../../../node_modules/.pnpm/host@1.0.0/node_modules/host");
    assert_eq!(link(&dir, "packages/b/node_modules/host"), "../../../node_modules/.pnpm/host@2.0.0/node_modules/host");
    let plugin = "../../../node_modules/.pnpm/plugin@1.0.0_host@2.0.0/node_modules/plugin";
    assert_eq!(link(&dir, "packages/b/node_modules/plugin"), plugin);
    assert_eq!(link(&dir, "packages/b/node_modules/@w/a"), "../../../a");
    assert_eq!(link(&dir, "packages/b/node_modules/alias"), "../../a");
    assert_eq!(link(&dir, "packages/b/node_modules/linked"), "../../c");
    assert_eq!(link(&dir, "node_modules/@w/a"), "../../packages/a");
    assert_eq!(link(&dir, "node_modules/.pnpm/node_modules/@w/b"), "../../../../packages/b");
    assert!(!dir.path().join("packages/c/node_modules").exists(), "it is no part of the workspace");

    let said =
        std::process::Command::new("sh").arg(dir.path().join("packages/b/node_modules/.bin/a-cmd")).arg("it").output();
    assert_eq!(String::from_utf8_lossy(&said.unwrap().stdout), "a got it\n");

    let downloads = registry.tarball_requests();
    assert!(downloads.len() == 5 && downloads.values().all(|times| *times == 1), "{downloads:?}");
    for words in [
        "  packages/b:\n    dependencies:\n      '@w/a':\n        specifier: workspace:^\n        version: link:../a\n",
        "      alias:\n        specifier: workspace:@w/a@^1.0.0\n        version: link:../a\n",
        "      linked:\n        specifier: link:../c\n        version: link:../c\n",
        "        version: 1.0.0(host@2.0.0)\n",
    ] {
        assert!(lockfile(&dir).contains(words), "{words} is missing in:\n{}", lockfile(&dir));
    }
}

#[test]
fn a_frozen_install_elsewhere_gives_the_same_trees() {
    let (registry, dir, copy) = (registry(), workspace(), workspace());
    succeeded(&lockstep(&registry, dir.path(), &[]));
    write(copy.path(), "pnpm-lock.yaml", &lockfile(&dir));
    let store = dir.path().join("store");
    let arguments = ["--frozen-lockfile", "--store-dir", store.to_str().unwrap()];
    registry.forget_requests();
    succeeded(&lockstep(&registry, copy.path(), &arguments));
    assert_eq!(registry.requests(), 0);
    for modules in ["node_modules", "packages/a/node_modules", "packages/b/node_modules"] {
        assert_eq!(tree(&copy.path().join(modules)), tree(&dir.path().join(modules)), "{modules}");
    }

    package(
        copy.path(),
        "packages/a",
        &json!({ "name": "@w/a", "version": "1.2.3", "dependencies": { "leaf": "1.0.0" } }),
    );
    let text = failed(&lockstep(&registry, copy.path(), &arguments));
    says(&text, &["changed: leaf from ^1.0.0 to 1.0.0 (in packages/a/package.json)", "removed: host@1.0.0"]);
    assert_eq!(lockfile(&copy), lockfile(&dir));
}

#[test]
fn it_is_the_same_from_inside_a_package() {
    let (registry, dir, other) = (registry(), workspace(), workspace());
    succeeded(&lockstep(&registry, dir.path(), &[]));
    succeeded(&lockstep(&registry, &other.path().join("packages/b"), &[]));
    assert_eq!(lockfile(&other), lockfile(&dir));
    for modules in ["node_modules", "packages/a/node_modules", "packages/b/node_modules"] {
        assert_eq!(tree(&other.path().join(modules)), tree(&dir.path().join(modules)), "{modules}");
    }
    // A directory that the workspace does not count stands alone.
    succeeded(&lockstep(&registry, &other.path().join("packages/c"), &[]));
    assert!(other.path().join("packages/c/pnpm-lock.yaml").exists());
    assert_eq!(link(&other, "packages/c/node_modules/leaf"), ".pnpm/leaf@1.0.0/node_modules/leaf");
}

#[test]
fn what_a_project_no_longer_wants_goes() {
    let (registry, dir, fresh) = (registry(), workspace(), workspace());
    succeeded(&lockstep(&registry, dir.path(), &[]));
    let changed = json!({ "name": "@w/b", "version": "2.0.0", "dependencies": { "leaf": "^1.0.0" } });
    for workspace in [&dir, &fresh] {
        package(workspace.path(), "packages/b", &changed);
        succeeded(&lockstep(&registry, workspace.path(), &[]));
    }
    assert_eq!(lockfile(&dir), lockfile(&fresh));
    for modules in ["node_modules", "packages/a/node_modules"] {
        assert_eq!(tree(&dir.path().join(modules)), tree(&fresh.path().join(modules)), "{modules}");
    }
    let modules = dir.path().join("packages/b/node_modules");
    assert!(modules.join("leaf").exists() && !modules.join("alias").exists() && !modules.join(".bin").exists());
    assert!(std::fs::symlink_metadata(modules.join("host")).is_err());

    // A project that is gone leaves the lockfile.
    std::fs::remove_dir_all(dir.path().join("packages/b")).unwrap();
    succeeded(&lockstep(&registry, dir.path(), &["--frozen-lockfile"]));
    assert!(lockfile(&dir).contains("packages/b:"), "frozen leaves it alone");
    succeeded(&lockstep(&registry, dir.path(), &[]));
    assert!(!lockfile(&dir).contains("packages/b:"));
}

#[test]
fn a_filter_installs_a_part_and_leaves_the_rest_alone() {
    let (registry, dir) = (registry(), workspace());
    succeeded(&lockstep(&registry, dir.path(), &["--filter", "@w/b"]));
    assert!(dir.path().join("packages/b/node_modules/host").exists());
    assert!(!dir.path().join("packages/a/node_modules").exists() && !dir.path().join("node_modules/tool").exists());
    assert!(lockfile(&dir).contains("packages/a:"), "the lockfile is for everybody");
    succeeded(&lockstep(&registry, dir.path(), &["--filter", "./packages/*", "--filter", "!b"]));
    assert!(dir.path().join("packages/a/node_modules/host/package.json").exists());
    assert!(dir.path().join("packages/b/node_modules/host/package.json").exists(), "it is still there");

    let text = succeeded(&lockstep(&registry, dir.path(), &["--filter", "@w/a...", "--filter", "typo"]));
    says(&text, &["--filter typo matches no project"]);
    let text = failed(&lockstep(&registry, dir.path(), &["--filter", "typo"]));
    says(&text, &["no project matches --filter typo", "root, @w/a, @w/b"]);
}

#[test]
fn catalogs_say_what_projects_share() {
    let (registry, dir) = (registry(), workspace());
    let yaml = "packages: [packages/*, '!packages/c']\ncatalog:\n  leaf: ^1.0.0\n  unused: 1\ncatalogs:\n  old:\n    host: 1.0.0\n";
    write(dir.path(), "pnpm-workspace.yaml", yaml);
    package(
        dir.path(),
        "packages/a",
        &json!({ "name": "@w/a", "version": "1.0.0", "dependencies": { "leaf": "catalog:", "host": "catalog:old" } }),
    );
    package(dir.path(), "packages/b", &json!({ "name": "@w/b", "devDependencies": { "leaf": "catalog:default" } }));
    succeeded(&lockstep(&registry, dir.path(), &[]));
    let catalogs = "\ncatalogs:\n  default:\n    leaf:\n      specifier: ^1.0.0\n      version: 1.1.0\n  old:\n    host:\n      specifier: 1.0.0\n      version: 1.0.0\n\nimporters:\n";
    assert!(lockfile(&dir).contains(catalogs), "{}", lockfile(&dir));
    assert!(lockfile(&dir).contains("        specifier: 'catalog:'\n        version: 1.1.0\n"), "{}", lockfile(&dir));
    succeeded(&lockstep(&registry, dir.path(), &["--frozen-lockfile"]));
    write(dir.path(), "pnpm-workspace.yaml", &yaml.replace("leaf: ^1.0.0", "leaf: 1.0.0"));
    says(&failed(&lockstep(&registry, dir.path(), &["--frozen-lockfile"])), &["changed: catalogs"]);
    succeeded(&lockstep(&registry, dir.path(), &[]));
    assert!(lockfile(&dir).contains("leaf@1.0.0") && !lockfile(&dir).contains("leaf@1.1.0"));
}

#[test]
fn settings_that_do_nothing_are_named_once() {
    let (registry, dir) = (registry(), tempfile::tempdir().unwrap());
    write(dir.path(), "pnpm-workspace.yaml", "madeUp: 1\nalsoMadeUp: [x]\nfetchRetries: 3\noverrides: {leaf: 1.0.0}\n");
    project(dir.path(), &json!({ "dependencies": { "leaf": "^1.0.0" }, "pnpm": { "overrides": { "leaf": "1.1.0" } } }));
    let text = succeeded(&lockstep(&registry, dir.path(), &[]));
    assert_eq!(text.matches("WARN").count(), 1, "{text}");
    says(&text, &["`alsoMadeUp`, `madeUp` in pnpm-workspace.yaml", "`pnpm.overrides` in package.json"]);
    assert!(!text.contains("fetchRetries") && !text.contains("`overrides`"), "{text}");
    assert!(dir.path().join("node_modules/.pnpm/leaf@1.0.0").exists(), "{}", lockfile(&dir));
    assert!(lockfile(&dir).contains("\noverrides:\n  leaf: 1.0.0\n") && lockfile(&dir).contains("specifier: 1.0.0"));
}

#[test]
fn what_the_workspace_does_not_have_is_named() {
    let (registry, dir) = (registry(), workspace());
    package(dir.path(), "packages/b", &json!({ "name": "@w/b", "dependencies": { "@w/a": "workspace:^9" } }));
    let text = failed(&lockstep(&registry, dir.path(), &[]));
    says(&text, &["packages/b/package.json asks for @w/a@workspace:^9", "the workspace has @w/a in 1.2.3"]);
    package(dir.path(), "packages/b", &json!({ "name": "@w/b", "dependencies": { "leaf": "catalog:" } }));
    let text = failed(&lockstep(&registry, dir.path(), &[]));
    says(&text, &["asks for leaf@catalog:", "the catalog default has no leaf"]);
}

#[test]
fn no_lockfile_knows_workspaces_too() {
    let (registry, dir) = (registry(), workspace());
    succeeded(&lockstep(&registry, dir.path(), &["--no-lockfile"]));
    assert_eq!(link(&dir, "packages/b/node_modules/@w/a"), "../../../a");
    assert!(dir.path().join("packages/a/node_modules/leaf/package.json").exists());
    let downloads = registry.tarball_requests();
    assert!(downloads.values().all(|times| *times == 1), "{downloads:?}");
}

#[cfg(unix)]
#[test]
fn every_project_runs_its_scripts_after_the_projects_that_it_needs() {
    let (registry, dir) = (registry(), tempfile::tempdir().unwrap());
    write(dir.path(), "pnpm-workspace.yaml", "packages:\n  - packages/*\n");
    let events = ["pnpm:devPreinstall", "preinstall", "install", "postinstall", "preprepare", "prepare", "postprepare"];
    let member = |name: &str, pause: &str, needs: Value| {
        let log =
            |event: &&str| ((*event).to_owned(), json!(format!("{pause}echo {name} {event} >> \"$INIT_CWD/log\"")));
        let scripts: serde_json::Map<_, _> = events.iter().map(log).collect();
        json!({ "name": name, "version": "1.0.0", "scripts": scripts, "dependencies": needs })
    };
    package(dir.path(), ".", &member("root", "", json!({})));
    // In the order of names, and without waiting, `a` would be first.
    package(dir.path(), "packages/a", &member("a", "tool && ", json!({ "b": "workspace:*", "tool": "1.0.0" })));
    package(dir.path(), "packages/b", &member("b", "sleep 0.05; ", json!({})));
    let log = || {
        let text = std::fs::read_to_string(dir.path().join("log")).unwrap_or_default();
        let _ = std::fs::remove_file(dir.path().join("log"));
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let of = |name: &str| events[1..].iter().map(|event| format!("{name} {event}")).collect::<Vec<_>>();

    succeeded(&lockstep(&registry, dir.path(), &[]));
    let ran = log();
    assert_eq!(ran[0], "root pnpm:devPreinstall");
    let (root, others): (Vec<_>, Vec<_>) = ran[1..].iter().cloned().partition(|line| line.starts_with("root"));
    assert_eq!((root, others), (of("root"), [of("b"), of("a")].concat()));

    succeeded(&lockstep(&registry, dir.path(), &["--force", "--filter", "a"]));
    assert_eq!(log()[1..], of("a"), "of those that are installed");
    let broken = json!({ "name": "b", "version": "1.0.0", "scripts": { "prepare": "echo no luck; exit 3" } });
    package(dir.path(), "packages/b", &broken);
    let said = failed(&lockstep(&registry, dir.path(), &[]));
    says(&said, &["the prepare script of b@1.0.0 failed with exit code 3", "no luck"]);
    assert!(!log().contains(&"a preinstall".to_owned()), "what needs it does not begin");
}
