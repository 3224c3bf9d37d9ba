//! Writes files into the store: whole, once, under the name that their bytes give them.

use super::cafs::digest;
use super::{StoreDir, StoredFile};
use crate::rt::{self, Dir};
use std::io;

/// See the module. Good for as long as a tarball takes: it holds the store's directories open.
#[derive(Debug)]
pub struct CasWriter<'s> {
    store: &'s StoreDir,
    files: Dir,
    tmp: Dir,
}

impl<'s> CasWriter<'s> {
    /// A writer into a store that has been [created](StoreDir::create).
    ///
    /// # Errors
    /// When the store's directories are not there.
    pub fn open(store: &'s StoreDir) -> io::Result<Self> {
        Ok(CasWriter { store, files: Dir::open(&store.files_dir())?, tmp: Dir::open(&store.tmp_dir())? })
    }

    /// Puts `bytes` into the store, unless they are there already. A damaged file is replaced.
    ///
    /// Written under a temporary name and renamed, so that a reader never sees half a file, whoever else writes the same
    /// bytes at the same time (pnpm#11758, pnpm#11825).
    ///
    /// # Errors
    /// When the disk refuses; nothing is left under the final name then.
    pub fn write(&self, bytes: &[u8], executable: bool) -> io::Result<StoredFile> {
        let file = StoredFile { digest: digest(bytes), executable, size: bytes.len() as u64 };
        let name = file.name();
        if file.is_whole(self.files.size(&name)) {
            return Ok(file);
        }
        let _owner = self.store.act_as_owner();
        let temporary = rt::unique();
        let written = self.tmp.write_new(&temporary, bytes, executable).and_then(|()| self.publish(&temporary, &name));
        if let Err(error) = written {
            let _ = self.tmp.remove_file(&temporary);
            return Err(error);
        }
        Ok(file)
    }

    fn publish(&self, temporary: &str, name: &str) -> io::Result<()> {
        match self.tmp.rename(temporary, &self.files, name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let (shard, _) = name.split_once('/').expect("a stored file has a shard directory");
                self.files.create_dir_all(shard)?;
                self.tmp.rename(temporary, &self.files, name)
            }
            renamed => renamed,
        }
    }
}
