//! Downloads that cost nothing, so that a bench of a cache measures the cache.

use installer::package::PackageId;
use installer::registry::Demand;
use installer::tarball::{CacheKey, Download, Fetched, Source, TarballError, TarballErrorCause};
use std::sync::Arc;

/// A download that costs nothing: what is left is the cache.
#[derive(Debug, Clone)]
pub struct Instant;

impl Download for Instant {
    fn name(&self) -> String {
        String::new()
    }

    async fn run(&self, _demand: Demand) -> Result<Fetched, TarballError> {
        Ok(Fetched { row: Arc::default(), source: Source::Network })
    }

    fn lost(&self, reason: String) -> TarballError {
        TarballError {
            package: PackageId::new("bench", "1.0.0"),
            url: String::new(),
            cause: TarballErrorCause::Lost(reason),
        }
    }
}

/// The key of one of many tarballs.
pub fn key(index: usize) -> CacheKey {
    CacheKey {
        url: format!("http://registry/p{index}/-/p{index}-1.0.0.tgz").into(),
        integrity: Some(format!("sha512-{index:086}==").into()),
    }
}
