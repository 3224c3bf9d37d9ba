//! What the documents say of the simulator is true: the table of oracles, and the commands of the README.

#![cfg(madsim)]

use sim::oracles;
use std::path::{Path, PathBuf};
use std::process::Command;

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

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
