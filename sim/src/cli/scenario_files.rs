//! Scenarios as files: where they are, what they may hold, and a first one.

use super::{InputError, write};
use crate::scenario::Scenario;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Where scenarios are looked for by name, and regressions.
const SCENARIOS_DIR: &str = "scenarios";
const REGRESSIONS_DIR: &str = "scenarios/regressions";

/// Lies beside the scenarios.
const SCHEMA_FILE_NAME: &str = "schema.json";

/// A scenario to begin with.
const FIRST: &str = include_str!("first_scenario.json");

/// `cargo sim schema`.
pub(super) fn print_schema() -> ExitCode {
    println!("{:#}", Scenario::schema());
    ExitCode::SUCCESS
}

/// `cargo sim new`.
pub(super) fn create(name: &str) -> Result<ExitCode, InputError> {
    if name.is_empty() || !name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '-') {
        return Err(InputError::NoName { name: name.to_owned() });
    }
    let path = Path::new(SCENARIOS_DIR).join(format!("{name}.json"));
    if path.exists() {
        return Err(InputError::Exists { path });
    }
    write(&path, FIRST)?;
    println!(
        "wrote {}: an application with two packages, of which one is slow\n\n\
         what each field means   docs/scenarios.md, or an editor that reads JSON Schemas\n\
         explore it              cargo sim run {name}\n\
         see it fail             cargo sim run {name} --coordination none",
        path.display()
    );
    Ok(ExitCode::SUCCESS)
}

/// The recorded regressions.
pub(super) fn regressions() -> Result<Vec<PathBuf>, InputError> {
    json_files(Path::new(REGRESSIONS_DIR))
}

fn json_files(dir: &Path) -> Result<Vec<PathBuf>, InputError> {
    let unlisted = |source| InputError::NoScenarios { dir: dir.to_owned(), source };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(unlisted)? {
        let path = entry.map_err(unlisted)?.path();
        let is_schema = path.file_name().is_some_and(|name| name == SCHEMA_FILE_NAME);
        if path.extension().is_some_and(|extension| extension == "json") && !is_schema {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

pub(super) fn all_scenarios() -> Result<Vec<Scenario>, InputError> {
    let paths = json_files(Path::new(SCENARIOS_DIR))?;
    Ok(paths.iter().map(|path| Scenario::read(path)).collect::<Result<_, _>>()?)
}

pub(super) fn find_scenario(name: &str) -> Result<Scenario, InputError> {
    let by_name = Path::new(SCENARIOS_DIR).join(format!("{name}.json"));
    let path = [PathBuf::from(name), by_name].into_iter().find(|path| path.is_file());
    let path = path.ok_or_else(|| InputError::NoSuchScenario { name: name.to_owned() })?;
    Ok(Scenario::read(&path)?)
}
