//! Settings, from the command line, the environment, pnpm-workspace.yaml and .npmrc files, lifted into one typed value.
//!
//! [`Settings::load`] reads them once, at the start; everything below works on the typed [`Settings`] alone. The names
//! and meanings are npm's and pnpm's, so that an existing .npmrc works unchanged.

mod auth;
mod build_policy;
mod error;
pub mod name_patterns;
mod network;
mod npmrc;
mod paths;
mod project;
mod proxy;
mod registries;
mod settings;
mod sources;
mod tarball_limits;
mod values;
mod workspace_file;

pub use auth::{Auth, Credentials, redact_url};
pub use build_policy::{BuildPolicy, Verdict};
pub use error::ConfigError;
pub use name_patterns::NamePatterns;
pub use network::NetworkSettings;
pub use npmrc::Npmrc;
pub use project::{NodeLinker, PackageExtension, PeerDependencyRules, ProjectSettings, SupportedArchitectures};
pub use proxy::{Proxies, Proxy};
pub use registries::{DEFAULT_REGISTRY, Registries, parse_registry};
pub use settings::{Overrides, Settings};
pub use tarball_limits::TarballLimits;
pub use workspace_file::{WORKSPACE_FILE, workspace_root};
