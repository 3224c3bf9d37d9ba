//! The command line as people meet it first: help, versions, completions, and arguments that are wrong.

use std::process::{Command, Output, Stdio};

fn lockstep(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lockstep")).args(arguments).output().unwrap()
}

fn stdout(arguments: &[&str]) -> String {
    let output = lockstep(arguments);
    assert!(output.status.success() && output.stderr.is_empty(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// What it said to wrong arguments.
fn refused(arguments: &[&str]) -> String {
    let output = lockstep(arguments);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    assert!(output.stdout.is_empty());
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn without_arguments_it_says_how_to_begin() {
    let text = refused(&[]);
    assert!(text.contains("Run `lockstep install` in a directory with a package.json"), "{text}");
    assert_eq!(text, stdout(&["--help"]));
}

#[test]
fn help_fits_a_screen_and_hides_what_is_for_comparisons() {
    let text = stdout(&["install", "-h"]);
    assert!(text.lines().count() <= 40 && text.lines().all(|line| line.len() <= 100), "{text}");
    for words in ["--frozen-lockfile", "--store-dir", "Examples:", "Exit codes:"] {
        assert!(text.contains(words), "{words} is missing in:\n{text}");
    }
    assert!(!text.contains("--coordination") && !text.contains("PACKAGE"), "{text}");
}

#[test]
fn the_version_is_one_line() {
    assert_eq!(stdout(&["--version"]), format!("lockstep {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn wrong_arguments_come_with_a_tip() {
    assert!(refused(&["instal"]).contains("'install'"));
    assert!(refused(&["install", "--frozn-lockfile"]).contains("'--frozen-lockfile'"));
    assert!(refused(&["install", "react"]).contains("lockstep add react"));
    assert!(refused(&["completion"]).contains("<SHELL>"));
    let text = refused(&["install", "--shamefully-hoist"]);
    assert!(text.contains("`--shamefully-hoist` is a flag of pnpm that lockstep does not support"), "{text}");
    assert!(refused(&["add"]).contains("<PACKAGE>"));
    assert!(refused(&["store"]).contains("verify"));
}

#[test]
fn every_shell_has_a_completion_script() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        assert!(stdout(&["completion", shell]).contains("frozen-lockfile"), "{shell}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_panic() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_lockstep"))
        .args(["completion", "zsh"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}
