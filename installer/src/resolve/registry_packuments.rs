//! The registry client as resolution asks it.

use super::{PackumentError, Packuments};
use crate::registry::{Detail, FetchErrorKind, RegistryClient};
use async_trait::async_trait;
use bytes::Bytes;

/// Packuments of the registries that the settings name.
pub struct RegistryPackuments {
    registry: RegistryClient,
}

impl RegistryPackuments {
    /// Asks through `registry`.
    pub fn new(registry: RegistryClient) -> Self {
        RegistryPackuments { registry }
    }
}

#[async_trait(?Send)]
impl Packuments for RegistryPackuments {
    async fn packument(&self, name: &str, detail: Detail) -> Result<Bytes, PackumentError> {
        self.registry.packument(name, detail).await.map_err(|error| match error.kind {
            FetchErrorKind::NotFound => PackumentError::NotFound,
            _ => PackumentError::Failed(error),
        })
    }

    fn registry(&self, name: &str) -> String {
        self.registry.registry_for(name).to_string()
    }
}
