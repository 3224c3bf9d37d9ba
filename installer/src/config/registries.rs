//! Which registry serves which package.

use std::collections::BTreeMap;
use url::Url;

/// The public npm registry: what `registry` is unless set.
pub const DEFAULT_REGISTRY: &str = "https://registry.npmjs.org/";

/// The default registry, and those of scopes. Every URL ends with a slash and carries no credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registries {
    /// Serves every package without a scope, and every scope that is not listed.
    pub default: Url,
    /// Scope, with its `@` → its registry.
    pub scopes: BTreeMap<String, Url>,
}

impl Registries {
    /// One registry for all packages.
    pub fn new(default: Url) -> Self {
        Registries { default: with_slash(default), scopes: BTreeMap::new() }
    }

    /// Sends a scope (`@acme`) to a registry of its own.
    pub fn set_scope(&mut self, scope: impl Into<String>, registry: Url) {
        self.scopes.insert(scope.into(), with_slash(registry));
    }

    /// The registry of a package, by its real name (never an alias).
    pub fn registry_for(&self, name: &str) -> &Url {
        let scope = name.split_once('/').map(|(scope, _)| scope).filter(|scope| scope.starts_with('@'));
        scope.and_then(|scope| self.scopes.get(scope)).unwrap_or(&self.default)
    }

    /// All registries: the default first, then by scope.
    pub fn iter(&self) -> impl Iterator<Item = &Url> {
        std::iter::once(&self.default).chain(self.scopes.values())
    }
}

/// A registry's URL as people write it: http or https, with or without the last slash.
pub fn parse_registry(text: &str) -> Option<Url> {
    let mut url = Url::parse(text.trim()).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    url.set_query(None);
    url.set_fragment(None);
    Some(with_slash(url))
}

fn with_slash(mut url: Url) -> Url {
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_has_its_own_registry() {
        let mut registries = Registries::new(Url::parse("https://r.test").unwrap());
        registries.set_scope("@acme", Url::parse("https://acme.test:8443/npm").unwrap());
        assert_eq!(registries.registry_for("react").as_str(), "https://r.test/");
        assert_eq!(registries.registry_for("@babel/core").as_str(), "https://r.test/");
        assert_eq!(registries.registry_for("@acme/x").as_str(), "https://acme.test:8443/npm/");
        assert_eq!(registries.iter().count(), 2);
    }

    #[test]
    fn only_http_is_a_registry() {
        assert_eq!(parse_registry("https://r.test/npm").unwrap().as_str(), "https://r.test/npm/");
        assert!(parse_registry("file:///tmp").is_none());
        assert!(parse_registry("r.test").is_none());
    }
}
