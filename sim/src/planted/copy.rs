//! A copy of the workspace with everything in it that was planted.

use super::{Edit, PlantError, Planted, SWITCH, VARIABLE, at};
use crate::cargo;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// Where the copy has the function behind [`SWITCH`].
const SWITCH_FILE: &str = "installer/src/rt/mod.rs";

/// What of the workspace a copy has.
const COPIED: [&str; 5] = ["Cargo.toml", "Cargo.lock", "installer", "sim", "benches"];

/// What builds and fuzzers leave there, and may change meanwhile.
const NOT_COPIED: [&str; 3] = ["target", "corpus", "artifacts"];

/// What is planted may leave code unused: the flag that says so would be another build of all dependencies, so it is a lint.
const LINTS: Change = (
    "Cargo.toml",
    "[workspace.lints.rust]\n",
    "[workspace.lints.rust]\nwarnings = { level = \"allow\", priority = 1 }\n",
);

/// A file, what is in it, and what stands there instead in a copy.
pub type Change = (&'static str, &'static str, &'static str);

/// A copy of the workspace.
pub struct Copy {
    /// Where it is, from the workspace's root.
    pub dir: &'static str,
    /// What is different in it, besides what is planted.
    pub different: &'static [Change],
}

impl Copy {
    /// Brings it up to date, and says where it is.
    ///
    /// # Errors
    /// [`PlantError`]: something stale, most likely.
    pub fn of(&self, all: &[&Planted]) -> Result<PathBuf, PlantError> {
        let workspace = cargo::workspace();
        let copy = workspace.join(self.dir);
        for name in COPIED {
            self.plant(all, workspace, &copy, Path::new(name))?;
        }
        let unknown = all.iter().find_map(|planted| {
            let edit = planted.edits.iter().find(|edit| !copy.join(&edit.file).is_file())?;
            Some(planted.malformed(format!("there is no file {}", edit.file)))
        });
        unknown.map_or(Ok(copy), Err)
    }

    /// Brings the copy of a file or directory up to date: what is gone goes there too, and what has not changed is left alone, so
    /// that cargo does too.
    fn plant(&self, all: &[&Planted], workspace: &Path, copy: &Path, name: &Path) -> Result<(), PlantError> {
        let (from, to) = (workspace.join(name), copy.join(name));
        if from.is_dir() {
            for name in names(&to).unwrap_or_default().difference(&at(&from, names(&from))?) {
                let gone = to.join(name);
                at(&gone, if gone.is_dir() { fs::remove_dir_all(&gone) } else { fs::remove_file(&gone) })?;
            }
            for entry in at(&from, names(&from))? {
                self.plant(all, workspace, copy, &name.join(entry))?;
            }
            return Ok(());
        }
        let mut bytes = at(&from, fs::read(&from))?;
        let file = name.to_string_lossy().replace('\\', "/");
        for (_, find, replace) in self.different.iter().chain([&LINTS]).filter(|(changed, ..)| *changed == file) {
            bytes = String::from_utf8_lossy(&bytes).replace(find, replace).into_bytes();
        }
        if file == SWITCH_FILE || all.iter().any(|planted| planted.edits.iter().any(|edit| edit.file == file)) {
            bytes = planted(all, &file, &String::from_utf8_lossy(&bytes))?.into_bytes();
        }
        if fs::read(&to).is_ok_and(|there| there == bytes) {
            return Ok(());
        }
        let dir = to.parent().expect("a file lies in a directory");
        at(dir, fs::create_dir_all(dir))?;
        at(&to, fs::write(&to, bytes))
    }
}

/// Whether all of it fits the sources as they are, without a copy.
///
/// # Errors
/// [`PlantError`]: something stale, most likely.
pub fn check(all: &[&Planted]) -> Result<(), PlantError> {
    let files: BTreeSet<&str> = all.iter().flat_map(|planted| &planted.edits).map(|edit| edit.file.as_str()).collect();
    files.into_iter().try_for_each(|file| {
        let path = cargo::workspace().join(file);
        planted(all, file, &at(&path, fs::read_to_string(&path))?).map(drop)
    })
}

/// A file with all that is planted in it.
///
/// # Errors
/// [`PlantError::Stale`] and [`PlantError::Overlap`].
fn planted(all: &[&Planted], file: &str, text: &str) -> Result<String, PlantError> {
    let mut changes = Vec::new();
    for bug in all {
        for Edit { find, replace, .. } in bug.edits.iter().filter(|edit| edit.file == file) {
            let times = text.matches(find.as_str()).count();
            let (1, Some(start)) = (times, text.find(find.as_str())) else {
                let (name, file, find) = (bug.name.clone(), file.to_owned(), find.clone());
                return Err(PlantError::Stale { name, file, times, find });
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
            return Err(PlantError::Overlap { first, second, file: file.to_owned() });
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

/// What lies in a directory, of what is copied.
fn names(dir: &Path) -> io::Result<BTreeSet<OsString>> {
    let names: io::Result<BTreeSet<_>> = fs::read_dir(dir)?.map(|entry| Ok(entry?.file_name())).collect();
    Ok(names?.into_iter().filter(|name| !NOT_COPIED.iter().any(|not| name == not)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "Wakes one.\n\n<<<<<<< installer/src/x.rs\nall();\n=======\n\
                        if PLANTED { one() } else { all() }\n>>>>>>>\n";

    fn bug(name: &str) -> Planted {
        Planted::parse(name.to_owned(), TEXT, &[]).unwrap()
    }

    #[test]
    fn a_bug_is_behind_its_switch() {
        let planted = planted(&[&bug("one")], "installer/src/x.rs", "before();\nall();\n").unwrap();
        assert_eq!(planted, "before();\nif crate::rt::planted(\"one\") { one() } else { all() }\n");
    }

    #[test]
    fn a_bug_whose_place_has_changed_is_stale() {
        for text in ["", "all();\nall();\n"] {
            let error = planted(&[&bug("one")], "installer/src/x.rs", text).unwrap_err();
            assert!(error.to_string().contains("one.bug is stale"), "{error}");
        }
    }

    #[test]
    fn two_bugs_cannot_share_a_place() {
        let error = planted(&[&bug("one"), &bug("two")], "installer/src/x.rs", "all();\n").unwrap_err();
        assert!(error.to_string().contains("one.bug and two.bug"), "{error}");
    }

    #[test]
    fn a_copy_has_what_the_sources_have_and_nothing_of_a_build() {
        let dir = tempfile::tempdir().unwrap();
        let (workspace, copy) = (dir.path().join("workspace"), dir.path().join("copy"));
        let copied = |files: &[&str]| {
            let _ = fs::remove_dir_all(&workspace);
            for file in files {
                let path = workspace.join(file);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, "").unwrap();
            }
            let none = Copy { dir: "", different: &[] };
            none.plant(&[], &workspace, &copy, Path::new("sim")).unwrap();
            names(&copy.join("sim")).unwrap().into_iter().map(|name| name.into_string().unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(copied(&["sim/disk.rs", "sim/old/x.rs", "sim/lib.rs"]), ["disk.rs", "lib.rs", "old"]);
        assert_eq!(copied(&["sim/disk/mod.rs", "sim/lib.rs"]), ["disk", "lib.rs"]);
        assert_eq!(copied(&["sim/target/x.o", "sim/lib.rs"]), ["lib.rs"]);
    }
}
