//! Swaps what was filled beside the tree into its place, and takes away what is no longer wanted.
//!
//! Everything is there by now, so the tree is between two states for as short as it takes to rename directories. Which of
//! them change is noted first, see [`Record`].

use super::locations::modules_dir_of;
use super::record::{Record, is_in_place};
use crate::rt::{self, FileKind};
use crate::virtual_store::{Layout, LinkError};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

/// What changes among the directories of packages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PlacePlan {
    /// Directory → where its new content is; whatever lies inside another directory comes after it.
    pub staged: BTreeMap<PathBuf, PathBuf>,
    /// Directories that stay as they are.
    pub kept: BTreeSet<PathBuf>,
    /// Directories that go.
    pub gone: BTreeSet<PathBuf>,
}

/// Carries the plan out; blocks.
///
/// # Errors
/// When the disk refuses. The next install knows what it cannot rely on.
pub fn apply(plan: &PlacePlan, record: &Record, layout: &Layout) -> Result<(), LinkError> {
    let is_inside = |kept: &&PathBuf| kept.ancestors().skip(1).any(|above| plan.staged.contains_key(above));
    let moving: BTreeSet<PathBuf> = plan.kept.iter().filter(is_inside).cloned().collect();
    let changing: BTreeSet<PathBuf> = plan.staged.keys().chain(&plan.gone).chain(&moving).cloned().collect();
    if changing.is_empty() {
        return Ok(());
    }
    let noted = record.note_changes(&changing, layout);
    noted.map_err(|source| LinkError { action: "change", path: layout.modules_dir.clone(), source })?;
    for dir in &plan.gone {
        if is_in_place(dir) {
            remove(dir).map_err(failed("remove", dir))?;
            remove_empty_parents(dir);
        }
    }
    for (dir, staged) in &plan.staged {
        for inside in moving.iter().filter(|inside| is_directly_below(inside, dir)) {
            let to = staged.join(inside.strip_prefix(dir).expect("it lies below"));
            move_dir(inside, &to).map_err(failed("move", inside))?;
        }
        remove(dir).map_err(failed("replace", dir))?;
        move_dir(staged, dir).map_err(failed("put in place", dir))?;
    }
    Ok(())
}

/// Takes away every directory of a hoisted tree: another kind of tree takes its place. Blocks.
///
/// # Errors
/// When the disk refuses.
pub fn clear(record: &Record, layout: &Layout) -> Result<(), LinkError> {
    let gone = record.dirs().cloned().collect();
    apply(&PlacePlan { gone, ..PlacePlan::default() }, record, layout)
}

fn failed<'a>(action: &'static str, path: &'a Path) -> impl Fn(io::Error) -> LinkError + 'a {
    move |source| LinkError { action, path: path.to_owned(), source }
}

/// Whether nothing but a node_modules lies between the two.
fn is_directly_below(inside: &Path, dir: &Path) -> bool {
    modules_dir_of(inside).0 == dir.join("node_modules")
}

/// Whatever is there, with all that is below it.
fn remove(path: &Path) -> io::Result<()> {
    match rt::fs::kind(path) {
        Ok(FileKind::Directory) => rt::fs::remove_dir_all(path),
        Ok(FileKind::File | FileKind::Symlink) => rt::fs::remove_file(path),
        Err(_) => Ok(()),
    }
}

fn move_dir(from: &Path, to: &Path) -> io::Result<()> {
    let parent = to.parent().expect("a package lies in a node_modules");
    // A link in place of a scope's directory is an older tree's.
    if rt::fs::kind(parent).is_ok_and(|kind| kind != FileKind::Directory) {
        rt::fs::remove_file(parent)?;
    }
    rt::fs::create_dir_all(parent)?;
    rt::fs::rename(from, to)
}

/// The directory of a scope of which nothing is left, and a node_modules in which nothing is.
fn remove_empty_parents(dir: &Path) {
    let is_made = |dir: &&Path| {
        let name = dir.file_name().map(|name| name.to_string_lossy());
        name.is_some_and(|name| name == "node_modules" || name.starts_with('@'))
    };
    for parent in dir.ancestors().skip(1).take_while(is_made) {
        if !rt::fs::read_dir(parent).is_ok_and(|names| names.is_empty()) {
            return;
        }
        // A hint: an empty directory harms nobody.
        let _ = rt::fs::remove_dir_all(parent);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn write(path: &Path, text: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn what_lies_inside_a_directory_outlives_its_replacement() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path());
        let at = |path: &str| layout.modules_dir.join(path);
        for path in ["a/old", "a/node_modules/b/kept", "a/node_modules/b/node_modules/c/kept", "@s/gone/x", "mine/x"] {
            write(&at(path), "");
        }
        write(&layout.virtual_store_dir.join("staged/0/new"), "");
        write(&layout.virtual_store_dir.join("staged/1/new"), "");
        let staged = |name: &str| layout.virtual_store_dir.join("staged").join(name);
        let plan = PlacePlan {
            staged: [(at("a"), staged("0")), (at("a/node_modules/d"), staged("1"))].into(),
            kept: [at("a/node_modules/b"), at("a/node_modules/b/node_modules/c")].into(),
            gone: [at("@s/gone")].into(),
        };
        apply(&plan, &Record::default(), &layout).unwrap();
        for path in
            ["a/new", "a/node_modules/b/kept", "a/node_modules/b/node_modules/c/kept", "a/node_modules/d/new", "mine/x"]
        {
            assert!(at(path).exists(), "{path}");
        }
        assert!(!at("a/old").exists() && !at("@s").exists());
        let doubtful: Vec<_> = Record::read(&layout).dirs().cloned().collect();
        assert!(doubtful.contains(&at("a/node_modules/b")) && doubtful.contains(&at("@s/gone")), "{doubtful:?}");
        Record::settle(&layout).unwrap();
        assert_eq!(Record::read(&layout), Record::default());
    }

    #[cfg(unix)]
    #[test]
    fn nothing_is_removed_behind_a_link() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path());
        write(&dir.path().join("elsewhere/a/x"), "");
        fs::create_dir_all(&layout.modules_dir).unwrap();
        rt::fs::symlink(Path::new("../elsewhere"), &layout.modules_dir.join("@s")).unwrap();
        let gone = [layout.modules_dir.join("@s/a")].into();
        apply(&PlacePlan { gone, ..PlacePlan::default() }, &Record::default(), &layout).unwrap();
        assert!(dir.path().join("elsewhere/a/x").exists());
    }
}
