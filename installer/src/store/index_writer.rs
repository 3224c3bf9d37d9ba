//! The one task that writes index rows: gathers them into batches and commits each batch in one transaction.
//!
//! Rows are committed some time after they are queued; nobody waits for that during an install. [`finish`] ends the task
//! when the install is over and says whether every row arrived. It does so although senders may still exist: a prefetch
//! that nobody needed never keeps the writer alive. A batch that meets a busy database is tried again, never dropped in silence.
//!
//! [`finish`]: StoreIndexWriter::finish

use super::index::WritableIndex;
use super::{DownloadLock, IndexError, PackageRow, RowKey, StoreDir};
use crate::batches::{Batches, Queue, queue};
use crate::rt::{self, Event, Point};
use std::sync::Arc;
use std::time::Duration;

/// How many rows may wait for the writer; a sender waits beyond that.
const QUEUE_ROWS_MAX: usize = 4096;

/// How many rows one transaction takes.
const BATCH_ROWS_MAX: usize = 256;

/// How long to wait before each further try at a database that another process holds. SQLite's own wait is inside each try.
pub const BUSY_PAUSES: [Duration; 3] =
    [Duration::from_millis(50), Duration::from_millis(100), Duration::from_millis(200)];

/// Settings of a writer.
#[derive(Debug, Clone, Copy, Default)]
pub struct WriterSettings {
    /// How long each batch is held back before it is committed. Zero outside of tests.
    pub commit_lag: Duration,
}

/// A row on its way into the index.
#[derive(Debug)]
pub struct QueuedRow {
    /// Its key.
    pub key: RowKey,
    /// What it says.
    pub row: Arc<PackageRow>,
    /// Held until the row is committed, so that no other process downloads the same in between.
    pub lock: Option<DownloadLock>,
}

/// Queues rows for the writer task. Cheap to clone.
#[derive(Debug, Clone)]
pub struct StoreIndexWriter {
    queue: Queue<QueuedRow>,
}

/// The writer has ended: the install is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the store index writer has ended")]
pub struct WriterStopped;

/// Waits for the writer task; see [`StoreIndexWriter::start`].
pub type WriterHandle = rt::JoinHandle<Result<(), IndexError>>;

impl StoreIndexWriter {
    /// Starts the writer task. The database is opened with the first batch, so a warm install never writes.
    pub fn start(store: StoreDir, settings: WriterSettings) -> (Self, WriterHandle) {
        let (queue, rows) = queue(QUEUE_ROWS_MAX);
        let handle = rt::spawn(|| "index writer".to_owned(), write_rows(store, settings, rows));
        (StoreIndexWriter { queue }, handle)
    }

    /// Queues a row. Returns when it is queued, long before it is committed.
    ///
    /// # Errors
    /// When the writer has ended.
    pub async fn queue(&self, row: QueuedRow) -> Result<(), WriterStopped> {
        self.queue.put(row).await.map_err(|_| WriterStopped)
    }

    /// Commits what is queued and ends the writer.
    ///
    /// # Errors
    /// When a batch could not be committed: its packages will be downloaded again by the next install.
    pub async fn finish(self, handle: WriterHandle) -> Result<(), IndexError> {
        self.queue.finish().await;
        rt::joined(handle.await)
    }
}

async fn write_rows(store: StoreDir, settings: WriterSettings, mut rows: Batches<QueuedRow>) -> Result<(), IndexError> {
    let mut index = None;
    let mut first_failure = None;
    while let Some(batch) = rows.next(BATCH_ROWS_MAX).await {
        rt::point(Point::WriterBatch).await;
        if !settings.commit_lag.is_zero() {
            rt::sleep(settings.commit_lag).await;
        }
        let batch = Arc::new(batch);
        let committed;
        (index, committed) = commit(&store, index, batch.clone()).await;
        match committed {
            Ok(()) => rt::event(|| Event::Commit { keys: batch.iter().map(|row| row.key.to_string()).collect() }),
            Err(error) => drop(first_failure.get_or_insert(error)),
        }
        // Frees the locks: who waits for them looks for the rows.
        drop(batch);
        rt::point(Point::WriterCommitted).await;
    }
    first_failure.map_or(Ok(()), Err)
}

/// Commits one batch; gives the connection back for the next one.
async fn commit(
    store: &StoreDir,
    mut index: Option<WritableIndex>,
    batch: Arc<Vec<QueuedRow>>,
) -> (Option<WritableIndex>, Result<(), IndexError>) {
    let mut pauses = BUSY_PAUSES.into_iter();
    loop {
        let (store, batch) = (store.clone(), batch.clone());
        let committed;
        (index, committed) = rt::blocking("commit index rows", move || {
            let mut index = match index.map_or_else(|| WritableIndex::open(&store), Ok) {
                Ok(index) => index,
                Err(error) => return (None, Err(error)),
            };
            let committed = index.commit(&batch);
            (Some(index), committed)
        })
        .await;
        let busy = committed.as_ref().is_err_and(IndexError::is_busy);
        match pauses.next().filter(|_| busy) {
            Some(pause) => rt::sleep(pause).await,
            None => return (index, committed),
        }
    }
}
