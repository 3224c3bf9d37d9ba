//! Who uses the global virtual store: every project that has links to there, and every install that is about to make some.
//!
//! A project is a link in `projects`, as with pnpm. An install that runs holds a place of a file; whoever prunes takes all places,
//! or does without. It waits for no install, so an install may hold its place however long it waits for something else.

use crate::rt::{self, LockFile};
use crate::store::StoreDir;
use sha2::{Digest, Sha256};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How many installs can use one store at once; more wait.
const PLACES: u64 = 256;

/// How many numbers apart two places are: the lowest bits of a number do not count.
const PLACE_WIDTH: u64 = 4;

/// How long to wait before looking again for a free place.
const PAUSE: Duration = Duration::from_millis(20);

/// How many hexadecimal digits of a hash name a project.
const PROJECT_DIGITS: usize = 32;

/// That an install uses the store, or that nobody does and whoever prunes goes on alone; dropped, that is over.
#[derive(Debug)]
pub struct InUse {
    /// None where files cannot be locked.
    _file: Option<LockFile>,
}

impl InUse {
    /// Waits until nobody prunes.
    pub async fn by_install(store: &StoreDir) -> Self {
        loop {
            let store = store.clone();
            match rt::blocking("use the store's links", move || first_free(&store)).await {
                Ok(Some(file)) => return InUse { _file: Some(file) },
                Ok(None) => rt::sleep(PAUSE).await,
                Err(_) => return InUse { _file: None },
            }
        }
    }

    /// All of the store; none while an install runs, or where that cannot be known. Blocks.
    pub fn by_nobody_else(store: &StoreDir) -> Option<Self> {
        let file = open(store).ok()?;
        let all = (0..PLACES).all(|place| file.try_lock(place * PLACE_WIDTH).unwrap_or(false));
        all.then_some(InUse { _file: Some(file) })
    }
}

fn open(store: &StoreDir) -> io::Result<LockFile> {
    let _owner = store.act_as_owner();
    LockFile::open(&store.root().join("links.users"))
}

fn first_free(store: &StoreDir) -> io::Result<Option<LockFile>> {
    let file = open(store)?;
    for place in 0..PLACES {
        if file.try_lock(place * PLACE_WIDTH)? {
            return Ok(Some(file));
        }
    }
    Ok(None)
}

/// Writes down that this project has links into the store. To be called before it gets any; blocks.
///
/// # Errors
/// When the disk refuses.
pub fn register(store: &StoreDir, project_dir: &Path) -> io::Result<()> {
    let name = &hex::encode(Sha256::digest(project_dir.as_os_str().as_encoded_bytes()))[..PROJECT_DIGITS];
    let link = store.projects_dir().join(name);
    if rt::fs::read_link(&link).is_ok_and(|there| there == project_dir) {
        return Ok(());
    }
    let _owner = store.act_as_owner();
    rt::fs::create_dir_all(&store.projects_dir())?;
    match rt::fs::symlink(project_dir, &link) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

/// The projects that are written down: the link, and where it leads. Blocks.
pub(super) fn registered(store: &StoreDir) -> Vec<(PathBuf, PathBuf)> {
    let links = rt::fs::read_dir(&store.projects_dir()).unwrap_or_default().into_iter();
    let links = links.map(|name| store.projects_dir().join(name));
    links.filter_map(|link| rt::fs::read_link(&link).ok().map(|project_dir| (link, project_dir))).collect()
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    #[test]
    fn whoever_prunes_is_alone() {
        let dir = tempfile::tempdir().unwrap();
        let store = StoreDir::new(dir.path());
        store.create().unwrap();
        let [first, second] = [(); 2].map(|()| first_free(&store).unwrap().unwrap());
        assert!(InUse::by_nobody_else(&store).is_none());
        drop(first);
        assert!(InUse::by_nobody_else(&store).is_none());
        drop(second);
        let alone = InUse::by_nobody_else(&store).unwrap();
        assert!(first_free(&store).unwrap().is_none(), "installs wait");
        drop(alone);
        assert!(first_free(&store).unwrap().is_some());
    }
}
