//! A disk at rest: kept, cloned, and given to another thread's run.

use super::ModelDisk;
use super::database::Database;
use super::inodes::Inodes;
use super::locks::LockTable;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A disk at rest.
#[derive(Debug, Clone)]
pub struct Image {
    inodes: Inodes,
    /// How often it was taken into use.
    uses: u64,
    /// How often its machine was started.
    boots: u64,
    databases: BTreeMap<PathBuf, Vec<u8>>,
}

impl Default for Image {
    fn default() -> Self {
        Image { inodes: Inodes::default(), uses: 0, boots: 1, databases: BTreeMap::new() }
    }
}

impl ModelDisk {
    /// A disk that begins as `image`.
    pub fn new(image: &Image) -> Self {
        let databases = image.databases.iter().map(|(path, bytes)| (path.clone(), Database::restored(bytes)));
        ModelDisk {
            inodes: RefCell::new(image.inodes.clone()),
            databases: RefCell::new(databases.collect()),
            locks: LockTable::default(),
            watch: RefCell::default(),
            synced: image.inodes.next(),
            uses: image.uses + 1,
            boots: image.boots,
        }
    }

    /// The disk as it is now, at rest.
    pub fn image(&self) -> Image {
        let mut databases = self.databases.borrow_mut();
        Image {
            inodes: self.inodes.borrow().clone(),
            uses: self.uses,
            boots: self.boots,
            databases: databases.iter_mut().map(|(path, database)| (path.clone(), database.bytes())).collect(),
        }
    }

    /// The disk as it is after the machine has lost power: of the files that were not synced, no byte is left. Names are
    /// kept, and so are committed rows, which is the worst that can happen to who trusts them.
    pub fn image_after_power_loss(&self) -> Image {
        let mut image = self.image();
        image.boots += 1;
        image.inodes.empty_files_from(self.synced);
        image
    }
}
