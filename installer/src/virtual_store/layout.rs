//! Where things are in a project: pnpm's layout of node_modules.

use super::link::relative_path;
use super::shared::Entry;
use crate::lockfile::{DepPath, name_and_version};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

/// The longest directory name under node_modules/.pnpm, in bytes: pnpm's `virtual-store-dir-max-length`.
pub(super) const DIRECTORY_NAME_BYTES_MAX: usize = 120;

/// How many hexadecimal digits of a hash replace the end of a name that is too long.
const SHORT_HASH_DIGITS: usize = 32;

/// The directories of a project, or of a workspace: its root's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// Where package.json is.
    pub project_dir: PathBuf,
    /// `node_modules`
    pub modules_dir: PathBuf,
    /// `node_modules/.pnpm`
    pub virtual_store_dir: PathBuf,
    /// What is in the store for all projects and not in `node_modules/.pnpm`; none unless
    /// `enableGlobalVirtualStore` is set.
    pub shared: Option<Shared>,
}

/// The part of a virtual store that all projects share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shared {
    /// `links` in the store.
    pub links_dir: PathBuf,
    /// The snapshots that are there, and where.
    pub entries: BTreeMap<DepPath, Entry>,
}

impl Layout {
    /// The layout of the project in `project_dir`.
    pub fn new(project_dir: &Path) -> Self {
        let modules_dir = project_dir.join("node_modules");
        let virtual_store_dir = modules_dir.join(".pnpm");
        Layout { project_dir: project_dir.to_owned(), virtual_store_dir, modules_dir, shared: None }
    }

    /// The place of a snapshot that is in the store for all projects.
    pub fn entry(&self, dep_path: &str) -> Option<&Entry> {
        self.shared.as_ref()?.entries.get(dep_path)
    }

    /// What a link in the directory `from` says to lead to `to`: the way there, or from a project into the store the
    /// whole path, which holds also where the project is reached by another link.
    pub(super) fn way(&self, to: &Path, from: &Path) -> PathBuf {
        match &self.shared {
            Some(Shared { links_dir, .. }) if to.starts_with(links_dir) && !from.starts_with(links_dir) => {
                to.to_owned()
            }
            _ => relative_path(to, from),
        }
    }

    /// The node_modules of a project of the workspace, by its importer id.
    pub fn importer_modules_dir(&self, importer: &str) -> PathBuf {
        self.importer_dir(importer).join("node_modules")
    }

    /// Where a project of the workspace is, by its importer id.
    pub fn importer_dir(&self, importer: &str) -> PathBuf {
        normal(&self.project_dir.join(importer))
    }

    /// The node_modules that a snapshot and its dependencies live in side by side.
    pub fn snapshot_modules_dir(&self, dep_path: &str) -> PathBuf {
        let dir = match self.entry(dep_path) {
            Some(entry) => entry.dir.clone(),
            None => self.virtual_store_dir.join(dep_path_to_filename(dep_path)),
        };
        dir.join("node_modules")
    }

    /// Where a snapshot's own files are.
    pub fn package_dir(&self, dep_path: &str) -> PathBuf {
        self.snapshot_dirs(dep_path).1
    }

    /// The node_modules that a snapshot lives in, and where its own files are.
    pub(super) fn snapshot_dirs(&self, dep_path: &str) -> (PathBuf, PathBuf) {
        let name = name_and_version(dep_path).map_or(dep_path, |(name, _)| name);
        let modules_dir = self.snapshot_modules_dir(dep_path);
        let package_dir = modules_dir.join(name);
        (modules_dir, package_dir)
    }

    /// The node_modules inside a snapshot's own files: what it bundles, and the commands of its dependencies.
    pub fn own_modules_dir(&self, dep_path: &str) -> PathBuf {
        self.package_dir(dep_path).join("node_modules")
    }

    /// Where packages can be found that nobody named: `node_modules/.pnpm/node_modules`.
    pub fn hoisted_modules_dir(&self) -> PathBuf {
        self.virtual_store_dir.join("node_modules")
    }
}

/// A path without `.` and `..`, as far as the text alone tells.
pub(super) fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir if normal.file_name().is_some() => drop(normal.pop()),
            component => normal.push(component),
        }
    }
    normal
}

/// What no directory can have in its name everywhere.
const SEPARATORS: [char; 10] = ['\\', '/', ':', '*', '?', '"', '<', '>', '|', '#'];

/// A dep path as a directory name, by pnpm's rule: separators become `+` and `_`, and a name that is too long, or that a
/// case-insensitive disk could take for another, ends in a hash. So does one with a path in which other characters become
/// what a slash becomes.
pub fn dep_path_to_filename(dep_path: &str) -> String {
    let stays =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'@' | b'.' | b'-' | b'_');
    if dep_path.len() <= DIRECTORY_NAME_BYTES_MAX && dep_path.bytes().all(stays) {
        return dep_path.to_owned();
    }
    let mut filename = dep_path.replace(SEPARATORS, "+");
    if filename.contains('(') {
        let open = filename.strip_suffix(')').unwrap_or(&filename);
        filename = open.replace(")(", "_").replace(['(', ')'], "_");
    }
    let path = dep_path.split_once("://").or_else(|| dep_path.split_once("@file:")).map_or("", |(_, path)| path);
    if path.contains(|c| c == '+' || (c != '/' && SEPARATORS.contains(&c))) {
        return hashed(&filename, dep_path);
    }
    let ambiguous = filename.chars().any(char::is_uppercase) && !filename.starts_with("file+");
    if filename.len() <= DIRECTORY_NAME_BYTES_MAX && !ambiguous {
        return filename;
    }
    hashed(&filename, &filename)
}

/// As much of the name as fits, and a hash of `whole`.
fn hashed(filename: &str, whole: &str) -> String {
    let hash = hex::encode(Sha256::digest(whole));
    let kept: String = filename.chars().take(DIRECTORY_NAME_BYTES_MAX - SHORT_HASH_DIGITS - 1).collect();
    format!("{kept}_{}", &hash[..SHORT_HASH_DIGITS])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_pnpm() {
        assert_eq!(dep_path_to_filename("express@5.1.0"), "express@5.1.0");
        assert_eq!(dep_path_to_filename("@babel/core@7.0.0"), "@babel+core@7.0.0");
        assert_eq!(dep_path_to_filename("react-dom@18.3.1(react@18.3.1)"), "react-dom@18.3.1_react@18.3.1");
        assert_eq!(
            dep_path_to_filename("a@1.0.0(@b/c@2.0.0(d@3.0.0))(e@4.0.0)"),
            "a@1.0.0_@b+c@2.0.0_d@3.0.0__e@4.0.0"
        );
    }

    #[test]
    fn a_path_that_could_be_another_s_ends_in_a_hash() {
        let archive = "a@https://codeload.github.com/o/r/tar.gz/c9016572aa31366a00da97dc5e5e0da0bcda9d06";
        let expected = "a@https+++codeload.github.com+o+r+tar.gz+c9016572aa31366a00da97dc5e5e0da0bcda9d06";
        assert_eq!(dep_path_to_filename(archive), expected);
        assert_eq!(dep_path_to_filename("loc@file:lo+c"), "loc@file+lo+c_342d2f2efb4a581155f286a2ce9441a2");
        assert_eq!(dep_path_to_filename("loc@file:lo#c"), "loc@file+lo+c_a0dd72c6071ae4ec6822b0358409631f");
        let name = dep_path_to_filename("tarred@http://127.0.0.1:8765/tarred.tgz(react@18.2.0)");
        assert_eq!(name, "tarred@http+++127.0.0.1+8765+tarred.tgz_react@18.2.0_a20a899c1c7f9c177c2c17382176e968");
        assert_eq!(dep_path_to_filename("loc@file:loc(react@18.2.0)"), "loc@file+loc_react@18.2.0");
    }

    #[test]
    fn long_names_and_capitals_end_in_a_hash() {
        let long = dep_path_to_filename(&format!("a@1.0.0({})", "b".repeat(200)));
        assert_eq!(long.len(), DIRECTORY_NAME_BYTES_MAX);
        assert!(long.starts_with("a@1.0.0_bbb"));
        let capital = dep_path_to_filename("JSONStream@1.3.5");
        assert!(capital.starts_with("JSONStream@1.3.5_") && capital.len() == 17 + SHORT_HASH_DIGITS, "{capital}");
    }

    #[test]
    fn a_scoped_package_lies_two_levels_deep() {
        let layout = Layout::new(Path::new("/p"));
        let dir = layout.package_dir("@babel/core@7.0.0(x@1.0.0)");
        assert_eq!(dir, Path::new("/p/node_modules/.pnpm/@babel+core@7.0.0_x@1.0.0/node_modules/@babel/core"));
    }
}
