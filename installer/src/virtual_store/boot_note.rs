//! A note in node_modules of the machine's start under which it was filled.
//!
//! A package's directory is renamed into place when it is complete, so it is complete or absent, even if the program was
//! killed. If the machine loses power it may also be there with files whose bytes never reached the disk. Syncing every
//! file would cost more than the install. So what was filled under an earlier start is looked into, once: whether each
//! file has its size.

use crate::rt;
use std::io;
use std::path::Path;

/// The file's name.
pub const FILE_NAME: &str = ".lockstep-boot";

/// Whether everything in this node_modules is as it was written, or nothing is there.
pub fn is_of_this_boot(modules_dir: &Path) -> bool {
    let noted = rt::fs::read(&modules_dir.join(FILE_NAME)).ok();
    noted.is_some() && noted == rt::boot().map(String::into_bytes)
}

/// Notes this start. To be called when every directory has been filled or looked into.
///
/// # Errors
/// When the disk refuses.
pub fn write(modules_dir: &Path) -> io::Result<()> {
    let Some(boot) = rt::boot().filter(|_| rt::fs::exists(modules_dir) && !is_of_this_boot(modules_dir)) else {
        return Ok(());
    };
    let path = modules_dir.join(FILE_NAME);
    match rt::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => rt::fs::write_new(&path, boot.as_bytes(), false),
    }
}
