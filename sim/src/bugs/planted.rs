//! Bugs planted in a copy of the sources, where the installer's own never see them.
//!
//! A bug is one small file, `sim/src/bugs/planted/NAME.bug`: in words which real bug it stands for, the scenario that should show
//! it, a budget in runs, and edits that look like conflict markers. All bugs go into one copy, so one build serves them all; each is
//! behind `PLANTED`, which is true in the process that runs that bug alone. An edit whose text is not found exactly once is
//! stale, and nothing is built.

use crate::bugs::Coordination;
use crate::cargo;
use clap::ValueEnum as _;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// Names the planted bug of a process.
pub const VARIABLE: &str = "LOCKSTEP_PLANTED";

/// What stands for "this bug is wanted" in the text of an edit.
const SWITCH: &str = "PLANTED";

/// Where the copy has the function behind [`SWITCH`].
const SWITCH_FILE: &str = "installer/src/rt/mod.rs";

/// What of the workspace the copy has.
const COPIED: [&str; 5] = ["Cargo.toml", "Cargo.lock", "installer", "sim", "benches"];

/// The copy's program.
const PROGRAM: &str = "lockstep-sim-planted";

/// What else is different in the copy: file, text, what stands there instead. Its program has another name, and a bug may leave
/// code unused: the flag that says so would be another build of all dependencies, so it is a lint.
const OF_THE_COPY: [(&str, &str, &str); 2] = [
    ("sim/Cargo.toml", "\"lockstep-sim\"", "\"lockstep-sim-planted\""),
    (
        "Cargo.toml",
        "[workspace.lints.rust]\n",
        "[workspace.lints.rust]\nwarnings = { level = \"allow\", priority = 1 }\n",
    ),
];

/// A bug, as its file has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bug {
    /// The file's name without its extension.
    pub name: String,
    /// Which real bug it stands for, in words.
    pub story: String,
    /// The scenario that should show it.
    pub scenario: String,
    /// How many runs may be needed to find it.
    pub budget: u64,
    /// The coordinator that has it, where it is one.
    pub coordination: Coordination,
    /// What it changes in the sources.
    pub edits: Vec<Edit>,
}

/// One change of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// From the workspace's root.
    pub file: String,
    /// What is there exactly once.
    pub find: String,
    /// What stands there in the copy.
    pub replace: String,
}

/// Bugs that cannot be planted.
#[derive(Debug, thiserror::Error)]
pub enum BugError {
    /// A file or a directory.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Not a bug's file.
    #[error("{name}.bug: {problem}")]
    Malformed {
        /// The bug.
        name: String,
        /// What is wrong.
        problem: String,
    },
    /// The sources have changed since.
    #[error("{name}.bug is stale: {file} has its text {times} times, not once:\n{find}")]
    Stale {
        /// The bug.
        name: String,
        /// Where it should be.
        file: String,
        /// How often it is there.
        times: usize,
        /// What is looked for.
        find: String,
    },
    /// Two bugs change the same place.
    #[error("{first}.bug and {second}.bug change the same lines of {file}")]
    Overlap {
        /// The one.
        first: String,
        /// The other.
        second: String,
        /// Where.
        file: String,
    },
    /// The copy does not compile.
    #[error("the sources with the bugs in them do not build: see above")]
    Unbuildable,
}

fn at<T>(path: &Path, result: io::Result<T>) -> Result<T, BugError> {
    result.map_err(|source| BugError::Io { path: path.to_owned(), source })
}

impl Bug {
    /// All of them, by name.
    ///
    /// # Errors
    /// [`BugError`], naming the file.
    pub fn all() -> Result<Vec<Bug>, BugError> {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/bugs/planted");
        let mut bugs = Vec::new();
        for entry in at(&dir, fs::read_dir(&dir))? {
            let path = at(&dir, entry)?.path();
            if path.extension().is_some_and(|extension| extension == "bug") {
                let name = path.file_stem().expect("it has an extension").to_string_lossy().into_owned();
                bugs.push(Bug::parse(name, &at(&path, fs::read_to_string(&path))?)?);
            }
        }
        bugs.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(bugs)
    }

    /// Whether somebody who says this means it: its name, or a real bug that it stands for, such as `pnpm#13166`.
    pub fn is_meant_by(&self, word: &str) -> bool {
        let references = self.story.split([' ', ',', ':', '\n']).filter(|reference| reference.contains('#'));
        self.name == word || references.into_iter().any(|reference| reference == word)
    }

    /// The first columns of its row in docs/history.md.
    pub fn markdown(&self) -> String {
        format!("| `{}` | `{}` | {} |", self.scenario, self.name, self.story.replace('\n', " "))
    }

    /// Reads one.
    ///
    /// # Errors
    /// [`BugError::Malformed`].
    pub fn parse(name: String, text: &str) -> Result<Bug, BugError> {
        let wrong = |problem: String| BugError::Malformed { name: name.clone(), problem };
        let (head, changes) = text.split_once("<<<<<<<").map_or((text, None), |(head, rest)| (head, Some(rest)));
        let mut fields = BTreeMap::new();
        let mut story = Vec::new();
        for line in head.lines() {
            match line.split_once(": ") {
                Some((key @ ("scenario" | "budget" | "coordination"), value)) => drop(fields.insert(key, value.trim())),
                _ => story.push(line),
            }
        }
        let field = |key: &str| fields.get(key).copied().ok_or_else(|| wrong(format!("`{key}: …` is missing")));
        let coordination = fields.get("coordination").map_or(Ok(Coordination::Shared), |value| {
            Coordination::from_str(value, false).map_err(|_| wrong(format!("there is no coordination {value}")))
        })?;
        let budget = field("budget")?.parse().map_err(|_| wrong("the budget is a number of runs".to_owned()))?;
        let mut edits = Vec::new();
        for change in changes.into_iter().flat_map(|changes| changes.split("\n<<<<<<<")) {
            let parts = change.split_once('\n').and_then(|(file, rest)| {
                let (find, rest) = rest.split_once("=======\n")?;
                let (replace, _) = rest.split_once(">>>>>>>")?;
                Some((file.trim().to_owned(), find.to_owned(), replace.to_owned()))
            });
            let (file, find, replace) = parts.ok_or_else(|| wrong("an edit is not complete".to_owned()))?;
            edits.push(Edit { file, find, replace });
        }
        if edits.is_empty() == (coordination == Coordination::Shared) {
            return Err(wrong("a bug is either edits or a coordinator".to_owned()));
        }
        let (story, scenario) = (story.join("\n").trim().to_owned(), field("scenario")?.to_owned());
        Ok(Bug { story, scenario, budget, coordination, edits, name })
    }
}

/// A file with all changes that bugs make to it.
///
/// # Errors
/// [`BugError::Stale`] and [`BugError::Overlap`].
pub fn planted(bugs: &[Bug], file: &str, text: &str) -> Result<String, BugError> {
    let mut changes = Vec::new();
    for bug in bugs {
        for Edit { find, replace, .. } in bug.edits.iter().filter(|edit| edit.file == file) {
            let times = text.matches(find.as_str()).count();
            let (1, Some(start)) = (times, text.find(find.as_str())) else {
                let (name, file, find) = (bug.name.clone(), file.to_owned(), find.clone());
                return Err(BugError::Stale { name, file, times, find });
            };
            let switch = format!("crate::rt::planted({:?})", bug.name);
            changes.push((start, start + find.len(), bug, replace.replace(SWITCH, &switch)));
        }
    }
    changes.sort_by_key(|(start, ..)| *start);
    for pair in changes.windows(2) {
        let ((_, end, first, _), (start, _, second, _)) = (&pair[0], &pair[1]);
        if start < end {
            let (first, second) = (first.name.clone(), second.name.clone());
            return Err(BugError::Overlap { first, second, file: file.to_owned() });
        }
    }
    let mut planted = text.to_owned();
    for (start, end, _, replace) in changes.into_iter().rev() {
        planted.replace_range(start..end, &replace);
    }
    if file == SWITCH_FILE {
        planted.push_str(&format!(
            "\n/// Whether this process has this bug.\npub fn planted(bug: &str) -> bool {{\n    \
             static WANTED: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();\n    \
             WANTED.get_or_init(|| std::env::var({VARIABLE:?}).ok()).as_deref() == Some(bug)\n}}\n"
        ));
    }
    Ok(planted)
}

/// Builds the simulator with all bugs in it, and says where it is.
///
/// # Errors
/// [`BugError`]: a stale bug, most likely.
pub fn build(bugs: &[Bug]) -> Result<PathBuf, BugError> {
    let workspace = cargo::workspace();
    let copy = workspace.join("target/planted");
    for name in COPIED {
        plant(bugs, workspace, &copy, Path::new(name))?;
    }
    let unknown = bugs.iter().find_map(|bug| {
        let edit = bug.edits.iter().find(|edit| !copy.join(&edit.file).is_file())?;
        Some(BugError::Malformed { name: bug.name.clone(), problem: format!("there is no file {}", edit.file) })
    });
    unknown.map_or(Ok(()), Err)?;
    at(Path::new("cargo"), cargo::build(&copy, PROGRAM, ""))?.ok_or(BugError::Unbuildable)
}

/// Brings the copy of a file or directory up to date: what is gone goes there too, and what has not changed is left alone, so
/// that cargo does too.
fn plant(bugs: &[Bug], workspace: &Path, copy: &Path, name: &Path) -> Result<(), BugError> {
    let (from, to) = (workspace.join(name), copy.join(name));
    if from.is_dir() {
        for name in names(&to).unwrap_or_default().difference(&at(&from, names(&from))?) {
            let gone = to.join(name);
            at(&gone, if gone.is_dir() { fs::remove_dir_all(&gone) } else { fs::remove_file(&gone) })?;
        }
        for entry in at(&from, names(&from))? {
            plant(bugs, workspace, copy, &name.join(entry))?;
        }
        return Ok(());
    }
    let mut bytes = at(&from, fs::read(&from))?;
    let file = name.to_string_lossy().replace('\\', "/");
    if let Some((_, find, replace)) = OF_THE_COPY.iter().find(|(changed, ..)| *changed == file) {
        bytes = String::from_utf8_lossy(&bytes).replace(find, replace).into_bytes();
    } else if file == SWITCH_FILE || bugs.iter().any(|bug| bug.edits.iter().any(|edit| edit.file == file)) {
        bytes = planted(bugs, &file, &String::from_utf8_lossy(&bytes))?.into_bytes();
    }
    if fs::read(&to).is_ok_and(|there| there == bytes) {
        return Ok(());
    }
    let dir = to.parent().expect("a file lies in a directory");
    at(dir, fs::create_dir_all(dir))?;
    at(&to, fs::write(&to, bytes))
}

fn names(dir: &Path) -> io::Result<BTreeSet<OsString>> {
    fs::read_dir(dir)?.map(|entry| Ok(entry?.file_name())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bug_has_the_names_of_the_real_ones() {
        let bug = Bug::all().unwrap().into_iter().find(|bug| bug.name == "lost-wakeup").unwrap();
        for (word, means) in
            [("lost-wakeup", true), ("pnpm#13166", true), ("uv#3987", true), ("pnpm#1316", false), ("a", false)]
        {
            assert_eq!(bug.is_meant_by(word), means, "{word}");
        }
    }

    const TEXT: &str = "Wakes one.\n\nscenario: a\nbudget: 5\n\n<<<<<<< installer/src/x.rs\nall();\n=======\n\
                        if PLANTED { one() } else { all() }\n>>>>>>>\n";

    fn bug(name: &str) -> Bug {
        Bug::parse(name.to_owned(), TEXT).unwrap()
    }

    #[test]
    fn a_bug_is_behind_its_switch() {
        let planted = planted(&[bug("one")], "installer/src/x.rs", "before();\nall();\n").unwrap();
        assert_eq!(planted, "before();\nif crate::rt::planted(\"one\") { one() } else { all() }\n");
    }

    #[test]
    fn a_bug_whose_place_has_changed_is_stale() {
        for text in ["", "all();\nall();\n"] {
            let error = planted(&[bug("one")], "installer/src/x.rs", text).unwrap_err();
            assert!(error.to_string().contains("one.bug is stale"), "{error}");
        }
    }

    #[test]
    fn two_bugs_cannot_share_a_place() {
        let error = planted(&[bug("one"), bug("two")], "installer/src/x.rs", "all();\n").unwrap_err();
        assert!(error.to_string().contains("one.bug and two.bug"), "{error}");
    }

    #[test]
    fn a_copy_has_no_file_that_the_sources_have_not() {
        let dir = tempfile::tempdir().unwrap();
        let (workspace, copy) = (dir.path().join("workspace"), dir.path().join("copy"));
        let copied = |files: &[&str]| {
            let _ = fs::remove_dir_all(&workspace);
            for file in files {
                let path = workspace.join(file);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, "").unwrap();
            }
            plant(&[], &workspace, &copy, Path::new("sim")).unwrap();
            names(&copy.join("sim")).unwrap().into_iter().map(|name| name.into_string().unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(copied(&["sim/disk.rs", "sim/old/x.rs", "sim/lib.rs"]), ["disk.rs", "lib.rs", "old"]);
        assert_eq!(copied(&["sim/disk/mod.rs", "sim/lib.rs"]), ["disk", "lib.rs"]);
    }

    #[test]
    fn what_is_no_bug_is_refused() {
        for text in ["", "scenario: a\nbudget: 1\n", "budget: x\nscenario: a\n<<<<<<< y\n"] {
            assert!(Bug::parse("x".to_owned(), text).is_err(), "{text}");
        }
    }
}
