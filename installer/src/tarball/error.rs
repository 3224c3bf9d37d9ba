//! Why a package's tarball could not be had.

use super::extract::ExtractError;
use super::integrity::IntegrityError;
use crate::config::redact_url;
use crate::package::PackageId;
use crate::registry::FetchError;
use crate::store::IndexError;
use std::fmt;
use std::io;
use std::path::PathBuf;

/// A tarball that could not be had: which package, from where, and why.
#[derive(Debug, thiserror::Error)]
#[error("cannot get {package} from {}", redact_url(url))]
pub struct TarballError {
    /// The package whose tarball it is.
    pub package: PackageId,
    /// The tarball's URL.
    pub url: String,
    /// What went wrong.
    #[source]
    pub cause: TarballErrorCause,
}

/// What went wrong with a tarball.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum TarballErrorCause {
    /// The network or the registry.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Fetch(FetchError),
    /// It is a file of this machine, and cannot be read.
    #[error("cannot read {}", path.display())]
    #[diagnostic(code(lockstep::tarball::unreadable), help("check the path after `file:` in package.json"))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The bytes are not those that were promised.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Integrity(IntegrityError),
    /// The archive, or the disk under it.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Extract(ExtractError),
    /// The store's index.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Index(IndexError),
    /// Every task that downloaded it went away without a result.
    #[error("{0}")]
    #[diagnostic(
        code(lockstep::tarball::lost),
        help("this is a bug in lockstep: run it again, and report it with the output of both runs")
    )]
    Lost(String),
}

impl TarballError {
    /// Whether trying again cannot help: no such tarball, no right to it, wrong bytes, a hostile archive.
    pub fn is_permanent(&self) -> bool {
        match &self.cause {
            TarballErrorCause::Fetch(error) => error.is_permanent(),
            TarballErrorCause::Integrity(_) | TarballErrorCause::Extract(_) | TarballErrorCause::Unreadable { .. } => {
                true
            }
            TarballErrorCause::Index(_) | TarballErrorCause::Lost(_) => false,
        }
    }
}

impl miette::Diagnostic for TarballError {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        miette::Diagnostic::code(&self.cause)
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        miette::Diagnostic::help(&self.cause)
    }
}
