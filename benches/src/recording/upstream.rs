//! The registry that is recorded, asked through the installer's own client: its settings, certificates and retries hold.

use super::Asked;
use bytes::Bytes;
use installer::config::{Overrides, Settings};
use installer::package::PackageId;
use installer::registry::{Demand, FetchError, FetchErrorKind, RegistryClient};
use installer::reporter::{ProgressEvent, Reporter};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// See the module.
pub struct Upstream {
    client: RegistryClient,
}

struct Silent;

impl Reporter for Silent {
    fn report(&self, _event: &ProgressEvent) {}
}

impl Upstream {
    /// The registry that the user's settings name, or `registry`. `cache` is a directory for the client's own use.
    ///
    /// # Errors
    /// When the settings make no sense.
    pub fn configured(cache: &Path, registry: Option<String>) -> io::Result<Upstream> {
        let environment = |name: &str| std::env::var(name).ok();
        let home = environment("HOME").map(PathBuf::from);
        let store_dir = Some(cache.to_string_lossy().into_owned());
        let overrides = Overrides { registry, store_dir, ..Overrides::default() };
        let settings = Settings::load(cache, home.as_deref(), &environment, overrides).map_err(failed)?;
        let client = RegistryClient::new(&settings, Arc::new(Silent)).map_err(failed)?;
        Ok(Upstream { client })
    }

    /// The answer, `None` when there is no such thing.
    pub(super) async fn ask(&self, asked: &Asked) -> io::Result<Option<Bytes>> {
        let answer = match asked {
            // As it is: of a packument the client keeps what an install needs.
            Asked::Packument(name) => self.get(name, &name.replace('/', "%2F")).await,
            Asked::Tarball(path) => self.get(path.split("/-/").next().unwrap_or(path), path).await,
        };
        match answer {
            Ok(bytes) => Ok(Some(bytes)),
            Err((FetchErrorKind::NotFound, _)) => Ok(None),
            Err((_, error)) => Err(error),
        }
    }

    /// What the registry of this package has at this path.
    async fn get(&self, name: &str, path: &str) -> Result<Bytes, (FetchErrorKind, io::Error)> {
        let url = format!("{}{path}", self.client.registry_for(name));
        let told = |error: FetchError| (error.kind.clone(), failed(error));
        let mut fetch = self.client.tarball(&PackageId::new(name, ""), &url, &Demand::install()).map_err(told)?;
        loop {
            let permit = fetch.permit().await;
            match fetch.attempt(permit).await {
                Ok(bytes) => return Ok(bytes),
                Err(failure) => fetch.failed(failure).await.map_err(told)?,
            }
        }
    }
}

/// An error and its causes in one line.
fn failed(error: impl std::error::Error) -> io::Error {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    io::Error::other(text)
}
