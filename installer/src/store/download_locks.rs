//! Which tarballs are being downloaded into this store, known to every process: one lock a tarball, all in one file.
//!
//! A lock is a byte of `locks`, at an offset drawn from the row's key; nothing is written there. It is held from before the
//! request until the row is committed, so whoever gets it afterwards finds the row. The system takes the locks of a process
//! back when it ends, however it ends. Within a process the coordination above decides; here its tasks count as one holder.

use super::{RowKey, StoreDir};
use crate::rt::LockFile;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The locks of one install on one store. Nothing is opened before the first one is asked for.
#[derive(Debug)]
pub struct DownloadLocks {
    store: StoreDir,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    file: Option<LockFile>,
    /// Place → how many of this process's downloads hold it.
    holders: BTreeMap<u64, usize>,
}

/// The right to download one tarball into the store. Dropped, it goes to whoever asks next.
#[derive(Debug)]
pub struct DownloadLock {
    locks: Arc<DownloadLocks>,
    place: u64,
}

impl DownloadLocks {
    /// The locks of this store.
    pub fn new(store: &StoreDir) -> Arc<Self> {
        Arc::new(DownloadLocks { store: store.clone(), state: Mutex::default() })
    }

    /// The lock of a tarball; none while another process holds it. Blocks for the disk, never for another holder.
    ///
    /// # Errors
    /// When the file cannot be opened, or the system or the filesystem has no such locks.
    pub fn try_lock(self: &Arc<Self>, key: &RowKey) -> io::Result<Option<DownloadLock>> {
        let place = place(key);
        let mut state = self.state();
        let State { file, holders } = &mut *state;
        if let Some(count) = holders.get_mut(&place) {
            *count += 1;
        } else {
            let file = match file {
                Some(file) => file,
                None => {
                    let _owner = self.store.act_as_owner();
                    file.insert(LockFile::open(&self.store.locks_path())?)
                }
            };
            if !file.try_lock(place)? {
                return Ok(None);
            }
            holders.insert(place, 1);
        }
        Ok(Some(DownloadLock { locks: self.clone(), place }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for DownloadLock {
    fn drop(&mut self) {
        let mut state = self.locks.state();
        let State { file, holders } = &mut *state;
        let count = holders.get_mut(&self.place).expect("a lock that is held is counted");
        *count -= 1;
        if *count == 0 {
            holders.remove(&self.place);
            file.as_ref().expect("a lock that is held has its file open").unlock(self.place);
        }
    }
}

/// Two tarballs at one place would wait for each other, and be right all the same.
fn place(key: &RowKey) -> u64 {
    let digest = Sha256::digest(key.as_str());
    u64::from_be_bytes(digest[..8].try_into().expect("a digest has 32 bytes"))
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    #[test]
    fn a_tarball_is_one_processs_until_its_last_download_is_done() {
        let dir = tempfile::tempdir().unwrap();
        let store = StoreDir::new(dir.path());
        store.create().unwrap();
        // Two values are two holders, as two processes are.
        let (ours, theirs) = (DownloadLocks::new(&store), DownloadLocks::new(&store));
        let (a, b) = (RowKey::new("http://r/a.tgz", None), RowKey::new("http://r/b.tgz", None));
        let first = ours.try_lock(&a).unwrap();
        let second = ours.try_lock(&a).unwrap();
        assert!(first.is_some() && second.is_some());
        assert!(theirs.try_lock(&a).unwrap().is_none());
        assert!(theirs.try_lock(&b).unwrap().is_some());
        drop(first);
        assert!(theirs.try_lock(&a).unwrap().is_none(), "the second download goes on");
        drop(second);
        assert!(theirs.try_lock(&a).unwrap().is_some());
    }
}
