//! The registry client as resolution asks it.

use super::{PackumentError, Packuments};
use crate::registry::{Detail, Document, FetchErrorKind, RegistryClient};
use async_trait::async_trait;

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
    async fn packument(&self, name: &str, detail: Detail) -> Result<Document, PackumentError> {
        self.registry.packument(name, detail).await.map_err(|error| match &error.kind {
            FetchErrorKind::NotFound => PackumentError::NotFound,
            FetchErrorKind::Packument(source) => PackumentError::Invalid(source.clone()),
            _ => PackumentError::Failed(error),
        })
    }

    fn registry(&self, name: &str) -> String {
        self.registry.registry_for(name).to_string()
    }
}
