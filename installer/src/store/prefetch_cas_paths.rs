//! One read of the index for many packages: which tarballs are in the store by now.

use super::{IndexError, PackageRow, RowKey, StoreDir, StoreIndex};
use crate::rt;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How many rows are parsed by one thread at a time.
const PART: usize = 32;

/// The committed rows among `keys`. A tarball whose row is still on its way to the index is not there: it looks cold.
///
/// # Errors
/// When the index exists and cannot be read.
pub async fn prefetch_cas_paths(
    store: &StoreDir,
    keys: BTreeSet<RowKey>,
) -> Result<BTreeMap<RowKey, Arc<PackageRow>>, IndexError> {
    if keys.is_empty() {
        return Ok(BTreeMap::new());
    }
    let store = store.clone();
    let read = move || match StoreIndex::open(&store)? {
        Some(index) => index.get_all(keys),
        None => Ok(Vec::new()),
    };
    let mut rows = rt::blocking("prefetch_cas_paths", read).await?;
    let mut parts = Vec::new();
    while !rows.is_empty() {
        parts.push(rows.split_off(rows.len().saturating_sub(PART)));
    }
    let parse = |(key, data): (RowKey, Vec<u8>)| Some((key, Arc::new(PackageRow::parse(&data)?)));
    let parsed = rt::parallel("parse rows", parts, move |part| part.into_iter().filter_map(parse).collect::<Vec<_>>());
    Ok(parsed.await.into_iter().flatten().collect())
}
