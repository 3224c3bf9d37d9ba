//! The program under test.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

/// lockstep's executable: the one that is named; else the one beside this program, unless a source of it is newer; else
/// one that is built now, in this program's profile.
///
/// # Errors
/// When it does not compile, or is not where it should be.
pub fn executable(named: Option<&Path>) -> io::Result<PathBuf> {
    if let Some(named) = named {
        return named.canonicalize();
    }
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let (profile, directory) = if cfg!(debug_assertions) { ("dev", "debug") } else { ("release", "release") };
    let built = repository.join("target").join(directory).join("lockstep");
    let is_fresh =
        built.metadata().and_then(|built| built.modified()).ok() >= newest(&repository.join("installer/src"))?;
    if !is_fresh {
        let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        build.args(["build", "--quiet", "--package", "installer", "--bin", "lockstep", "--profile", profile]);
        if !build.current_dir(&repository).status()?.success() {
            return Err(io::Error::other("lockstep does not compile"));
        }
    }
    built.canonicalize()
}

/// When the last of the files below was changed.
fn newest(dir: &Path) -> io::Result<Option<SystemTime>> {
    let mut newest = None;
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let is_directory = entry.file_type()?.is_dir();
        newest =
            newest.max(if is_directory { self::newest(&entry.path())? } else { entry.metadata()?.modified().ok() });
    }
    Ok(newest)
}
