//! Passes on what the solver chooses, as soon as it does.

use super::packument::Packument;
use super::packuments::{OnResolved, ResolvedTarball};
use super::registry_view::Loaded;
use crate::package::PackageId;
use deno_npm::resolution::Reporter;
use deno_semver::package::{PackageNv, PackageReq};
use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex};

/// The solver's reporter: each package once, in the order of choosing, over all attempts.
pub(super) struct Relay<'a> {
    hook: &'a dyn OnResolved,
    loaded: Loaded,
    chosen: Mutex<BTreeSet<PackageNv>>,
}

impl<'a> Relay<'a> {
    pub fn new(hook: &'a dyn OnResolved, loaded: Loaded) -> Self {
        Relay { hook, loaded, chosen: Mutex::default() }
    }

    /// Everything chosen so far, sorted.
    pub fn chosen(&self) -> Vec<PackageNv> {
        self.chosen.lock().expect("no one panics while holding this lock").iter().cloned().collect()
    }

    fn packument(&self, name: &str) -> Option<Arc<Packument>> {
        self.loaded.lock().expect("no one panics while holding this lock").get(name).cloned()
    }
}

impl Reporter for Relay<'_> {
    fn on_resolved(&self, _wanted: &PackageReq, chosen: &PackageNv) {
        if !self.chosen.lock().expect("no one panics while holding this lock").insert(chosen.clone()) {
            return;
        }
        let manifest = self.packument(&chosen.name).and_then(|packument| packument.version(&chosen.version));
        let Some(manifest) = manifest else { return };
        self.hook.on_resolved(ResolvedTarball {
            package: PackageId::new(chosen.name.as_str(), chosen.version.to_string()),
            tarball_url: manifest.tarball,
            integrity: manifest.integrity,
            os: manifest.os,
            cpu: manifest.cpu,
            libc: manifest.libc,
        });
    }
}

impl fmt::Debug for Relay<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Relay")
    }
}
