//! How often what was asked for.

use super::documents::Document;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// The requests of one run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RequestCounts {
    /// Path → how often its tarball was asked for.
    pub tarballs: BTreeMap<String, usize>,
    /// Path → how often its abbreviated packument was asked for.
    pub abbreviated: BTreeMap<String, usize>,
    /// Path → how often its full packument was asked for.
    pub full: BTreeMap<String, usize>,
    /// Bytes of all answers' bodies.
    pub bytes: u64,
    /// Requests that the recording had no answer to, and why.
    pub failed: Vec<String>,
}

impl RequestCounts {
    /// Requests for tarballs.
    pub fn tarball_requests(&self) -> usize {
        self.tarballs.values().sum()
    }

    /// Requests for tarballs beyond the first of each URL.
    pub fn tarball_duplicates(&self) -> usize {
        self.tarball_requests() - self.tarballs.len()
    }

    /// Requests for packuments, abbreviated and full.
    pub fn packument_requests(&self) -> usize {
        self.abbreviated.values().chain(self.full.values()).sum()
    }

    /// Requests for packuments beyond the first of each package.
    pub fn packument_duplicates(&self) -> usize {
        let packages: std::collections::BTreeSet<_> = self.abbreviated.keys().chain(self.full.keys()).collect();
        self.packument_requests() - packages.len()
    }
}

#[derive(Default)]
pub(super) struct Counter(Mutex<RequestCounts>);

impl Counter {
    pub fn count(&self, path: &str, document: Document) {
        let path = path.replace("%2f", "/").replace("%2F", "/").replace("%40", "@");
        let mut counts = self.lock();
        let counts = match document {
            Document::Tarball => &mut counts.tarballs,
            Document::Abbreviated => &mut counts.abbreviated,
            Document::Full => &mut counts.full,
        };
        *counts.entry(path).or_default() += 1;
    }

    pub fn sent(&self, bytes: usize) {
        self.lock().bytes += bytes as u64;
    }

    pub fn failed(&self, why: String) {
        self.lock().failed.push(why);
    }

    pub fn take(&self) -> RequestCounts {
        std::mem::take(&mut self.lock())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, RequestCounts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
