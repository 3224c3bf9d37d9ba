//! Why a fetch failed: what was asked for, how often, and the original cause.

use super::connector::ConnectError;
use crate::config::redact_url;
use miette::Diagnostic;
use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;

/// A packument or a tarball could not be fetched. Cheap to clone, so that all who wait for it see the same cause.
#[derive(Debug, Clone, Error)]
#[error("GET {url} failed{}: {kind}", Attempts(*attempts))]
pub struct FetchError {
    /// What was asked for, without credentials and query.
    pub url: String,
    /// How many attempts were made; 0 when none was allowed.
    pub attempts: u32,
    /// What the last attempt came to.
    pub kind: FetchErrorKind,
}

/// What a request came to instead of a body.
#[derive(Debug, Clone, Error, Diagnostic)]
pub enum FetchErrorKind {
    /// The URL or the name cannot be asked for.
    #[error("{reason}")]
    #[diagnostic(
        code(lockstep::registry::invalid_url),
        help("check the package's name and its tarball URL in the lockfile")
    )]
    InvalidUrl {
        /// What is wrong with it.
        reason: String,
    },
    /// The whole body arrived, and whoever asked for it cannot use it.
    #[error("{reason}")]
    #[diagnostic(code(lockstep::registry::rejected))]
    Rejected {
        /// What is wrong with it.
        reason: String,
    },
    /// `offline` is set and nothing is cached.
    #[error("this install is offline, and there is no copy on this machine")]
    #[diagnostic(code(lockstep::registry::offline), help("run once without `--offline`"))]
    Offline,
    /// 404.
    #[error("the registry does not have it (404)")]
    #[diagnostic(
        code(lockstep::registry::not_found),
        help("check the name and the version; a private package may need its `@scope:registry` in .npmrc, or a login")
    )]
    NotFound,
    /// 401 or 403.
    #[error("the registry refuses access ({status})")]
    #[diagnostic(
        code(lockstep::registry::unauthorized),
        help(
            "log in, or put `//{place}:_authToken=…` into ~/.npmrc; a token that is there has no right to this package"
        )
    )]
    Unauthorized {
        /// 401 or 403.
        status: u16,
        /// The registry's host and directory, as a key in .npmrc wants it.
        place: String,
    },
    /// Any other status that is not a success.
    #[error("the registry answered {status}")]
    #[diagnostic(
        code(lockstep::registry::status),
        help("5xx and 429 pass with time: try again later, or lower `network-concurrency`")
    )]
    Status {
        /// The HTTP status.
        status: u16,
        /// How long the registry asks to wait.
        retry_after: Option<Duration>,
    },
    /// There is no connection.
    #[error("cannot connect: {0}")]
    #[diagnostic(
        code(lockstep::registry::connect),
        help("check the network, and the settings `registry`, `https-proxy` and `noproxy`")
    )]
    Connect(ConnectError),
    /// The connection is not to be trusted.
    #[error("no secure connection: {0}")]
    #[diagnostic(
        code(lockstep::registry::tls),
        help("set `cafile` or NODE_EXTRA_CA_CERTS to the certificate of the registry or of your company's proxy")
    )]
    Tls(ConnectError),
    /// The registry fell silent.
    #[error("no byte for {} while waiting for {phase}", Seconds(*silence))]
    #[diagnostic(code(lockstep::registry::timeout), help("raise `fetch-timeout` (milliseconds) for a slow registry"))]
    Timeout {
        /// How long nothing came.
        silence: Duration,
        /// What was waited for.
        phase: Phase,
    },
    /// The connection broke before the answer began.
    #[error("the connection broke before the answer: {cause}")]
    #[diagnostic(code(lockstep::registry::broken), help("try again; a proxy in between may cut connections"))]
    Broken {
        /// What hyper says.
        cause: Cause,
    },
    /// The body ended early or broke.
    #[error("the body broke off after {bytes} bytes: {cause}")]
    #[diagnostic(code(lockstep::registry::body), help("try again; a proxy in between may cut downloads"))]
    Body {
        /// How much had arrived.
        bytes: u64,
        /// What hyper says.
        cause: Cause,
    },
    /// A redirect that is not followed.
    #[error("{reason}")]
    #[diagnostic(code(lockstep::registry::redirect), help("ask whoever runs the registry: its redirects lead nowhere"))]
    Redirect {
        /// Why not.
        reason: String,
    },
    /// It is no packument.
    #[error("it cannot be read: {0}")]
    #[diagnostic(
        code(lockstep::registry::packument),
        help("check `registry`: it leads to something that is no npm registry")
    )]
    Packument(Arc<serde_json::Error>),
    /// The body's encoding cannot be undone.
    #[error("the body cannot be decoded: {reason}")]
    #[diagnostic(code(lockstep::registry::encoding), help("try again; a proxy in between may change bodies"))]
    Encoding {
        /// What is wrong with it.
        reason: String,
    },
    /// The body is larger than anything that a registry should send.
    #[error("the body is larger than {bytes_max} bytes")]
    #[diagnostic(code(lockstep::registry::too_large), help("this is no npm package: check the URL"))]
    TooLarge {
        /// The limit.
        bytes_max: u64,
    },
}

/// What a request was waiting for when the registry fell silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// A connection, or the answer's headers.
    Answer,
    /// More of the body, after so many bytes.
    Body {
        /// How much had arrived.
        bytes: u64,
    },
}

impl FetchError {
    pub(super) fn new(url: &str, attempts: u32, kind: FetchErrorKind) -> Self {
        FetchError { url: redact_url(url), attempts, kind }
    }

    /// Whether another try, now or by another caller, would come to the same.
    pub fn is_permanent(&self) -> bool {
        self.kind.is_permanent()
    }
}

impl Diagnostic for FetchError {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.kind.code()
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.kind.help()
    }
}

impl FetchErrorKind {
    /// Whether another try would come to the same.
    pub fn is_permanent(&self) -> bool {
        match self {
            FetchErrorKind::Status { status, .. } => !matches!(status, 408 | 429 | 500..=599),
            FetchErrorKind::Connect(error) => error.is_permanent(),
            FetchErrorKind::Timeout { .. }
            | FetchErrorKind::Broken { .. }
            | FetchErrorKind::Body { .. }
            | FetchErrorKind::Encoding { .. }
            | FetchErrorKind::Rejected { .. } => false,
            FetchErrorKind::InvalidUrl { .. }
            | FetchErrorKind::Packument(_)
            | FetchErrorKind::Offline
            | FetchErrorKind::NotFound
            | FetchErrorKind::Unauthorized { .. }
            | FetchErrorKind::Tls(_)
            | FetchErrorKind::Redirect { .. }
            | FetchErrorKind::TooLarge { .. } => true,
        }
    }

    /// How long the registry asks to wait before the next try.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            FetchErrorKind::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

/// An error of the HTTP library, shared; shows the innermost error, where the facts are.
#[derive(Debug, Clone)]
pub struct Cause(Arc<dyn Error + Send + Sync>);

impl Cause {
    pub(super) fn new(error: impl Error + Send + Sync + 'static) -> Self {
        Cause(Arc::new(error))
    }

    /// The error itself.
    pub fn error(&self) -> &(dyn Error + Send + Sync + 'static) {
        &*self.0
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let innermost = causes(&*self.0).last();
        match innermost {
            Some(error)
                if error.downcast_ref::<io::Error>().is_none_or(|io| io.kind() != io::ErrorKind::UnexpectedEof) =>
            {
                fmt::Display::fmt(error, f)
            }
            _ => f.write_str("the connection was closed"),
        }
    }
}

/// The error, its cause, the cause of that, and so on.
pub(super) fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| (*error).source())
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Phase::Answer => f.write_str("the answer"),
            Phase::Body { bytes } => write!(f, "the body after {bytes} bytes"),
        }
    }
}

struct Attempts(u32);

impl fmt::Display for Attempts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 | 1 => Ok(()),
            attempts => write!(f, " {attempts} times"),
        }
    }
}

struct Seconds(Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} s", self.0.as_secs_f64())
    }
}
