//! What no install may leave behind: temporary files in the store, in node_modules and beside package.json, and anything at all
//! in the home directory.

use super::Place;
use installer::rt::TEMPORARY_PREFIX;
use installer::store::StoreDir;
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

/// What a project has once it is installed.
const OF_A_PROJECT: [&str; 3] = ["node_modules", "package.json", "pnpm-lock.yaml"];

/// Looks for it.
///
/// # Errors
/// When something is there, and when the disk refuses.
pub fn check(place: &Place) -> io::Result<()> {
    let mut left = files_in(&temporary_dir(&place.store))?;
    left.extend(files_in(&place.home)?);
    let modules = place.project.join("node_modules");
    for dir in [&place.project, &modules, &modules.join(".pnpm")] {
        let is_temporary = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with(TEMPORARY_PREFIX) || (*dir == place.project && !OF_A_PROJECT.contains(&&*name))
        };
        left.extend(entries_in(dir)?.into_iter().filter(is_temporary));
    }
    if left.is_empty() {
        return Ok(());
    }
    let left: BTreeSet<_> = left.iter().map(|path| path.display().to_string()).collect();
    Err(io::Error::other(format!("left behind: {}", left.into_iter().collect::<Vec<_>>().join(", "))))
}

/// Where a store has its temporary files.
pub(super) fn temporary_dir(store: &Path) -> PathBuf {
    StoreDir::new(store).tmp_dir()
}

/// Every file below.
pub(super) fn files_in(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let (mut files, mut pending) = (Vec::new(), vec![dir.to_owned()]);
    while let Some(dir) = pending.pop() {
        for path in entries_in(&dir)? {
            if path.is_dir() { pending.push(path) } else { files.push(path) }
        }
    }
    Ok(files)
}

fn entries_in(dir: &Path) -> io::Result<Vec<PathBuf>> {
    std::fs::read_dir(dir)?.map(|entry| Ok(entry?.path())).collect()
}
