//! The promises of docs/reliability.md, broken on purpose in a copy of the installer, to show that the tests named there notice.
//!
//! `installer/tests/planted/NAME.bug` says in words which promise is broken, names the tests that must fail, and has edits of the
//! sources. Nothing of this is simulated: the tests are the installer's own, with the real program on real disks and sockets.

use crate::cargo;
use crate::planted::{Copy, PlantError, Planted, VARIABLE};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use std::{fs, io, thread};

/// Where violations are, from the workspace's root.
const DIR: &str = "installer/tests/planted";

const COPY: Copy = Copy { dir: "target/promises/sources", different: &[] };

/// Where the copy is built and its tests write, from the workspace's root: beside the copy, which must not have it inside.
const BUILT_IN: &str = "target/promises/built";

/// No test takes as long on the slowest machine.
const ENDLESS_AFTER: Duration = Duration::from_secs(600);

const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(20);

/// A promise that is broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Its name, what is broken, and what it changes.
    pub planted: Planted,
    /// The tests that must fail: `file::name`.
    pub tests: Vec<String>,
}

impl Violation {
    /// All of them, by name.
    ///
    /// # Errors
    /// [`PlantError`], naming the file.
    pub fn all() -> Result<Vec<Violation>, PlantError> {
        Planted::all(&cargo::workspace().join(DIR), &["test"])?.into_iter().map(Violation::read).collect()
    }

    fn read(planted: Planted) -> Result<Violation, PlantError> {
        if planted.edits.is_empty() {
            return Err(planted.malformed("it breaks nothing"));
        }
        let tests = planted.field("test")?.split(',').map(|test| test.trim().to_owned()).collect();
        Ok(Violation { planted, tests })
    }
}

/// The installer's tests, with all violations in the installer.
pub struct Tests {
    program: PathBuf,
    /// The directory that cargo would run them in.
    dir: PathBuf,
}

/// How a test ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It passed.
    Passed,
    /// It failed.
    Failed,
    /// It did not run: there is no test of this name, or it is ignored.
    Absent,
    /// It was ended after ten minutes.
    Endless,
}

impl Tests {
    /// Builds them.
    ///
    /// # Errors
    /// [`PlantError`]: something stale, most likely.
    pub fn build(violations: &[Violation]) -> Result<Tests, PlantError> {
        let copy = COPY.of(&violations.iter().map(|violation| &violation.planted).collect::<Vec<_>>())?;
        let mut cargo = cargo::plain(&["test", "--quiet", "--no-run", "--message-format", "json-render-diagnostics"]);
        cargo.args(["--package", "installer", "--test", "all", "--target-dir"]);
        cargo.arg(cargo::workspace().join(BUILT_IN)).current_dir(&copy).stderr(Stdio::inherit());
        let output = cargo.output().map_err(|source| PlantError::Io { path: "cargo".into(), source })?;
        let program = output.status.success().then(|| test_program(&output.stdout)).flatten();
        Ok(Tests { program: program.ok_or(PlantError::Unbuildable)?, dir: copy.join("installer") })
    }

    /// Runs a test, with this violation or none; and says in which file is what it printed.
    ///
    /// # Errors
    /// It cannot be run.
    pub fn run(&self, test: &str, violation: Option<&Violation>) -> io::Result<(Ended, PathBuf)> {
        let name = violation.map_or("unharmed", |violation| &violation.planted.name);
        let printed = cargo::workspace().join(BUILT_IN).join(format!("{name}.{}.log", test.replace("::", ".")));
        let file = File::create(&printed)?;
        let mut child = Command::new(&self.program)
            .args(["--exact", test])
            .env(VARIABLE, violation.map_or("", |violation| &violation.planted.name))
            .current_dir(&self.dir)
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()?;
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            if begun.elapsed() > ENDLESS_AFTER {
                child.kill()?;
                child.wait()?;
                return Ok((Ended::Endless, printed));
            }
            thread::sleep(LOOK_AGAIN_AFTER);
        };
        Ok((ended(status, &fs::read(&printed)?), printed))
    }
}

fn ended(status: ExitStatus, printed: &[u8]) -> Ended {
    // A test that ends the whole program leaves no line with counts.
    let ran = !String::from_utf8_lossy(printed).contains("test result: ok. 0 passed");
    match (ran, status.success()) {
        (false, _) => Ended::Absent,
        (true, true) => Ended::Passed,
        (true, false) => Ended::Failed,
    }
}

/// The program of the tests in what cargo prints.
fn test_program(messages: &[u8]) -> Option<PathBuf> {
    let messages = messages.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice::<Value>(line).ok());
    let mut programs = messages.filter(|message| message["target"]["kind"][0] == "test");
    programs.find_map(|message| message["executable"].as_str().map(PathBuf::from))
}

/// The promises of the page of which no violation is known: rows of tables with what holds them, of which nothing planted makes
/// anything fail. `is_planted` says of a test or a scenario that something is.
pub fn unbroken(page: &str, is_planted: impl Fn(&str) -> bool) -> Vec<&str> {
    let held_by = |row: &str| -> BTreeSet<String> {
        let marked = row.split('`').skip(1).step_by(2);
        let scenario = |path: &str| path.strip_prefix("scenarios/")?.strip_suffix(".json").map(str::to_owned);
        marked.map(|held_by| scenario(held_by).unwrap_or_else(|| held_by.to_owned())).collect()
    };
    let mut is_of_promises = false;
    let mut rows = Vec::new();
    for line in page.lines() {
        is_of_promises = line.starts_with('|') && (is_of_promises || line.contains("| held by |"));
        if is_of_promises && line.contains('`') && !held_by(line).iter().any(|name| is_planted(name)) {
            rows.push(line);
        }
    }
    rows
}

/// Where what a test printed is, as the user would name it.
pub fn from_here(path: &Path) -> &Path {
    path.strip_prefix(cargo::workspace()).unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_violation_breaks_something_and_names_its_tests() {
        let read = |text: &str| Violation::read(Planted::parse("x".to_owned(), text, &["test"]).unwrap());
        let edit = "<<<<<<< installer/src/x.rs\na\n=======\nb\n>>>>>>>\n";
        let tests = read(&format!("Says.\n\ntest: a::b, a::c\n\n{edit}")).unwrap().tests;
        assert_eq!(tests, ["a::b", "a::c"]);
        assert!(read(&format!("Says.\n\n{edit}")).is_err(), "no test");
        assert!(read("Says.\n\ntest: a::b\n").is_err(), "no edit");
    }

    #[test]
    fn the_end_of_a_test_is_read_from_what_it_prints() {
        let ends = |script: &str| {
            let output = Command::new("sh").args(["-c", script]).output().unwrap();
            ended(output.status, &output.stdout)
        };
        assert_eq!(ends("echo 'test result: ok. 1 passed; 0 failed'"), Ended::Passed);
        assert_eq!(ends("echo 'test result: FAILED. 0 passed; 1 failed'; exit 101"), Ended::Failed);
        assert_eq!(ends("echo 'test result: ok. 0 passed; 0 failed'"), Ended::Absent);
        assert_eq!(ends("exit 134"), Ended::Failed);
    }

    #[test]
    fn the_program_is_the_one_of_the_tests() {
        let messages = "{\"target\":{\"kind\":[\"bin\"]},\"executable\":\"/lockstep\"}\n\
                        {\"target\":{\"kind\":[\"test\"]},\"executable\":\"/all-1\"}\n{\"reason\":\"build-finished\"}\n";
        assert_eq!(test_program(messages.as_bytes()), Some(PathBuf::from("/all-1")));
        assert_eq!(test_program(b""), None);
    }

    #[test]
    fn a_promise_that_nothing_breaks_is_noticed() {
        let page =
            "| promise | held by |\n|---|---|\n| a | `x::a` |\n| b | `x::b`, `scenarios/killed.json` |\n| c | |\n";
        assert_eq!(unbroken(page, |name| name == "killed"), ["| a | `x::a` |"]);
        assert!(unbroken(page, |name| ["killed", "x::a"].contains(&name)).is_empty());
    }
}
