//! Settings, from the command line, the environment and .npmrc files, lifted into one typed value.
//!
//! [`Settings::load`] reads them once, at the start; everything below works on the typed [`Settings`] alone. The names
//! and meanings are npm's and pnpm's, so that an existing .npmrc works unchanged.

mod auth;
mod build_policy;
mod error;
mod network;
mod npmrc;
mod proxy;
mod registries;
mod settings;
mod sources;

pub use auth::{Auth, Credentials, redact_url};
pub use build_policy::{BuildPolicy, Verdict};
pub use error::ConfigError;
pub use network::NetworkSettings;
pub use npmrc::Npmrc;
pub use proxy::{Proxies, Proxy};
pub use registries::{DEFAULT_REGISTRY, Registries, parse_registry};
pub use settings::{Overrides, Settings};
