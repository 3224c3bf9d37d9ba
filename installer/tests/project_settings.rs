//! What pnpm-workspace.yaml changes in an install: what is hoisted, for which machines, and what manifests are taken to say.

use crate::support::{self, LocalRegistry, Package, failed, lockstep, project, says, succeeded};
use serde_json::json;
use std::path::Path;
use tempfile::TempDir;

fn registry() -> LocalRegistry {
    let registry = LocalRegistry::start();
    let built = json!({ "built-aix": "1.0.0", "built-here": "1.0.0" });
    registry.publish(&[
        Package::new("app", "1.0.0").with("dependencies", json!({ "leaf": "^1.0.0", "tool": "1.0.0" })),
        Package::new("leaf", "1.0.0"),
        Package::new("tool", "1.0.0").with("bin", json!("tool.sh")).file("tool.sh", "#!/bin/sh\necho tool\n"),
        Package::new("native", "1.0.0").with("optionalDependencies", built),
        Package::new("built-aix", "1.0.0").with("os", json!(["aix"])),
        Package::new("built-here", "1.0.0").with("os", json!(["!aix"])),
    ]);
    registry
}

/// A project that asks for these, with this pnpm-workspace.yaml.
fn application(dependencies: &[&str], settings: &str) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let dependencies: serde_json::Map<_, _> =
        dependencies.iter().map(|name| ((*name).to_owned(), json!("1.0.0"))).collect();
    project(dir.path(), &json!({ "dependencies": dependencies }));
    configure(&dir, settings);
    dir
}

fn configure(dir: &TempDir, settings: &str) {
    std::fs::write(dir.path().join("pnpm-workspace.yaml"), settings).unwrap();
}

fn lockfile(dir: &TempDir) -> String {
    std::fs::read_to_string(dir.path().join("pnpm-lock.yaml")).unwrap()
}

/// Of packages.
fn names(dir: &Path) -> Vec<String> {
    let mut names = support::names(dir);
    names.retain(|name| !name.starts_with('.') && !name.ends_with(".yaml"));
    names
}

#[test]
fn patterns_say_what_is_hoisted_where() {
    let (registry, dir) = (registry(), application(&["app"], "hoistPattern: ['*', '!leaf']\n"));
    let hoisted = |dir: &TempDir| {
        let modules = dir.path().join("node_modules");
        (names(&modules), names(&modules.join(".pnpm/node_modules")))
    };
    let named = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    succeeded(&lockstep(&registry, dir.path(), &[]));
    assert_eq!(hoisted(&dir), (named(&["app"]), named(&["tool"])));

    configure(&dir, "publicHoistPattern: [t*]\n");
    succeeded(&lockstep(&registry, dir.path(), &[]));
    assert_eq!(hoisted(&dir), (named(&["app", "tool"]), named(&["leaf"])));
    assert!(dir.path().join("node_modules/.bin/tool").exists(), "its command is in the open too");

    configure(&dir, "shamefullyHoist: true\n");
    succeeded(&lockstep(&registry, dir.path(), &[]));
    assert_eq!(hoisted(&dir), (named(&["app", "leaf", "tool"]), named(&[])));

    configure(&dir, "hoist: false\n");
    succeeded(&lockstep(&registry, dir.path(), &[]));
    assert_eq!(hoisted(&dir), (named(&["app"]), named(&[])));
    assert!(!dir.path().join("node_modules/.bin/tool").exists());
}

#[test]
fn other_machines_can_be_installed_for() {
    let (registry, dir) = (registry(), application(&["native"], ""));
    let virtual_store = dir.path().join("node_modules/.pnpm");
    succeeded(&lockstep(&registry, dir.path(), &[]));
    assert_eq!(names(&virtual_store), ["built-here@1.0.0", "native@1.0.0", "node_modules"]);
    let locked = lockfile(&dir);
    configure(&dir, "supportedArchitectures:\n  os: [current, aix]\n");
    succeeded(&lockstep(&registry, dir.path(), &[]));
    assert_eq!(names(&virtual_store), ["built-aix@1.0.0", "built-here@1.0.0", "native@1.0.0", "node_modules"]);
    configure(&dir, "supportedArchitectures:\n  os: [aix]\n");
    succeeded(&lockstep(&registry, dir.path(), &["--frozen-lockfile"]));
    assert_eq!(names(&virtual_store), ["built-aix@1.0.0", "native@1.0.0", "node_modules"]);
    assert_eq!(lockfile(&dir), locked, "the lockfile is for every machine");
}

#[test]
fn a_manifest_can_be_given_what_it_lacks() {
    let (registry, dir) = (registry(), application(&["leaf", "tool"], ""));
    let extensions = "packageExtensions:\n  leaf@1:\n    dependencies: {app: '1.0.0'}\n  leaf@2:\n    dependencies: {gone: '1'}\n  \
        tool:\n    peerDependencies: {leaf: '*'}\n";
    configure(&dir, extensions);
    succeeded(&lockstep(&registry, dir.path(), &[]));
    assert!(
        dir.path().join("node_modules/.pnpm/leaf@1.0.0/node_modules/app/package.json").exists(),
        "{}",
        lockfile(&dir)
    );
    assert!(lockfile(&dir).contains("version: 1.0.0(leaf@1.0.0)"), "{}", lockfile(&dir));
    assert!(lockfile(&dir).contains("\npackageExtensionsChecksum: sha256-"), "{}", lockfile(&dir));
    succeeded(&lockstep(&registry, dir.path(), &["--frozen-lockfile"]));
    configure(&dir, "");
    says(&failed(&lockstep(&registry, dir.path(), &["--frozen-lockfile"])), &["changed: packageExtensions"]);
    succeeded(&lockstep(&registry, dir.path(), &[]));
    assert!(!lockfile(&dir).contains("app@1.0.0") && !lockfile(&dir).contains("packageExtensionsChecksum"));
}

#[test]
fn optional_dependencies_can_be_left_out_by_name() {
    let (registry, dir) = (registry(), application(&["native"], "ignoredOptionalDependencies: [built-*]\n"));
    let text = succeeded(&lockstep(&registry, dir.path(), &[]));
    assert!(!text.contains("WARN"), "{text}");
    assert!(
        !lockfile(&dir).contains("built-here@")
            && lockfile(&dir).contains("\nignoredOptionalDependencies:\n  - built-*\n")
    );
    succeeded(&lockstep(&registry, dir.path(), &["--frozen-lockfile"]));
}

#[test]
fn the_lockfile_can_have_every_url_and_no_peers() {
    let settings = "lockfileIncludeTarballUrl: true\nautoInstallPeers: false\n";
    let (registry, dir) = (registry(), application(&["leaf"], settings));
    registry.publish(&[Package::new("plugin", "1.0.0").with("peerDependencies", json!({ "tool": "*" }))]);
    project(dir.path(), &json!({ "dependencies": { "plugin": "1.0.0" } }));
    succeeded(&lockstep(&registry, dir.path(), &[]));
    let url = format!("tarball: {}plugin/-/plugin-1.0.0.tgz}}", registry.url);
    assert!(lockfile(&dir).contains(&url), "{}", lockfile(&dir));
    assert!(lockfile(&dir).contains("autoInstallPeers: false") && !lockfile(&dir).contains("tool@1.0.0"));
    succeeded(&lockstep(&registry, dir.path(), &["--frozen-lockfile"]));
    assert_eq!(registry.tarball_requests().values().sum::<usize>(), 1);
}

#[test]
fn a_patch_changes_one_package_and_not_the_store() {
    let (registry, dir) = (registry(), application(&["tool"], ""));
    let patch = "diff --git a/tool.sh b/tool.sh\n--- a/tool.sh\n+++ b/tool.sh\n@@ -1,2 +1,2 @@\n #!/bin/sh\n-echo tool\n+echo patched\n";
    std::fs::write(dir.path().join("tool.patch"), patch).unwrap();
    let said = |dir: &TempDir| {
        let output = std::process::Command::new("sh").arg(dir.path().join("node_modules/.bin/tool")).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    succeeded(&lockstep(&registry, dir.path(), &[]));
    assert_eq!(said(&dir), "tool\n");
    configure(&dir, "patchedDependencies: {tool@1.0.0: tool.patch, leaf: tool.patch}\n");
    says(&failed(&lockstep(&registry, dir.path(), &["--frozen-lockfile"])), &["changed: patchedDependencies"]);
    let text = succeeded(&lockstep(&registry, dir.path(), &[]));
    assert!(!text.contains("WARN"), "a patch that shares its hash with a used one counts as used: {text}");
    assert_eq!(said(&dir), "patched\n");
    let hash = "(patch_hash=";
    assert!(lockfile(&dir).contains(&format!("version: 1.0.0{hash}")), "{}", lockfile(&dir));
    assert!(lockfile(&dir).contains("\npatchedDependencies:\n  leaf: "), "{}", lockfile(&dir));
    succeeded(&lockstep(&registry, dir.path(), &["--frozen-lockfile"]));

    // The same store, no patch: the file is as it was published.
    configure(&dir, "");
    succeeded(&lockstep(&registry, dir.path(), &[]));
    assert_eq!(said(&dir), "tool\n");
    assert_eq!(registry.tarball_requests().values().sum::<usize>(), 1);

    std::fs::write(dir.path().join("tool.patch"), patch.replace("echo tool", "echo else")).unwrap();
    configure(&dir, "patchedDependencies: {tool: tool.patch}\n");
    says(&failed(&lockstep(&registry, dir.path(), &[])), &["tool.patch does not apply", "tool.sh"]);
    configure(&dir, "patchedDependencies: {tool: missing.patch}\n");
    says(&failed(&lockstep(&registry, dir.path(), &[])), &["cannot read the patch", "missing.patch"]);
}

#[test]
fn publishers_and_projects_are_heard() {
    let (registry, dir) = (registry(), tempfile::tempdir().unwrap());
    registry.publish(&[
        Package::new("old", "1.0.0").with("deprecated", json!("use new")).with("dependencies", json!({ "older": "1" })),
        Package::new("older", "1.0.0").with("deprecated", json!("use newer")),
    ]);
    project(dir.path(), &json!({ "dependencies": { "old": "1.0.0" }, "packageManager": "yarn@4.0.0" }));
    let text = succeeded(&lockstep(&registry, dir.path(), &[]));
    says(
        &text,
        &["deprecated old@1.0.0: use new", "1 deprecated subdependencies found: older@1.0.0", "meant for yarn"],
    );
    let text = succeeded(&lockstep(&registry, dir.path(), &[]));
    assert!(!text.contains("deprecated"), "it was said when the version was chosen: {text}");
}

#[test]
fn what_a_package_bundles_is_its_own() {
    let (registry, dir) = (registry(), application(&["bundler"], ""));
    registry.publish(&[Package::new("bundler", "1.0.0")
        .with("dependencies", json!({ "leaf": "^1.0.0", "carried": "^9.0.0" }))
        .with("bundleDependencies", json!(["carried"]))
        .file("node_modules/carried/package.json", r#"{"name":"carried","version":"9.9.9"}"#)]);
    succeeded(&lockstep(&registry, dir.path(), &[]));
    let bundler = dir.path().join("node_modules/.pnpm/bundler@1.0.0/node_modules");
    assert!(bundler.join("bundler/node_modules/carried/package.json").exists() && bundler.join("leaf").exists());
    assert!(!bundler.join("carried").exists());
    assert!(lockfile(&dir).contains("    bundledDependencies:\n      - carried\n"), "{}", lockfile(&dir));
    assert!(!lockfile(&dir).contains("carried@"));
    succeeded(&lockstep(&registry, dir.path(), &["--frozen-lockfile"]));
    assert!(bundler.join("bundler/node_modules/carried/package.json").exists());
}

#[test]
fn engines_count_where_the_project_says_so() {
    let registry = LocalRegistry::start();
    registry.publish(&[
        Package::new("old", "1.0.0").with("engines", json!({ "node": "<=12" })),
        Package::new("new", "1.0.0").with("engines", json!({ "node": ">=18" })),
        Package::new("any", "1.0.0").with("engines", json!({ "node": "whatever", "npm": "1" })),
    ]);
    let dir = application(&["old", "new", "any"], "");
    succeeded(&lockstep(&registry, dir.path(), &[]));
    configure(&dir, "engineStrict: true\nnodeVersion: 20.1.0\n");
    let text = failed(&lockstep(&registry, dir.path(), &["--force"]));
    says(&text, &["Node.js 20.1.0 is not what old@1.0.0 (<=12) asks for", "engineStrict"]);
    assert!(!text.contains("new@1.0.0") && !text.contains("any@1.0.0"), "{text}");
    configure(&dir, "engineStrict: true\nnodeVersion: 12.0.0\n");
    says(&failed(&lockstep(&registry, dir.path(), &[])), &["new@1.0.0 (>=18) asks for"]);
    configure(&dir, "engineStrict: true\nnodeVersion: nonsense\n");
    says(&failed(&lockstep(&registry, dir.path(), &[])), &["`nonsense` is no version"]);
    // The Node.js that is here, whichever it is, is not that old.
    configure(&dir, "engineStrict: true\n");
    says(&failed(&lockstep(&registry, dir.path(), &[])), &["old@1.0.0 (<=12)"]);
}
