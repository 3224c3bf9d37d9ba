//! Which tarballs are being downloaded into this store, known to every process: one lock a tarball, in a few files.
//!
//! A lock is a byte of one of the files `locks-*`: which file and which byte is drawn from the row's key. It is held from before
//! the request until the row is committed, so whoever gets it afterwards finds the row. The system takes the locks of a process
//! back when it ends, however it ends. Within a process the coordination above decides; here its tasks count as one holder.
//!
//! An install that knows that nobody else has used the store since it came need not look into the index under each lock. So
//! all installs share the lock of one place, and who comes leaves a word at the beginning of its file. Whoever came before is
//! seen by that lock, or has ended and committed all it had. Whoever comes later leaves another word before it touches a
//! tarball, and whoever then takes the same tarball's lock reads it. That is why [`DownloadLocks::come`] goes before
//! [`DownloadLocks::look_around`], and both before the first look into the index. One that cannot leave its word, because the
//! disk is full, may cost a second download.

use super::{RowKey, StoreDir};
use crate::rt::{self, LockFile};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The place that all installs on a store share. No tarball's: digests do not begin with 62 zeros.
const PRESENCE: u64 = 0;

/// How many files the places are spread over. The system goes through all locks of a file for each that is taken or given back,
/// and an install may hold a thousand until their rows are committed.
pub const LOCK_FILES: usize = 16;

/// The locks of one install on one store.
#[derive(Debug)]
pub struct DownloadLocks {
    /// What this install leaves in the file when it comes.
    word: String,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    store: StoreDir,
    files: [Option<LockFile>; LOCK_FILES],
    /// Whether nobody else has used the store since this install came, as far as it knows.
    alone: bool,
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
        let state =
            State { store: store.clone(), files: [const { None }; LOCK_FILES], alone: false, holders: BTreeMap::new() };
        Arc::new(DownloadLocks { word: rt::unique(), state: Mutex::new(state) })
    }

    /// Makes this install known to all who are there or come later. To be called before it looks into the index. Blocks for
    /// the disk.
    ///
    /// # Errors
    /// When the file cannot be opened or written, or the system or the filesystem has no such locks.
    pub fn come(&self) -> io::Result<()> {
        let mut state = self.state();
        let file = state.file(PRESENCE)?;
        match file.try_share(PRESENCE)? {
            true => file.sign(&self.word),
            false => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    /// Looks whether somebody else is there. To be called after this install has made itself known, and before it looks into
    /// the index.
    ///
    /// # Errors
    /// When the system or the filesystem has no such locks.
    pub fn look_around(&self) -> io::Result<()> {
        let mut state = self.state();
        state.alone = !state.file(PRESENCE)?.is_held_elsewhere(PRESENCE)?;
        Ok(())
    }

    /// The lock of a tarball; none while another process holds it. Blocks for the disk, never for another holder.
    ///
    /// # Errors
    /// When the file cannot be opened, or the system or the filesystem has no such locks.
    pub fn try_lock(self: &Arc<Self>, key: &RowKey) -> io::Result<Option<DownloadLock>> {
        let place = place(key);
        let is_ours = self.state().try_lock(place)?;
        Ok(is_ours.then(|| DownloadLock { locks: self.clone(), place }))
    }

    /// The same, where nobody else has used the store since this install came: what was not in the index then is not there
    /// now, unless this install has put it there.
    pub fn try_lock_alone(self: &Arc<Self>, key: &RowKey) -> Option<DownloadLock> {
        let place = place(key);
        let mut state = self.state();
        if !state.alone || !state.try_lock(place).unwrap_or(false) {
            return None;
        }
        state.alone = state.file(PRESENCE).and_then(|file| file.is_signed(&self.word)).unwrap_or(false);
        if state.alone {
            return Some(DownloadLock { locks: self.clone(), place });
        }
        state.unlock(place);
        None
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The file in which a place is.
    fn file(&mut self, place: u64) -> io::Result<&LockFile> {
        let number = number_of(place);
        match &mut self.files[number] {
            Some(file) => Ok(file),
            file => {
                let _owner = self.store.act_as_owner();
                Ok(file.insert(LockFile::open(&self.store.locks_path(number))?))
            }
        }
    }

    /// Counts one more holder of a place, unless it is another process's.
    fn try_lock(&mut self, place: u64) -> io::Result<bool> {
        if let Some(count) = self.holders.get_mut(&place) {
            *count += 1;
            return Ok(true);
        }
        let is_ours = self.file(place)?.try_lock(place)?;
        if is_ours {
            self.holders.insert(place, 1);
        }
        Ok(is_ours)
    }

    /// Counts one less.
    fn unlock(&mut self, place: u64) {
        let count = self.holders.get_mut(&place).expect("a lock that is held is counted");
        *count -= 1;
        if *count == 0 {
            self.holders.remove(&place);
            let file = self.files[number_of(place)].as_ref();
            file.expect("a lock that is held has its file open").unlock(place);
        }
    }
}

impl Drop for DownloadLock {
    fn drop(&mut self) {
        self.locks.state().unlock(self.place);
    }
}

/// Which file a place is in.
fn number_of(place: u64) -> usize {
    usize::try_from(place % LOCK_FILES as u64).expect("less than the number of files")
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

    #[test]
    fn who_is_alone_notices_who_comes_and_who_was_there() {
        let dir = tempfile::tempdir().unwrap();
        let store = StoreDir::new(dir.path());
        store.create().unwrap();
        let install = || {
            let locks = DownloadLocks::new(&store);
            locks.come().unwrap();
            locks.look_around().unwrap();
            locks
        };
        let keys = ["a", "b", "c"].map(|name| RowKey::new(&format!("http://r/{name}.tgz"), None));
        let first = install();
        assert!(first.try_lock_alone(&keys[0]).is_some());
        let second = install();
        assert!(second.try_lock_alone(&keys[1]).is_none(), "the first is there");
        drop(second);
        assert!(first.try_lock_alone(&keys[1]).is_none(), "there was a second");
        assert!(first.try_lock(&keys[1]).unwrap().is_some());
        drop(first);
        let third = install();
        let lock = third.try_lock_alone(&keys[2]);
        let fourth = DownloadLocks::new(&store);
        assert!(lock.is_some() && fourth.try_lock(&keys[2]).unwrap().is_none(), "what is locked is locked for all");
        assert!(fourth.try_lock_alone(&keys[0]).is_none(), "who has not come is not alone");
    }
}
