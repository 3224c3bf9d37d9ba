//! Starts downloading while resolution still goes on: one background prefetch per tarball, as soon as it is chosen.
//!
//! A prefetch is a hint. With this file's work left out the install is still right, only slower; what a prefetch
//! downloads is handed over by the coordination, and a prefetch that fails says nothing: the cold batch tries again.

use super::{OnResolved, ResolveWarning, ResolvedTarball};
use crate::lockfile::Platform;
use crate::package::PackageId;
use crate::reporter::{ProgressEvent, Reporter};
use crate::rt::{self, Point};
use crate::tarball::{CacheKey, Caller, Coordinator, Downloader, Origin, TarballRequest, integrity};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

/// Says of a package that the install will hardly need its files.
pub type Dispensable = Arc<dyn Fn(&PackageId) -> bool + Send + Sync>;

/// Prefetches what the resolver chooses, for this platform. Lives as long as the install.
pub struct PrefetchingResolver<C: Coordinator> {
    downloader: Arc<Downloader>,
    coordinator: C,
    platform: Platform,
    dispensable: Dispensable,
    reporter: Arc<dyn Reporter>,
    started: Mutex<Started>,
}

#[derive(Default)]
struct Started {
    keys: BTreeSet<CacheKey>,
    tasks: Vec<rt::JoinHandle<()>>,
}

impl<C: Coordinator> PrefetchingResolver<C> {
    /// Prefetches through `coordinator` what is not dispensable.
    pub fn new(
        downloader: Arc<Downloader>,
        coordinator: C,
        platform: Platform,
        dispensable: Dispensable,
        reporter: Arc<dyn Reporter>,
    ) -> Self {
        PrefetchingResolver { downloader, coordinator, platform, dispensable, reporter, started: Mutex::default() }
    }

    /// Ends the prefetches that still run and waits until they are gone. Their downloads are the coordinator's to end.
    pub async fn stop(self) {
        let tasks = self.started.into_inner().unwrap_or_else(PoisonError::into_inner).tasks;
        tasks.iter().for_each(rt::JoinHandle::abort);
        for task in tasks {
            let _ = task.await;
        }
    }
}

impl<C: Coordinator> OnResolved for PrefetchingResolver<C> {
    fn on_resolved(&self, resolved: ResolvedTarball) {
        if !self.platform.matches_fields(&resolved.os, &resolved.cpu, &resolved.libc) {
            return;
        }
        let key = CacheKey {
            url: resolved.tarball_url.as_str().into(),
            integrity: resolved.integrity.as_deref().map(Into::into),
        };
        let mut started = self.started.lock().unwrap_or_else(PoisonError::into_inner);
        if !started.keys.insert(key) {
            return;
        }
        let (downloader, coordinator, dispensable) =
            (self.downloader.clone(), self.coordinator.clone(), self.dispensable.clone());
        let package = resolved.package.clone();
        let name = || format!("prefetch {package}");
        let prefetch = async move {
            rt::point(Point::PrefetchStart).await;
            if dispensable(&resolved.package) {
                return;
            }
            let Some(request) = request_of(resolved, downloader) else { return };
            // Whoever needs this package reports what went wrong.
            let _ = request.run_with_mem_cache(&coordinator, Caller::Prefetch).await;
        };
        started.tasks.push(rt::spawn(name, prefetch));
    }
    fn on_warning(&self, warning: ResolveWarning) {
        self.reporter.report(&ProgressEvent::Warning { code: "RESOLUTION", message: warning.to_string() });
    }
}

/// None where the integrity cannot be read: the cold batch reports it.
fn request_of(resolved: ResolvedTarball, downloader: Arc<Downloader>) -> Option<TarballRequest> {
    let integrity = resolved.integrity.as_deref().map(integrity::parse).transpose().ok()?;
    Some(TarballRequest::new(downloader, resolved.package, resolved.tarball_url, integrity, Origin::Registry))
}
