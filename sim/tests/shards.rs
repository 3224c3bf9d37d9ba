//! An exploration that is split among processes comes to the same as one that is not.

#![cfg(madsim)]

use serde_json::Value;
use sim::cargo::workspace;
use std::process::{Command, Output};

fn sim(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lockstep-sim")).args(arguments).current_dir(workspace()).output().unwrap()
}

fn json(path: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The report of these results, apart from how long it took, and how the command ended.
fn merged(results: &[&str], report: &str) -> (Value, Option<i32>) {
    let output = sim(&[&["merge", "--json", report], results].concat());
    let mut report = json(report);
    report["seconds"].take();
    (report, output.status.code())
}

fn union_equals_whole(options: &[&str], code: i32) -> Value {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let run = [&["run", "prefetch-cold-race", "--runs", "400"], options].concat();
    let whole = path("whole");
    sim(&[&run[..], &["--result", &whole]].concat());
    let parts = ["1/3", "2/3", "3/3"].map(|shard| {
        let part = path(&shard.replace('/', "-of-"));
        sim(&[&run[..], &["--shard", shard, "--result", &part]].concat());
        part
    });
    let [one, two, three] = parts.each_ref().map(String::as_str);
    let (unsharded, ended) = merged(&[&whole], &path("a"));
    assert_eq!(ended, Some(code), "{unsharded:#}");
    assert_eq!(merged(&[two, three, one], &path("b")), (unsharded.clone(), ended));

    let missing = sim(&["merge", one, three]);
    assert_eq!(missing.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("shards [1, 3] of 3"));
    unsharded
}

#[test]
fn shards_that_hold_come_to_what_the_whole_comes_to() {
    let report = union_equals_whole(&[], 0);
    assert_eq!(report["scenarios"][0]["runs"], 400);
}

#[test]
fn shards_that_fail_come_to_what_the_whole_comes_to() {
    let report = union_equals_whole(&["--coordination", "lost-wakeup"], 1);
    let row = &report["scenarios"][0];
    assert!(
        row["failures"].as_u64().unwrap() > 0 && row["words"].as_str().unwrap().contains("FAILED (seed "),
        "{row:#}"
    );
}

#[test]
fn a_failure_becomes_a_regression_with_a_name_that_stays() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(dir.path().join("scenarios/regressions")).unwrap();
    // It expects what does not happen.
    let wrong = r#"{ "description": "", "packages": { "a@1.0.0": {} }, "dependencies": { "a": "1" }, "runs": 20,
                     "expect": { "failure": ["no network"] } }"#;
    std::fs::write(dir.path().join("scenarios/wrong.json"), wrong).unwrap();
    let gate = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lockstep-sim"));
        let output = command.args(arguments).current_dir(dir.path()).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (code, text) = gate(&["gate", "--save-regressions"]);
    assert_eq!(code, Some(1), "{text}");
    let regressions = || std::fs::read_dir(dir.path().join("scenarios/regressions")).unwrap();
    let saved = regressions().next().unwrap().unwrap().path();
    assert!(saved.file_name().unwrap().to_str().unwrap().starts_with("wrong-o10-"), "{}", saved.display());
    let (code, text) = gate(&["gate", "--save-regressions"]);
    assert!(code == Some(1) && text.contains("regressions/wrong-o10-") && text.contains("FAILS AGAIN"), "{text}");
    assert_eq!(regressions().count(), 1, "the same failure has the same name");
    let (code, text) = gate(&["replay", saved.to_str().unwrap()]);
    assert!(code == Some(1) && text.starts_with("reproduced:"), "{text}");
}

/// Commands in workflows and manifests are commands that there are.
#[test]
fn what_other_machines_run_exists() {
    let mut commands = 0;
    for file in [".github/workflows/nightly.yml", "deploy/kubernetes/simulation.yaml", "deploy/Dockerfile"] {
        let text = std::fs::read_to_string(workspace().join(file)).unwrap();
        for line in text.lines().filter(|line| !line.trim_start().starts_with(['#', '-']) || line.contains("run:")) {
            let command = line.split_once("cargo sim ").or_else(|| line.trim_start().split_once("lockstep-sim "));
            let Some((_, command)) = command.filter(|_| !line.starts_with("COPY")) else { continue };
            let command = command.split("||").next().unwrap();
            let filled = command.replace("${{ matrix.shard }}", "1").replace("$shard", "1");
            let arguments: Vec<&str> = filled.split_whitespace().collect();
            sim::cli::accepts(&arguments).unwrap_or_else(|error| panic!("{file}: {line}\n{error}"));
            commands += 1;
        }
    }
    assert_eq!(commands, 7);
    sim::cli::accepts(&["gate", "--shard", "0/8"]).unwrap_err();
}
