//! Writes files into the store, under the names that their bytes give them.
//!
//! A name is no promise: a file is whole when it has its size, and whoever finds one that has not replaces it. So a small file is
//! written under its own name at once, and no other writer has to wait for it or to trust it (pnpm#11758, pnpm#11825).

use super::cafs::digest;
use super::{StoreDir, StoredFile};
use crate::rt::{self, Dir};
use std::io;

/// The largest file that is written under its own name at once, in bytes: one call of the system writes it, so that it never has
/// its size without its bytes, on a network's filesystems either.
const IN_PLACE_BYTES_MAX: usize = 64 << 10;

/// See the module. Good for as long as a tarball takes: it holds the store's directory open.
#[derive(Debug)]
pub struct CasWriter<'s> {
    store: &'s StoreDir,
    files: Dir,
}

impl<'s> CasWriter<'s> {
    /// A writer into a store that has been [created](StoreDir::create).
    ///
    /// # Errors
    /// When the store's directories are not there.
    pub fn open(store: &'s StoreDir) -> io::Result<Self> {
        Ok(CasWriter { store, files: Dir::open(&store.files_dir())? })
    }

    /// Puts `bytes` into the store, unless they are there already. A damaged file is replaced.
    ///
    /// When this returns the file is whole, whoever else writes the same bytes at the same time.
    ///
    /// # Errors
    /// When the disk refuses; what is under the file's name then has not its size.
    pub fn write(&self, bytes: &[u8], executable: bool) -> io::Result<StoredFile> {
        let file = StoredFile { digest: digest(bytes), executable, size: bytes.len() as u64 };
        let name = file.name();
        let _owner = self.store.act_as_owner();
        // A program that is open for writing cannot be run.
        let in_place = bytes.len() <= IN_PLACE_BYTES_MAX && !executable;
        if (in_place && self.create(&name, bytes)?) || file.is_whole(self.files.size(&name)) {
            return Ok(file);
        }
        self.replace(&name, bytes, executable)?;
        Ok(file)
    }

    /// Writes a new file under its own name. False when there is one of that name: whole, or damaged, or of another writer who is
    /// not done yet.
    fn create(&self, name: &str, bytes: &[u8]) -> io::Result<bool> {
        match self.in_shard(name, || self.files.write_new(name, bytes, false)) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            written => written.map(|()| true),
        }
    }

    /// Writes a file under a temporary name and renames it. Whoever is still writing the one that it replaces writes to nobody.
    fn replace(&self, name: &str, bytes: &[u8], executable: bool) -> io::Result<()> {
        let (tmp, temporary) = (Dir::open(&self.store.tmp_dir())?, rt::unique());
        let written = tmp.write_new(&temporary, bytes, executable);
        let written = written.and_then(|()| self.in_shard(name, || tmp.rename(&temporary, &self.files, name)));
        if written.is_err() {
            let _ = tmp.remove_file(&temporary);
        }
        written
    }

    /// Makes the directory of this name first, where it is not there yet.
    fn in_shard(&self, name: &str, put: impl Fn() -> io::Result<()>) -> io::Result<()> {
        match put() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let (shard, _) = name.split_once('/').expect("a stored file has a shard directory");
                self.files.create_dir_all(shard)?;
                put()
            }
            done => done,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;

    fn store() -> (tempfile::TempDir, StoreDir) {
        let dir = tempfile::tempdir().unwrap();
        let store = StoreDir::new(dir.path());
        store.create().unwrap();
        (dir, store)
    }

    /// Small, large, and a program.
    fn kinds() -> [(Vec<u8>, bool); 3] {
        [(b"small".to_vec(), false), (vec![7; IN_PLACE_BYTES_MAX + 1], false), (b"#!/bin/sh".to_vec(), true)]
    }

    #[test]
    fn what_another_writer_has_begun_is_not_trusted_and_not_spoilt_by_it() {
        let (_dir, store) = store();
        let writer = CasWriter::open(&store).unwrap();
        for (bytes, executable) in kinds() {
            let file = writer.write(&bytes, executable).unwrap();
            let path = store.file_path(&file);
            // The other one has made the file, and then nobody lets it go on for a while.
            rt::fs::remove_file(&path).unwrap();
            let mut other = std::fs::File::create(&path).unwrap();
            assert_eq!(writer.write(&bytes, executable).unwrap(), file);
            assert_eq!(rt::fs::read(&path).unwrap(), bytes);
            std::io::Write::write_all(&mut other, b"the first few").unwrap();
            assert_eq!(rt::fs::read(&path).unwrap(), bytes);
            assert_eq!(rt::fs::is_executable(&path).unwrap(), executable);
        }
        assert!(rt::fs::read_dir(&store.tmp_dir()).unwrap().is_empty());
    }

    #[test]
    fn a_file_is_whole_for_everybody_who_has_written_it() {
        let (_dir, store) = store();
        let barrier = Barrier::new(4);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let writer = CasWriter::open(&store).unwrap();
                    for round in 0..200_u32 {
                        let bytes = round.to_le_bytes().repeat(5000);
                        barrier.wait();
                        let file = writer.write(&bytes, false).unwrap();
                        assert!(rt::fs::read(&store.file_path(&file)).unwrap() == bytes, "round {round}");
                    }
                });
            }
        });
        assert!(rt::fs::read_dir(&store.tmp_dir()).unwrap().is_empty());
    }
}
