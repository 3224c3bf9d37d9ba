//! Patches to packages: what `patchedDependencies` names, and how it changes a package's files.
//!
//! A patch is a unified diff as git and pnpm write it, with paths relative to the package. Its hash is part of the dep
//! path, so a package with another patch is another package.

use crate::range;
use crate::rt;
use deno_semver::Version;
use diffy::patch_set::{FileMode, FileOperation, FilePatch, ParseOptions, PatchKind, PatchSet};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// One patch file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patch {
    /// The SHA-256 of its text, in hexadecimal digits.
    pub hash: String,
    path: PathBuf,
    text: String,
}

/// The patches of a project, by selector: `name@version`, `name@range` or `name`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Patches(BTreeMap<String, Arc<Patch>>);

/// A patch that cannot be read or applied.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum PatchError {
    /// There is no such file, or it cannot be read.
    #[error("cannot read the patch {}", path.display())]
    #[diagnostic(code(lockstep::patch::unreadable), help("check `patchedDependencies` in pnpm-workspace.yaml"))]
    Unreadable {
        /// The patch file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is no unified diff, or it changes what is not there.
    #[error("the patch {} does not apply to {}: {reason}", path.display(), file.display())]
    #[diagnostic(
        code(lockstep::patch::conflict),
        help("make the patch anew for this version of the package, or remove it from `patchedDependencies`")
    )]
    Conflict {
        /// The patch file.
        path: PathBuf,
        /// What it was to change.
        file: PathBuf,
        /// Why that cannot be.
        reason: String,
    },
}

impl Patches {
    /// Reads the patch files that the setting names, relative to `root`; blocks.
    ///
    /// # Errors
    /// [`PatchError::Unreadable`].
    pub fn read(root: &Path, setting: &BTreeMap<String, String>) -> Result<Patches, PatchError> {
        let mut patches = BTreeMap::new();
        for (selector, path) in setting {
            let path = root.join(path);
            let bytes = rt::fs::read(&path);
            let bytes = bytes.map_err(|source| PatchError::Unreadable { path: path.clone(), source })?;
            // The hash does not depend on how git checks text out.
            let text = String::from_utf8_lossy(&bytes).replace("\r\n", "\n");
            let hash = hex::encode(Sha256::digest(&text));
            patches.insert(selector.clone(), Arc::new(Patch { hash, path, text }));
        }
        Ok(Patches(patches))
    }

    /// The patch of a package: that of its version goes before those of ranges, and they before that of its name.
    pub fn find(&self, name: &str, version: &str) -> Option<&Arc<Patch>> {
        if self.0.is_empty() {
            return None;
        }
        let of_range = || {
            let version = Version::parse_from_npm(version).ok()?;
            let ranges = self.0.iter().filter_map(|(selector, patch)| {
                let range = selector.strip_prefix(name)?.strip_prefix('@')?;
                Some((range::parse(range)?, patch))
            });
            ranges.filter(|(range, _)| range.matches(&version)).map(|(_, patch)| patch).next()
        };
        self.0.get(&format!("{name}@{version}")).or_else(of_range).or_else(|| self.0.get(name))
    }

    /// As a lockfile has them: selector → hash.
    pub fn hashes(&self) -> BTreeMap<String, String> {
        self.0.iter().map(|(selector, patch)| (selector.clone(), patch.hash.clone())).collect()
    }

    /// The selectors that no dep path of these uses.
    pub fn unused<'a>(&self, dep_paths: impl Iterator<Item = &'a str>) -> Vec<&str> {
        let dep_paths: Vec<_> = dep_paths.collect();
        let is_used = |hash: &str| dep_paths.iter().any(|dep_path| dep_path.contains(&suffix(hash)));
        self.0.iter().filter(|(_, patch)| !is_used(&patch.hash)).map(|(selector, _)| selector.as_str()).collect()
    }
}

/// What the dep path of a patched package has after its version.
pub fn suffix(hash: &str) -> String {
    format!("(patch_hash={hash})")
}

impl Patch {
    /// Changes the files of the package in `dir`, none of which may be shared with others under its name; blocks. Files are
    /// replaced, never written to: they may be links into the store.
    ///
    /// # Errors
    /// When the patch is no diff, does not fit, or the disk refuses.
    pub fn apply(&self, dir: &Path) -> Result<(), PatchError> {
        for file in PatchSet::parse(&self.text, ParseOptions::gitdiff()) {
            let file = file.map_err(|error| self.conflict(dir, error.to_string()))?;
            self.apply_file(dir, &file)?;
        }
        Ok(())
    }

    fn apply_file(&self, dir: &Path, file: &FilePatch<'_, str>) -> Result<(), PatchError> {
        // git writes a/ and b/ in front; headers of renames and copies go without.
        let stripped = file.operation().strip_prefix(1);
        let (from, to, keeps) = match (file.operation(), &stripped) {
            (FileOperation::Rename { from, to }, _) => (Some(from.as_ref()), Some(to.as_ref()), false),
            (FileOperation::Copy { from, to }, _) => (Some(from.as_ref()), Some(to.as_ref()), true),
            (_, FileOperation::Modify { original, modified }) => {
                (Some(original.as_ref()), Some(modified.as_ref()), false)
            }
            (_, FileOperation::Create(path)) => (None, Some(path.as_ref()), false),
            (_, FileOperation::Delete(path)) => (Some(path.as_ref()), None, false),
            _ => unreachable!("stripping a prefix does not change what is done"),
        };
        let (from, to) =
            (from.map(|path| self.inside(dir, path)).transpose()?, to.map(|path| self.inside(dir, path)).transpose()?);
        let shown = to.as_ref().or(from.as_ref()).cloned().unwrap_or_default();
        let disk = |error: io::Error| self.conflict(&shown, error.to_string());
        let before = match &from {
            Some(from) => String::from_utf8(rt::fs::read(from).map_err(disk)?)
                .map_err(|_| self.conflict(&shown, "it is not text".to_owned()))?,
            None => String::new(),
        };
        let PatchKind::Text(patch) = file.patch() else {
            return Err(self.conflict(&shown, "binary changes are not supported".to_owned()));
        };
        let after = diffy::apply(&before, patch).map_err(|error| self.conflict(&shown, error.to_string()))?;
        if let Some(from) = from.filter(|_| !keeps) {
            rt::fs::remove_file(&from).map_err(disk)?;
        }
        let Some(to) = to else { return Ok(()) };
        if let Some(parent) = to.parent() {
            rt::fs::create_dir_all(parent).map_err(disk)?;
        }
        let executable = file.new_mode() == Some(&FileMode::Executable) || after.starts_with("#!");
        rt::fs::write_new(&to, after.as_bytes(), executable).map_err(disk)
    }

    /// A path of the patch; one that leads out of the package is refused.
    fn inside(&self, dir: &Path, path: &str) -> Result<PathBuf, PatchError> {
        let inside = Path::new(path).components().all(|component| matches!(component, Component::Normal(_)));
        if inside {
            Ok(dir.join(path))
        } else {
            Err(self.conflict(Path::new(path), "it is not in the package".to_owned()))
        }
    }

    fn conflict(&self, file: &Path, reason: String) -> PatchError {
        PatchError::Conflict { path: self.path.clone(), file: file.to_owned(), reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "diff --git a/index.js b/index.js\nindex 1..2 100644\n--- a/index.js\n+++ b/index.js\n@@ -1,2 +1,2 @@\n-old\n+new\n same\n\
        diff --git a/lib/added.js b/lib/added.js\nnew file mode 100644\nindex 0..1\n--- /dev/null\n+++ b/lib/added.js\n@@ -0,0 +1 @@\n+added\n\
        diff --git a/gone.js b/gone.js\ndeleted file mode 100644\nindex 1..0\n--- a/gone.js\n+++ /dev/null\n@@ -1 +0,0 @@\n-gone\n";

    fn patch(text: &str) -> Patch {
        Patch { hash: String::new(), path: PathBuf::from("x.patch"), text: text.to_owned() }
    }

    fn package() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("index.js"), "old\nsame\n").unwrap();
        std::fs::write(dir.path().join("gone.js"), "gone\n").unwrap();
        dir
    }

    #[test]
    fn files_are_changed_added_and_removed() {
        let dir = package();
        let store = dir.path().join("in-store");
        std::fs::hard_link(dir.path().join("index.js"), &store).unwrap();
        patch(TEXT).apply(dir.path()).unwrap();
        let read = |path: &str| std::fs::read_to_string(dir.path().join(path)).unwrap();
        assert_eq!((read("index.js"), read("lib/added.js")), ("new\nsame\n".to_owned(), "added\n".to_owned()));
        assert!(!dir.path().join("gone.js").exists());
        assert_eq!(std::fs::read_to_string(store).unwrap(), "old\nsame\n", "the store's file is nobody's to change");
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let dir = package();
        std::fs::write(dir.path().join("index.js"), "other\n").unwrap();
        let error = patch(TEXT).apply(dir.path()).unwrap_err().to_string();
        assert!(error.contains("x.patch") && error.contains("index.js"), "{error}");
        let hostile = TEXT.replace("lib/added.js", "../added.js");
        std::fs::write(dir.path().join("index.js"), "old\nsame\n").unwrap();
        assert!(patch(&hostile).apply(dir.path()).unwrap_err().to_string().contains("not in the package"));
    }

    #[test]
    fn the_nearest_selector_counts() {
        let all = ["a", "a@1.0.0", "a@^2.0.0", "ab@1"];
        let patches =
            Patches(all.map(|text| (text.to_owned(), Arc::new(Patch { hash: text.to_owned(), ..patch("") }))).into());
        let hash = |name: &str, version: &str| patches.find(name, version).map(|patch| patch.hash.clone());
        assert_eq!(hash("a", "1.0.0").as_deref(), Some("a@1.0.0"));
        assert_eq!(hash("a", "2.3.0").as_deref(), Some("a@^2.0.0"));
        assert_eq!(hash("a", "3.0.0").as_deref(), Some("a"));
        assert_eq!(hash("b", "1.0.0"), None);
        assert_eq!(patches.unused(["a@1.0.0(patch_hash=a@1.0.0)"].into_iter()), ["a", "a@^2.0.0", "ab@1"]);
    }
}
