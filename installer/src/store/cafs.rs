//! The files of the store: named by the BLAKE3 hash of their bytes, written once, never changed.
//!
//! Layout: `files/ab/cdef…` with the suffix `-exec` for executables, so that a hard link carries the right mode.
//! [`CasWriter`](super::CasWriter) puts them there.

use crate::rt::{self, Dir, FileKind};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long no install takes: a temporary file that is older belongs to none.
const TEMPORARY_AGE_MAX: Duration = Duration::from_hours(24);

/// A package's files: path inside the package (`/`-separated, relative) → where its bytes are.
pub type PackageFiles = BTreeMap<String, StoredFile>;

/// What a file's bytes hash to, by BLAKE3.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Digest([u8; 32]);

impl Digest {
    /// As 64 hexadecimal digits.
    fn hex(self) -> impl Deref<Target = str> {
        blake3::Hash::from_bytes(self.0).to_hex()
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.hex())
    }
}

/// One file's bytes in the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredFile {
    /// What the bytes hash to.
    pub digest: Digest,
    /// Whether any execute bit is set.
    pub executable: bool,
    /// Size in bytes.
    pub size: u64,
}

impl StoredFile {
    /// Where its bytes are, below [`StoreDir::files_dir`].
    pub fn name(&self) -> String {
        let hex = self.digest.hex();
        let (shard, rest) = hex.split_at(2);
        let suffix = if self.executable { "-exec" } else { "" };
        [shard, "/", rest, suffix].concat()
    }

    /// Whether what was found under its name has its size: a file that is gone or was cut short has not.
    pub fn is_whole(&self, found: io::Result<u64>) -> bool {
        found.is_ok_and(|bytes| bytes == self.size)
    }
}

/// What a file with these bytes is named by. Only this program reads it; what a registry promises is checked before, over the
/// whole tarball, with the algorithm that the registry chose.
pub fn digest(bytes: &[u8]) -> Digest {
    Digest(*blake3::hash(bytes).as_bytes())
}

/// A store's directory. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreDir {
    root: PathBuf,
    owner: rt::Owner,
}

impl StoreDir {
    /// The layout's version: a store of another layout lives beside it and is never touched.
    pub const VERSION: &str = "v3";

    /// The store below `dir`, which need not exist yet.
    pub fn new(dir: &Path) -> Self {
        let root = dir.join(Self::VERSION);
        StoreDir { owner: rt::Owner::of(&root), root }
    }

    /// Where the store lives, the layout's version included.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Lets this thread write to the store as the user to whom it belongs, should root be at work: what root owns there is closed
    /// to that user. Everything that writes to a store does so under it.
    pub fn act_as_owner(&self) -> rt::Acting {
        self.owner.act()
    }

    /// Where the index database lives.
    pub fn index_path(&self) -> PathBuf {
        self.root.join("index.db")
    }

    /// Where downloads are locked among processes, one of several files; see [`DownloadLocks`](super::DownloadLocks).
    pub fn locks_path(&self, number: usize) -> PathBuf {
        self.root.join(format!("locks-{number}"))
    }

    /// Where packages are that all projects share, each with its dependencies beside it; `virtual_store::shared` knows how.
    pub fn links_dir(&self) -> PathBuf {
        Self::links_dir_in(&self.root)
    }

    /// The same, in a store whose root is called so.
    pub fn links_dir_in(root: &Path) -> PathBuf {
        root.join("links")
    }

    /// Where the projects are named that have links to there.
    pub fn projects_dir(&self) -> PathBuf {
        self.root.join("projects")
    }

    /// Where cached packuments live.
    pub fn packuments_dir(&self) -> PathBuf {
        self.root.join("packuments")
    }

    /// Where all files' bytes are, two levels deep.
    pub fn files_dir(&self) -> PathBuf {
        self.root.join("files")
    }

    /// Where this file's bytes are.
    pub fn file_path(&self, file: &StoredFile) -> PathBuf {
        self.files_dir().join(file.name())
    }

    /// Creates the store's directories.
    ///
    /// # Errors
    /// When the disk refuses: read-only, full, or not ours.
    pub fn create(&self) -> io::Result<()> {
        let _owner = self.act_as_owner();
        rt::fs::create_dir_all(&self.files_dir())?;
        rt::fs::create_dir_all(&self.tmp_dir())?;
        self.sweep_tmp_dir();
        Ok(())
    }

    /// Removes what installs left that were killed. What is younger may belong to one that runs.
    fn sweep_tmp_dir(&self) {
        for name in rt::fs::read_dir(&self.tmp_dir()).unwrap_or_default() {
            let path = self.tmp_dir().join(name);
            if rt::fs::age(&path).is_ok_and(|age| age > TEMPORARY_AGE_MAX) {
                // A hint: another install may have been faster.
                let _ = match rt::fs::kind(&path) {
                    Ok(FileKind::Directory) => rt::fs::remove_dir_all(&path),
                    _ => rt::fs::remove_file(&path),
                };
            }
        }
    }

    /// Where files are written before they are renamed into place.
    pub fn tmp_dir(&self) -> PathBuf {
        self.root.join("tmp")
    }

    /// Whether all of a package's files are there with the sizes that they should have: files that were deleted or cut short
    /// behind our back are not.
    pub fn has_all(&self, files: &PackageFiles) -> bool {
        let there = Dir::open(&self.files_dir());
        there.is_ok_and(|there| files.values().all(|file| file.is_whole(there.size(&file.name()))))
    }
}
