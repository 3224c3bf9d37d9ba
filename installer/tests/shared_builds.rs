//! Builds of packages that all projects share: once, and never taken for done where one failed.
#![cfg(unix)]

use crate::support::machine::{Machine, ON};
use crate::support::{failed, modules, project, read, says, succeeded};
use serde_json::json;
use std::process::Stdio;

#[test]
fn a_build_runs_once_for_all_projects_that_allow_it() {
    let machine = Machine::new();
    let allowed = format!("{ON}allowBuilds: {{native: true}}\n");
    let dependencies = json!({ "uses-native": "1.0.0" });
    let denies = machine.project("denies", dependencies.clone(), ON);
    machine.install(&denies, &[]);
    assert_eq!(modules(&denies)["ignoredBuilds"], json!(["native@1.0.0"]));
    let unbuilt = machine.entry("native@1.0.0");
    // Several that begin together agree.
    let projects: Vec<_> =
        (0..4).map(|number| machine.project(&format!("p{number}"), dependencies.clone(), &allowed)).collect();
    let installs: Vec<_> = projects
        .iter()
        .map(|dir| machine.command(dir, &[]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap())
        .collect();
    installs.into_iter().for_each(|install| drop(succeeded(&install.wait_with_output().unwrap())));
    let entries = machine.entries("native@1.0.0");
    assert_eq!(entries.len(), 2);
    let built = entries.iter().find(|entry| **entry != unbuilt).unwrap().join("node_modules/native");
    assert_eq!(read(built.join("built")), "built\n");
    assert!(!unbuilt.join("node_modules/native/built").exists());
    assert_eq!(read(machine.dir.path().join("log")), "native\n");
    // What leads to it is another directory too.
    assert_eq!(machine.entries("uses-native@1.0.0").len(), 2);
    for dir in &projects {
        assert_eq!(
            std::fs::canonicalize(dir.join("node_modules/uses-native/../native")).unwrap(),
            std::fs::canonicalize(&built).unwrap()
        );
        assert_eq!(modules(dir)["pendingBuilds"], json!([]));
    }
}

#[test]
fn a_build_that_failed_is_not_taken_for_done() {
    let machine = Machine::new();
    let allowed = format!("{ON}allowBuilds: {{native: true}}\n");
    let [a, b, c] = ["a", "b", "c"].map(|name| machine.project(name, json!({ "native": "1.0.0" }), &allowed));
    let log = machine.dir.path().join("log");
    std::fs::write(a.join("fail"), "").unwrap();
    failed(&machine.command(&a, &[]).output().unwrap());
    let entry = machine.entry("native@1.0.0");
    assert!(!entry.join(".lockstep-complete.json").exists());
    // Without scripts it is as it was unpacked.
    machine.install(&b, &["--ignore-scripts"]);
    assert!(!entry.join("node_modules/native/built").exists());
    assert_eq!(modules(&b)["pendingBuilds"], json!(["native@1.0.0"]));
    machine.install(&c, &[]);
    assert_eq!(read(entry.join("node_modules/native/built")), "built\n", "it was made anew");
    assert_eq!(read(&log), "native\nnative\n");
    // The others find it done.
    std::fs::remove_file(a.join("fail")).unwrap();
    machine.install(&a, &[]);
    machine.install(&b, &[]);
    assert_eq!(modules(&b)["pendingBuilds"], json!([]));
    assert_eq!(read(&log), "native\nnative\n");
}

#[test]
fn an_optional_build_that_failed_is_tried_again() {
    let machine = Machine::new();
    let allowed = format!("{ON}allowBuilds: {{native: true}}\n");
    let make = |name: &str| {
        let dir = machine.project(name, json!({}), &allowed);
        project(&dir, &json!({ "optionalDependencies": { "native": "1.0.0" } }));
        dir
    };
    let (a, b) = (make("a"), make("b"));
    std::fs::write(a.join("fail"), "").unwrap();
    says(&machine.install(&a, &[]), &["does without its build"]);
    machine.install(&b, &[]);
    assert_eq!(read(machine.entry("native@1.0.0").join("node_modules/native/built")), "built\n");
}
