//! An install's node_modules made once more with nothing but the system calls that this takes, by the handles of directories: what
//! whoever makes these files cannot do without.

use super::costs::shared;
use super::limits::Work;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, openat};
use nix::sys::stat::{Mode, fstatat, mkdirat};
use nix::unistd::{linkat, symlinkat};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// What is in one directory.
#[derive(Debug, Default)]
pub(super) struct Tree {
    files: Vec<String>,
    /// Name → what the link says.
    links: Vec<(String, PathBuf)>,
    directories: Vec<(String, Tree)>,
}

impl Tree {
    /// Reads a directory and all below it, and counts what is there.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn read(dir: &Path, work: &mut Work) -> io::Result<Tree> {
        let mut tree = Tree::default();
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            let (name, kind) = (entry.file_name().to_string_lossy().into_owned(), entry.file_type()?);
            if kind.is_dir() {
                work.directories += 1;
                tree.directories.push((name, Tree::read(&entry.path(), work)?));
            } else if kind.is_symlink() {
                work.symlinks += 1;
                tree.links.push((name, fs::read_link(entry.path())?));
            } else {
                let metadata = entry.metadata()?;
                work.files += 1;
                work.bytes += metadata.len();
                work.sizes.insert(metadata.ino(), metadata.len());
                tree.files.push(name);
            }
        }
        Ok(tree)
    }

    /// Makes this tree, which is in `from`, again in `to`, which is empty: its files get another name. Says how long that
    /// takes, [`shared`], in milliseconds.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn link(&self, from: &Path, to: &Path) -> io::Result<f64> {
        self.visit_all(from, Some(to))
    }

    /// Asks for the size of each file of this tree, which is in `dir`. Says how long that takes, [`shared`], in milliseconds.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn look(&self, dir: &Path) -> io::Result<f64> {
        self.visit_all(dir, None)
    }

    fn visit_all(&self, from: &Path, to: Option<&Path>) -> io::Result<f64> {
        let (from, to) = (open(AT_FDCWD, from)?, to.map(|to| open(AT_FDCWD, to)).transpose()?);
        shared(|| self.visit_entries(&from, to.as_ref()))
    }

    /// Visits this directory, which is called so in `from`.
    fn visit(&self, name: &str, from: &OwnedFd, to: Option<&OwnedFd>) -> io::Result<()> {
        let make = |to: &OwnedFd| {
            mkdirat(to, name, Mode::from_bits_truncate(0o777))?;
            open(to, Path::new(name))
        };
        let (from, to) = (open(from, Path::new(name))?, to.map(make).transpose()?);
        self.visit_entries(&from, to.as_ref())
    }

    fn visit_entries(&self, from: &OwnedFd, to: Option<&OwnedFd>) -> io::Result<()> {
        for name in &self.files {
            match to {
                Some(to) => linkat(from, &**name, to, &**name, AtFlags::empty())?,
                None => drop(fstatat(from, &**name, AtFlags::empty())?),
            }
        }
        if let Some(to) = to {
            self.links.iter().try_for_each(|(name, target)| symlinkat(target, to, &**name))?;
        }
        self.directories.iter().try_for_each(|(name, tree)| tree.visit(name, from, to))
    }
}

/// New files in a few directories.
pub(super) struct Files {
    directories: Vec<OwnedFd>,
}

/// How many directories new files are spread over, as a store spreads its own.
const DIRECTORIES: usize = 64;

impl Files {
    /// None yet, in directories below `dir`.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn new(dir: &Path) -> io::Result<Files> {
        let directory = |n: usize| {
            let dir = dir.join(n.to_string());
            fs::create_dir(&dir)?;
            open(AT_FDCWD, &dir)
        };
        Ok(Files { directories: (0..DIRECTORIES).map(directory).collect::<io::Result<_>>()? })
    }

    /// Creates and writes files of these sizes. Says how long that takes, [`shared`], in milliseconds.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn write(&self, sizes: &[u64]) -> io::Result<f64> {
        let bytes = vec![b'x'; usize::try_from(sizes.iter().copied().max().unwrap_or(0)).unwrap_or(0)];
        shared(|| {
            sizes.iter().enumerate().try_for_each(|(index, size)| {
                let access = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_CLOEXEC;
                let file = openat(self.directory(index), &*index.to_string(), access, Mode::from_bits_truncate(0o666))?;
                File::from(file).write_all(&bytes[..usize::try_from(*size).unwrap_or(0)])
            })
        })
    }

    /// Reads the first so many files. Says how long that takes, [`shared`], in milliseconds.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn read(&self, count: usize) -> io::Result<f64> {
        shared(|| {
            (0..count).try_for_each(|index| {
                let access = OFlag::O_RDONLY | OFlag::O_CLOEXEC;
                let file = openat(self.directory(index), &*index.to_string(), access, Mode::empty())?;
                File::from(file).read_to_end(&mut Vec::new()).map(drop)
            })
        })
    }

    fn directory(&self, index: usize) -> &OwnedFd {
        &self.directories[index % DIRECTORIES]
    }
}

fn open(dir: impl AsFd, name: &Path) -> io::Result<OwnedFd> {
    Ok(openat(dir, name, OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_replica_is_the_tree() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        fs::create_dir_all(from.join(".pnpm/a@1/node_modules/a/lib")).unwrap();
        fs::create_dir(&to).unwrap();
        for (path, text) in [("a/package.json", "{}"), ("a/lib/x.js", "x = 1"), ("a/lib/y.js", "")] {
            fs::write(from.join(".pnpm/a@1/node_modules").join(path), text).unwrap();
        }
        fs::hard_link(from.join(".pnpm/a@1/node_modules/a/lib/x.js"), from.join(".pnpm/lock.yaml")).unwrap();
        std::os::unix::fs::symlink("../../a@1/node_modules/a", from.join(".pnpm/a@1/node_modules/b")).unwrap();
        let mut contents = Work::default();
        let tree = Tree::read(&from, &mut contents).unwrap();
        let Work { files, bytes, symlinks, directories, sizes, .. } = &contents;
        assert_eq!((*files, *bytes, *symlinks, *directories), (4, 12, 1, 5));
        assert_eq!(sizes.values().sum::<u64>(), 7);
        assert!(tree.look(&from).unwrap() > 0.0);
        assert!(tree.link(&from, &to).unwrap() > 0.0);
        let mut again = Work::default();
        Tree::read(&to, &mut again).unwrap();
        assert_eq!((again.files, again.symlinks, again.directories), (*files, *symlinks, *directories));
        assert_eq!(again.sizes, contents.sizes, "they are the same files");
        assert!(tree.look(dir.path()).is_err() && tree.link(&from, &to).is_err());
    }

    #[test]
    fn files_are_written_once_and_read() {
        let dir = tempfile::tempdir().unwrap();
        let files = Files::new(dir.path()).unwrap();
        assert!(files.write(&[0, 7]).unwrap() > 0.0 && files.read(2).unwrap() > 0.0);
        assert_eq!(fs::read_to_string(dir.path().join("1/1")).unwrap(), "xxxxxxx");
        assert!(files.write(&[0, 7]).is_err() && files.read(3).is_err());
    }
}
