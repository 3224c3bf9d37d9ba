//! Changes planted in a copy of the sources, where the installer's own never see them.
//!
//! Each is one small file, `NAME.bug`: in words what is wrong, fields, and edits that look like conflict markers. All go into one
//! copy, so one build serves them all; each is behind `PLANTED`, which is true in the process that wants that one alone. An edit
//! whose text is not found exactly once is stale, and nothing is built.

mod copy;

pub use copy::{Change, Copy, check};

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// Names what is planted in a process.
pub const VARIABLE: &str = "LOCKSTEP_PLANTED";

/// What stands for "this one is wanted" in the text of an edit.
const SWITCH: &str = "PLANTED";

/// A file of this kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planted {
    /// The file's name without its extension.
    pub name: String,
    /// What is wrong, in words.
    pub story: String,
    /// `key: value`, where `key` is one of those that were asked for.
    fields: BTreeMap<String, String>,
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

/// What cannot be planted.
#[derive(Debug, thiserror::Error)]
pub enum PlantError {
    /// A file or a directory.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Not such a file.
    #[error("{name}.bug: {problem}")]
    Malformed {
        /// The file.
        name: String,
        /// What is wrong.
        problem: String,
    },
    /// The sources have changed since.
    #[error("{name}.bug is stale: {file} has its text {times} times, not once:\n{find}")]
    Stale {
        /// The file.
        name: String,
        /// Where its text should be.
        file: String,
        /// How often it is there.
        times: usize,
        /// What is looked for.
        find: String,
    },
    /// Two change the same place.
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
    #[error("the sources with all of it in them do not build: see above")]
    Unbuildable,
}

fn at<T>(path: &Path, result: io::Result<T>) -> Result<T, PlantError> {
    result.map_err(|source| PlantError::Io { path: path.to_owned(), source })
}

impl Planted {
    /// All of a directory, by name. They may have these fields.
    ///
    /// # Errors
    /// [`PlantError`], naming the file.
    pub fn all(dir: &Path, keys: &[&str]) -> Result<Vec<Planted>, PlantError> {
        let mut all = Vec::new();
        for entry in at(dir, fs::read_dir(dir))? {
            let path = at(dir, entry)?.path();
            if path.extension().is_some_and(|extension| extension == "bug") {
                let name = path.file_stem().expect("it has an extension").to_string_lossy().into_owned();
                all.push(Planted::parse(name, &at(&path, fs::read_to_string(&path))?, keys)?);
            }
        }
        all.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(all)
    }

    /// Reads one.
    ///
    /// # Errors
    /// [`PlantError::Malformed`].
    pub fn parse(name: String, text: &str, keys: &[&str]) -> Result<Planted, PlantError> {
        let (head, changes) = text.split_once("<<<<<<<").map_or((text, None), |(head, rest)| (head, Some(rest)));
        let mut fields = BTreeMap::new();
        let mut story = Vec::new();
        for line in head.lines() {
            match line.split_once(": ") {
                Some((key, value)) if keys.contains(&key) => {
                    fields.insert(key.to_owned(), value.trim().to_owned());
                }
                _ => story.push(line),
            }
        }
        let mut edits = Vec::new();
        for change in changes.into_iter().flat_map(|changes| changes.split("\n<<<<<<<")) {
            let parts = change.split_once('\n').and_then(|(file, rest)| {
                let (find, rest) = rest.split_once("=======\n")?;
                let (replace, _) = rest.split_once(">>>>>>>")?;
                Some((file.trim().to_owned(), find.to_owned(), replace.to_owned()))
            });
            let Some((file, find, replace)) = parts else {
                return Err(PlantError::Malformed { name, problem: "an edit is not complete".to_owned() });
            };
            edits.push(Edit { file, find, replace });
        }
        Ok(Planted { story: story.join("\n").trim().to_owned(), fields, edits, name })
    }

    /// The value of a field.
    ///
    /// # Errors
    /// [`PlantError::Malformed`] where it is not there.
    pub fn field(&self, key: &str) -> Result<&str, PlantError> {
        self.optional_field(key).ok_or_else(|| self.malformed(format!("`{key}: …` is missing")))
    }

    /// The value of a field that need not be there.
    pub fn optional_field(&self, key: &str) -> Option<&str> {
        self.fields.get(key).map(String::as_str)
    }

    /// What is wrong with this file.
    pub fn malformed(&self, problem: impl Into<String>) -> PlantError {
        PlantError::Malformed { name: self.name.clone(), problem: problem.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_such_file_is_refused() {
        let parse = |text| Planted::parse("x".to_owned(), text, &["test"]);
        assert!(parse("test: x\n<<<<<<< y\n").is_err(), "an edit without an end");
        let planted = parse("Says: nothing.\n\ntest: x\n\n<<<<<<< y\na\n=======\nb\n>>>>>>>\n").unwrap();
        assert_eq!((planted.story.as_str(), planted.field("test").unwrap()), ("Says: nothing.", "x"));
        assert!(planted.field("budget").unwrap_err().to_string().contains("x.bug: `budget: …` is missing"));
    }
}
