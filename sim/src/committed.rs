//! The committed rows of the store's index, and whether the disk has what they promise.

use crate::disk::ModelDisk;
use crate::registry::Published;
use crate::run::STORE_DIR;
use crate::scenario::VersionedName;
use installer::store::{PackageRow, StoreDir, StoredFile, digest};
use rusqlite::Connection;
use std::path::Path;

/// A committed row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommittedRow {
    /// Whose tarball it is about, where the registry has it.
    pub package: Option<VersionedName>,
    /// What is wrong with the files that it names.
    pub problem: Option<String>,
}

/// The rows that a reader of this disk would see, in the order of their keys.
pub fn committed_rows(disk: &ModelDisk, published: &Published) -> Vec<CommittedRow> {
    let store = StoreDir::new(Path::new(STORE_DIR));
    let read = |database: &Connection| -> rusqlite::Result<Vec<(String, Vec<u8>)>> {
        if !database.table_exists(None, "packages")? {
            return Ok(Vec::new());
        }
        let mut statement = database.prepare("SELECT key, data FROM packages ORDER BY key")?;
        statement.query_map((), |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
    };
    let rows = disk.query(&store.index_path(), read).transpose().expect("a database in memory can be read");
    let rows = rows.unwrap_or_default();
    let row = |(key, data): (String, Vec<u8>)| CommittedRow {
        package: published.integrities.get(&key).cloned(),
        problem: match PackageRow::parse(&data) {
            Some(row) => row.files.values().find_map(|file| problem(disk, &store, published, file)),
            None => Some(format!("the row {key} cannot be read")),
        },
    };
    rows.into_iter().map(row).collect()
}

fn problem(disk: &ModelDisk, store: &StoreDir, published: &Published, file: &StoredFile) -> Option<String> {
    let path = store.file_path(file);
    match disk.file(&path) {
        // As good as hashing them, and quicker.
        Ok(bytes) if published.contents.get(&file.digest).is_some_and(|published| published == &*bytes) => None,
        Err(_) => Some(format!("{} is not there", path.display())),
        Ok(bytes) if digest(&bytes) != file.digest => {
            Some(format!("{} has {} bytes, and not those that its name says", path.display(), bytes.len()))
        }
        Ok(_) => None,
    }
}
