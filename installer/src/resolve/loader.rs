//! The packuments of one resolution: each fetched and opened once.
//!
//! A package that nobody needs is loaded in full, as pnpm does: which C library it is for is not in an abbreviated packument,
//! and it is the packages for other machines that are optional.

use super::manifest_edits::ManifestEdits;
use super::packument::Packument;
use super::packuments::{Detail, PackumentError, Packuments};
use super::{InvalidPackument, ResolveError};
use crate::rt;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use tokio::sync::OnceCell;

/// What came of loading a packument; `None` is a package that does not exist.
pub(super) type Loaded = Result<Option<Arc<Packument>>, ResolveError>;

type Slot = Rc<OnceCell<Loaded>>;

/// See the module.
pub(super) struct Loader<'a> {
    packuments: &'a dyn Packuments,
    edits: Arc<ManifestEdits>,
    slots: RefCell<BTreeMap<(String, Detail), Slot>>,
}

impl<'a> Loader<'a> {
    pub fn new(packuments: &'a dyn Packuments, edits: ManifestEdits) -> Self {
        Loader { packuments, edits: Arc::new(edits), slots: RefCell::default() }
    }

    /// The packument; whoever asks first fetches it.
    pub async fn load(&self, name: &str, detail: Detail) -> Loaded {
        let slot = self.slots.borrow_mut().entry((name.to_owned(), detail)).or_default().clone();
        slot.get_or_init(|| fetch(self.packuments, name, detail, self.edits.clone())).await.clone()
    }

    /// The packument, once it is loaded.
    pub fn loaded(&self, name: &str, detail: Detail) -> Option<Loaded> {
        self.slots.borrow().get(&(name.to_owned(), detail))?.get().cloned()
    }

    /// The packument of a package that exists, once it is loaded.
    pub fn get(&self, name: &str) -> Option<Arc<Packument>> {
        let loaded = |detail| self.loaded(name, detail)?.ok()?;
        loaded(Detail::Abbreviated).or_else(|| loaded(Detail::Full))
    }

    /// What was loaded.
    pub fn into_packuments(self) -> Vec<Arc<Packument>> {
        let slots = self.slots.into_inner().into_values().filter_map(Rc::into_inner);
        slots.filter_map(|slot| slot.into_inner()?.ok()?).collect()
    }

    /// The base URL of the registry that serves this package.
    pub fn base_url(&self, name: &str) -> String {
        self.packuments.registry(name)
    }
}

/// Fetches and indexes a packument.
pub(super) async fn fetch(
    packuments: &(impl Packuments + ?Sized),
    name: &str,
    detail: Detail,
    edits: Arc<ManifestEdits>,
) -> Loaded {
    let package = || name.to_owned();
    let document = match packuments.packument(name, detail).await {
        Ok(document) => document,
        Err(PackumentError::NotFound) => return Ok(None),
        Err(PackumentError::Invalid(source)) => return Err(InvalidPackument { package: package(), source }.into()),
        Err(PackumentError::Failed(cause)) => {
            return Err(ResolveError::Registry { package: package(), source: cause.into() });
        }
    };
    let owned_name = package();
    let is_long = edits.are_looked_for();
    let open = move || Arc::new(Packument::new(&owned_name, document, edits));
    Ok(Some(if is_long { rt::blocking("search packument", open).await } else { open() }))
}
