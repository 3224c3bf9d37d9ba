//! What the last install left in a hoisted node_modules: `hoistedLocations` in .modules.yaml, as far as it can be relied on.
//!
//! Directories are not told by their paths here: what an earlier install put there may be another version. So before
//! one of them changes, all that will are noted in a file of their own, which goes when .modules.yaml says how things are. An
//! install that finds the file takes none of these directories for what .modules.yaml says.

use super::locations::content_of;
use crate::config::NodeLinker;
use crate::lockfile::DepPath;
use crate::rt::{self, FileKind};
use crate::virtual_store::{Layout, modules_yaml};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Component, Path, PathBuf};

/// The name in node_modules of the list of directories that are being changed.
pub const CHANGES: &str = ".lockstep-hoisting.json";

/// See the module.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Record {
    /// Directory → what it holds for certain.
    known: BTreeMap<PathBuf, DepPath>,
    /// Directories that an install was changing when it ended.
    doubtful: BTreeSet<PathBuf>,
}

/// What of .modules.yaml is about hoisting.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Recorded {
    node_linker: String,
    hoisted_locations: BTreeMap<DepPath, Vec<String>>,
}

impl Record {
    /// Reads what there is; blocks. Nothing, where another kind of tree was made.
    pub fn read(layout: &Layout) -> Self {
        let file = |name: &str| rt::fs::read(&layout.modules_dir.join(name)).unwrap_or_default();
        let recorded: Recorded = serde_json::from_slice(&file(modules_yaml::FILE_NAME)).unwrap_or_default();
        let changing: Vec<String> = serde_json::from_slice(&file(CHANGES)).unwrap_or_default();
        let dir = |path: &String| is_package_dir(path).then(|| layout.project_dir.join(path));
        let doubtful: BTreeSet<PathBuf> = changing.iter().filter_map(dir).collect();
        let mut known = BTreeMap::new();
        if recorded.node_linker == NodeLinker::Hoisted.name() {
            for (dep_path, paths) in &recorded.hoisted_locations {
                known.extend(paths.iter().filter_map(dir).map(|dir| (dir, dep_path.clone())));
            }
        }
        known.retain(|dir, _| !doubtful.contains(dir));
        Record { known, doubtful }
    }

    /// Whether a directory holds what this snapshot needs; that it is there is left to the caller.
    pub fn holds(&self, dir: &Path, dep_path: &str) -> bool {
        self.known.get(dir).is_some_and(|there| content_of(there) == content_of(dep_path))
    }

    /// A directory that holds what this snapshot needs.
    pub fn dir_of(&self, dep_path: &str) -> Option<&PathBuf> {
        let mut known = self.known.iter().filter(|(_, there)| content_of(there) == content_of(dep_path));
        known.next().map(|(dir, _)| dir)
    }

    /// Every directory that an installer has made.
    pub fn dirs(&self) -> impl Iterator<Item = &PathBuf> {
        self.known.keys().chain(&self.doubtful)
    }

    /// Directory → what it holds for certain.
    pub fn known(&self) -> &BTreeMap<PathBuf, DepPath> {
        &self.known
    }

    /// Forgets what was being changed: .modules.yaml says how things are. Blocks.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn settle(layout: &Layout) -> io::Result<()> {
        match rt::fs::remove_file(&layout.modules_dir.join(CHANGES)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Notes that these directories change, beside those that are doubtful already. To be called before they do; blocks.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(super) fn note_changes(&self, changing: &BTreeSet<PathBuf>, layout: &Layout) -> io::Result<()> {
        let shown = |dir: &PathBuf| {
            let path = dir.strip_prefix(&layout.project_dir).unwrap_or(dir);
            path.to_string_lossy().replace('\\', "/")
        };
        let changing: BTreeSet<String> = changing.iter().chain(&self.doubtful).map(shown).collect();
        let bytes = serde_json::to_vec(&changing).expect("it is plain data");
        rt::write_whole(&layout.modules_dir.join(CHANGES), &bytes, &layout.modules_dir)
    }
}

/// Whether a directory can be that of a package: whoever wrote the file, nothing else is removed.
fn is_package_dir(path: &str) -> bool {
    let mut components = Path::new(path).components();
    let is_below = components.all(|component| matches!(component, Component::Normal(_)));
    let name = path.rsplit_once("node_modules/").map_or("", |(_, name)| name);
    let is_name = !name.is_empty()
        && !name.starts_with('.')
        && name.split('/').count() <= 2
        && name.starts_with('@') == name.contains('/');
    is_below && is_name
}

/// Whether a directory can be removed without leaving the project: its parent is no link to elsewhere.
pub(super) fn is_in_place(dir: &Path) -> bool {
    let above = dir.parent().into_iter().chain(dir.parent().and_then(Path::parent));
    above.into_iter().all(|above| rt::fs::kind(above).is_ok_and(|kind| kind == FileKind::Directory))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(modules: &str) -> (tempfile::TempDir, Layout) {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path());
        std::fs::create_dir_all(&layout.modules_dir).unwrap();
        std::fs::write(layout.modules_dir.join(modules_yaml::FILE_NAME), modules).unwrap();
        (dir, layout)
    }

    #[test]
    fn what_is_being_changed_is_not_relied_on() {
        let text = r#"{"nodeLinker":"hoisted","hoistedLocations":{"a@1.0.0":["node_modules/a"],"b@1.0.0(a@1.0.0)":["node_modules/b"]}}"#;
        let (_dir, layout) = written(text);
        let (a, b) = (layout.modules_dir.join("a"), layout.modules_dir.join("b"));
        let record = Record::read(&layout);
        assert!(record.holds(&a, "a@1.0.0") && !record.holds(&a, "a@2.0.0"));
        assert!(record.holds(&b, "b@1.0.0(a@2.0.0)"), "peers lie elsewhere");
        record.note_changes(&BTreeSet::from([a.clone()]), &layout).unwrap();
        let record = Record::read(&layout);
        assert!(!record.holds(&a, "a@1.0.0") && record.holds(&b, "b@1.0.0"));
        assert_eq!(record.dirs().collect::<Vec<_>>(), [&b, &a]);
        Record::settle(&layout).unwrap();
        assert!(Record::read(&layout).holds(&a, "a@1.0.0"));
    }

    #[test]
    fn only_directories_of_packages_are_believed_in() {
        for path in ["node_modules/a", "node_modules/@s/a", "packages/p/node_modules/a/node_modules/@s/b"] {
            assert!(is_package_dir(path), "{path}");
        }
        for path in [
            "",
            "..",
            "/node_modules/a",
            "node_modules/../a",
            "node_modules/",
            "src",
            "node_modules/.bin",
            "node_modules/a/b",
            "node_modules/@s",
        ] {
            assert!(!is_package_dir(path), "{path}");
        }
        let (_dir, layout) = written(r#"{"nodeLinker":"isolated","hoistedLocations":{"a@1.0.0":["node_modules/a"]}}"#);
        assert_eq!(Record::read(&layout), Record::default());
    }
}
