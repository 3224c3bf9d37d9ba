//! What the documents say of the simulator is true: the table of oracles, and the commands of the README.

#![cfg(madsim)]

use serde_json::Value;
use sim::bugs::planted::Bug;
use sim::cargo::workspace;
use sim::oracles;
use sim::planted::check;
use sim::promises::{Violation, unbroken};
use sim::scenario::Scenario;
use std::collections::BTreeSet;
use std::process::Command;

fn document(name: &str) -> String {
    std::fs::read_to_string(workspace().join(name)).unwrap()
}

#[test]
fn the_table_of_oracles_is_current() {
    let text = document("ARCHITECTURE.md");
    let begin = text.find("<!-- oracles:begin").and_then(|at| text[at..].find('\n').map(|end| at + end + 1)).unwrap();
    let end = text.find("<!-- oracles:end").unwrap();
    let rows = oracles::all().into_iter().map(|oracle| format!("| {} | {} |\n", oracle.id(), oracle.demand()));
    let table = format!("| | holds when |\n|---|---|\n{}", rows.collect::<String>());
    assert_eq!(text[begin..end].trim(), table.trim(), "put this between the markers in ARCHITECTURE.md");
}

/// The page names every planted bug, with its scenario and the real bug that it stands for.
#[test]
fn the_history_is_current() {
    let page = document("docs/history.md");
    for bug in Bug::all().unwrap() {
        let row = format!("{} O", bug.markdown());
        assert!(page.contains(&row), "run `cargo sim bugs --quick --markdown` and put it into docs/history.md: {row}");
    }
    let rows = page.lines().filter(|line| line.starts_with("| `")).count();
    assert_eq!(rows, Bug::all().unwrap().len(), "a row of docs/history.md is about no planted bug");
}

#[test]
fn what_is_planted_fits_the_sources() {
    check(&Bug::all().unwrap().iter().map(|bug| &bug.planted).collect::<Vec<_>>()).unwrap();
    check(&Violation::all().unwrap().iter().map(|violation| &violation.planted).collect::<Vec<_>>()).unwrap();
}

/// Each promise is broken by something: a violation of one of its tests (`cargo sim promises`), a bug in one of its scenarios
/// (`cargo sim bugs`), or by its tests themselves, which say so in their names. What fuzz targets assert is broken beside them.
#[test]
fn every_promise_is_broken_somewhere() {
    let violations = Violation::all().unwrap();
    let tests: BTreeSet<_> =
        violations.iter().flat_map(|violation| violation.tests.iter().map(String::as_str)).collect();
    let bugs = Bug::all().unwrap();
    let scenarios: BTreeSet<_> = bugs.iter().map(|bug| bug.scenario.as_str()).collect();
    let is_planted = |held_by: &str| {
        let by_itself = held_by.ends_with("_is_noticed") || held_by.starts_with("fuzz_corpus::");
        by_itself || tests.contains(held_by) || scenarios.contains(held_by)
    };
    let page = document("docs/reliability.md");
    let unbroken = unbroken(&page, is_planted);
    assert!(unbroken.is_empty(), "plant a violation of each in installer/tests/planted:\n{}", unbroken.join("\n"));
    for test in tests {
        assert!(page.contains(&format!("`{test}`")), "{test} holds no promise of docs/reliability.md");
    }
}

/// Each `cargo sim …` line of the README, run: it ends as the comment behind it says.
#[test]
fn the_commands_of_the_readme_do_what_it_says() {
    let readme = document("README.md");
    let commands: Vec<_> = readme.lines().filter_map(|line| line.strip_prefix("cargo sim ")).collect();
    assert!(commands.len() >= 3, "the README shows how to use the simulator");
    let mut failed = 0;
    for line in commands {
        let (arguments, comment) = line.split_once('#').unwrap_or((line, ""));
        let arguments: Vec<_> = arguments.split_whitespace().collect();
        if arguments.is_empty() {
            // The exploration of everything is a step of the gate by itself.
            continue;
        }
        let output = Command::new(env!("CARGO_BIN_EXE_lockstep-sim"))
            .args(&arguments)
            .current_dir(workspace())
            .output()
            .unwrap();
        let code = if comment.contains("fails") { 1 } else { 0 };
        assert_eq!(output.status.code(), Some(code), "{line}\n{}", String::from_utf8_lossy(&output.stdout));
        failed += code;
    }
    assert!(failed > 0, "the README shows a failure");
}

/// Every name of a field, a value or a fault in the schema.
fn names(schema: &Value, found: &mut BTreeSet<String>) {
    match schema {
        Value::Object(fields) => {
            for (key, value) in fields {
                match (key.as_str(), value) {
                    ("properties", Value::Object(properties)) => found.extend(properties.keys().cloned()),
                    ("const", Value::String(name)) => drop(found.insert(name.clone())),
                    ("enum", Value::Array(values)) => {
                        found.extend(values.iter().filter_map(|value| value.as_str().map(str::to_owned)));
                    }
                    _ => {}
                }
                names(value, found);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| names(value, found)),
        _ => {}
    }
}

#[test]
fn the_schema_is_current_and_the_page_explains_all_of_it() {
    let written: Value = serde_json::from_str(&document("scenarios/schema.json")).unwrap();
    assert_eq!(written, Scenario::schema(), "run: cargo sim schema > scenarios/schema.json");
    let mut all = BTreeSet::new();
    names(&written, &mut all);
    assert!(all.len() > 50, "{all:?}");
    let page = document("docs/scenarios.md");
    let missing: Vec<_> = all
        .iter()
        .filter(|name| !page.contains(&format!("`{name}")) && !page.contains(&format!("\"{name}\"")))
        .collect();
    assert!(missing.is_empty(), "docs/scenarios.md does not explain {missing:?}");
}

/// The scenarios of the page, explored as somebody would who has read only that page.
#[test]
fn the_scenarios_of_the_page_hold() {
    let page = document("docs/scenarios.md");
    let scenarios: Vec<_> =
        page.split("```json scenario\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert_eq!(scenarios.len(), 3);
    for (number, scenario) in scenarios.into_iter().enumerate() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("first.json");
        std::fs::write(&file, scenario).unwrap();
        let run = |options: &[&str]| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_lockstep-sim"));
            command.arg("run").arg(&file).args(options).current_dir(dir.path());
            let output = command.output().unwrap();
            (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
        };
        let (code, text) = run(&["--times", "1"]);
        assert_eq!(code, Some(0), "{text}");
        if number == 0 {
            assert!(text.contains("3000"), "{text}");
            assert_eq!(run(&["--coordination", "none"]).0, Some(1));
        }
    }
}
