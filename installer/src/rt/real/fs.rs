//! The production disk: `std::fs`, SQLite files and reflinks.
//!
//! Every function blocks; call it inside [`blocking`](super::blocking) or [`parallel`](super::parallel) where it can take long.

use crate::rt::FileKind;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The whole file.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    fs::read(path)
}

/// Creates a new file with these bytes; it must not exist.
pub fn write_new(path: &Path, bytes: &[u8], executable: bool) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(mode_of(executable).into());
    }
    #[cfg(not(unix))]
    let _ = executable;
    options.open(path)?.write_all(bytes)
}

/// The mode that a new file is to have.
#[cfg(unix)]
pub(in crate::rt) fn mode_of(executable: bool) -> u16 {
    if executable { 0o755 } else { 0o644 }
}

/// Creates a directory and its parents; no error when it exists.
pub fn create_dir_all(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)
}

/// Moves a file, a link or a directory; an existing file at `to` is replaced.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)
}

/// Removes a file or a symbolic link.
pub fn remove_file(path: &Path) -> io::Result<()> {
    fs::remove_file(path)
}

/// Removes a directory and all below it, following no link.
pub fn remove_dir_all(path: &Path) -> io::Result<()> {
    fs::remove_dir_all(path)
}

/// Clones a file, sharing its blocks until one side is written to.
pub fn reflink(from: &Path, to: &Path) -> io::Result<()> {
    reflink_copy::reflink(from, to)
}

/// Gives a file a second name.
pub fn hard_link(from: &Path, to: &Path) -> io::Result<()> {
    fs::hard_link(from, to)
}

/// Copies a file's bytes and mode.
pub fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::copy(from, to).map(drop)
}

/// Makes `link` a symbolic link to the directory or file `target`, which may be relative to `link`'s parent.
pub fn symlink(target: &Path, link: &Path) -> io::Result<()> {
    #[cfg(unix)]
    return std::os::unix::fs::symlink(target, link);
    #[cfg(windows)]
    return std::os::windows::fs::symlink_dir(target, link);
}

/// Where a symbolic link points.
pub fn read_link(path: &Path) -> io::Result<PathBuf> {
    fs::read_link(path)
}

/// The whole path of what is there, without links and `..`.
pub fn canonical(path: &Path) -> io::Result<PathBuf> {
    fs::canonicalize(path)
}

/// What is at `path`, without following a link.
pub fn kind(path: &Path) -> io::Result<FileKind> {
    let kind = fs::symlink_metadata(path)?.file_type();
    Ok(if kind.is_symlink() {
        FileKind::Symlink
    } else if kind.is_dir() {
        FileKind::Directory
    } else {
        FileKind::File
    })
}

/// Whether something is at `path`, following links.
pub fn exists(path: &Path) -> bool {
    path.exists()
}

/// The size of a file in bytes, following links.
pub fn size(path: &Path) -> io::Result<u64> {
    fs::metadata(path).map(|metadata| metadata.len())
}

/// How long ago a file was written, by the system's clock.
pub fn age(path: &Path) -> io::Result<Duration> {
    Ok(fs::symlink_metadata(path)?.modified()?.elapsed().unwrap_or_default())
}

/// Makes a file as young as if it had been written now.
pub fn touch(path: &Path) -> io::Result<()> {
    fs::File::options().append(true).open(path)?.set_modified(std::time::SystemTime::now())
}

/// How many names a file has.
pub fn names(path: &Path) -> io::Result<u64> {
    let metadata = fs::symlink_metadata(path)?;
    #[cfg(unix)]
    return Ok(std::os::unix::fs::MetadataExt::nlink(&metadata));
    // Windows does not say without opening the file: every file counts as used.
    #[cfg(not(unix))]
    return Ok(metadata.len().max(2));
}

/// The names in a directory, sorted.
pub fn read_dir(path: &Path) -> io::Result<Vec<String>> {
    let mut names = fs::read_dir(path)?
        .map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned()))
        .collect::<io::Result<Vec<_>>>()?;
    names.sort_unstable();
    Ok(names)
}

/// Whether a file can be run, following links.
pub fn is_executable(path: &Path) -> io::Result<bool> {
    let metadata = fs::metadata(path)?;
    #[cfg(unix)]
    return Ok(std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o111 == 0o111);
    #[cfg(not(unix))]
    return Ok(metadata.is_file());
}

/// Makes an existing file executable (`chmod 755`).
pub fn set_executable(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(mode_of(true).into()))?;
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

/// Opens (and creates, when `writable`) the SQLite database at `path`; one that begins with `file:` is a URI of SQLite's.
pub fn database(path: &Path, writable: bool) -> rusqlite::Result<rusqlite::Connection> {
    use rusqlite::OpenFlags;
    let access = if writable {
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE
    } else {
        OpenFlags::SQLITE_OPEN_READ_ONLY
    };
    rusqlite::Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI)
}
