//! The disk that a simulated installer sees: files, directories and links in memory, and SQLite databases in memory.
//!
//! An [`Image`] is a disk at rest: it can be kept, cloned, and given to another thread's run.

use installer::rt::FileKind;
use installer::rt::simulated::Disk;
use rusqlite::backup::Backup;
use rusqlite::{Connection, MAIN_DB, OpenFlags};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::{Component, Path, PathBuf};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How many symbolic links one path may lead through.
const LINKS_MAX: u32 = 40;

type Ino = usize;

const ROOT: Ino = 0;

#[derive(Debug, Clone)]
enum Inode {
    Directory(BTreeMap<String, Ino>),
    File { bytes: Arc<Vec<u8>>, executable: bool },
    Symlink(PathBuf),
}

/// A disk at rest.
#[derive(Debug, Clone)]
pub struct Image {
    inodes: Vec<Inode>,
    /// How often it was taken into use.
    uses: u64,
    /// How often its machine was started.
    boots: u64,
    databases: BTreeMap<PathBuf, Vec<u8>>,
}

impl Default for Image {
    fn default() -> Self {
        Image { inodes: vec![Inode::Directory(BTreeMap::new())], uses: 0, boots: 1, databases: BTreeMap::new() }
    }
}

/// A disk in use by one run.
pub struct ModelDisk {
    inodes: RefCell<Vec<Inode>>,
    databases: RefCell<BTreeMap<PathBuf, Database>>,
    watch: RefCell<Option<Weak<dyn Watch>>>,
    /// The inodes from here on are not synced.
    synced: Cell<Ino>,
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
}

/// An in-memory database lives as long as a connection to it does.
struct Database {
    name: String,
    keep: Connection,
}

/// What is at a path, for oracles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A directory.
    Directory,
    /// A file's bytes.
    File(Arc<Vec<u8>>),
    /// Where a link leads.
    Symlink(PathBuf),
}

impl ModelDisk {
    /// A disk that begins as `image`.
    pub fn new(image: &Image) -> Self {
        let disk = ModelDisk {
            inodes: RefCell::new(image.inodes.clone()),
            databases: RefCell::default(),
            watch: RefCell::default(),
            synced: Cell::new(image.inodes.len()),
            uses: image.uses + 1,
            boots: image.boots,
        };
        for (path, bytes) in &image.databases {
            let mut database = Database::create();
            let mut source = Connection::open_in_memory().expect("SQLite opens a database in memory");
            source
                .deserialize_read_exact(MAIN_DB, bytes.as_slice(), bytes.len(), true)
                .and_then(|()| Backup::new(&source, &mut database.keep)?.step(-1))
                .expect("an image's database is whole");
            disk.databases.borrow_mut().insert(path.clone(), database);
        }
        disk
    }

    /// The disk as it is now, at rest.
    pub fn image(&self) -> Image {
        let serialize = |database: &mut Database| {
            database.keep.serialize(MAIN_DB).expect("a database in memory can be serialized").to_vec()
        };
        let mut databases = self.databases.borrow_mut();
        Image {
            inodes: self.inodes.borrow().clone(),
            uses: self.uses,
            boots: self.boots,
            databases: databases.iter_mut().map(|(path, database)| (path.clone(), serialize(database))).collect(),
        }
    }

    /// The disk as it is after the machine has lost power: of the files that were not synced, no byte is left. Names are
    /// kept, and so are committed rows, which is the worst that can happen to who trusts them.
    pub fn image_after_power_loss(&self) -> Image {
        let mut image = self.image();
        image.boots += 1;
        for inode in image.inodes.iter_mut().skip(self.synced.get()) {
            if let Inode::File { bytes, .. } = inode {
                *bytes = Arc::default();
            }
        }
        image
    }

    /// What a reader of this database sees, if there is one.
    pub fn query<T>(&self, path: &Path, query: impl FnOnce(&Connection) -> T) -> Option<T> {
        self.databases.borrow().get(path).map(|database| query(&database.keep))
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
        let mut tree = BTreeMap::new();
        let inodes = self.inodes.borrow();
        if let Ok(ino) = walk(&inodes, dir, true) {
            list(&inodes, ino, "", &mut tree);
        }
        tree
    }

    /// Creates a file and its directories; for setting a run up.
    pub fn put(&self, path: &Path, bytes: &[u8]) {
        self.create_dir_all(path.parent().expect("a file has a directory")).expect("a fresh disk takes directories");
        let _ = self.remove_file(path);
        self.write_new(path, bytes, false).expect("a fresh disk takes files");
    }

    fn insert(&self, path: &Path, inode: Inode) -> io::Result<()> {
        let mut inodes = self.inodes.borrow_mut();
        let (parent, name) = parent_of(&inodes, path)?;
        let ino = inodes.len();
        let entries = entries_mut(&mut inodes, parent)?;
        if entries.contains_key(&name) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        entries.insert(name, ino);
        inodes.push(inode);
        Ok(())
    }

    fn link_existing(&self, ino: Ino, path: &Path) -> io::Result<()> {
        let mut inodes = self.inodes.borrow_mut();
        let (parent, name) = parent_of(&inodes, path)?;
        let entries = entries_mut(&mut inodes, parent)?;
        if entries.contains_key(&name) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        entries.insert(name, ino);
        Ok(())
    }
}

impl Database {
    fn create() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        // Two runs of one process must not share a database; the name reaches no decision.
        let name = format!("file:/lockstep-{}?vfs=memdb", NEXT.fetch_add(1, Ordering::Relaxed));
        let keep = open(&name).expect("SQLite opens a database in memory");
        Database { name, keep }
    }
}

fn open(name: &str) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_URI;
    Connection::open_with_flags(name, flags)
}

fn list(inodes: &[Inode], ino: Ino, prefix: &str, tree: &mut BTreeMap<String, Entry>) {
    let Inode::Directory(entries) = &inodes[ino] else { return };
    for (name, ino) in entries {
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}/{name}") };
        let entry = match &inodes[*ino] {
            Inode::Directory(_) => Entry::Directory,
            Inode::File { bytes, .. } => Entry::File(bytes.clone()),
            Inode::Symlink(target) => Entry::Symlink(target.clone()),
        };
        tree.insert(path.clone(), entry);
        list(inodes, *ino, &path, tree);
    }
}

/// The inode at `path`; `follow` says whether a link at its very end is followed too.
fn walk(inodes: &[Inode], path: &Path, follow: bool) -> io::Result<Ino> {
    let mut links_left = LINKS_MAX;
    walk_from(inodes, vec![ROOT], path, follow, &mut links_left).map(|way| *way.last().expect("the root stays"))
}

fn walk_from(
    inodes: &[Inode],
    mut way: Vec<Ino>,
    path: &Path,
    follow: bool,
    links_left: &mut u32,
) -> io::Result<Vec<Ino>> {
    let mut components = path.components().peekable();
    while let Some(component) = components.next() {
        let name = match component {
            Component::RootDir | Component::Prefix(_) => {
                way.truncate(1);
                continue;
            }
            Component::CurDir => continue,
            Component::ParentDir => {
                if way.len() > 1 {
                    way.pop();
                }
                continue;
            }
            Component::Normal(name) => name.to_string_lossy(),
        };
        let here = *way.last().expect("the root stays");
        let Inode::Directory(entries) = &inodes[here] else { return Err(ErrorKind::NotADirectory.into()) };
        let ino = *entries.get(name.as_ref()).ok_or(ErrorKind::NotFound)?;
        match &inodes[ino] {
            Inode::Symlink(target) if follow || components.peek().is_some() => {
                *links_left = links_left.checked_sub(1).ok_or_else(|| io::Error::other("too many links"))?;
                way = walk_from(inodes, way, target, true, links_left)?;
            }
            _ => way.push(ino),
        }
    }
    Ok(way)
}

fn parent_of(inodes: &[Inode], path: &Path) -> io::Result<(Ino, String)> {
    let name = path.file_name().ok_or(ErrorKind::InvalidInput)?.to_string_lossy().into_owned();
    let parent = path.parent().unwrap_or(Path::new("/"));
    Ok((walk(inodes, parent, true)?, name))
}

fn entries_mut(inodes: &mut [Inode], ino: Ino) -> io::Result<&mut BTreeMap<String, Ino>> {
    match &mut inodes[ino] {
        Inode::Directory(entries) => Ok(entries),
        Inode::File { .. } | Inode::Symlink(_) => Err(ErrorKind::NotADirectory.into()),
    }
}

impl Disk for ModelDisk {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let inodes = self.inodes.borrow();
        match &inodes[walk(&inodes, path, true)?] {
            Inode::File { bytes, .. } => Ok(bytes.to_vec()),
            Inode::Directory(_) | Inode::Symlink(_) => Err(ErrorKind::IsADirectory.into()),
        }
    }

    fn write_new(&self, path: &Path, bytes: &[u8], executable: bool) -> io::Result<()> {
        let changed = self.before_change(bytes.len());
        if changed.as_ref().is_err_and(|error| error.kind() == ErrorKind::StorageFull) {
            // The name fits where the bytes do not.
            self.insert(path, Inode::File { bytes: Arc::default(), executable })?;
        }
        changed?;
        self.insert(path, Inode::File { bytes: Arc::new(bytes.to_vec()), executable })
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        let mut so_far = PathBuf::new();
        for component in path.components() {
            so_far.push(component);
            match self.kind_following(&so_far) {
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
        let mut inodes = self.inodes.borrow_mut();
        let (from_dir, from_name) = parent_of(&inodes, from)?;
        let (to_dir, to_name) = parent_of(&inodes, to)?;
        let moved = *entries_mut(&mut inodes, from_dir)?.get(&from_name).ok_or(ErrorKind::NotFound)?;
        let replaced = entries_mut(&mut inodes, to_dir)?.get(&to_name).copied();
        let moves_directory = matches!(inodes[moved], Inode::Directory(_));
        match replaced.map(|ino| &inodes[ino]) {
            None => {}
            Some(Inode::Directory(entries)) if moves_directory && entries.is_empty() => {}
            Some(Inode::Directory(_)) if moves_directory => return Err(ErrorKind::DirectoryNotEmpty.into()),
            Some(Inode::Directory(_)) => return Err(ErrorKind::IsADirectory.into()),
            Some(_) if moves_directory => return Err(ErrorKind::NotADirectory.into()),
            Some(_) => {}
        }
        entries_mut(&mut inodes, from_dir)?.remove(&from_name);
        entries_mut(&mut inodes, to_dir)?.insert(to_name, moved);
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.before_change(0)?;
        let mut inodes = self.inodes.borrow_mut();
        let (parent, name) = parent_of(&inodes, path)?;
        let ino = *entries_mut(&mut inodes, parent)?.get(&name).ok_or(ErrorKind::NotFound)?;
        if matches!(inodes[ino], Inode::Directory(_)) {
            return Err(ErrorKind::IsADirectory.into());
        }
        entries_mut(&mut inodes, parent)?.remove(&name);
        Ok(())
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        self.before_change(0)?;
        let mut inodes = self.inodes.borrow_mut();
        let (parent, name) = parent_of(&inodes, path)?;
        entries_mut(&mut inodes, parent)?.remove(&name).map(drop).ok_or_else(|| ErrorKind::NotFound.into())
    }

    fn reflink(&self, _from: &Path, _to: &Path) -> io::Result<()> {
        Err(ErrorKind::Unsupported.into())
    }

    fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.before_change(0)?;
        let ino = walk(&self.inodes.borrow(), from, false)?;
        self.link_existing(ino, to)
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
        let inodes = self.inodes.borrow();
        match &inodes[walk(&inodes, path, false)?] {
            Inode::Symlink(target) => Ok(target.clone()),
            Inode::Directory(_) | Inode::File { .. } => Err(ErrorKind::InvalidInput.into()),
        }
    }

    fn kind(&self, path: &Path) -> io::Result<FileKind> {
        let inodes = self.inodes.borrow();
        Ok(kind_of(&inodes[walk(&inodes, path, false)?]))
    }

    fn exists(&self, path: &Path) -> bool {
        walk(&self.inodes.borrow(), path, true).is_ok()
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<String>> {
        let inodes = self.inodes.borrow();
        match &inodes[walk(&inodes, path, true)?] {
            Inode::Directory(entries) => Ok(entries.keys().cloned().collect()),
            Inode::File { .. } | Inode::Symlink(_) => Err(ErrorKind::NotADirectory.into()),
        }
    }

    fn set_executable(&self, path: &Path) -> io::Result<()> {
        let mut inodes = self.inodes.borrow_mut();
        let ino = walk(&inodes, path, true)?;
        if let Inode::File { executable, .. } = &mut inodes[ino] {
            *executable = true;
        }
        Ok(())
    }

    fn database(&self, path: &Path, writable: bool) -> rusqlite::Result<Connection> {
        if writable {
            self.watch().map_or(Ok(()), |watch| watch.before_database_opens())?;
        }
        if writable && !self.exists(path) {
            let _ = self.write_new(path, b"SQLite format 3", false);
        }
        let mut databases = self.databases.borrow_mut();
        let database = databases.entry(path.to_owned()).or_insert_with(Database::create);
        open(&database.name)
    }
}

impl ModelDisk {
    fn kind_following(&self, path: &Path) -> io::Result<FileKind> {
        let inodes = self.inodes.borrow();
        Ok(kind_of(&inodes[walk(&inodes, path, true)?]))
    }
}

fn kind_of(inode: &Inode) -> FileKind {
    match inode {
        Inode::Directory(_) => FileKind::Directory,
        Inode::File { .. } => FileKind::File,
        Inode::Symlink(_) => FileKind::Symlink,
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
