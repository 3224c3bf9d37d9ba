//! From files in the store to one package's directory: reflinked where the disk can, else hard-linked, else copied.
//!
//! The directory is built under a temporary name and renamed: it is complete or it is not there, whoever else builds the
//! same one at the same time.

use super::boot_note;
use super::places::Slot;
use crate::package::files_of_directory;
use crate::patch::{Patch, PatchError};
use crate::rt::{self, Dir, TEMPORARY_PREFIX};
use crate::store::{PackageFiles, StoreDir, StoredFile};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// Puts packages of one store in place. Finds out once which way the disk allows, and keeps to it.
#[derive(Debug, Default)]
pub struct Importer {
    /// An index into [`METHODS`]: the first that may work.
    method: AtomicU8,
    /// Where the store's files are, once one was needed.
    files_dir: OnceLock<Dir>,
    /// The directories that it has made, as texts: paths are taken apart for each comparison.
    added: Mutex<BTreeSet<OsString>>,
    /// Whether directories that are there have to be looked into; see [`boot_note`].
    distrusts: bool,
    /// Whether directories that are there are made anew.
    replaces: bool,
}

/// Whether an import did anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Imported {
    /// The directory is new.
    Added,
    /// It was there already.
    Present,
}

type Method = fn(&Dir, &str, &Dir, &str) -> io::Result<()>;

/// Cheapest first.
const METHODS: [Method; 3] = [Dir::reflink, Dir::hard_link, Dir::copy];

/// A package's directory could not be filled. None is left half-filled.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum ImportError {
    /// A file that the index names is not in the store, or not as it was written.
    #[error("the store has lost the file {}, or part of it", path.display())]
    #[diagnostic(
        code(lockstep::store::lost_file),
        help("something changes the store while it is used: run the install again to download the package anew")
    )]
    MissingStoreFile {
        /// Where it should be.
        path: PathBuf,
    },
    /// The package cannot be patched.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Patch(#[from] PatchError),
    /// The disk refuses.
    #[error("cannot fill {}", path.display())]
    #[diagnostic(code(lockstep::import), help("check the project's permissions and the free space on its disk"))]
    Io {
        /// What could not be made.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Importer {
    /// An importer into this node_modules.
    pub fn new(modules_dir: &Path) -> Self {
        Importer { distrusts: !boot_note::is_of_this_boot(modules_dir), ..Importer::default() }
    }

    /// An importer that makes every directory anew.
    pub fn replacing() -> Self {
        Importer { replaces: true, ..Importer::default() }
    }

    /// Whether it makes anew what is there.
    pub(super) fn replaces(&self) -> bool {
        self.replaces
    }

    /// Counts a directory as made.
    pub(super) fn note_added(&self, dir: &Path) {
        self.added_dirs().insert(dir.as_os_str().to_owned());
    }

    /// How many directories it has made.
    pub fn added(&self) -> usize {
        self.added_dirs().len()
    }

    /// Whether it has made this directory.
    pub fn has_added(&self, dir: &Path) -> bool {
        self.added_dirs().contains(dir.as_os_str())
    }

    fn added_dirs(&self) -> MutexGuard<'_, BTreeSet<OsString>> {
        self.added.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes `target` hold these files. A directory that is there already is complete, and is left as it is, unless the
    /// machine may have lost power since: then one that is damaged is made anew.
    ///
    /// # Errors
    /// When a file is missing in the store or the disk refuses; `target` is not there then.
    pub fn import(&self, files: &PackageFiles, store: &StoreDir, target: &Path) -> Result<Imported, ImportError> {
        self.import_patched(files, store, target, None, false)
    }

    /// As [`import`](Self::import), with changed files. A patched package is trusted after a loss of power only when it is
    /// made anew. `whole` says that all files have been looked at during this install: then only one that is gone by now is
    /// noticed, and none that has been cut short since.
    ///
    /// # Errors
    /// As [`import`](Self::import), and when the patch does not fit.
    pub fn import_patched(
        &self,
        files: &PackageFiles,
        store: &StoreDir,
        target: &Path,
        patch: Option<&Patch>,
        whole: bool,
    ) -> Result<Imported, ImportError> {
        if rt::fs::exists(target) {
            if self.is_trusted(files, target, patch) {
                return Ok(Imported::Present);
            }
            rt::fs::remove_dir_all(target).map_err(|source| ImportError::Io { path: target.to_owned(), source })?;
        }
        let parent = target.parent().expect("a package's directory lies in a node_modules");
        let temporary = parent.join(format!("{TEMPORARY_PREFIX}{}", rt::unique()));
        let filled = self.fill_patched(files, store, &temporary, patch, whole);
        let filled = filled.and_then(|()| match rt::fs::rename(&temporary, target) {
            Err(_) if rt::fs::exists(target) => {
                // Somebody else was faster; theirs is complete.
                let _ = rt::fs::remove_dir_all(&temporary);
                Ok(Imported::Present)
            }
            Ok(()) => {
                self.note_added(target);
                Ok(Imported::Added)
            }
            Err(source) => Err(ImportError::Io { path: target.to_owned(), source }),
        });
        if filled.is_err() {
            let _ = rt::fs::remove_dir_all(&temporary);
        }
        filled
    }

    /// As [`import_patched`](Self::import_patched), into all of a snapshot's directories.
    ///
    /// # Errors
    /// As [`import_patched`](Self::import_patched); the directories after the first that fails are left as they are.
    pub fn import_into(
        &self,
        slots: &[Slot],
        files: &PackageFiles,
        store: &StoreDir,
        patch: Option<&Patch>,
        whole: bool,
    ) -> Result<Imported, ImportError> {
        let mut all = Imported::Present;
        for slot in slots {
            if self.import_into_slot(slot, files, store, patch, whole)? == Imported::Added {
                all = Imported::Added;
            }
        }
        Ok(all)
    }

    fn import_into_slot(
        &self,
        slot: &Slot,
        files: &PackageFiles,
        store: &StoreDir,
        patch: Option<&Patch>,
        whole: bool,
    ) -> Result<Imported, ImportError> {
        let Some(staged) = &slot.staged else {
            if !slot.is_known && rt::fs::exists(&slot.dir) {
                let gone = rt::fs::remove_dir_all(&slot.dir);
                gone.map_err(|source| ImportError::Io { path: slot.dir.clone(), source })?;
            }
            return self.import_patched(files, store, &slot.dir, patch, whole);
        };
        if slot.is_known && rt::fs::exists(&slot.dir) && self.is_trusted(files, &slot.dir, patch) {
            return Ok(Imported::Present);
        }
        // Nobody looks there until it is moved, so there is no need for another name.
        if let Err(error) = self.fill_patched(files, store, staged, patch, whole) {
            let _ = rt::fs::remove_dir_all(staged);
            return Err(error);
        }
        self.note_added(&slot.dir);
        Ok(Imported::Added)
    }

    /// Whether a directory that is there and was complete once is still so.
    fn is_trusted(&self, files: &PackageFiles, dir: &Path, patch: Option<&Patch>) -> bool {
        !self.replaces && (!self.distrusts || (patch.is_none() && is_whole(files, dir)))
    }

    /// Fills a directory that nobody else knows, and patches it.
    pub(super) fn fill_patched(
        &self,
        files: &PackageFiles,
        store: &StoreDir,
        dir: &Path,
        patch: Option<&Patch>,
        whole: bool,
    ) -> Result<(), ImportError> {
        self.fill(files, store, dir, whole)?;
        Ok(patch.map_or(Ok(()), |patch| patch.apply(dir))?)
    }

    fn fill(&self, files: &PackageFiles, store: &StoreDir, dir: &Path, whole: bool) -> Result<(), ImportError> {
        let io = |path: PathBuf| |source: io::Error| ImportError::Io { path, source };
        let to = rt::fs::create_dir_all(dir).and_then(|()| Dir::open(dir)).map_err(io(dir.to_owned()))?;
        let missing = |file: &StoredFile| ImportError::MissingStoreFile { path: store.file_path(file) };
        let Some(first) = files.values().next() else { return Ok(()) };
        let from = self.files_dir(store).map_err(|_| missing(first))?;
        let mut created = BTreeSet::new();
        for (path, file) in files {
            if let Some((parent, _)) = path.rsplit_once('/')
                && created.insert(parent)
            {
                to.create_dir_all(parent).map_err(io(dir.join(parent)))?;
            }
            let name = file.name();
            if !whole && !file.is_whole(from.size(&name)) {
                return Err(missing(file));
            }
            self.place((from, &name), (&to, path))?;
        }
        Ok(())
    }

    fn files_dir(&self, store: &StoreDir) -> io::Result<&Dir> {
        if let Some(dir) = self.files_dir.get() {
            return Ok(dir);
        }
        let dir = Dir::open(&store.files_dir())?;
        Ok(self.files_dir.get_or_init(|| dir))
    }

    fn place(&self, (from, name): (&Dir, &str), (to, path): (&Dir, &str)) -> Result<(), ImportError> {
        let first = usize::from(self.method.load(Ordering::Relaxed));
        let mut last_error = None;
        for (index, method) in METHODS.iter().enumerate().skip(first) {
            match method(from, name, to, path) {
                Ok(()) => {
                    self.method.fetch_max(index as u8, Ordering::Relaxed);
                    return Ok(());
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound && from.size(name).is_err() => {
                    return Err(ImportError::MissingStoreFile { path: from.join(name) });
                }
                // Two entries that are one file on a disk that ignores case: the first one stays.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
                Err(error) => last_error = Some(error),
            }
        }
        let source = last_error.expect("there is at least one method");
        Err(ImportError::Io { path: to.join(path), source })
    }
}

/// Whether a directory has these files and no others, byte by byte; what lies in its node_modules does not count.
///
/// # Errors
/// When the disk refuses.
pub fn has_files(files: &PackageFiles, store: &StoreDir, dir: &Path) -> Result<bool, ImportError> {
    let same = |(path, file): (&String, &StoredFile)| {
        let there = rt::fs::read(&dir.join(path)).ok();
        there.is_some() && there == rt::fs::read(&store.file_path(file)).ok()
    };
    let there = files_of_directory(dir).map_err(|source| ImportError::Io { path: dir.to_owned(), source })?;
    Ok(there.len() == files.len() && files.iter().all(same))
}

/// Whether each of these files is in the directory, with its size.
pub(super) fn is_whole(files: &PackageFiles, dir: &Path) -> bool {
    files.iter().all(|(path, file)| rt::fs::size(&dir.join(path)).is_ok_and(|bytes| bytes == file.size))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::CasWriter;

    fn store_with(files: &[(&str, &str)]) -> (tempfile::TempDir, StoreDir, PackageFiles) {
        let dir = tempfile::tempdir().unwrap();
        let store = StoreDir::new(&dir.path().join("store"));
        store.create().unwrap();
        let writer = CasWriter::open(&store).unwrap();
        let stored = files.iter().map(|(path, text)| (path.to_string(), writer.write(text.as_bytes(), false).unwrap()));
        let stored = stored.collect();
        (dir, store, stored)
    }

    #[test]
    fn a_package_is_complete_and_a_second_import_leaves_it() {
        let (dir, store, files) = store_with(&[("package.json", "{}"), ("lib/deep/x.js", "x")]);
        let target = dir.path().join("node_modules/a");
        let importer = Importer::default();
        assert_eq!(importer.import(&files, &store, &target).unwrap(), Imported::Added);
        assert_eq!(std::fs::read_to_string(target.join("lib/deep/x.js")).unwrap(), "x");
        std::fs::write(target.join("mine"), "").unwrap();
        assert_eq!(importer.import(&files, &store, &target).unwrap(), Imported::Present);
        assert_eq!(importer.added(), 1);
        assert!(target.join("mine").exists());
        assert_eq!(rt::fs::read_dir(target.parent().unwrap()).unwrap(), ["a"]);
    }

    #[test]
    fn what_was_looked_at_is_not_looked_at_again() {
        let (dir, store, files) = store_with(&[("a", "1"), ("b", "2")]);
        let import = |name: &str| {
            Importer::default().import_patched(&files, &store, &dir.path().join("node_modules").join(name), None, true)
        };
        std::fs::write(store.file_path(&files["b"]), "").unwrap();
        assert_eq!(import("a").unwrap(), Imported::Added);
        std::fs::remove_file(store.file_path(&files["b"])).unwrap();
        assert!(matches!(import("b"), Err(ImportError::MissingStoreFile { .. })));
        assert!(!dir.path().join("node_modules/b").exists());
    }

    #[test]
    fn a_file_lost_from_the_store_or_cut_short_leaves_nothing_behind() {
        let (dir, store, files) = store_with(&[("a", "1"), ("b", "2")]);
        let target = dir.path().join("node_modules/a");
        for damage in [|path: &Path| std::fs::write(path, ""), |path: &Path| std::fs::remove_file(path)] {
            damage(&store.file_path(&files["b"])).unwrap();
            let error = Importer::default().import(&files, &store, &target).unwrap_err();
            assert!(matches!(error, ImportError::MissingStoreFile { .. }), "{error}");
            assert!(rt::fs::read_dir(target.parent().unwrap()).unwrap().is_empty());
        }
    }
}
