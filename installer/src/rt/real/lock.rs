//! Advisory locks between processes. The system takes them back when their holder ends, however it ends: none goes stale.

#[cfg(target_os = "linux")]
use nix::errno::Errno;
#[cfg(target_os = "linux")]
use nix::fcntl::{FcntlArg, fcntl};
#[cfg(target_os = "linux")]
use nix::libc;
use std::fs::{File, TryLockError};
use std::io;
#[cfg(target_os = "linux")]
use std::os::unix::fs::FileExt;
use std::path::Path;

/// A file whose places can be locked, each on its own. All locks of one value are the same holder's: they do not exclude
/// each other. Dropped, it gives its locks back.
#[derive(Debug)]
pub struct LockFile(File);

impl LockFile {
    /// Opens the file at `path`, which is created when it is not there.
    ///
    /// # Errors
    /// When the disk refuses: read-only, full, or not ours.
    pub fn open(path: &Path) -> io::Result<Self> {
        File::options().read(true).write(true).create(true).truncate(false).open(path).map(LockFile)
    }

    /// Locks a place, unless another holder has it; says whether it did.
    ///
    /// # Errors
    /// When this system or this filesystem has no such locks.
    pub fn try_lock(&self, place: u64) -> io::Result<bool> {
        self.change(place, Change::Lock)
    }

    /// Locks a place together with all others who share it, unless a holder has it alone; says whether it did.
    ///
    /// # Errors
    /// When this system or this filesystem has no such locks.
    pub fn try_share(&self, place: u64) -> io::Result<bool> {
        self.change(place, Change::Share)
    }

    /// Gives a place back.
    pub fn unlock(&self, place: u64) {
        // To close the file gives it back at the latest.
        let _ = self.change(place, Change::Unlock);
    }
}

/// Locks of an open file description, which children do not inherit and which another thread's closing of the same file
/// leaves alone; fcntl(2).
#[cfg(target_os = "linux")]
impl LockFile {
    /// Whether another holder has a place, alone or shared.
    ///
    /// # Errors
    /// When this filesystem has no such locks.
    pub fn is_held_elsewhere(&self, place: u64) -> io::Result<bool> {
        let mut found = range(place, libc::F_WRLCK);
        fcntl(&self.0, FcntlArg::F_OFD_GETLK(&mut found))?;
        Ok(found.l_type != libc::F_UNLCK as libc::c_short)
    }

    /// Leaves a word in the file, in place of the last one.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn sign(&self, word: &str) -> io::Result<()> {
        self.0.write_all_at(&signature(word), 0)
    }

    /// Whether this is the word that was left last.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn is_signed(&self, word: &str) -> io::Result<bool> {
        let word = signature(word);
        let mut last = vec![0; word.len()];
        let bytes = self.0.read_at(&mut last, 0)?;
        Ok(last[..bytes] == word)
    }

    fn change(&self, place: u64, change: Change) -> io::Result<bool> {
        let kind = match change {
            Change::Lock => libc::F_WRLCK,
            Change::Share => libc::F_RDLCK,
            Change::Unlock => libc::F_UNLCK,
        };
        match fcntl(&self.0, FcntlArg::F_OFD_SETLK(&range(place, kind))) {
            Ok(_) => Ok(true),
            Err(Errno::EAGAIN | Errno::EACCES) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// Nothing of that exists here.
#[cfg(not(target_os = "linux"))]
#[expect(missing_docs, reason = "see above")]
impl LockFile {
    pub fn is_held_elsewhere(&self, _place: u64) -> io::Result<bool> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub fn sign(&self, _word: &str) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub fn is_signed(&self, _word: &str) -> io::Result<bool> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn change(&self, _place: u64, _change: Change) -> io::Result<bool> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[derive(Clone, Copy)]
enum Change {
    Lock,
    Share,
    Unlock,
}

/// A place as the system takes it.
#[cfg(target_os = "linux")]
fn range(place: u64, kind: libc::c_int) -> libc::flock {
    libc::flock {
        l_type: kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        // An offset has 63 bits, and the end of the range must be one too.
        l_start: (place >> 2) as libc::off_t,
        l_len: 1,
        l_pid: 0,
    }
}

/// A word with its end: none begins with another.
#[cfg(target_os = "linux")]
fn signature(word: &str) -> Vec<u8> {
    format!("{word}\n").into_bytes()
}

/// Whether files can be locked where `path` is; so it is taken to be where that cannot be tried.
#[cfg(target_os = "linux")]
pub fn has_locks(path: &Path) -> bool {
    use nix::errno::Errno::{EINVAL, ENOLCK, ENOSYS, EOPNOTSUPP};
    let Ok(file) = LockFile::open(path) else { return true };
    let refusal = file.try_lock(0).err().and_then(|error| error.raw_os_error());
    ![EINVAL, ENOLCK, ENOSYS, EOPNOTSUPP].iter().any(|errno| refusal == Some(*errno as i32))
}

/// Taken to be so: nothing says whether files can be locked where `path` is.
#[cfg(not(target_os = "linux"))]
pub fn has_locks(_path: &Path) -> bool {
    true
}

/// A directory that is locked; dropped, it is free again.
#[derive(Debug)]
pub struct DirLock(#[expect(dead_code, reason = "open means locked")] File);

/// Locks a directory itself, so that no file has to be there for it; none while another process holds it.
///
/// # Errors
/// When there is no such directory, or no such lock on this system or filesystem.
pub fn try_lock_dir(path: &Path) -> io::Result<Option<DirLock>> {
    let dir = File::open(path)?;
    match dir.try_lock() {
        Ok(()) => Ok(Some(DirLock(dir))),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_place_has_one_holder_and_comes_back_with_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("locks");
        let (ours, theirs) = (LockFile::open(&path).unwrap(), LockFile::open(&path).unwrap());
        let place = u64::MAX;
        assert!(ours.try_lock(place).unwrap() && ours.try_lock(place).unwrap(), "one holder's locks agree");
        assert!(!theirs.try_lock(place).unwrap());
        assert!(theirs.try_lock(place / 2).unwrap(), "places are locked apart");
        ours.unlock(place);
        assert!(theirs.try_lock(place).unwrap() && !ours.try_lock(place).unwrap());
        drop(theirs);
        assert!(ours.try_lock(place).unwrap());
    }

    #[test]
    fn a_place_can_be_shared_and_everybody_sees_that() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("locks");
        let (ours, theirs) = (LockFile::open(&path).unwrap(), LockFile::open(&path).unwrap());
        assert!(ours.try_share(0).unwrap());
        assert!(!ours.is_held_elsewhere(0).unwrap() && theirs.is_held_elsewhere(0).unwrap());
        assert!(!theirs.try_lock(0).unwrap() && theirs.try_share(0).unwrap());
        assert!(ours.is_held_elsewhere(0).unwrap() && !ours.is_held_elsewhere(8).unwrap());
        drop(ours);
        assert!(!theirs.is_held_elsewhere(0).unwrap() && theirs.try_lock(0).unwrap());
    }

    #[test]
    fn the_last_word_stays_whoever_left_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("locks");
        let (ours, theirs) = (LockFile::open(&path).unwrap(), LockFile::open(&path).unwrap());
        assert!(!ours.is_signed("1").unwrap());
        ours.sign("10").unwrap();
        assert!(ours.is_signed("10").unwrap() && theirs.is_signed("10").unwrap() && !ours.is_signed("1").unwrap());
        theirs.sign("1").unwrap();
        drop(theirs);
        assert!(!ours.is_signed("10").unwrap() && ours.is_signed("1").unwrap());
    }

    #[test]
    fn a_directory_has_one_holder() {
        let dir = tempfile::tempdir().unwrap();
        let ours = try_lock_dir(dir.path()).unwrap();
        assert!(ours.is_some() && try_lock_dir(dir.path()).unwrap().is_none());
        drop(ours);
        assert!(try_lock_dir(dir.path()).unwrap().is_some());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "nothing is written for it");
    }
}
