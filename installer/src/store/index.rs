//! The store's index: an SQLite table that maps a tarball to its files.
//!
//! Readers see committed rows only. Rows are written by [`StoreIndexWriter`](super::StoreIndexWriter), in batches, some
//! time after the files: that delay is why a coordination above the index is needed at all (pnpm#12241).

use super::{PackageRow, QueuedRow, StoreDir};
use crate::rt;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long SQLite waits for another process's lock before it says busy.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Names a tarball's bytes: its integrity, or its URL where no integrity is known before the download. Cheap to clone.
///
/// One tarball has one row, however many names, aliases and URLs lead to it (pnpm#13417).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowKey(Arc<str>);

impl RowKey {
    /// The key of a tarball.
    pub fn new(url: &str, integrity: Option<&ssri::Integrity>) -> Self {
        RowKey(integrity.map_or_else(|| format!("url:{url}"), ToString::to_string).into())
    }

    /// The key as the database holds it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RowKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

const HELP: &str = "another process may hold it, or it may be damaged: try again, and if it stays so delete that file; only the \
                    index is lost";

/// The index could not be read or written.
#[derive(Debug, Clone, thiserror::Error, miette::Diagnostic)]
#[error("the store index at {} cannot be {action}{}", path.display(), reason(source).map(|(reason, _)| reason).unwrap_or_default())]
#[diagnostic(
    code(lockstep::store::index),
    help("{}", reason(source).map_or(HELP, |(_, help)| help))
)]
pub struct IndexError {
    /// The database file.
    pub path: PathBuf,
    action: &'static str,
    #[source]
    source: Arc<rusqlite::Error>,
}

impl IndexError {
    /// What SQLite said.
    pub(super) fn cause(&self) -> String {
        self.source.to_string()
    }

    /// Whether another process holds the lock: the same call may succeed later.
    pub fn is_busy(&self) -> bool {
        use rusqlite::ErrorCode::{DatabaseBusy, DatabaseLocked};
        matches!(self.source.sqlite_error_code(), Some(DatabaseBusy | DatabaseLocked))
    }
}

/// The committed rows, for reading. Cheap to clone; the connection is shared.
#[derive(Debug, Clone)]
pub struct StoreIndex {
    path: PathBuf,
    connection: Arc<Mutex<Connection>>,
}

impl StoreIndex {
    /// Opens the store's index for reading; `None` when there is none yet.
    ///
    /// # Errors
    /// When the file is there and cannot be read as an index.
    pub fn open(store: &StoreDir) -> Result<Option<Self>, IndexError> {
        let path = store.index_path();
        if !rt::fs::exists(&path) {
            return Ok(None);
        }
        // A writer creates the file a moment before the table.
        let open = |path: &Path, writable| {
            let connection = rt::fs::database(path, writable)?;
            connection.busy_timeout(BUSY_TIMEOUT)?;
            connection.table_exists(None, "packages").map(|ready| ready.then_some(connection))
        };
        let opened = if has_locks(store) { open(&path, false) } else { open(&as_immutable(&path), false) };
        let opened = match opened {
            // The writing connection does it with its first read, and closes again.
            Err(error) if is_left_by_a_kill(&error) => open(&path, true).and_then(|_| open(&path, false)),
            Err(error) if has_no_log_and_gets_none(&error) => open(&as_immutable(&path), false),
            opened => opened,
        };
        let connection = opened.map_err(failed(&path, "opened"))?;
        Ok(connection.map(|connection| StoreIndex { path, connection: Arc::new(Mutex::new(connection)) }))
    }

    /// Those of `keys` that are committed at one moment, with what is to be [parsed](PackageRow::parse).
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn get_all(&self, keys: BTreeSet<RowKey>) -> Result<Vec<(RowKey, Vec<u8>)>, IndexError> {
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let read = || {
            // Without it each row would be locked and unlocked.
            let transaction = connection.unchecked_transaction()?;
            let mut rows = Vec::with_capacity(keys.len());
            for key in keys {
                rows.extend(read_row(&transaction, &key)?.map(|data| (key, data)));
            }
            Ok(rows)
        };
        read().map_err(failed(&self.path, "read"))
    }
}

/// For looking after a store: every row at once.
impl StoreIndex {
    /// All committed rows, sorted by key; none in place of one that cannot be parsed.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn rows(&self) -> Result<Vec<(RowKey, Option<PackageRow>)>, IndexError> {
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let read = |connection: &Connection| {
            let mut statement = connection.prepare("SELECT key, data FROM packages ORDER BY key")?;
            let rows = statement.query_map([], |row| {
                let data = row.get_ref(1)?.as_bytes().ok();
                Ok((RowKey(row.get::<_, String>(0)?.into()), data.and_then(PackageRow::parse)))
            })?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        read(&connection).map_err(failed(&self.path, "read"))
    }

    /// Lets SQLite look for damage in its own file.
    ///
    /// # Errors
    /// When there is any, or the file cannot be read.
    pub fn check(&self) -> Result<(), IndexError> {
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let said: rusqlite::Result<String> = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0));
        let damaged = |message| {
            let corrupt = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
            rusqlite::Error::SqliteFailure(corrupt, Some(message))
        };
        let sound = said.and_then(|said| if said == "ok" { Ok(()) } else { Err(damaged(said)) });
        sound.map_err(failed(&self.path, "read"))
    }
}

/// The connection that writes rows; owned by the writer task.
#[derive(Debug)]
pub(super) struct WritableIndex {
    store: StoreDir,
    path: PathBuf,
    connection: Connection,
}

impl WritableIndex {
    /// Opens the index for writing and creates what is missing.
    pub(super) fn open(store: &StoreDir) -> Result<Self, IndexError> {
        let path = store.index_path();
        let failed = failed(&path, "opened for writing");
        let _owner = store.act_as_owner();
        // Two writers that know nothing of each other would tear it.
        if !has_locks(store) {
            let no_locks = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_IOERR_LOCK);
            return Err(failed(rusqlite::Error::SqliteFailure(no_locks, None)));
        }
        let connection = rt::fs::database(&path, true).map_err(&failed)?;
        connection.busy_timeout(BUSY_TIMEOUT).map_err(&failed)?;
        connection
            .execute_batch(
                // With row ids: without, rows would also lie in the inner pages of the tree, and a large one there would be read
                // for each key that is compared with its own.
                "PRAGMA journal_mode = WAL;
                 PRAGMA synchronous = NORMAL;
                 CREATE TABLE IF NOT EXISTS packages (key TEXT PRIMARY KEY, data BLOB NOT NULL);",
            )
            .map_err(&failed)?;
        Ok(WritableIndex { store: store.clone(), path, connection })
    }

    /// Removes rows in one transaction.
    pub(super) fn remove(&mut self, keys: &BTreeSet<RowKey>) -> Result<(), IndexError> {
        let write = |connection: &mut Connection| {
            let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
            for key in keys {
                transaction.execute("DELETE FROM packages WHERE key = ?1", params![key.as_str()])?;
            }
            transaction.commit()
        };
        let _owner = self.store.act_as_owner();
        write(&mut self.connection).map_err(failed(&self.path, "written"))
    }

    /// Commits a batch in one transaction: all of its rows, or none.
    pub(super) fn commit(&mut self, batch: &[QueuedRow]) -> Result<(), IndexError> {
        let write = |connection: &mut Connection| {
            let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
            {
                let mut insert =
                    transaction.prepare_cached("INSERT OR REPLACE INTO packages (key, data) VALUES (?1, ?2)")?;
                for QueuedRow { key, row, .. } in batch {
                    insert.execute(params![key.as_str(), row.to_bytes()])?;
                }
            }
            transaction.commit()
        };
        let _owner = self.store.act_as_owner();
        write(&mut self.connection).map_err(failed(&self.path, "written"))
    }
}

fn read_row(connection: &Connection, key: &RowKey) -> rusqlite::Result<Option<Vec<u8>>> {
    let mut statement = connection.prepare_cached("SELECT data FROM packages WHERE key = ?1")?;
    statement.query_row(params![key.as_str()], |row| row.get(0)).optional()
}

/// Whether a writer was killed in the middle, so that somebody has to take back what it began: a connection that only
/// reads may not.
fn is_left_by_a_kill(error: &rusqlite::Error) -> bool {
    use rusqlite::ffi::{SQLITE_READONLY_RECOVERY, SQLITE_READONLY_ROLLBACK};
    let code = error.sqlite_error().map(|error| error.extended_code);
    matches!(code, Some(SQLITE_READONLY_ROLLBACK | SQLITE_READONLY_RECOVERY))
}

/// Whether even a reader would have to make the log, in a directory that it may not write to.
fn has_no_log_and_gets_none(error: &rusqlite::Error) -> bool {
    use rusqlite::ffi::{SQLITE_READONLY_CANTINIT, SQLITE_READONLY_DIRECTORY};
    let code = error.sqlite_error().map(|error| error.extended_code);
    matches!(code, Some(SQLITE_READONLY_DIRECTORY | SQLITE_READONLY_CANTINIT))
}

/// Whether the index can be locked: without locks it is only read.
fn has_locks(store: &StoreDir) -> bool {
    let _owner = store.act_as_owner();
    rt::has_locks(&store.locks_path(0))
}

/// Why, and what to do about it, where SQLite says neither.
fn reason(error: &rusqlite::Error) -> Option<(&'static str, &'static str)> {
    use rusqlite::ffi::{SQLITE_FULL, SQLITE_IOERR_LOCK, SQLITE_IOERR_SHMSIZE};
    match error.sqlite_error()?.extended_code {
        // For the database, or for the memory that its users share, which is a file beside it.
        SQLITE_FULL | SQLITE_IOERR_SHMSIZE => Some((
            ": No space left on device",
            "free some space on the store's disk, or choose another store with --store-dir",
        )),
        SQLITE_IOERR_LOCK => {
            Some((": its filesystem has no locks", "choose a store on another filesystem with --store-dir"))
        }
        _ => None,
    }
}

/// A database that is read without a log, as one that nobody changes. Should somebody do so after all, a row may be read as
/// nonsense: it then counts as absent, and files are compared with their sizes whatever a row says.
fn as_immutable(path: &Path) -> PathBuf {
    const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'.').remove(b'-').remove(b'_');
    let path = percent_encode(path.as_os_str().as_encoded_bytes(), KEPT);
    PathBuf::from(format!("file:{path}?immutable=1"))
}

fn failed(path: &Path, action: &'static str) -> impl Fn(rusqlite::Error) -> IndexError + use<> {
    let path = path.to_owned();
    move |source| IndexError { path: path.clone(), action, source: Arc::new(source) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_without_room_is_named() {
        use rusqlite::ffi::{self, SQLITE_CORRUPT, SQLITE_FULL, SQLITE_IOERR_SHMSIZE};
        let said = |code| {
            let error = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
            let error = failed(Path::new("/store/index.db"), "opened")(error);
            (error.to_string(), miette::Diagnostic::help(&error).unwrap().to_string())
        };
        for code in [SQLITE_FULL, SQLITE_IOERR_SHMSIZE] {
            let (text, help) = said(code);
            assert_eq!(text, "the store index at /store/index.db cannot be opened: No space left on device");
            assert!(help.contains("free some space") && help.contains("--store-dir"), "{help}");
        }
        let (text, help) = said(SQLITE_CORRUPT);
        assert_eq!(text, "the store index at /store/index.db cannot be opened");
        assert!(help.contains("only the index is lost"), "{help}");
    }

    /// A store whose writer was killed: its journal lies beside the database, and nobody holds the lock.
    fn store_after_a_kill(dir: &Path) -> StoreDir {
        let (live, store) = (StoreDir::new(&dir.join("live")), StoreDir::new(&dir.join("killed")));
        for store in [&live, &store] {
            store.create().unwrap();
        }
        let connection = Connection::open(live.index_path()).unwrap();
        // As before the first `journal_mode = WAL`; the small cache makes SQLite write before the commit.
        let half_done = "PRAGMA journal_mode = DELETE; PRAGMA cache_size = 1;
             CREATE TABLE packages (key TEXT PRIMARY KEY, data BLOB NOT NULL) WITHOUT ROWID;
             INSERT INTO packages VALUES ('whole', '{}');
             BEGIN; UPDATE packages SET data = 'half';
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
             INSERT INTO packages SELECT 'k' || i, zeroblob(500) FROM n;";
        connection.execute_batch(half_done).unwrap();
        for name in ["index.db", "index.db-journal"] {
            std::fs::copy(live.root().join(name), store.root().join(name)).unwrap();
        }
        store
    }

    #[test]
    fn a_reader_takes_back_what_a_killed_writer_began() {
        let dir = tempfile::tempdir().unwrap();
        let store = store_after_a_kill(dir.path());
        let index = StoreIndex::open(&store).unwrap().expect("the table was there before");
        let keys: Vec<_> = index.rows().unwrap().into_iter().map(|(key, _)| key.to_string()).collect();
        assert_eq!(keys, ["whole"]);
    }
}
