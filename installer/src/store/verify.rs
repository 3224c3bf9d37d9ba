//! Looks for damage in the store, and repairs it by removing: what is removed is downloaded again when it is needed.
//!
//! Every file is read and hashed, and held against the index rows in both directions. [`examine`] changes nothing and
//! says all that it found; [`repair`] removes what it was given. An install may go on meanwhile: files come before their
//! rows, so a file without a row is damage only when it is older than any install.

use super::index::WritableIndex;
use super::{IndexError, RowKey, StoreDir, StoreIndex, StoredFile};
use crate::rt;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a file may be without a row: an install may still be about to write it.
const ROWLESS_AGE_MAX: Duration = Duration::from_hours(1);

/// What a store holds, and what is wrong with it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Examination {
    /// How many tarballs have a row.
    pub packages: usize,
    /// How many files the rows name.
    pub files: usize,
    /// Their size in bytes.
    pub bytes: u64,
    /// What is wrong, sorted.
    pub damage: Vec<Damage>,
    /// `name@version` of the packages of which a file has other bytes than it should: whoever has put them in place as further
    /// names of these files has them too.
    pub altered: BTreeSet<String>,
    /// Rows to remove.
    rows: BTreeSet<RowKey>,
    /// Files to remove.
    paths: BTreeSet<PathBuf>,
    /// Whether the index itself has to go.
    index: bool,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Damage {
    /// The database is no database, or not the one it should be: every file goes with it.
    Index {
        /// What SQLite says.
        message: String,
    },
    /// A row cannot be read.
    UnreadableRow {
        /// Its key.
        key: String,
    },
    /// A row of whose files none is there.
    RowWithoutFiles {
        /// Whose it is.
        package: String,
    },
    /// A file that a row names is not there.
    Missing {
        /// Where it should be.
        path: PathBuf,
        /// Whose it is.
        package: String,
    },
    /// A file does not have its size.
    WrongSize {
        /// Which.
        path: PathBuf,
        /// Bytes that it has.
        bytes: u64,
        /// Bytes that it should have.
        expected: u64,
    },
    /// A file has its size and other bytes.
    Altered {
        /// Which.
        path: PathBuf,
    },
    /// A file that no row names.
    Rowless {
        /// Which.
        path: PathBuf,
    },
    /// A cached packument that is cut short or altered.
    Packument {
        /// Which file.
        path: PathBuf,
    },
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Damage::Index { message } => write!(f, "the index is damaged: {message}"),
            Damage::UnreadableRow { key } => write!(f, "unreadable row: {key}"),
            Damage::RowWithoutFiles { package } => write!(f, "no files: {package}"),
            Damage::Missing { path, package } => write!(f, "missing: {} of {package}", path.display()),
            Damage::WrongSize { path, bytes, expected } => {
                write!(f, "wrong size: {} has {bytes} bytes instead of {expected}", path.display())
            }
            Damage::Altered { path } => write!(f, "altered: {}", path.display()),
            Damage::Rowless { path } => write!(f, "belongs to no package: {}", path.display()),
            Damage::Packument { path } => write!(f, "damaged packument: {}", path.display()),
        }
    }
}

/// The store cannot be read, or not be repaired.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum StoreError {
    /// The index cannot be changed.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Index(#[from] IndexError),
    /// A file cannot be removed.
    #[error("cannot remove {}", path.display())]
    #[diagnostic(code(lockstep::store::remove), help("check the permissions of the store's directory"))]
    Remove {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Reads the whole store. `is_whole_packument` knows the form of a cached packument's file.
///
/// # Errors
/// When the index is held by another process.
pub async fn examine(store: &StoreDir, is_whole_packument: fn(Vec<u8>) -> bool) -> Result<Examination, StoreError> {
    let mut found = Examination::default();
    let rows = match read_rows(store).await {
        Ok(rows) => rows,
        Err(error) if error.is_busy() => return Err(error.into()),
        Err(error) => {
            found.index = true;
            found.damage.push(Damage::Index { message: error.cause() });
            Vec::new()
        }
    };
    let mut owners: BTreeMap<PathBuf, Vec<usize>> = BTreeMap::new();
    let mut expected: BTreeMap<PathBuf, StoredFile> = BTreeMap::new();
    for (index, (key, row)) in rows.iter().enumerate() {
        let Some(row) = row else {
            found.rows.insert(key.clone());
            found.damage.push(Damage::UnreadableRow { key: key.to_string() });
            continue;
        };
        found.packages += 1;
        for file in row.files.values() {
            let path = store.file_path(file);
            owners.entry(path.clone()).or_default().push(index);
            expected.entry(path).or_insert_with(|| file.clone());
        }
    }
    found.files = expected.len();
    found.bytes = expected.values().map(|file| file.size).sum();
    let name = |index: usize| rows[index].1.as_ref().map_or_else(String::new, |row| row.manifest.label());

    let states = rt::parallel("examine files", expected.into_iter().collect(), |(path, file)| {
        let state = State::of(&path, &file);
        (path, file, state)
    });
    let mut bad: BTreeMap<PathBuf, Damage> = BTreeMap::new();
    for (path, file, state) in states.await {
        let package = || owners[&path].first().map_or_else(String::new, |index| name(*index));
        let damage = match state {
            State::Whole => continue,
            State::Missing => Damage::Missing { path: path.clone(), package: package() },
            State::WrongSize(bytes) => Damage::WrongSize { path: path.clone(), bytes, expected: file.size },
            State::Altered => Damage::Altered { path: path.clone() },
        };
        bad.insert(path, damage);
    }
    found.judge_rows(store, &rows, &bad);
    // What only such rows name belongs to no package any more.
    let is_orphaned = |owners: &Vec<usize>| owners.iter().all(|index| found.rows.contains(&rows[*index].0));
    let orphans = owners.iter().filter(|(_, owners)| is_orphaned(owners)).map(|(path, _)| path.clone());
    let orphans: Vec<PathBuf> = orphans.filter(|path| !matches!(bad.get(path), Some(Damage::Missing { .. }))).collect();
    found.paths.extend(orphans);
    found.look_for_rowless(store, &owners).await;
    found.look_at_packuments(store, is_whole_packument).await;
    found.damage.sort();
    Ok(found)
}

type Rows = Vec<(RowKey, Option<super::PackageRow>)>;

async fn read_rows(store: &StoreDir) -> Result<Rows, IndexError> {
    let store = store.clone();
    rt::blocking("read all rows", move || match StoreIndex::open(&store)? {
        Some(index) => index.check().and_then(|()| index.rows()),
        None => Ok(Vec::new()),
    })
    .await
}

enum State {
    Whole,
    Missing,
    WrongSize(u64),
    Altered,
}

impl State {
    fn of(path: &Path, file: &StoredFile) -> Self {
        match rt::fs::read(path) {
            Err(_) => State::Missing,
            Ok(bytes) if bytes.len() as u64 != file.size => State::WrongSize(bytes.len() as u64),
            Ok(bytes) if super::digest(&bytes) != file.digest => State::Altered,
            Ok(_) => State::Whole,
        }
    }
}

impl Examination {
    /// Whether nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.damage.is_empty()
    }

    /// Rows that name a bad file go; so do the bad files.
    fn judge_rows(&mut self, store: &StoreDir, rows: &Rows, bad: &BTreeMap<PathBuf, Damage>) {
        let mut explained = BTreeSet::new();
        for (key, row) in rows {
            let Some(row) = row else { continue };
            let paths: BTreeSet<PathBuf> = row.files.values().map(|file| store.file_path(file)).collect();
            if !paths.iter().any(|path| bad.contains_key(path)) {
                continue;
            }
            self.rows.insert(key.clone());
            if paths.iter().any(|path| !matches!(bad.get(path), None | Some(Damage::Missing { .. }))) {
                self.altered.insert(row.manifest.label());
            }
            if paths.iter().all(|path| matches!(bad.get(path), Some(Damage::Missing { .. }))) {
                self.damage.push(Damage::RowWithoutFiles { package: row.manifest.label() });
                explained.extend(paths);
            }
        }
        for (path, damage) in bad {
            if !matches!(damage, Damage::Missing { .. }) {
                self.paths.insert(path.clone());
            }
            if !explained.contains(path) {
                self.damage.push(damage.clone());
            }
        }
    }

    async fn look_for_rowless(&mut self, store: &StoreDir, owners: &BTreeMap<PathBuf, Vec<usize>>) {
        let dir = store.files_dir();
        let there = rt::blocking("list files", move || files_below(&dir)).await;
        if self.index {
            // Without an index no file can be found.
            self.paths.extend(there);
            return;
        }
        for path in there.into_iter().filter(|path| !owners.contains_key(path)) {
            if rt::fs::age(&path).is_ok_and(|age| age > ROWLESS_AGE_MAX) {
                self.paths.insert(path.clone());
                self.damage.push(Damage::Rowless { path });
            }
        }
    }

    async fn look_at_packuments(&mut self, store: &StoreDir, is_whole_packument: fn(Vec<u8>) -> bool) {
        let dir = store.packuments_dir();
        let there = rt::blocking("list packuments", move || files_below(&dir)).await;
        let states = rt::parallel("examine packuments", there, move |path| {
            let whole = rt::fs::read(&path).is_ok_and(is_whole_packument);
            (path, whole)
        });
        for (path, _) in states.await.into_iter().filter(|(_, whole)| !whole) {
            self.paths.insert(path.clone());
            self.damage.push(Damage::Packument { path });
        }
    }
}

/// Files two levels deep, as the store keeps them.
fn files_below(dir: &Path) -> Vec<PathBuf> {
    let shards = rt::fs::read_dir(dir).unwrap_or_default().into_iter().map(|shard| dir.join(shard));
    shards
        .flat_map(|shard| {
            let names = rt::fs::read_dir(&shard).unwrap_or_default();
            names.into_iter().map(move |name| shard.join(name)).collect::<Vec<_>>()
        })
        .collect()
}

/// Removes what an examination found to be damaged: rows first, so that none is left whose files are gone.
///
/// # Errors
/// When the index or a file cannot be changed.
pub async fn repair(store: &StoreDir, found: Examination) -> Result<(), StoreError> {
    let store = store.clone();
    rt::blocking("repair the store", move || {
        if found.index {
            let index = store.index_path();
            for suffix in ["", "-wal", "-shm"] {
                let mut path = index.clone().into_os_string();
                path.push(suffix);
                remove(path.as_ref())?;
            }
        } else if !found.rows.is_empty() {
            WritableIndex::open(&store)?.remove(&found.rows)?;
        }
        found.paths.iter().try_for_each(|path| remove(path))
    })
    .await
}

/// Removes a file; one that is gone is no error.
pub(super) fn remove(path: &Path) -> Result<(), StoreError> {
    match rt::fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(StoreError::Remove { path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}
