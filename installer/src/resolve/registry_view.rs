//! The registry as the solver sees it: each packument fetched and indexed once, and shown with the adjustments made so far.

use super::adjustments::{Adjustments, Obstacle};
use super::manifest_edits::ManifestEdits;
use super::packument::Packument;
use super::packuments::{PackumentError, Packuments};
use super::specifier::target_of;
use super::{InvalidPackument, ResolveError};
use crate::rt;
use async_trait::async_trait;
use bytes::Bytes;
use deno_npm::registry::{NpmPackageInfo, NpmRegistryApi, NpmRegistryPackageInfoLoadError};
use deno_semver::VersionReq;
use deno_semver::package::PackageNv;
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
    adjustments: RefCell<Arc<Adjustments>>,
    views: RefCell<BTreeMap<String, View>>,
    edits: Arc<ManifestEdits>,
    /// Packages that no registry has: the projects of a workspace.
    local: RefCell<BTreeMap<String, Arc<NpmPackageInfo>>>,
}

impl<'a> Registry<'a> {
    pub fn new(packuments: &'a dyn Packuments, adjustments: Adjustments, edits: ManifestEdits) -> Self {
        Registry {
            packuments,
            slots: RefCell::default(),
            loaded: Loaded::default(),
            failures: RefCell::default(),
            adjustments: RefCell::new(Arc::new(adjustments)),
            views: RefCell::default(),
            edits: Arc::new(edits),
            local: RefCell::default(),
        }
    }

    /// Shows the solver packages that no registry has, in place of those shown before.
    pub fn show(&self, local: BTreeMap<String, Arc<NpmPackageInfo>>) {
        *self.local.borrow_mut() = local;
    }

    /// The adjustments made so far.
    pub fn adjustments(&self) -> Arc<Adjustments> {
        self.adjustments.borrow().clone()
    }

    /// Makes room for an obstacle that stopped the solver, and for those that `chosen` packages' optional dependencies are
    /// known to run into. `false` when somebody needs what is not there.
    pub fn adjust(&self, obstacle: &Obstacle, chosen: &[PackageNv]) -> bool {
        let mut adjusted = (**self.adjustments.borrow()).clone();
        let mut taken_on = vec![obstacle.clone()];
        if !adjusted.release(obstacle) {
            if !adjusted.take_on(obstacle.clone()) {
                return false;
            }
            let found = self.obstacles_of(chosen);
            taken_on.extend(found.into_iter().filter(|obstacle| adjusted.take_on(obstacle.clone())));
        }
        self.views.borrow_mut().retain(|name, _| {
            let packument = self.get(name);
            packument.is_some_and(|packument| !taken_on.iter().any(|obstacle| obstacle.concerns(&packument)))
        });
        *self.adjustments.borrow_mut() = Arc::new(adjusted);
        true
    }

    /// What stands in the way of the optional dependencies of `chosen`, as far as it is known without another request.
    fn obstacles_of(&self, chosen: &[PackageNv]) -> Vec<Obstacle> {
        let mut obstacles = Vec::new();
        for parent in chosen {
            let manifest = self.get(&parent.name).and_then(|packument| packument.version(&parent.version));
            for (alias, specifier) in manifest.iter().flat_map(|manifest| &manifest.optional_dependencies) {
                obstacles.extend(target_of(alias, specifier).and_then(|(name, range)| self.obstacle(name, range)));
            }
        }
        obstacles
    }

    fn obstacle(&self, name: &str, range: &str) -> Option<Obstacle> {
        let slots = self.slots.borrow();
        let Some(packument) = slots.get(name)?.get()? else {
            return Some(Obstacle::NoPackage { name: name.to_owned() });
        };
        let range = VersionReq::parse_from_npm(range).ok()?;
        let there = match range.tag() {
            Some(tag) => packument.dist_tags.contains_key(tag),
            None => packument.versions().any(|version| range.matches(version)) || range.version_text() == "*",
        };
        (!there).then(|| Obstacle::NoVersion { name: name.to_owned(), range })
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
        match index(name, bytes, self.edits.clone()).await {
            Ok(packument) => {
                let mut loaded = self.loaded.lock().expect("no one panics while holding this lock");
                loaded.insert(name.to_owned(), packument.clone());
                Some(packument)
            }
            Err(source) => fail(ResolveError::InvalidPackument(InvalidPackument {
                package: name.to_owned(),
                source: Arc::new(source),
            })),
        }
    }
}

async fn index(name: &str, bytes: Bytes, edits: Arc<ManifestEdits>) -> Result<Arc<Packument>, serde_json::Error> {
    let name = name.to_owned();
    rt::blocking("packument", move || Packument::parse(&name, bytes, edits).map(Arc::new)).await
}

#[async_trait(?Send)]
impl NpmRegistryApi for Registry<'_> {
    async fn package_info(&self, name: &str) -> Result<Arc<NpmPackageInfo>, NpmRegistryPackageInfoLoadError> {
        if let Some(local) = self.local.borrow().get(name) {
            return Ok(local.clone());
        }
        let Some(packument) = self.load(name).await else {
            return Err(NpmRegistryPackageInfoLoadError::PackageNotExists { package_name: name.to_owned() });
        };
        let view = self.views.borrow_mut().entry(name.to_owned()).or_default().clone();
        let adjustments = self.adjustments();
        let show = || rt::blocking("packument", move || Arc::new(adjustments.view(&packument)));
        Ok(view.get_or_init(show).await.clone())
    }
}
