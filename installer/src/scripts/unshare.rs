//! Gives a package files of its own, before its scripts write into them: the store's files are everybody's.

use crate::rt::{self, FileKind, TEMPORARY_PREFIX};
use std::io;
use std::path::Path;

/// Replaces every file below `dir` that has another name elsewhere by a copy; blocks.
///
/// # Errors
/// When the disk refuses.
pub fn unshare(dir: &Path) -> io::Result<()> {
    for name in rt::fs::read_dir(dir)? {
        let path = dir.join(&name);
        match rt::fs::kind(&path)? {
            FileKind::Directory => unshare(&path)?,
            FileKind::File if rt::fs::names(&path)? > 1 => {
                let temporary = dir.join(format!("{TEMPORARY_PREFIX}{}", rt::unique()));
                let copied = rt::fs::copy(&path, &temporary).and_then(|()| rt::fs::rename(&temporary, &path));
                if copied.is_err() {
                    let _ = rt::fs::remove_file(&temporary);
                }
                copied?;
            }
            FileKind::File | FileKind::Symlink => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_afterwards_stays_in_the_package() {
        let dir = tempfile::tempdir().unwrap();
        let (stored, package) = (dir.path().join("stored"), dir.path().join("package"));
        rt::fs::create_dir_all(&package.join("lib")).unwrap();
        rt::fs::write_new(&stored, b"1", true).unwrap();
        rt::fs::hard_link(&stored, &package.join("lib/tool")).unwrap();
        unshare(&package).unwrap();
        std::fs::write(package.join("lib/tool"), "2").unwrap();
        assert_eq!(rt::fs::read(&stored).unwrap(), b"1");
        assert_eq!(rt::fs::read_dir(&package.join("lib")).unwrap(), ["tool"]);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(package.join("lib/tool")).unwrap().permissions().mode();
            assert_eq!(mode & 0o111, 0o111);
        }
    }
}
