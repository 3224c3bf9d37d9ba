//! What resolution asks of a registry, and what it tells while it runs.

use crate::package::PackageId;
pub use crate::registry::{Detail, Document};
use async_trait::async_trait;
use miette::Diagnostic;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// A source of packuments. Resolution asks for each name and detail once.
#[async_trait(?Send)]
pub trait Packuments {
    /// What is needed of the packument of a package, abbreviated or full: an abbreviated one need not say which C library a package is
    /// for.
    ///
    /// # Errors
    /// [`PackumentError::NotFound`] when the registry has no such package, `Invalid` when its answer is no packument, `Failed` for
    /// everything else.
    async fn packument(&self, name: &str, detail: Detail) -> Result<Document, PackumentError>;

    /// The base URL of the registry that serves this package: tarballs at its canonical URL are not spelled out in the
    /// lockfile.
    fn registry(&self, name: &str) -> String;
}

/// Why there is no packument.
#[derive(Debug, Clone)]
pub enum PackumentError {
    /// The registry has no package of that name: optional dependencies on it are left out.
    NotFound,
    /// The answer is no packument.
    Invalid(Arc<serde_json::Error>),
    /// The answer is not known: resolution ends.
    Failed(Arc<dyn Diagnostic + Send + Sync>),
}

impl fmt::Display for PackumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PackumentError::NotFound => write!(f, "not found"),
            PackumentError::Invalid(error) => error.fmt(f),
            PackumentError::Failed(cause) => cause.fmt(f),
        }
    }
}

impl Error for PackumentError {}

/// Hears of each package as soon as it is chosen, while resolution goes on.
pub trait OnResolved: Send + Sync {
    /// A package is chosen. Called once for each name and version. A few of them may turn out not to be needed (versions
    /// chosen on a path that is given up later), so this is a hint.
    fn on_resolved(&self, tarball: ResolvedTarball);

    /// Something people should know that does not stop the install.
    fn on_warning(&self, _warning: ResolveWarning) {}
}

/// Hears nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoHook;

impl OnResolved for NoHook {
    fn on_resolved(&self, _tarball: ResolvedTarball) {}
}

/// What is known of a chosen package's tarball. URL and integrity are those that the lockfile will give.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedTarball {
    /// Which package.
    pub package: PackageId,
    /// Where its bytes are.
    pub tarball_url: String,
    /// What they hash to, where the registry says so.
    pub integrity: Option<String>,
    /// Operating systems it runs on; empty means any.
    pub os: Vec<String>,
    /// CPUs it runs on; empty means any.
    pub cpu: Vec<String>,
    /// C libraries it runs on; empty means any.
    pub libc: Vec<String>,
}

/// See each case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum ResolveWarning {
    /// An optional dependency that does not exist, or has no matching version, is left out.
    OptionalSkipped {
        /// Who asks for it: a package, or `package.json`.
        parent: String,
        /// Name and range asked for.
        dependency: String,
    },
    /// A peer is there in a version that the package does not accept.
    UnmetPeer {
        /// Whose peer it is.
        parent: String,
        /// Name and range asked for.
        dependency: String,
        /// The version that is there.
        found: String,
    },
}

impl fmt::Display for ResolveWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ResolveWarning::OptionalSkipped { parent, dependency } => {
                write!(f, "left out {dependency}, optional dependency of {parent}: there is no such version")
            }
            ResolveWarning::UnmetPeer { parent, dependency, found } => {
                write!(f, "{parent} wants its peer {dependency}, and gets {found}")
            }
        }
    }
}
