//! Reads pnpm-lock.yaml, and says what is wrong with one that cannot be used.
//!
//! Fields that the installer does not use are ignored: `time` and the pnpmfile's checksum are not kept when the file is
//! written again.

use super::{DepPath, LOCKFILE_VERSION, Lockfile, LockfileDocument, Snapshot, plain_yaml};
use crate::rt;
use miette::Diagnostic;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// Why a pnpm-lock.yaml cannot be used.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum LockfileError {
    /// A merge left both sides in the file.
    #[error("{} has merge conflict markers at line {line}", path.display())]
    #[diagnostic(
        code(lockstep::lockfile::conflict),
        help(
            "take either side of the conflict (git checkout --ours pnpm-lock.yaml), then run `lockstep install --no-frozen-lockfile`"
        )
    )]
    Conflict {
        /// Which file.
        path: PathBuf,
        /// Line of the first marker, from 1.
        line: usize,
    },
    /// Another version of the format.
    #[error("{} has lockfileVersion {version}, and only {LOCKFILE_VERSION} is supported", path.display())]
    #[diagnostic(
        code(lockstep::lockfile::version),
        help("write it again with pnpm 9 or later, or delete it and run `lockstep install --no-frozen-lockfile`")
    )]
    Version {
        /// Which file.
        path: PathBuf,
        /// What it says; `missing` when it says nothing.
        version: String,
    },
    /// No YAML, or not the shape of a lockfile.
    #[error("{} cannot be understood: line {line}, column {column}: {message}", path.display())]
    #[diagnostic(
        code(lockstep::lockfile::syntax),
        help("restore the file from version control, or delete it and run `lockstep install --no-frozen-lockfile`")
    )]
    Syntax {
        /// Which file.
        path: PathBuf,
        /// Line, from 1.
        line: u64,
        /// Column, from 1.
        column: u64,
        /// What the parser said.
        message: String,
    },
    /// The disk refuses.
    #[error("cannot {verb} {}", path.display())]
    #[diagnostic(
        code(lockstep::lockfile::disk),
        help("check that this user may read and write it, and that the disk is not full")
    )]
    Disk {
        /// Which file.
        path: PathBuf,
        /// `read` or `write`.
        verb: &'static str,
        /// What the operating system said.
        source: io::Error,
    },
}

impl Lockfile {
    /// Reads the text of a lockfile; `path` is only for the message of an error.
    ///
    /// # Errors
    /// [`LockfileError`], every case but `Disk`.
    pub fn parse(text: &str, path: &Path) -> Result<Lockfile, LockfileError> {
        parse_and_tell(text, path).map(|(lockfile, _)| lockfile)
    }

    /// The same, by the YAML library whatever the text is: for whoever compares.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn parse_by_library(text: &str, path: &Path) -> Result<Lockfile, LockfileError> {
        parse_with(text, path, from_yaml)
    }

    /// Reads the file, `None` when there is none; blocks.
    ///
    /// # Errors
    /// When it cannot be read, and as [`parse`](Self::parse).
    pub fn read(path: &Path) -> Result<Option<Lockfile>, LockfileError> {
        Ok(LockfileDocument::read(path)?.map(LockfileDocument::into_lockfile))
    }
}

impl LockfileDocument {
    /// Reads the file, `None` when there is none; blocks. Its text is kept where it is as pnpm writes it.
    ///
    /// # Errors
    /// As [`Lockfile::read`].
    pub fn read(path: &Path) -> Result<Option<LockfileDocument>, LockfileError> {
        let disk = |source| LockfileError::Disk { path: path.to_owned(), verb: "read", source };
        let bytes = match rt::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(disk(error)),
        };
        let text = String::from_utf8(bytes).map_err(|error| disk(io::Error::new(io::ErrorKind::InvalidData, error)))?;
        // What a power loss may leave of one that was being written; pnpm takes it for none, too.
        if text.trim().is_empty() {
            return Ok(None);
        }
        let (lockfile, is_plain) = parse_and_tell(&text, path)?;
        Ok(Some(LockfileDocument::new(lockfile, is_plain.then_some(text))))
    }
}

/// Reads a text, and tells whether it is as pnpm writes it.
fn parse_and_tell(text: &str, path: &Path) -> Result<(Lockfile, bool), LockfileError> {
    let mut is_plain = false;
    let lockfile = parse_with(text, path, |text| match plain(text) {
        Some(lockfile) => {
            is_plain = true;
            Ok(lockfile)
        }
        None => from_yaml(text),
    })?;
    Ok((lockfile, is_plain))
}

fn parse_with(
    text: &str,
    path: &Path,
    read: impl FnOnce(&str) -> Result<Lockfile, serde_saphyr::Error>,
) -> Result<Lockfile, LockfileError> {
    if let Some(line) = text.lines().position(is_conflict_marker) {
        return Err(LockfileError::Conflict { path: path.to_owned(), line: line + 1 });
    }
    let version = text.lines().find_map(|line| line.strip_prefix("lockfileVersion:"));
    let version = version.unwrap_or("missing").trim().trim_matches(['\'', '"']);
    if version != LOCKFILE_VERSION {
        return Err(LockfileError::Version { path: path.to_owned(), version: version.to_owned() });
    }
    let lockfile = read(text).map_err(|error| {
        let location = error.location();
        LockfileError::Syntax {
            path: path.to_owned(),
            line: location.map_or(1, |location| location.line()),
            column: location.map_or(1, |location| location.column()),
            message: error.without_snippet().to_string(),
        }
    })?;
    // The line says it before the rest is understood. What YAML makes of that line, and of those after it, is what is written again.
    let version = &lockfile.lockfile_version;
    if version != LOCKFILE_VERSION {
        return Err(LockfileError::Version { path: path.to_owned(), version: version.clone() });
    }
    Ok(lockfile)
}

/// What pnpm wrote, in two halves on two threads where they can be told apart.
fn plain(text: &str) -> Option<Lockfile> {
    in_two_parts(text).or_else(|| plain_yaml::read(text))
}

/// Reads the snapshots, which are half of a lockfile, beside what comes before. None where they are not the end of it.
fn in_two_parts(text: &str) -> Option<Lockfile> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct End {
        snapshots: BTreeMap<DepPath, Snapshot>,
    }
    let (start, end) = text.split_at(text.find("\nsnapshots:\n")? + 1);
    let (start, end) = rt::join(|| plain_yaml::read::<Lockfile>(start), || plain_yaml::read::<End>(end));
    let (start, End { snapshots }) = start.filter(|start| start.snapshots.is_empty()).zip(end)?;
    Some(Lockfile { snapshots, ..start })
}

pub(super) fn from_yaml<T: DeserializeOwned>(text: &str) -> Result<T, serde_saphyr::Error> {
    // Without a budget: it bounds hostile documents, and the lockfile of a large project exceeds it.
    let options = serde_saphyr::options! { budget: None, with_snippet: false };
    serde_saphyr::from_str_with_options(text, options)
}

/// Git writes exactly seven of one sign at the start of a line.
fn is_conflict_marker(line: &str) -> bool {
    ["<<<<<<<", ">>>>>>>", "|||||||"].iter().any(|marker| line.starts_with(marker)) || line == "======="
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        Lockfile::parse(text, Path::new("pnpm-lock.yaml")).unwrap_err().to_string()
    }

    #[test]
    fn conflicts_and_versions_are_named() {
        let text = "lockfileVersion: '9.0'\n<<<<<<< HEAD\n=======\n>>>>>>> theirs\n";
        assert_eq!(error(text), "pnpm-lock.yaml has merge conflict markers at line 2");
        let text = "lockfileVersion: '6.0'\n";
        assert_eq!(error(text), "pnpm-lock.yaml has lockfileVersion 6.0, and only 9.0 is supported");
        assert_eq!(error(""), "pnpm-lock.yaml has lockfileVersion missing, and only 9.0 is supported");
    }

    /// Found by fuzzing: it was accepted, and written again as what nobody reads.
    #[test]
    fn a_version_on_two_lines_is_another_version() {
        let text = "lockfileVersion: '9.0\n'\noverrides: {}\n";
        assert_eq!(error(text), "pnpm-lock.yaml has lockfileVersion 9.0 , and only 9.0 is supported");
        assert!(Lockfile::parse("lockfileVersion: 9.0\n", Path::new("pnpm-lock.yaml")).is_ok());
    }

    #[test]
    fn both_ways_to_read_it_come_to_the_same() {
        let start = "lockfileVersion: '9.0'\npackages:\n  a@1.0.0:\n    resolution: {integrity: sha512-AA==}\n";
        let end = "\nsnapshots:\n  a@1.0.0:\n    dependencies:\n      b: 1.0.0\n";
        let whole: Lockfile = plain_yaml::read(&format!("{start}{end}")).unwrap();
        assert_eq!(in_two_parts(&format!("{start}{end}")), Some(whole.clone()));
        assert_eq!(whole.snapshots["a@1.0.0"].dependencies["b"], "1.0.0");
        // The snapshots come first, or are there twice, or something comes after them: the whole decides.
        for text in [
            format!("lockfileVersion: '9.0'{end}packages: {{}}\n"),
            format!("{start}{end}{end}"),
            format!("{start}{end}time:\n  a@1.0.0: b\n"),
        ] {
            assert_eq!(in_two_parts(&text), None, "{text}");
        }
    }

    #[test]
    fn a_text_as_pnpm_writes_it_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pnpm-lock.yaml");
        let text = "lockfileVersion: '9.0'\n\npnpmfileChecksum: sha256-AA==\n\nimporters:\n\n  .: {}\n";
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            LockfileDocument::read(&path).unwrap().unwrap()
        };
        assert_eq!(read(text).text(), text);
        let with_a_comment = format!("{text}# mine\n");
        assert_eq!(read(&with_a_comment).text(), read(text).to_yaml());
    }

    #[test]
    fn a_wrong_shape_names_its_line() {
        let message = error("lockfileVersion: '9.0'\n\npackages:\n\n  a@1.0.0:\n    cpu: 7\n");
        assert!(message.starts_with("pnpm-lock.yaml cannot be understood: line 6"), "{message}");
        let message = error("lockfileVersion: '9.0'\n\nsnapshots:\n\n  a@1.0.0:\n    dependencies: 7\n");
        assert!(message.starts_with("pnpm-lock.yaml cannot be understood: line 6"), "{message}");
    }
}
