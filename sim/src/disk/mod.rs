//! The disk that a simulated installer sees: files, directories and links in memory, and SQLite databases in memory.
//!
//! An [`Image`] is a disk at rest: it can be kept, cloned, and given to another thread's run.

mod database;
mod image;
mod inodes;
mod locks;

pub use self::image::Image;
pub use self::inodes::Entry;

use self::database::Database;
use self::inodes::{Ino, Inode, Inodes};
use self::locks::LockTable;
use installer::rt::FileKind;
use installer::rt::simulated::{Disk, Locks};
use rusqlite::Connection;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::rc::{Rc, Weak};
use std::sync::Arc;

/// A disk in use by one run.
pub struct ModelDisk {
    inodes: RefCell<Inodes>,
    databases: RefCell<BTreeMap<PathBuf, Database>>,
    locks: LockTable,
    watch: RefCell<Option<Weak<dyn Watch>>>,
    /// The inodes from here on are not synced.
    synced: Ino,
    uses: u64,
    boots: u64,
}

/// Whoever is asked before a disk changes.
pub trait Watch {
    /// So many bytes are about to be written; none where names change only.
    ///
    /// # Errors
    /// What the disk says instead of doing it.
    fn before_change(&self, bytes: u64) -> io::Result<()>;

    /// The database is about to be opened for writing.
    ///
    /// # Errors
    /// What SQLite says instead of doing it.
    fn before_database_opens(&self) -> rusqlite::Result<()>;

    /// Something is about to be opened for locking.
    ///
    /// # Errors
    /// What the disk says instead of doing it.
    fn before_locking(&self) -> io::Result<()>;
}

impl ModelDisk {
    /// What a reader of this database sees, if there is one.
    pub fn query<T>(&self, path: &Path, query: impl FnOnce(&Connection) -> T) -> Option<T> {
        self.databases.borrow().get(path).map(|database| query(database.reader()))
    }

    /// How often this disk was taken into use, this time included.
    pub fn uses(&self) -> u64 {
        self.uses
    }

    /// How often this disk's machine was started.
    pub fn boots(&self) -> u64 {
        self.boots
    }

    /// From now on, `watch` is asked before each change.
    pub fn watched_by(&self, watch: Weak<dyn Watch>) {
        self.watch.replace(Some(watch));
    }

    fn watch(&self) -> Option<Rc<dyn Watch>> {
        self.watch.borrow().as_ref().and_then(Weak::upgrade)
    }

    fn before_change(&self, bytes: usize) -> io::Result<()> {
        self.watch().map_or(Ok(()), |watch| watch.before_change(bytes as u64))
    }

    /// Everything below `dir`, by its path relative to `dir`.
    pub fn tree(&self, dir: &Path) -> BTreeMap<String, Entry> {
        self.inodes.borrow().below(dir)
    }

    /// A file's bytes, not copied.
    ///
    /// # Errors
    /// When there is no file.
    pub fn file(&self, path: &Path) -> io::Result<Arc<Vec<u8>>> {
        match self.inodes.borrow().at(path)? {
            Inode::File { bytes, .. } => Ok(bytes.clone()),
            Inode::Directory(_) | Inode::Symlink(_) => Err(ErrorKind::IsADirectory.into()),
        }
    }

    /// Creates a file and its directories; for setting a run up.
    pub fn put(&self, path: &Path, bytes: &[u8]) {
        self.create_dir_all(path.parent().expect("a file has a directory")).expect("a fresh disk takes directories");
        let _ = self.remove_file(path);
        self.write_new(path, bytes, false).expect("a fresh disk takes files");
    }

    fn insert(&self, path: &Path, inode: Inode) -> io::Result<()> {
        self.inodes.borrow_mut().insert(path, inode)
    }
}

impl Disk for ModelDisk {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.file(path).map(|bytes| bytes.to_vec())
    }

    fn write_new(&self, path: &Path, bytes: &[u8], executable: bool) -> io::Result<()> {
        // The name comes before the bytes, fits where they do not, and stays when nothing follows.
        self.before_change(0)?;
        self.insert(path, Inode::File { bytes: Arc::default(), executable })?;
        if !bytes.is_empty() {
            self.before_change(bytes.len())?;
            if let Inode::File { bytes: there, .. } = self.inodes.borrow_mut().at_mut(path)? {
                *there = Arc::new(bytes.to_vec());
            }
        }
        Ok(())
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        if matches!(self.inodes.borrow().at(path), Ok(Inode::Directory(_))) {
            return Ok(());
        }
        let mut so_far = PathBuf::new();
        for component in path.components() {
            so_far.push(component);
            let there = self.inodes.borrow().at(&so_far).map(Inode::kind);
            match there {
                Ok(FileKind::Directory) => {}
                Ok(_) => return Err(ErrorKind::AlreadyExists.into()),
                Err(_) => {
                    self.before_change(0)?;
                    self.insert(&so_far, Inode::Directory(BTreeMap::new()))?;
                }
            }
        }
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.before_change(0)?;
        self.inodes.borrow_mut().rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.before_change(0)?;
        self.inodes.borrow_mut().remove_file(path)
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        self.before_change(0)?;
        self.inodes.borrow_mut().remove(path)
    }

    fn reflink(&self, _from: &Path, _to: &Path) -> io::Result<()> {
        Err(ErrorKind::Unsupported.into())
    }

    fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.before_change(0)?;
        self.inodes.borrow_mut().hard_link(from, to)
    }

    fn copy(&self, from: &Path, to: &Path) -> io::Result<()> {
        let bytes = self.read(from)?;
        self.write_new(to, &bytes, false)
    }

    fn symlink(&self, target: &Path, link: &Path) -> io::Result<()> {
        self.before_change(0)?;
        self.insert(link, Inode::Symlink(target.to_owned()))
    }

    fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        match self.inodes.borrow().named(path)? {
            Inode::Symlink(target) => Ok(target.clone()),
            Inode::Directory(_) | Inode::File { .. } => Err(ErrorKind::InvalidInput.into()),
        }
    }

    fn kind(&self, path: &Path) -> io::Result<FileKind> {
        Ok(self.inodes.borrow().named(path)?.kind())
    }

    fn exists(&self, path: &Path) -> bool {
        self.inodes.borrow().at(path).is_ok()
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<String>> {
        match self.inodes.borrow().at(path)? {
            Inode::Directory(entries) => Ok(entries.keys().cloned().collect()),
            Inode::File { .. } | Inode::Symlink(_) => Err(ErrorKind::NotADirectory.into()),
        }
    }

    fn set_executable(&self, path: &Path) -> io::Result<()> {
        if let Inode::File { executable, .. } = self.inodes.borrow_mut().at_mut(path)? {
            *executable = true;
        }
        Ok(())
    }

    fn locks(&self, path: &Path) -> io::Result<Box<dyn Locks>> {
        self.watch().map_or(Ok(()), |watch| watch.before_locking())?;
        Ok(self.locks.holder(self.inodes.borrow().number(path)?))
    }

    fn database(&self, path: &Path, writable: bool) -> rusqlite::Result<Connection> {
        if writable {
            self.watch().map_or(Ok(()), |watch| watch.before_database_opens())?;
        }
        if writable && !self.exists(path) {
            let _ = self.write_new(path, b"SQLite format 3", false);
        }
        let mut databases = self.databases.borrow_mut();
        let database = databases.entry(path.to_owned()).or_default();
        database.open()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk() -> ModelDisk {
        let disk = ModelDisk::new(&Image::default());
        disk.create_dir_all(Path::new("/a/b")).unwrap();
        disk.write_new(Path::new("/a/b/f"), b"1", false).unwrap();
        disk
    }

    #[test]
    fn links_are_followed_on_the_way_and_not_at_the_end() {
        let disk = disk();
        disk.symlink(Path::new("../a/b"), Path::new("/a/link")).unwrap();
        assert_eq!(disk.read(Path::new("/a/link/f")).unwrap(), b"1");
        assert_eq!(disk.kind(Path::new("/a/link")).unwrap(), FileKind::Symlink);
        assert!(disk.exists(Path::new("/a/link")));
        disk.symlink(Path::new("nowhere"), Path::new("/a/broken")).unwrap();
        assert!(!disk.exists(Path::new("/a/broken")));
    }

    #[test]
    fn renames_as_a_real_disk_does() {
        let disk = disk();
        disk.create_dir_all(Path::new("/a/c")).unwrap();
        disk.write_new(Path::new("/a/c/g"), b"2", false).unwrap();
        let full = disk.rename(Path::new("/a/b"), Path::new("/a/c")).unwrap_err();
        assert_eq!(full.kind(), ErrorKind::DirectoryNotEmpty);
        disk.rename(Path::new("/a/b/f"), Path::new("/a/c/g")).unwrap();
        assert_eq!(disk.read(Path::new("/a/c/g")).unwrap(), b"1");
        disk.rename(Path::new("/a/c"), Path::new("/a/d")).unwrap();
        assert!(disk.exists(Path::new("/a/d/g")) && !disk.exists(Path::new("/a/c")));
    }

    #[test]
    fn an_image_carries_files_and_databases() {
        let disk = disk();
        let path = Path::new("/a/index.db");
        let writer = disk.database(path, true).unwrap();
        writer.execute_batch("CREATE TABLE t (x); INSERT INTO t VALUES (7);").unwrap();
        let copy = ModelDisk::new(&disk.image());
        writer.execute_batch("INSERT INTO t VALUES (8);").unwrap();
        let sum = |disk: &ModelDisk| {
            let reader = disk.database(path, false).unwrap();
            reader.query_row("SELECT sum(x) FROM t", [], |row| row.get::<_, i64>(0)).unwrap()
        };
        assert_eq!((sum(&disk), sum(&copy)), (15, 7));
        assert_eq!(copy.read(Path::new("/a/b/f")).unwrap(), b"1");
    }
}
