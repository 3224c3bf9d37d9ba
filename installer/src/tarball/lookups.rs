//! What the store's index has of an install's tarballs: one task answers all who ask, many at a time.
//!
//! A look of its own for each tarball would be a transaction of its own, on a thread where it waits behind tarballs that are
//! being unpacked. So questions queue, as rows do for the writer: whatever has come up meanwhile is answered next, in one
//! step, on a thread that does nothing else. Who claims a tarball has it, or knows that another process has it, before the
//! step looks into the index.

use super::beside::{Beside, Claim};
use crate::batches::{Batches, Queue, queue};
use crate::package::PackageId;
use crate::rt;
use crate::store::{DownloadLock, IndexError, PackageRow, RowKey, StoreDir, StoreIndex};
use dashmap::DashMap;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use tokio::sync::oneshot;

/// How many questions may wait to be answered; who asks waits beyond that.
const QUESTIONS_WAITING_MAX: usize = 4096;

/// How many questions one step answers.
const BATCH_QUESTIONS_MAX: usize = 256;

/// The looks of one install.
#[derive(Debug)]
pub(super) struct Lookups {
    known: Arc<Known>,
    questions: Queue<Question>,
    answering: Mutex<Option<rt::JoinHandle<()>>>,
}

/// What is known of the index.
#[derive(Debug)]
struct Known {
    store: StoreDir,
    beside: Arc<Beside>,
    index: OnceLock<StoreIndex>,
    /// The committed rows whose files this install has found to be all there.
    whole: DashMap<RowKey, Arc<PackageRow>>,
}

/// Whose turn it is to download a tarball.
#[derive(Debug)]
pub(super) enum Turn {
    /// Nobody's: it is in the store.
    Found(Arc<PackageRow>),
    /// Ours; with the lock, where there are locks.
    Download(Option<DownloadLock>),
    /// Another install's.
    Wait,
}

/// What is done about a tarball before the index is looked into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Before {
    /// Nothing.
    Look,
    /// It is claimed among all installs on this store.
    Claim,
    /// It is claimed, and the index is not asked: what it says may be of other bytes.
    ClaimUnseen,
}

#[derive(Debug)]
struct Question {
    key: RowKey,
    package: PackageId,
    before: Before,
    answer: oneshot::Sender<Result<Turn, IndexError>>,
}

/// A question of which nothing is left but what the index says.
struct Pending {
    question: Question,
    lock: Option<DownloadLock>,
}

impl Lookups {
    /// Starts the task that answers.
    pub(super) fn start(store: StoreDir, beside: Arc<Beside>) -> Self {
        let (questions, asked) = queue(QUESTIONS_WAITING_MAX);
        let known = Arc::new(Known { store, beside, index: OnceLock::new(), whole: DashMap::new() });
        let answering = rt::spawn(|| "index reader".to_owned(), answer(known.clone(), asked));
        Lookups { known, questions, answering: Mutex::new(Some(answering)) }
    }

    /// Whether a package's tarball is in the store, or whose turn it is to download it.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub(super) async fn ask(&self, key: RowKey, package: &PackageId, before: Before) -> Result<Turn, IndexError> {
        let (answer, answered) = oneshot::channel();
        let question = Question { key, package: package.clone(), before, answer };
        // Whoever is not answered learns so below.
        let _ = self.questions.put(question).await;
        answered.await.unwrap_or_else(|_| panic!("the index reader is gone"))
    }

    /// A committed row that this install has come across, and whose files are all there.
    pub(super) fn whole(&self, key: &RowKey) -> Option<Arc<PackageRow>> {
        self.known.noted(key)
    }

    /// Remembers a committed row: somebody else has found its files to be all there.
    pub(super) fn note_whole(&self, key: RowKey, row: Arc<PackageRow>) {
        self.known.whole.insert(key, row);
    }

    /// Ends the task when it has answered what was asked before.
    pub(super) async fn finish(&self) {
        self.questions.finish().await;
        let answering = self.answering.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(answering) = answering {
            // One that panicked has left those without an answer who asked.
            let _ = answering.await;
        }
    }
}

async fn answer(known: Arc<Known>, mut asked: Batches<Question>) {
    let lane = rt::Lane::new("look up rows");
    while let Some(batch) = asked.next(BATCH_QUESTIONS_MAX).await {
        let known = known.clone();
        lane.run(move || known.answer(batch)).await;
    }
}

impl Known {
    /// Answers every question. Blocks for the disk.
    fn answer(&self, batch: Vec<Question>) {
        let pending: Vec<Pending> = batch.into_iter().filter_map(|question| self.claim(question)).collect();
        let rows = match self.read(&pending) {
            Ok(rows) => rows,
            Err(error) => return pending.into_iter().for_each(|pending| pending.question.answer(Err(error.clone()))),
        };
        let has_row = |pending: &Pending| rows.contains_key(&pending.question.key);
        let (present, absent): (Vec<_>, Vec<_>) = pending.into_iter().partition(has_row);
        for Pending { question, lock } in absent {
            question.answer(Ok(Turn::Download(lock)));
        }
        rt::each(present, |Pending { question, lock }| {
            let row = self.whole(&question, &rows[&question.key]);
            question.answer(Ok(row.map_or(Turn::Download(lock), Turn::Found)));
        });
    }

    /// Does what comes before the look; answers the question where there need be none.
    fn claim(&self, question: Question) -> Option<Pending> {
        if question.before == Before::Look {
            // By now the install may have come to the package itself.
            let row = self.noted(&question.key).filter(|row| row.manifest.may_be_of(&question.package));
            let Some(row) = row else { return Some(Pending { question, lock: None }) };
            question.answer(Ok(Turn::Found(row)));
            return None;
        }
        match self.beside.claim(&question.key) {
            Claim::Theirs => question.answer(Ok(Turn::Wait)),
            Claim::Ours(lock) if question.before == Before::ClaimUnseen => question.answer(Ok(Turn::Download(lock))),
            Claim::Ours(lock) => return Some(Pending { question, lock }),
        }
        None
    }

    /// The committed rows that are asked for.
    fn read(&self, pending: &[Pending]) -> Result<BTreeMap<RowKey, Vec<u8>>, IndexError> {
        if pending.is_empty() {
            return Ok(BTreeMap::new());
        }
        let index = match self.index.get() {
            Some(index) => index,
            None => match StoreIndex::open(&self.store)? {
                Some(index) => self.index.get_or_init(|| index),
                None => return Ok(BTreeMap::new()),
            },
        };
        let keys = pending.iter().map(|pending| pending.question.key.clone()).collect();
        Ok(index.get_all(keys)?.into_iter().collect())
    }

    /// A row whose files somebody has found to be all there.
    fn noted(&self, key: &RowKey) -> Option<Arc<PackageRow>> {
        self.whole.get(key).map(|row| row.clone())
    }

    /// The row of a package's tarball. One that cannot be parsed, or whose files are no longer all in the store, counts as
    /// absent, and so does another package's, which a wrong integrity leads to: the download then says what is wrong.
    fn whole(&self, question: &Question, data: &[u8]) -> Option<Arc<PackageRow>> {
        let is_whole = |row: &PackageRow| row.manifest.may_be_of(&question.package) && self.store.has_all(&row.files);
        let row = Arc::new(PackageRow::parse(data).filter(is_whole)?);
        self.whole.insert(question.key.clone(), row.clone());
        Some(row)
    }
}

impl Question {
    /// A lock that nobody waits for any more is given back.
    fn answer(self, turn: Result<Turn, IndexError>) {
        let _ = self.answer.send(turn);
    }
}
