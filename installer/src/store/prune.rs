//! Removes what no project uses from the store, by the one sign that there is: how many names a file has.
//!
//! A project's files are further names of the store's, so a package whose files have no other name is in no node_modules.
//! Where files were cloned or copied instead (another disk, or one that can share blocks) nothing tells them apart, and
//! they go too: no project is harmed, the next one that needs them downloads them again. As in pnpm.

use super::index::WritableIndex;
use super::verify::{StoreError, remove};
use super::{PackageRow, RowKey, StoreDir, StoreIndex};
use crate::rt;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// What was removed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Packages.
    pub packages: Vec<String>,
    /// Files.
    pub files: usize,
    /// Their size in bytes.
    pub bytes: u64,
}

/// Removes packages that no project uses: rows first, so that none is left whose files are gone.
///
/// # Errors
/// When the index cannot be read or changed, or a file not be removed.
pub async fn prune(store: &StoreDir) -> Result<Pruned, StoreError> {
    let store = store.clone();
    rt::blocking("prune the store", move || {
        let Some(index) = StoreIndex::open(&store)? else { return Ok(Pruned::default()) };
        let rows: Vec<(RowKey, PackageRow)> =
            index.rows()?.into_iter().filter_map(|(key, row)| Some((key, row?))).collect();
        let is_used = |path: &PathBuf| rt::fs::names(path).is_ok_and(|names| names > 1);
        let paths =
            |row: &PackageRow| -> BTreeSet<PathBuf> { row.files.values().map(|file| store.file_path(file)).collect() };
        let (used, unused): (Vec<_>, Vec<_>) = rows.into_iter().partition(|(_, row)| paths(row).iter().any(&is_used));
        if unused.is_empty() {
            return Ok(Pruned::default());
        }
        let kept: BTreeSet<PathBuf> = used.iter().flat_map(|(_, row)| paths(row)).collect();
        WritableIndex::open(&store)?.remove(&unused.iter().map(|(key, _)| key.clone()).collect())?;
        let mut pruned = Pruned::default();
        let gone: BTreeSet<PathBuf> = unused.iter().flat_map(|(_, row)| paths(row)).collect();
        for path in gone.difference(&kept) {
            pruned.bytes += rt::fs::size(path).unwrap_or_default();
            pruned.files += 1;
            remove(path)?;
        }
        pruned.packages = unused.iter().map(|(_, row)| row.manifest.label()).collect();
        pruned.packages.sort();
        Ok(pruned)
    })
    .await
}
