//! One read of the index for many packages: which tarballs are in the store by now.

use super::{IndexError, PackageRow, RowKey, StoreDir, StoreIndex};
use crate::rt;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The committed rows among `keys`. A tarball whose row is still on its way to the index is not there: it looks cold.
///
/// # Errors
/// When the index exists and cannot be read.
pub async fn prefetch_cas_paths(
    store: &StoreDir,
    keys: Vec<RowKey>,
) -> Result<BTreeMap<RowKey, Arc<PackageRow>>, IndexError> {
    let store = store.clone();
    rt::blocking("prefetch_cas_paths", move || {
        let mut rows = BTreeMap::new();
        if keys.is_empty() {
            return Ok(rows);
        }
        let Some(index) = StoreIndex::open(&store)? else { return Ok(rows) };
        for key in keys {
            if rows.contains_key(&key) {
                continue;
            }
            if let Some(row) = index.get(&key)? {
                rows.insert(key, Arc::new(row));
            }
        }
        Ok(rows)
    })
    .await
}
