//! A directory by its handle: what is below it is found without looking its own path up each time.
//!
//! Worth it where many files of one directory follow each other, as when a tarball is unpacked or a package put in place. A simulated disk, and
//! systems without such calls, have the path in place of the handle.

use super::fs;
use std::io;
use std::path::{Path, PathBuf};

/// See the module. Names are relative, with forward slashes.
#[derive(Debug)]
pub struct Dir {
    path: PathBuf,
    #[cfg(all(unix, not(madsim)))]
    handle: std::os::fd::OwnedFd,
}

impl Dir {
    /// The whole path of what has this name here.
    pub fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Removes the file `name`.
    ///
    /// # Errors
    /// When there is none, or the disk refuses.
    pub fn remove_file(&self, name: &str) -> io::Result<()> {
        fs::remove_file(&self.join(name))
    }

    /// Clones the file `name` to `to_name` in `to`, sharing its blocks until one side is written to.
    ///
    /// # Errors
    /// When the disk cannot, or refuses.
    pub fn reflink(&self, name: &str, to: &Dir, to_name: &str) -> io::Result<()> {
        fs::reflink(&self.join(name), &to.join(to_name))
    }

    /// Copies the bytes and the mode of the file `name` to `to_name` in `to`.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn copy(&self, name: &str, to: &Dir, to_name: &str) -> io::Result<()> {
        fs::copy(&self.join(name), &to.join(to_name))
    }
}

#[cfg(all(unix, not(madsim)))]
mod by_handle {
    use super::{Dir, Path, fs, io};
    use nix::errno::Errno;
    use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, openat, renameat};
    use nix::sys::stat::{Mode, fstatat, mkdirat};
    use nix::unistd::linkat;
    use std::fs::File;
    use std::io::Write as _;

    /// Enough to find things by: nothing is read.
    #[cfg(target_os = "linux")]
    const ACCESS: OFlag = OFlag::O_PATH;
    #[cfg(not(target_os = "linux"))]
    const ACCESS: OFlag = OFlag::O_RDONLY;

    impl Dir {
        /// The directory at `path`.
        ///
        /// # Errors
        /// When there is none.
        pub fn open(path: &Path) -> io::Result<Self> {
            let handle = openat(AT_FDCWD, path, ACCESS | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())?;
            Ok(Dir { path: path.to_owned(), handle })
        }

        /// The size of a file in bytes, following links.
        ///
        /// # Errors
        /// When there is none.
        pub fn size(&self, name: &str) -> io::Result<u64> {
            let stat = fstatat(&self.handle, name, AtFlags::empty())?;
            Ok(u64::try_from(stat.st_size).unwrap_or_default())
        }

        /// Gives the file `name` the name `to_name` in `to` as well.
        ///
        /// # Errors
        /// When the disk cannot, or refuses.
        pub fn hard_link(&self, name: &str, to: &Dir, to_name: &str) -> io::Result<()> {
            Ok(linkat(&self.handle, name, &to.handle, to_name, AtFlags::empty())?)
        }

        /// Creates the new file `name` with these bytes; it must not exist.
        ///
        /// # Errors
        /// When it does, or the disk refuses.
        pub fn write_new(&self, name: &str, bytes: &[u8], executable: bool) -> io::Result<()> {
            let access = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_CLOEXEC;
            let mode = Mode::from_bits_truncate(fs::mode_of(executable).into());
            File::from(openat(&self.handle, name, access, mode)?).write_all(bytes)
        }

        /// Moves the file `name` to `to_name` in `to`; what is there is replaced.
        ///
        /// # Errors
        /// When the disk refuses.
        pub fn rename(&self, name: &str, to: &Dir, to_name: &str) -> io::Result<()> {
            Ok(renameat(&self.handle, name, &to.handle, to_name)?)
        }

        /// Creates a directory and those above it; no error when it exists.
        ///
        /// # Errors
        /// When the disk refuses.
        pub fn create_dir_all(&self, name: &str) -> io::Result<()> {
            let make = || mkdirat(&self.handle, name, Mode::from_bits_truncate(0o777));
            let made = match (make(), name.rsplit_once('/')) {
                (Err(Errno::ENOENT), Some((above, _))) => {
                    self.create_dir_all(above)?;
                    make()
                }
                (made, _) => made,
            };
            match made {
                Ok(()) | Err(Errno::EEXIST) => Ok(()),
                Err(error) => Err(error.into()),
            }
        }
    }
}

#[cfg(not(all(unix, not(madsim))))]
#[expect(
    missing_docs,
    clippy::missing_errors_doc,
    reason = "each is documented at the function of the same name above"
)]
mod by_path {
    use super::{Dir, Path, fs, io};

    impl Dir {
        pub fn open(path: &Path) -> io::Result<Self> {
            fs::kind(path)?;
            Ok(Dir { path: path.to_owned() })
        }

        pub fn size(&self, name: &str) -> io::Result<u64> {
            fs::size(&self.join(name))
        }

        pub fn hard_link(&self, name: &str, to: &Dir, to_name: &str) -> io::Result<()> {
            fs::hard_link(&self.join(name), &to.join(to_name))
        }

        pub fn write_new(&self, name: &str, bytes: &[u8], executable: bool) -> io::Result<()> {
            fs::write_new(&self.join(name), bytes, executable)
        }

        pub fn rename(&self, name: &str, to: &Dir, to_name: &str) -> io::Result<()> {
            fs::rename(&self.join(name), &to.join(to_name))
        }

        pub fn create_dir_all(&self, name: &str) -> io::Result<()> {
            fs::create_dir_all(&self.join(name))
        }
    }
}

#[cfg(all(test, not(madsim)))]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_below_the_directory() {
        let temporary = tempfile::tempdir().unwrap();
        let (from, to) = (temporary.path().join("from"), temporary.path().join("to"));
        fs::create_dir_all(&from.join("deep")).unwrap();
        fs::create_dir_all(&to).unwrap();
        let (from, to) = (Dir::open(&from).unwrap(), Dir::open(&to).unwrap());
        to.write_new("new", b"text", true).unwrap();
        assert_eq!(to.write_new("new", b"", true).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert!(fs::is_executable(&to.join("new")).unwrap());
        to.rename("new", &from, "deep/file").unwrap();
        assert_eq!(from.size("deep/file").unwrap(), 4);
        for _ in 0..2 {
            to.create_dir_all("a/b/c").unwrap();
        }
        from.hard_link("deep/file", &to, "a/b/c/linked").unwrap();
        from.copy("deep/file", &to, "copied").unwrap();
        assert_eq!(fs::names(&to.join("a/b/c/linked")).unwrap(), 2);
        assert_eq!(fs::read(&to.join("copied")).unwrap(), b"text");
        let missing =
            [from.hard_link("gone", &to, "x"), from.hard_link("deep/file", &to, "gone/x"), from.size("x").map(drop)];
        assert!(missing.into_iter().all(|result| result.unwrap_err().kind() == io::ErrorKind::NotFound));
        let there = from.hard_link("deep/file", &to, "copied").unwrap_err();
        assert_eq!(there.kind(), io::ErrorKind::AlreadyExists);
        assert!(Dir::open(&to.join("copied")).is_err() && Dir::open(&to.join("gone")).is_err());
    }
}
