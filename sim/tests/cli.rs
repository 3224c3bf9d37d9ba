//! The command line of the simulator: exit codes, messages, and the file that a failure leaves behind.

#![cfg(madsim)]

use sim::cargo::workspace;
use std::process::{Command, Output};

fn sim(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lockstep-sim")).args(arguments).current_dir(workspace()).output().unwrap()
}

/// What it printed, asserting how it ended.
fn text(output: &Output, code: i32) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{text}");
    text
}

#[test]
fn a_failure_is_explained_and_its_file_reproduces_it() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("failure.json");
    let path = file.to_str().unwrap();
    let scenario = "scenarios/prefetch-cold-race.json";
    let failed = sim(&["run", scenario, "--coordination", "none", "--runs", "50", "--json", path]);
    let explanation = text(&failed, 1);
    let parts = [" FAILED with seed ", ".tgz was ", "GET 2", "cargo sim replay ", "--seed ", "runs failed."];
    for part in parts {
        assert!(explanation.contains(part), "{part} is missing in:\n{explanation}");
    }
    assert!(!explanation.contains('\x1b'), "no colours where there is no terminal");
    for _ in 0..3 {
        let replayed = text(&sim(&["replay", path]), 1);
        assert!(replayed.starts_with("reproduced:"), "{replayed}");
    }
    let trace = dir.path().join("trace.json");
    text(&sim(&["replay", path, "--perfetto", trace.to_str().unwrap()]), 1);
    let trace: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(trace).unwrap()).unwrap();
    assert!(trace["traceEvents"].as_array().is_some_and(|events| events.len() > 20));
}

#[test]
fn what_holds_exits_with_0() {
    let output = sim(&["run", "prefetch-cold-race", "--runs", "20"]);
    let held = text(&output, 0);
    assert!(output.stderr.is_empty(), "nobody but the simulator says anything: {held}");
    assert!(held.contains("prefetch-cold-race") && held.contains("held"), "{held}");
    let one = text(&sim(&["run", "prefetch-cold-race", "--seed", "7", "--coordination", "shared"]), 0);
    assert!(one.contains("held"), "{one}");
}

#[test]
fn bad_input_exits_with_2_and_says_what_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let unknown_field = file("field.json", "{\n  \"description\": \"\",\n  \"packges\": {}\n}");
    let not_json = file("json.json", "{");
    let unresolvable = file(
        "unresolvable.json",
        r#"{ "description": "", "packages": {}, "dependencies": { "ghost": "1" }, "store": "warm" }"#,
    );
    let other_format = {
        let recorded = workspace().join("scenarios/regressions/row-committed-before-publish.json");
        let text = std::fs::read_to_string(recorded).unwrap();
        file("format.json", &text.replacen("\"format\": ", "\"format\": 99", 1))
    };
    let cases: [(&[&str], &str); 8] = [
        (&["run", "no-such-scenario"], "there is no scenario no-such-scenario"),
        (&["run", &unknown_field], "unknown field `packges`"),
        (&["run", &not_json], "json.json"),
        (&["run", &unresolvable], "ghost"),
        (&["replay", "no-such-file.json"], "no-such-file.json"),
        (&["replay", &unknown_field], "is not a replay file"),
        (&["replay", &other_format], "has format 99"),
        (&["run", "frozen", "--coordination", "hopeful"], "hopeful"),
    ];
    for (arguments, words) in cases {
        let message = text(&sim(arguments), 2);
        assert!(message.contains(words), "{words} is missing in:\n{message}");
    }
}

#[test]
fn what_cannot_be_repeated_exits_with_3() {
    let run = |coordination, code| {
        text(&sim(&["run", "prefetch-cold-race", "--runs", "64", "--coordination", coordination]), code)
    };
    for coordination in ["unsteady", "unsteady-clock", "unsteady-address"] {
        let said = run(coordination, 3);
        assert!(said.contains("NOT DETERMINISTIC") && said.contains("gave two traces; event "), "{said}");
    }
    // Threads are not even started, and what std would vary is the same in every run.
    assert!(run("unsteady-thread", 1).contains("the install panicked"));
    assert!(run("steady", 0).contains("held"));
}

#[test]
fn every_schedule_of_a_small_world_is_tried() {
    let held = text(&sim(&["exhaust", "--callers", "2"]), 0);
    assert!(held.contains("a caller is not polled again") && !held.contains("FAILED"), "{held}");
    let failed = text(&sim(&["exhaust", "--callers", "2", "--coordination", "lost-wakeup"]), 1);
    assert!(failed.contains("where nothing goes wrong, caller 1 never goes on:"), "{failed}");
    assert!(text(&sim(&["exhaust", "--coordination", "none"]), 2).contains("nothing to enumerate"));
}

#[test]
fn lists_say_what_there_is() {
    assert!(text(&sim(&["list"]), 0).contains("prefetch-cold-race"));
    assert!(text(&sim(&["oracles"]), 0).contains("O12"));
    assert!(text(&sim(&["points"]), 0).contains("leader:publish"));
}

#[test]
fn the_gate_fails_where_it_could_not_look_and_writes_its_reports() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (junit, json, summary) = (path("junit.xml"), path("report.json"), path("summary.md"));
    let gate = sim(&["gate", "--budget", "0", "--junit", &junit, "--json", &json, "--summary", &summary]);
    let said = text(&gate, 1);
    assert!(said.contains("not run: out of budget"), "{said}");
    assert!(said.contains("regressions/row-committed-before-publish") && said.contains("held: "), "{said}");
    let read = |path: &str| std::fs::read_to_string(path).unwrap();
    assert!(read(&junit).contains("<failure message=\"not run: out of budget\">"));
    assert!(read(&summary).contains("| prefetch-cold-race | 0 | not run: out of budget |"));
    let report: serde_json::Value = serde_json::from_str(&read(&json)).unwrap();
    assert_eq!(report["scenarios"][0]["verdict"], "failed");
}

#[test]
fn a_state_that_is_never_reached_is_a_failure() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("unreached.json");
    let scenario = r#"{ "description": "", "packages": { "a@1.0.0": {} }, "dependencies": { "a": "1" }, "runs": 30,
        "reach": ["waits-for-other"] }"#;
    std::fs::write(&file, scenario).unwrap();
    let said = text(&sim(&["run", file.to_str().unwrap()]), 1);
    assert!(said.contains("NEVER REACHED waits-for-other"), "{said}");
}

#[test]
fn shards_and_strategies_can_be_chosen() {
    let said = text(&sim(&["run", "frozen", "--runs", "200", "--shard", "2/2", "--strategy", "pct"]), 0);
    assert!(said.contains("72 runs"), "{said}");
    assert!(text(&sim(&["run", "frozen", "--shard", "3/2"]), 2).contains("K/N"));
    text(&sim(&["run", "frozen", "--runs", "100", "--swarm"]), 0);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("swarm.json");
    let lost = ["run", "prefetch-cold-race", "--runs", "400", "--swarm", "--coordination", "lost-wakeup", "--json"];
    text(&sim(&[&lost[..], &[file.to_str().unwrap()]].concat()), 1);
    assert!(text(&sim(&["replay", file.to_str().unwrap()]), 1).starts_with("reproduced:"));
}

#[test]
fn a_new_scenario_holds_and_is_not_written_over() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("scenarios")).unwrap();
    let there = |arguments: &[&str], code| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lockstep-sim"));
        text(&command.args(arguments).current_dir(dir.path()).output().unwrap(), code)
    };
    assert!(there(&["new", "mine"], 0).contains("cargo sim run mine"));
    assert!(there(&["run", "mine"], 0).contains("held"));
    there(&["run", "mine", "--coordination", "none"], 1);
    assert!(there(&["new", "mine"], 2).contains("is there already"));
    assert!(there(&["new", "../mine"], 2).contains("letters, digits and hyphens"));
    assert!(there(&["list"], 0).starts_with("mine "));
}
