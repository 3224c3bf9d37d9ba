//! Files, directories and links as inodes: paths are followed, linked and renamed as on a real disk.

use installer::rt::FileKind;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How many symbolic links one path may lead through.
const LINKS_MAX: u32 = 40;

/// The number of an inode: the later it was made, the higher.
pub(super) type Ino = usize;

const ROOT: Ino = 0;

/// What a name leads to.
#[derive(Debug, Clone)]
pub(super) enum Inode {
    Directory(BTreeMap<String, Ino>),
    File { bytes: Arc<Vec<u8>>, executable: bool },
    Symlink(PathBuf),
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

impl Inode {
    pub(super) fn kind(&self) -> FileKind {
        match self {
            Inode::Directory(_) => FileKind::Directory,
            Inode::File { .. } => FileKind::File,
            Inode::Symlink(_) => FileKind::Symlink,
        }
    }
}

/// All inodes. None is ever given up: an inode that no name leads to costs a few bytes until the run ends.
#[derive(Debug, Clone)]
pub(super) struct Inodes(Vec<Inode>);

impl Default for Inodes {
    fn default() -> Self {
        Inodes(vec![Inode::Directory(BTreeMap::new())])
    }
}

impl Inodes {
    /// The number that the next inode gets.
    pub(super) fn next(&self) -> Ino {
        self.0.len()
    }

    /// Of the files from `first` on, no byte is left.
    pub(super) fn empty_files_from(&mut self, first: Ino) {
        for inode in self.0.iter_mut().skip(first) {
            if let Inode::File { bytes, .. } = inode {
                *bytes = Arc::default();
            }
        }
    }

    /// What is at `path`; a link at its very end is followed.
    pub(super) fn at(&self, path: &Path) -> io::Result<&Inode> {
        Ok(&self.0[self.walk(path, true)?])
    }

    /// What is at `path`; a link at its very end is not followed.
    pub(super) fn named(&self, path: &Path) -> io::Result<&Inode> {
        Ok(&self.0[self.walk(path, false)?])
    }

    /// The number of what is at `path`.
    pub(super) fn number(&self, path: &Path) -> io::Result<Ino> {
        self.walk(path, true)
    }

    pub(super) fn at_mut(&mut self, path: &Path) -> io::Result<&mut Inode> {
        let ino = self.walk(path, true)?;
        Ok(&mut self.0[ino])
    }

    /// Puts something new at `path`.
    pub(super) fn insert(&mut self, path: &Path, inode: Inode) -> io::Result<()> {
        self.link(self.next(), path)?;
        self.0.push(inode);
        Ok(())
    }

    /// Gives what is at `from` a second name.
    pub(super) fn hard_link(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        self.link(self.walk(from, false)?, to)
    }

    fn link(&mut self, ino: Ino, path: &Path) -> io::Result<()> {
        let (parent, name) = self.parent_of(path)?;
        let entries = self.entries_mut(parent)?;
        if entries.contains_key(&name) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        entries.insert(name, ino);
        Ok(())
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let (from_dir, from_name) = self.parent_of(from)?;
        let (to_dir, to_name) = self.parent_of(to)?;
        let moved = *self.entries_mut(from_dir)?.get(&from_name).ok_or(ErrorKind::NotFound)?;
        let replaced = self.entries_mut(to_dir)?.get(&to_name).copied();
        let moves_directory = matches!(self.0[moved], Inode::Directory(_));
        match replaced.map(|ino| &self.0[ino]) {
            None => {}
            Some(Inode::Directory(entries)) if moves_directory && entries.is_empty() => {}
            Some(Inode::Directory(_)) if moves_directory => return Err(ErrorKind::DirectoryNotEmpty.into()),
            Some(Inode::Directory(_)) => return Err(ErrorKind::IsADirectory.into()),
            Some(_) if moves_directory => return Err(ErrorKind::NotADirectory.into()),
            Some(_) => {}
        }
        self.entries_mut(from_dir)?.remove(&from_name);
        self.entries_mut(to_dir)?.insert(to_name, moved);
        Ok(())
    }

    pub(super) fn remove_file(&mut self, path: &Path) -> io::Result<()> {
        if matches!(self.named(path)?, Inode::Directory(_)) {
            return Err(ErrorKind::IsADirectory.into());
        }
        self.remove(path)
    }

    /// Takes a name away, and with it all below it.
    pub(super) fn remove(&mut self, path: &Path) -> io::Result<()> {
        let (parent, name) = self.parent_of(path)?;
        self.entries_mut(parent)?.remove(&name).map(drop).ok_or_else(|| ErrorKind::NotFound.into())
    }

    /// Everything below `dir`, by its path relative to `dir`.
    pub(super) fn below(&self, dir: &Path) -> BTreeMap<String, Entry> {
        let mut tree = BTreeMap::new();
        if let Ok(ino) = self.walk(dir, true) {
            self.list(ino, "", &mut tree);
        }
        tree
    }

    fn list(&self, ino: Ino, prefix: &str, tree: &mut BTreeMap<String, Entry>) {
        let Inode::Directory(entries) = &self.0[ino] else { return };
        for (name, ino) in entries {
            let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}/{name}") };
            let entry = match &self.0[*ino] {
                Inode::Directory(_) => Entry::Directory,
                Inode::File { bytes, .. } => Entry::File(bytes.clone()),
                Inode::Symlink(target) => Entry::Symlink(target.clone()),
            };
            tree.insert(path.clone(), entry);
            self.list(*ino, &path, tree);
        }
    }

    /// The inode at `path`; `follow` says whether a link at its very end is followed too.
    fn walk(&self, path: &Path, follow: bool) -> io::Result<Ino> {
        let mut links_left = LINKS_MAX;
        let way = self.walk_from(from_the_root(), &text(path), follow, &mut links_left)?;
        Ok(*way.last().expect("the root stays"))
    }

    fn walk_from(&self, mut way: Vec<Ino>, path: &str, follow: bool, links_left: &mut u32) -> io::Result<Vec<Ino>> {
        if path.starts_with('/') {
            way.truncate(1);
        }
        let mut names = names(path).peekable();
        while let Some(name) = names.next() {
            if name == ".." {
                if way.len() > 1 {
                    way.pop();
                }
                continue;
            }
            let here = *way.last().expect("the root stays");
            let Inode::Directory(entries) = &self.0[here] else { return Err(ErrorKind::NotADirectory.into()) };
            let ino = *entries.get(name).ok_or(ErrorKind::NotFound)?;
            match &self.0[ino] {
                Inode::Symlink(target) if follow || names.peek().is_some() => {
                    *links_left = links_left.checked_sub(1).ok_or_else(|| io::Error::other("too many links"))?;
                    way = self.walk_from(way, &text(target), true, links_left)?;
                }
                _ => way.push(ino),
            }
        }
        Ok(way)
    }

    fn parent_of(&self, path: &Path) -> io::Result<(Ino, String)> {
        let path = text(path);
        let (parent, name) = path.trim_end_matches('/').rsplit_once('/').ok_or(ErrorKind::InvalidInput)?;
        if matches!(name, "" | "." | "..") {
            return Err(ErrorKind::InvalidInput.into());
        }
        let way = self.walk_from(from_the_root(), parent, true, &mut { LINKS_MAX })?;
        Ok((*way.last().expect("the root stays"), name.to_owned()))
    }

    fn entries_mut(&mut self, ino: Ino) -> io::Result<&mut BTreeMap<String, Ino>> {
        match &mut self.0[ino] {
            Inode::Directory(entries) => Ok(entries),
            Inode::File { .. } | Inode::Symlink(_) => Err(ErrorKind::NotADirectory.into()),
        }
    }
}

/// A way that has not gone anywhere yet. Most ways stay that short.
fn from_the_root() -> Vec<Ino> {
    let mut way = Vec::with_capacity(12);
    way.push(ROOT);
    way
}

/// A path as text.
fn text(path: &Path) -> Cow<'_, str> {
    path.to_str().map_or_else(|| path.to_string_lossy(), Cow::Borrowed)
}

/// The names that a path leads through; the model's paths are absolute, or relative to the directory of a link.
fn names(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|name| !matches!(*name, "" | "."))
}
