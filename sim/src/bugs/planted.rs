//! What a planted bug is: `sim/src/bugs/planted/NAME.bug` says in words which real bug it stands for, names the scenario that should
//! show it, a budget in runs, and has edits of the sources.

use crate::bugs::Coordination;
use crate::cargo;
use crate::planted::{Change, Copy, PlantError, Planted};
use clap::ValueEnum as _;
use std::path::{Path, PathBuf};

/// The copy's program has another name: both lie in one directory of builds.
const PROGRAM: &str = "lockstep-sim-planted";

/// What is different in the copy. Cargo takes packages of one name and version for the same, whichever workspace they lie in: each
/// build would throw the other's away.
const DIFFERENT: [Change; 2] = [
    ("sim/Cargo.toml", "\"lockstep-sim\"", "\"lockstep-sim-planted\""),
    (
        "Cargo.toml",
        concat!("\nversion = \"", env!("CARGO_PKG_VERSION"), "\""),
        concat!("\nversion = \"", env!("CARGO_PKG_VERSION"), "+planted\""),
    ),
];

const COPY: Copy = Copy { dir: "target/planted", different: &DIFFERENT };

/// A bug, as its file has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bug {
    /// Its name, which real bug it stands for, and what it changes.
    pub planted: Planted,
    /// The scenario that should show it.
    pub scenario: String,
    /// How many runs may be needed to find it.
    pub budget: u64,
    /// The coordinator that has it, where it is one.
    pub coordination: Coordination,
}

impl Bug {
    const FIELDS: [&str; 3] = ["scenario", "budget", "coordination"];

    /// All of them, by name.
    ///
    /// # Errors
    /// [`PlantError`], naming the file.
    pub fn all() -> Result<Vec<Bug>, PlantError> {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/bugs/planted");
        Planted::all(&dir, &Bug::FIELDS)?.into_iter().map(Bug::read).collect()
    }

    /// Whether somebody who says this means it: its name, or a real bug that it stands for, such as `pnpm#13166`.
    pub fn is_meant_by(&self, word: &str) -> bool {
        let references = self.planted.story.split([' ', ',', ':', '\n']).filter(|reference| reference.contains('#'));
        self.planted.name == word || references.into_iter().any(|reference| reference == word)
    }

    /// The first columns of its row in docs/history.md.
    pub fn markdown(&self) -> String {
        let Planted { name, story, .. } = &self.planted;
        format!("| `{}` | `{name}` | {} |", self.scenario, story.replace('\n', " "))
    }

    /// Reads one.
    ///
    /// # Errors
    /// [`PlantError::Malformed`].
    pub fn parse(name: String, text: &str) -> Result<Bug, PlantError> {
        Bug::read(Planted::parse(name, text, &Bug::FIELDS)?)
    }

    fn read(planted: Planted) -> Result<Bug, PlantError> {
        let coordination = planted.optional_field("coordination").map_or(Ok(Coordination::Shared), |value| {
            Coordination::from_str(value, false)
                .map_err(|_| planted.malformed(format!("there is no coordination {value}")))
        })?;
        let budget =
            planted.field("budget")?.parse().map_err(|_| planted.malformed("the budget is a number of runs"))?;
        if planted.edits.is_empty() == (coordination == Coordination::Shared) {
            return Err(planted.malformed("a bug is either edits or a coordinator"));
        }
        let scenario = planted.field("scenario")?.to_owned();
        Ok(Bug { planted, scenario, budget, coordination })
    }
}

/// Builds the simulator with all bugs in it, and says where it is.
///
/// # Errors
/// [`PlantError`]: a stale bug, most likely.
pub fn build(bugs: &[Bug]) -> Result<PathBuf, PlantError> {
    let copy = COPY.of(&bugs.iter().map(|bug| &bug.planted).collect::<Vec<_>>())?;
    let built = cargo::build(&copy, PROGRAM);
    built.map_err(|source| PlantError::Io { path: "cargo".into(), source })?.ok_or(PlantError::Unbuildable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bug_has_the_names_of_the_real_ones() {
        let bug = Bug::all().unwrap().into_iter().find(|bug| bug.planted.name == "lost-wakeup").unwrap();
        for (word, means) in
            [("lost-wakeup", true), ("pnpm#13166", true), ("uv#3987", true), ("pnpm#1316", false), ("a", false)]
        {
            assert_eq!(bug.is_meant_by(word), means, "{word}");
        }
    }

    #[test]
    fn what_is_no_bug_is_refused() {
        for text in ["", "scenario: a\nbudget: 1\n", "budget: x\nscenario: a\n<<<<<<< y\n"] {
            assert!(Bug::parse("x".to_owned(), text).is_err(), "{text}");
        }
    }
}
