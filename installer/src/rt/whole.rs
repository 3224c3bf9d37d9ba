//! Files that are written whole or not at all.

use super::{TEMPORARY_PREFIX, fs, unique};
use std::io;
use std::path::Path;

/// Writes a file, whole or not at all: under a temporary name in `temporary_dir`, which is made if need be, and renamed.
/// A file that has these bytes already is left alone. Blocks.
///
/// A name in node_modules is swept away by the next install, should this one be killed before the renaming.
///
/// # Errors
/// When the disk refuses; the file is as it was then.
pub fn write_whole(path: &Path, bytes: &[u8], temporary_dir: &Path) -> io::Result<()> {
    if fs::read(path).is_ok_and(|there| there == bytes) {
        return Ok(());
    }
    let name = format!("{TEMPORARY_PREFIX}{}", unique());
    fs::create_dir_all(temporary_dir)?;
    match write_by_way_of(&temporary_dir.join(&name), path, bytes) {
        // The directory is mounted from elsewhere.
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
            write_by_way_of(&path.with_file_name(name), path, bytes)
        }
        written => written,
    }
}

fn write_by_way_of(temporary: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let written = fs::write_new(temporary, bytes, false).and_then(|()| fs::rename(temporary, path));
    if written.is_err() {
        // A hint: what could not be written may not be there.
        let _ = fs::remove_file(temporary);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_beside_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let (path, temporary_dir) = (dir.path().join("package.json"), dir.path().join("node_modules"));
        write_whole(&path, b"1", &temporary_dir).unwrap();
        write_whole(&path, b"2", &temporary_dir).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"2");
        assert!(fs::read_dir(&temporary_dir).unwrap().is_empty());
        assert!(write_whole(&dir.path().join("no/such/dir"), b"3", &temporary_dir).is_err());
        assert!(fs::read_dir(&temporary_dir).unwrap().is_empty());
    }
}
