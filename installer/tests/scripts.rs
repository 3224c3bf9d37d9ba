//! Lifecycle scripts: whose run, in which order, with what around them, and what becomes of failures.
#![cfg(unix)]

use crate::support::{LocalRegistry, Package, command, failed, lockstep, modules, project, run, says, succeeded};
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Appends a line to `log` in the project's directory.
fn log(line: &str) -> String {
    format!("echo {line} >> \"$INIT_CWD/log\"")
}

fn read_log(dir: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(dir.join("log")).unwrap_or_default();
    let _ = std::fs::remove_file(dir.join("log"));
    text.lines().map(str::to_owned).collect()
}

fn native() -> Package {
    Package::new("native", "1.0.0")
        .with("scripts", json!({ "postinstall": log("native"), "install": "echo built > built.txt" }))
        .file("built.txt", "as published")
}

fn with_native(pnpm: Value) -> (LocalRegistry, TempDir) {
    let (registry, dir) = (LocalRegistry::start(), tempfile::tempdir().unwrap());
    registry.publish(&[native()]);
    project(dir.path(), &json!({ "dependencies": { "native": "1.0.0" }, "pnpm": pnpm }));
    (registry, dir)
}

fn built(dir: &Path) -> String {
    std::fs::read_to_string(dir.join("node_modules/native/built.txt")).unwrap()
}

#[test]
fn nothing_runs_that_nobody_allowed() {
    let (registry, dir) = with_native(json!({}));
    let text = succeeded(&lockstep(&registry, dir.path(), &[]));
    assert!(text.contains("Build scripts were not run: native@1.0.0"), "{text}");
    assert_eq!((built(dir.path()).as_str(), read_log(dir.path()).len()), ("as published", 0));
    assert_eq!(modules(dir.path())["ignoredBuilds"], json!(["native@1.0.0"]));
    let again = succeeded(&lockstep(&registry, dir.path(), &[]));
    assert!(again.contains("Already up to date") && again.contains("not run: native@1.0.0"), "{again}");

    for pnpm in [json!({ "neverBuiltDependencies": ["native"] }), json!({ "ignoredBuiltDependencies": ["native"] })] {
        let (registry, dir) = with_native(pnpm);
        let text = succeeded(&lockstep(&registry, dir.path(), &[]));
        assert!(!text.contains("native@1.0.0"), "somebody decided: {text}");
        assert_eq!(built(dir.path()), "as published");
    }
}

#[test]
fn what_is_allowed_later_is_built_once_and_not_in_the_store() {
    let (registry, dir) = with_native(json!({}));
    succeeded(&lockstep(&registry, dir.path(), &[]));
    std::fs::write(dir.path().join("pnpm-workspace.yaml"), "allowBuilds:\n  native: true\n").unwrap();
    let text = succeeded(&lockstep(&registry, dir.path(), &[]));
    says(&text, &["native@1.0.0 install$ echo built", "native@1.0.0 postinstall$", "└ done"]);
    assert!(!text.contains("were not run"), "{text}");
    assert_eq!((built(dir.path()).as_str(), read_log(dir.path())), ("built\n", vec!["native".to_owned()]));
    assert_eq!(modules(dir.path())["allowBuilds"], json!({ "native": true }));

    // Another install of the same tree has nothing to build.
    project(dir.path(), &json!({ "name": "renamed", "dependencies": { "native": "1.0.0" } }));
    succeeded(&lockstep(&registry, dir.path(), &[]));
    assert_eq!(read_log(dir.path()).len(), 0);
    succeeded(&lockstep(&registry, dir.path(), &["--force"]));
    assert_eq!(read_log(dir.path()), ["native"]);

    // The store has the file as it was published.
    let store = dir.path().join("store");
    let copy = tempfile::tempdir().unwrap();
    project(copy.path(), &json!({ "dependencies": { "native": "1.0.0" } }));
    succeeded(&lockstep(&registry, copy.path(), &["--store-dir", store.to_str().unwrap()]));
    assert_eq!(built(copy.path()), "as published");
}

#[test]
fn ignored_scripts_are_made_up_for_later() {
    let (registry, dir) = with_native(json!({ "onlyBuiltDependencies": ["native"] }));
    let text = succeeded(&lockstep(&registry, dir.path(), &["--ignore-scripts"]));
    assert!(!text.contains("native@1.0.0"), "{text}");
    assert_eq!(modules(dir.path())["pendingBuilds"], json!(["native@1.0.0"]));
    assert_eq!(read_log(dir.path()).len(), 0);
    succeeded(&lockstep(&registry, dir.path(), &[]));
    assert_eq!(read_log(dir.path()), ["native"]);
    assert_eq!(modules(dir.path())["pendingBuilds"], json!([]));
}

#[test]
fn dependencies_build_before_their_dependents_and_scripts_find_what_they_need() {
    let (registry, dir) = (LocalRegistry::start(), tempfile::tempdir().unwrap());
    let slow = format!("sleep 0.3; {}", log("low"));
    let environment = "echo $npm_lifecycle_event $npm_package_name $npm_package_version $(basename $npm_package_json)";
    registry.publish(&[
        Package::new("low", "1.0.0").with("scripts", json!({ "install": slow })),
        Package::new("middle", "1.0.0").with("dependencies", json!({ "low": "1.0.0" })),
        Package::new("top", "2.0.0")
            .with("dependencies", json!({ "middle": "1.0.0", "tool": "1.0.0" }))
            .with("scripts", json!({ "preinstall": "tool", "install": environment, "postinstall": log("top") })),
        Package::new("tool", "1.0.0").with("bin", json!("tool.sh")).file("tool.sh", "#!/bin/sh\necho the tool ran\n"),
    ]);
    let pnpm = json!({ "allowBuilds": { "low": true, "top": true } });
    project(dir.path(), &json!({ "dependencies": { "top": "2.0.0" }, "pnpm": pnpm }));
    let text = succeeded(&lockstep(&registry, dir.path(), &[]));
    assert_eq!(read_log(dir.path()), ["low", "top"]);
    says(&text, &["the tool ran", "install top 2.0.0 package.json"]);
}

#[test]
fn what_is_independent_builds_at_the_same_time() {
    let (registry, dir) = (LocalRegistry::start(), tempfile::tempdir().unwrap());
    // Each waits for the other's file: one after the other they would never end.
    let meet = |mine: &str, other: &str| {
        let wait = format!("for i in $(seq 100); do [ -e \"$INIT_CWD/{other}\" ] && exit 0; sleep 0.1; done; exit 1");
        json!({ "install": format!("touch \"$INIT_CWD/{mine}\"; {wait}") })
    };
    registry.publish(&[
        Package::new("a", "1.0.0").with("scripts", meet("a", "b")),
        Package::new("b", "1.0.0").with("scripts", meet("b", "a")),
    ]);
    let pnpm = json!({ "dangerouslyAllowAllBuilds": true });
    project(dir.path(), &json!({ "dependencies": { "a": "1.0.0", "b": "1.0.0" }, "pnpm": pnpm }));
    succeeded(&lockstep(&registry, dir.path(), &[]));
}

#[test]
fn a_failure_names_the_package_the_script_and_its_words() {
    let (registry, dir) = (LocalRegistry::start(), tempfile::tempdir().unwrap());
    let scripts = json!({ "postinstall": "echo no compiler here; exit 7" });
    registry.publish(&[Package::new("broken", "1.0.0").with("scripts", scripts)]);
    let pnpm = json!({ "allowBuilds": { "broken": true } });
    project(dir.path(), &json!({ "dependencies": { "broken": "1.0.0" }, "pnpm": pnpm }));
    let text = failed(&lockstep(&registry, dir.path(), &[]));
    says(&text, &["the postinstall script of broken@1.0.0 failed with exit code 7", "no compiler here"]);
    // It is not taken for built, nor the project for up to date.
    failed(&lockstep(&registry, dir.path(), &[]));

    project(dir.path(), &json!({ "optionalDependencies": { "broken": "1.0.0" }, "pnpm": pnpm }));
    let text = succeeded(&lockstep(&registry, dir.path(), &[]));
    says(&text, &["WARN the optional package broken@1.0.0", "no compiler here"]);
}

#[test]
fn the_project_s_own_scripts_run_around_the_install() {
    let (registry, dir) = with_native(json!({}));
    let events = ["preinstall", "install", "postinstall", "preprepare", "prepare", "postprepare", "prepublish"];
    let scripts: serde_json::Map<_, _> = events.iter().map(|event| ((*event).to_owned(), json!(log(event)))).collect();
    let manifest = json!({
        "name": "mine", "scripts": scripts, "dependencies": { "native": "1.0.0" },
        "pnpm": { "onlyBuiltDependencies": ["native"] },
    });
    project(dir.path(), &manifest);
    let text = succeeded(&lockstep(&registry, dir.path(), &[]));
    let expected = ["preinstall", "native", "install", "postinstall", "preprepare", "prepare", "postprepare"];
    assert_eq!(read_log(dir.path()), expected);
    says(&text, &["mine prepare$"]);
    succeeded(&lockstep(&registry, dir.path(), &[]));
    assert_eq!(read_log(dir.path()).len(), 0, "nothing changed");
    succeeded(&run(&registry, dir.path(), "add", &["native"]));
    assert_eq!(read_log(dir.path()).len(), 0, "adding is no install of the project");
    succeeded(&lockstep(&registry, dir.path(), &["--ignore-scripts", "--force"]));
    assert_eq!(read_log(dir.path()).len(), 0);

    let broken = json!({ "name": "mine", "scripts": { "prepare": "exit 3" } });
    project(dir.path(), &broken);
    says(&failed(&lockstep(&registry, dir.path(), &[])), &["the prepare script of mine failed with exit code 3"]);
}

#[test]
fn a_binding_gyp_is_built_by_node_gyp() {
    let (registry, dir) = (LocalRegistry::start(), tempfile::tempdir().unwrap());
    registry.publish(&[Package::new("addon", "1.0.0").file("binding.gyp", "{}")]);
    let pnpm = json!({ "allowBuilds": { "addon": true } });
    project(dir.path(), &json!({ "dependencies": { "addon": "1.0.0" }, "pnpm": pnpm }));
    let bin = dir.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    let node_gyp = bin.join("node-gyp");
    std::fs::write(&node_gyp, "#!/bin/sh\necho node-gyp $1 in $(basename $(pwd))\n").unwrap();
    let executable: std::fs::Permissions = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&node_gyp, executable).unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let text = succeeded(&command(&registry, dir.path(), &[]).env("PATH", path).output().unwrap());
    says(&text, &["addon@1.0.0 install$ node-gyp rebuild", "node-gyp rebuild in addon"]);
}

#[test]
fn an_interrupt_ends_the_scripts_too() {
    let (registry, dir) = (LocalRegistry::start(), tempfile::tempdir().unwrap());
    let forever = "while :; do date > \"$INIT_CWD/alive\"; sleep 0.05; done";
    registry.publish(&[Package::new("slow", "1.0.0").with("scripts", json!({ "install": format!("({forever})") }))]);
    let pnpm = json!({ "allowBuilds": { "slow": true } });
    project(dir.path(), &json!({ "dependencies": { "slow": "1.0.0" }, "pnpm": pnpm }));
    let mut child = command(&registry, dir.path(), &[]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let alive = dir.path().join("alive");
    let started = Instant::now();
    while !alive.exists() {
        assert!(started.elapsed() < Duration::from_secs(30), "the script does not run");
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(Command::new("kill").arg("-INT").arg(child.id().to_string()).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    std::thread::sleep(Duration::from_millis(600));
    let _ = std::fs::remove_file(&alive);
    std::thread::sleep(Duration::from_millis(400));
    assert!(!alive.exists(), "the script still runs");
}
