//! `add`, `remove` and `update`: package.json keeps its looks, and lockfile and node_modules follow it.

use crate::support::{LocalRegistry, Package, failed, lockstep, run, says, succeeded};
use serde_json::json;
use std::path::Path;
use tempfile::TempDir;

const MANIFEST: &str = "{\n    \"name\": \"mine\",\n    \"scripts\": { \"x\":\"y\" },\n    \"dependencies\": {\n        \"leaf\": \"~1.0.0\"\n    }\n}\n";

fn started() -> (LocalRegistry, TempDir) {
    let (registry, dir) = (LocalRegistry::start(), tempfile::tempdir().unwrap());
    registry.publish(&[
        Package::new("leaf", "1.0.0"),
        Package::new("leaf", "1.0.5"),
        Package::new("leaf", "1.4.0"),
        Package::new("leaf", "2.1.0"),
        Package::new("app", "3.0.0").with("dependencies", json!({ "leaf": "^1.0.0" })),
        Package::new("app", "3.2.0").with("dependencies", json!({ "leaf": "^1.0.0" })),
        Package::new("@s/tool", "0.1.0"),
    ]);
    std::fs::write(dir.path().join("package.json"), MANIFEST).unwrap();
    (registry, dir)
}

fn read(dir: &TempDir, name: &str) -> String {
    std::fs::read_to_string(dir.path().join(name)).unwrap()
}

/// What package.json asks for in one of its maps.
fn map(dir: &TempDir, field: &str) -> serde_json::Value {
    serde_json::from_str::<serde_json::Value>(&read(dir, "package.json")).unwrap()[field].clone()
}

fn version(dir: &TempDir, name: &str) -> String {
    let manifest = read(dir, &format!("node_modules/{name}/package.json"));
    serde_json::from_str::<serde_json::Value>(&manifest).unwrap()["version"].as_str().unwrap().to_owned()
}

/// Asserts that an install with a frozen lockfile has nothing to object to, and nothing to do.
#[track_caller]
fn settled(registry: &LocalRegistry, dir: &Path) {
    let text = succeeded(&lockstep(registry, dir, &["--frozen-lockfile"]));
    assert!(text.contains("Already up to date"), "{text}");
}

#[test]
fn what_is_added_is_saved_as_pnpm_saves_it() {
    let (registry, dir) = started();
    let text = succeeded(&run(&registry, dir.path(), "add", &["app", "@s/tool@0"]));
    assert!(text.contains("+ app 3.2.0") && text.contains("+ @s/tool 0.1.0"), "{text}");
    assert_eq!(
        read(&dir, "package.json"),
        MANIFEST.replace(
            "        \"leaf\"",
            "        \"@s/tool\": \"^0.1.0\",\n        \"app\": \"^3.2.0\",\n        \"leaf\""
        )
    );
    assert!(read(&dir, "pnpm-lock.yaml").contains("specifier: ^3.2.0"));
    assert_eq!((version(&dir, "app"), version(&dir, "leaf")), ("3.2.0".into(), "1.0.5".into()));
    settled(&registry, dir.path());

    for (arguments, field, name, saved) in [
        (["-D", "app@3.0"].as_slice(), "devDependencies", "app", "~3.0.0"),
        (&["app"], "devDependencies", "app", "~3.0.0"),
        (&["-P", "app"], "dependencies", "app", "~3.0.0"),
        (&["app@latest"], "dependencies", "app", "~3.2.0"),
        (&["-O", "-E", "app@^3.0.0"], "optionalDependencies", "app", "3.2.0"),
        (&["old@npm:leaf@1"], "dependencies", "old", "npm:leaf@^1.4.0"),
        (&["--save-peer", "old"], "peerDependencies", "old", "npm:leaf@^1.4.0"),
        (&["--tilde", "leaf@2"], "dependencies", "leaf", "~2.1.0"),
    ] {
        succeeded(&run(&registry, dir.path(), "add", arguments));
        assert_eq!(map(&dir, field)[name], json!(saved), "{arguments:?}");
        settled(&registry, dir.path());
    }
    assert_eq!(map(&dir, "devDependencies"), json!({ "old": "npm:leaf@^1.4.0" }));
    assert_eq!(map(&dir, "dependencies"), json!({ "@s/tool": "^0.1.0", "leaf": "~2.1.0" }));
}

#[test]
fn adding_asks_for_each_packument_once() {
    let (registry, dir) = started();
    succeeded(&run(&registry, dir.path(), "add", &["app"]));
    assert_eq!(registry.requests_for("/app"), 1);
    assert_eq!(registry.requests_for("/leaf"), 1);
}

#[test]
fn what_cannot_be_added_changes_nothing() {
    let (registry, dir) = started();
    succeeded(&lockstep(&registry, dir.path(), &[]));
    let locked = read(&dir, "pnpm-lock.yaml");
    says(&failed(&run(&registry, dir.path(), "add", &["app", "nowhere"])), &["there is no package nowhere"]);
    says(&failed(&run(&registry, dir.path(), "add", &["app@9"])), &["no version of app matches 9"]);
    // The tarball is found out to be missing after resolution.
    registry.answer("/@s/tool/-/tool-0.1.0.tgz", 404, "");
    says(&failed(&run(&registry, dir.path(), "add", &["@s/tool"])), &["@s/tool@0.1.0"]);
    assert_eq!(read(&dir, "package.json"), MANIFEST);
    assert_eq!(read(&dir, "pnpm-lock.yaml"), locked);
    succeeded(&lockstep(&registry, dir.path(), &["--frozen-lockfile"]));
    let output = run(&registry, dir.path(), "add", &["./elsewhere"]);
    assert_eq!(output.status.code(), Some(2));
    says(&String::from_utf8_lossy(&output.stderr), &["./elsewhere names no package"]);
}

#[test]
fn what_is_removed_is_gone_everywhere() {
    let (registry, dir) = started();
    succeeded(&run(&registry, dir.path(), "add", &["-D", "app"]));
    let text = succeeded(&run(&registry, dir.path(), "remove", &["app"]));
    assert!(text.contains("- app 3.2.0"), "{text}");
    assert_eq!(read(&dir, "package.json"), MANIFEST, "the empty map is gone too");
    assert!(!dir.path().join("node_modules/app").exists());
    assert!(!dir.path().join("node_modules/.pnpm/app@3.2.0").exists());
    assert!(!read(&dir, "pnpm-lock.yaml").contains("app"));
    settled(&registry, dir.path());
    let text = failed(&run(&registry, dir.path(), "remove", &["leaf", "app"]));
    says(&text, &["this project does not depend on app", "it depends on leaf"]);
    let text = failed(&run(&registry, dir.path(), "remove", &["-D", "leaf"]));
    says(&text, &["this project does not depend on leaf", "it has no dependencies"]);
    assert_eq!(read(&dir, "package.json"), MANIFEST);
}

#[test]
fn updates_stay_in_range_unless_told_otherwise() {
    let (registry, dir) = started();
    let (app, leaf) = (Package::new("app", "3.0.0"), Package::new("leaf", "1.0.0"));
    registry.publish(&[app.clone().with("dependencies", json!({ "leaf": "^1.0.0" })), leaf.clone()]);
    succeeded(&run(&registry, dir.path(), "add", &["app@^3.0.0"]));
    registry.publish(&[
        app.with("dependencies", json!({ "leaf": "^1.0.0" })),
        Package::new("app", "3.2.0").with("dependencies", json!({ "leaf": "^1.0.0" })),
        leaf,
        Package::new("leaf", "1.0.5"),
        Package::new("leaf", "2.1.0"),
    ]);
    let text = succeeded(&lockstep(&registry, dir.path(), &[]));
    assert!(text.contains("Already up to date"), "an install keeps what is locked: {text}");

    succeeded(&run(&registry, dir.path(), "update", &["app"]));
    assert_eq!(map(&dir, "dependencies"), json!({ "app": "^3.2.0", "leaf": "~1.0.0" }));
    assert_eq!((version(&dir, "app"), version(&dir, "leaf")), ("3.2.0".into(), "1.0.0".into()));
    settled(&registry, dir.path());
    succeeded(&run(&registry, dir.path(), "update", &[]));
    assert_eq!(map(&dir, "dependencies"), json!({ "app": "^3.2.0", "leaf": "~1.0.5" }));
    assert_eq!(version(&dir, "leaf"), "1.0.5");
    succeeded(&run(&registry, dir.path(), "update", &["--latest", "leaf"]));
    assert_eq!(map(&dir, "dependencies"), json!({ "app": "^3.2.0", "leaf": "~2.1.0" }));
    settled(&registry, dir.path());

    says(&failed(&run(&registry, dir.path(), "update", &["nowhere"])), &["this project does not depend on nowhere"]);
    says(&failed(&run(&registry, dir.path(), "update", &["-L", "leaf@1"])), &["a range makes no sense"]);
}

#[test]
fn lockfile_only_leaves_node_modules_alone() {
    let (registry, dir) = started();
    let text = succeeded(&run(&registry, dir.path(), "add", &["--lockfile-only", "app"]));
    assert!(text.contains("node_modules is as it was"), "{text}");
    assert_eq!(map(&dir, "dependencies")["app"], json!("^3.2.0"));
    assert!(read(&dir, "pnpm-lock.yaml").contains("app@3.2.0"));
    assert!(!dir.path().join("node_modules/app").exists());
    assert!(registry.tarball_requests().is_empty());
    succeeded(&lockstep(&registry, dir.path(), &["--frozen-lockfile"]));
    assert_eq!(version(&dir, "app"), "3.2.0");
}

#[test]
fn prefer_offline_asks_only_for_what_is_missing() {
    let (registry, dir) = started();
    succeeded(&run(&registry, dir.path(), "add", &["app"]));
    registry.forget_requests();
    succeeded(&run(&registry, dir.path(), "update", &["--prefer-offline"]));
    assert_eq!(registry.requests_for("/app"), 0);
    registry.publish(&[Package::new("app", "4.0.0")]);
    succeeded(&run(&registry, dir.path(), "add", &["--prefer-offline", "app@4"]));
    assert_eq!(registry.requests_for("/app"), 1);
    assert_eq!(version(&dir, "app"), "4.0.0");
}

#[test]
fn force_puts_every_package_in_place_anew() {
    let (registry, dir) = started();
    succeeded(&lockstep(&registry, dir.path(), &[]));
    let file = dir.path().join("node_modules/leaf/package.json");
    std::fs::remove_file(&file).unwrap();
    succeeded(&lockstep(&registry, dir.path(), &[]));
    assert!(!file.exists(), "a directory that is there is taken for complete");
    succeeded(&lockstep(&registry, dir.path(), &["--force"]));
    assert!(file.exists());
}
