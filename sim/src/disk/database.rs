//! SQLite databases in memory.

use rusqlite::backup::Backup;
use rusqlite::{Connection, MAIN_DB, OpenFlags};
use std::sync::atomic::{AtomicU64, Ordering};

/// An in-memory database lives as long as a connection to it does.
pub(super) struct Database {
    name: String,
    keep: Connection,
}

impl Default for Database {
    fn default() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        // Two runs of one process must not share a database; the name reaches no decision.
        let name = format!("file:/lockstep-{}?vfs=memdb", NEXT.fetch_add(1, Ordering::Relaxed));
        let keep = open(&name).expect("SQLite opens a database in memory");
        Database { name, keep }
    }
}

impl Database {
    /// The database that was kept as `bytes`.
    pub(super) fn restored(bytes: &[u8]) -> Self {
        let mut database = Database::default();
        let mut source = Connection::open_in_memory().expect("SQLite opens a database in memory");
        source
            .deserialize_read_exact(MAIN_DB, bytes, bytes.len(), true)
            .and_then(|()| Backup::new(&source, &mut database.keep)?.step(-1))
            .expect("an image's database is whole");
        database
    }

    /// The database, to be kept.
    pub(super) fn bytes(&mut self) -> Vec<u8> {
        self.keep.serialize(MAIN_DB).expect("a database in memory can be serialized").to_vec()
    }

    /// One more connection to it.
    pub(super) fn open(&self) -> rusqlite::Result<Connection> {
        open(&self.name)
    }

    /// What its readers see.
    pub(super) fn reader(&self) -> &Connection {
        &self.keep
    }
}

fn open(name: &str) -> rusqlite::Result<Connection> {
    Connection::open_with_flags(name, OpenFlags::default())
}
