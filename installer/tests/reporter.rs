//! What people and programs are told: the four numbers, the summary, NDJSON, errors; and what is not told.

use crate::support::{LocalRegistry, Package, command, failed, lockstep, project, run, says, succeeded};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Output;
use tempfile::TempDir;

fn registry() -> LocalRegistry {
    let registry = LocalRegistry::start();
    registry.publish(&[
        Package::new("app", "1.0.0").with("dependencies", json!({ "leaf": "^1.0.0", "@scope/leaf": "^1.0.0" })),
        Package::new("app", "2.0.0").with("dependencies", json!({ "leaf": "^1.0.0" })),
        Package::new("leaf", "1.1.0"),
        Package::new("@scope/leaf", "1.0.0"),
        Package::new("tool", "1.0.0"),
    ]);
    registry
}

const PACKAGES: [&str; 4] = ["@scope/leaf@1.0.0", "app@1.0.0", "leaf@1.1.0", "tool@1.0.0"];

fn application() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    project(dir.path(), &json!({ "dependencies": { "app": "^1.0.0" }, "devDependencies": { "tool": "1.0.0" } }));
    dir
}

fn events(output: &Output) -> Vec<Value> {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'), "the last line is whole");
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

/// Event → the packages that it was reported for, sorted.
fn packages_by_event(events: &[Value]) -> BTreeMap<String, Vec<String>> {
    let mut packages: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for event in events {
        let package = event.get("package").or(event.get("dep_path")).and_then(Value::as_str);
        if let (Some(name), Some(package)) = (event["event"].as_str(), package) {
            packages.entry(name.to_owned()).or_default().push(package.to_owned());
        }
    }
    packages.values_mut().for_each(|packages| packages.sort());
    packages
}

fn plain(dir: &Path) -> Output {
    command(&registry(), dir, &[]).output().unwrap()
}

#[test]
fn ndjson_tells_of_each_package_once() {
    for arguments in [[].as_slice(), &["--no-lockfile"], &["--coordination", "none", "--no-prefetch"]] {
        let (registry, dir) = (registry(), application());
        let arguments: Vec<&str> = ["--reporter", "ndjson"].iter().chain(arguments).copied().collect();
        let output = lockstep(&registry, dir.path(), &arguments);
        assert_eq!(succeeded(&output), "", "people are told nothing");
        let told = packages_by_event(&events(&output));
        for event in ["resolved", "fetched", "imported"] {
            assert_eq!(told[event], PACKAGES, "{event} {arguments:?}");
        }
        assert!(!told.contains_key("found_in_store"));

        // From the store, into a new node_modules.
        std::fs::remove_dir_all(dir.path().join("node_modules")).unwrap();
        let told = packages_by_event(&events(&lockstep(&registry, dir.path(), &arguments)));
        for event in ["resolved", "found_in_store", "imported"] {
            assert_eq!(told[event], PACKAGES, "{event} {arguments:?}");
        }
        assert!(!told.contains_key("fetched"));

        // All is there already, and where there is a lockfile nothing needs to be looked at.
        let told = packages_by_event(&events(&lockstep(&registry, dir.path(), &arguments)));
        assert_eq!(told.contains_key("resolved"), arguments.contains(&"--no-lockfile"));
        assert!(!told.contains_key("fetched") && !told.contains_key("imported"), "{told:?}");
    }
}

#[test]
fn an_error_under_ndjson_goes_to_stderr() {
    let dir = application();
    project(dir.path(), &json!({ "dependencies": { "no-such-package": "1" } }));
    let output = lockstep(&registry(), dir.path(), &["--reporter", "ndjson"]);
    says(&failed(&output), &["no-such-package"]);
    events(&output);
}

#[test]
fn silent_says_nothing_but_errors() {
    let (registry, dir) = (registry(), application());
    let output = lockstep(&registry, dir.path(), &["--reporter", "silent"]);
    assert_eq!((succeeded(&output).as_str(), output.stdout.as_slice()), ("", [].as_slice()));
    registry.answer("/leaf", 404, "{}");
    let output = lockstep(&registry, application().path(), &["--reporter", "silent"]);
    says(&failed(&output), &["no package leaf at", &registry.url, "required by app@1.0.0"]);
    assert!(output.stdout.is_empty());
}

#[test]
fn what_is_no_terminal_gets_plain_lines() {
    let output = plain(application().path());
    let text = succeeded(&output);
    assert!(!text.contains(['\u{1b}', '\r']), "{text:?}");
    assert!(output.stdout.is_empty(), "progress is no output");
    let lines: Vec<&str> = text.lines().collect();
    let expected = [
        "Resolving dependencies",
        "Installing packages",
        "Progress: resolved 4, reused 0, downloaded 4, added 4",
        "Packages: +4",
        "",
        "dependencies:",
        "+ app 1.0.0",
        "",
        "devDependencies:",
        "+ tool 1.0.0",
        "",
    ];
    assert_eq!(lines[..lines.len() - 1], expected);
    let last = lines.last().unwrap();
    assert!(last.starts_with("Done in ") && last.ends_with(" s, 4 packages"), "{last}");
}

#[test]
fn an_edit_is_resolving_once() {
    let (registry, dir) = (registry(), application());
    let text = succeeded(&run(&registry, dir.path(), "add", &["leaf"]));
    assert_eq!(text.matches("Resolving dependencies").count(), 1, "{text}");
}

#[test]
fn errors_are_plain_too() {
    let (registry, dir) = (registry(), application());
    registry.answer("/leaf", 404, "{}");
    let output = command(&registry, dir.path(), &[]).env("NO_COLOR", "1").output().unwrap();
    assert!(!failed(&output).contains('\u{1b}'));
}

#[test]
fn an_error_is_one_message_with_all_that_one_needs() {
    let (registry, dir) = (registry(), application());
    let leaf = Package::new("leaf", "1.1.0");
    registry.answer(&leaf.tarball_path(), 500, "");
    let text = failed(&lockstep(&registry, dir.path(), &[]));
    let url = format!("{}{}", registry.url, &leaf.tarball_path()[1..]);
    says(&text, &["lockstep::", "leaf@1.1.0", &url, "500", "help:"]);
    assert_eq!(text.matches("cannot get leaf@1.1.0").count(), 1, "{text}");
    let retries = text.lines().filter(|line| line.starts_with("WARN")).count();
    assert!((2..=4).contains(&retries), "each retry of the prefetch and of the install is told once: {text}");
}

#[test]
fn an_install_with_nothing_to_do_says_so() {
    let (registry, dir) = (registry(), application());
    succeeded(&lockstep(&registry, dir.path(), &[]));
    for arguments in [[].as_slice(), &["--frozen-lockfile"], &["--no-lockfile"]] {
        let text = succeeded(&lockstep(&registry, dir.path(), arguments));
        assert!(text.contains("Already up to date\n"), "{text}");
        assert!(!text.contains("\n+ ") && !text.contains("Packages:"), "{text}");
        assert_eq!(text.contains("added 0\n"), arguments == ["--no-lockfile"], "{text}");
    }
}

#[test]
fn only_what_changed_is_listed() {
    let (registry, dir) = (registry(), application());
    succeeded(&lockstep(&registry, dir.path(), &[]));
    project(dir.path(), &json!({ "dependencies": { "app": "2.0.0", "new": "npm:tool@1.0.0" } }));
    let text = succeeded(&lockstep(&registry, dir.path(), &[]));
    says(
        &text,
        &["Packages: +1 -2", "dependencies: - app 1.0.0 + app 2.0.0 + new 1.0.0 devDependencies: - tool 1.0.0"],
    );

    project(dir.path(), &json!({ "dependencies": { "new": "npm:tool@1.0.0" }, "devDependencies": { "app": "2.0.0" } }));
    says(
        &succeeded(&lockstep(&registry, dir.path(), &["--prod"])),
        &["Packages: -2 devDependencies: - app 2.0.0 Done"],
    );
    says(&succeeded(&lockstep(&registry, dir.path(), &[])), &["Packages: +2 devDependencies: + app 2.0.0 Done"]);
}

#[test]
fn what_was_deleted_by_hand_is_added_again() {
    let (registry, dir) = (registry(), application());
    succeeded(&lockstep(&registry, dir.path(), &[]));
    std::fs::remove_dir_all(dir.path().join("node_modules/.pnpm/app@1.0.0")).unwrap();
    let text = succeeded(&lockstep(&registry, dir.path(), &[]));
    says(&text, &["reused 4, downloaded 0, added 1", "Packages: +1 Done"]);
}

#[test]
fn settings_that_were_passed_over_are_told_once() {
    let (registry, dir) = (registry(), application());
    std::fs::write(dir.path().join(".npmrc"), "_authToken=secret\n//r.test/:_authToken=${NO_SUCH_VARIABLE}\n").unwrap();
    let text = succeeded(&lockstep(&registry, dir.path(), &[]));
    assert_eq!(text.matches("WARN").count(), 2, "{text}");
    assert_eq!(text.matches("NO_SUCH_VARIABLE").count(), 1, "{text}");
    assert!(text.starts_with("WARN") && !text.contains("secret"), "{text}");
    let output = lockstep(&registry, dir.path(), &["--reporter", "ndjson"]);
    let warnings = events(&output).iter().filter(|event| event["event"] == "warning").count();
    assert_eq!(warnings, 2);
}
