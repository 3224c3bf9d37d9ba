//! The registry as the solver sees it: each packument fetched and indexed once, then shown with the adjustments of the
//! attempt that runs.

use super::adjustments::Adjustments;
use super::packument::Packument;
use super::packuments::{PackumentError, Packuments};
use super::{InvalidPackument, ResolveError};
use crate::rt;
use async_trait::async_trait;
use bytes::Bytes;
use deno_npm::registry::{NpmPackageInfo, NpmRegistryApi, NpmRegistryPackageInfoLoadError};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use tokio::sync::OnceCell;

/// Packuments that have been loaded, by name.
pub(super) type Loaded = Arc<Mutex<BTreeMap<String, Arc<Packument>>>>;

type Slot = Rc<OnceCell<Option<Arc<Packument>>>>;
type View = Rc<OnceCell<Arc<NpmPackageInfo>>>;

/// All packuments of one resolution.
pub(super) struct Registry<'a> {
    packuments: &'a dyn Packuments,
    slots: RefCell<BTreeMap<String, Slot>>,
    loaded: Loaded,
    /// The first failure by name. The solver is told that the package does not exist; the resolution fails with this.
    failures: RefCell<BTreeMap<String, ResolveError>>,
}

impl<'a> Registry<'a> {
    pub fn new(packuments: &'a dyn Packuments) -> Self {
        Registry { packuments, slots: RefCell::default(), loaded: Loaded::default(), failures: RefCell::default() }
    }

    /// What is loaded so far, shared with whoever needs it from another thread.
    pub fn loaded(&self) -> Loaded {
        self.loaded.clone()
    }

    /// The packument, if the solver has asked for it.
    pub fn get(&self, name: &str) -> Option<Arc<Packument>> {
        self.loaded.lock().expect("no one panics while holding this lock").get(name).cloned()
    }

    /// The base URL of the registry that serves this package.
    pub fn base_url(&self, name: &str) -> String {
        self.packuments.registry(name)
    }

    /// A failure that is not about a dependency: of the network, or of a packument.
    pub fn take_failure(&self) -> Option<ResolveError> {
        Some(self.failures.borrow_mut().pop_first()?.1)
    }

    async fn load(&self, name: &str) -> Option<Arc<Packument>> {
        let slot = self.slots.borrow_mut().entry(name.to_owned()).or_default().clone();
        slot.get_or_init(|| self.fetch(name)).await.clone()
    }

    async fn fetch(&self, name: &str) -> Option<Arc<Packument>> {
        let fail = |error| {
            self.failures.borrow_mut().insert(name.to_owned(), error);
            None
        };
        let bytes = match self.packuments.packument(name).await {
            Ok(bytes) => bytes,
            Err(PackumentError::NotFound) => return None,
            Err(PackumentError::Failed(source)) => {
                return fail(ResolveError::Registry { package: name.to_owned(), source: source.into() });
            }
        };
        match index(name, bytes).await {
            Ok(packument) => {
                let mut loaded = self.loaded.lock().expect("no one panics while holding this lock");
                loaded.insert(name.to_owned(), packument.clone());
                Some(packument)
            }
            Err(source) => {
                fail(ResolveError::InvalidPackument(InvalidPackument { package: name.to_owned(), source: Arc::new(source) }))
            }
        }
    }
}

async fn index(name: &str, bytes: Bytes) -> Result<Arc<Packument>, serde_json::Error> {
    let name = name.to_owned();
    rt::blocking("packument", move || Packument::parse(&name, bytes).map(Arc::new)).await
}

/// The registry in one attempt of the solver.
pub(super) struct Attempt<'r, 'a> {
    registry: &'r Registry<'a>,
    adjustments: Arc<Adjustments>,
    views: RefCell<BTreeMap<String, View>>,
}

impl<'r, 'a> Attempt<'r, 'a> {
    pub fn new(registry: &'r Registry<'a>, adjustments: Arc<Adjustments>) -> Self {
        Attempt { registry, adjustments, views: RefCell::default() }
    }
}

#[async_trait(?Send)]
impl NpmRegistryApi for Attempt<'_, '_> {
    async fn package_info(&self, name: &str) -> Result<Arc<NpmPackageInfo>, NpmRegistryPackageInfoLoadError> {
        let Some(packument) = self.registry.load(name).await else {
            return Err(NpmRegistryPackageInfoLoadError::PackageNotExists { package_name: name.to_owned() });
        };
        let view = self.views.borrow_mut().entry(name.to_owned()).or_default().clone();
        let adjustments = self.adjustments.clone();
        let show = || rt::blocking("packument", move || Arc::new(adjustments.view(&packument)));
        Ok(view.get_or_init(show).await.clone())
    }
}
