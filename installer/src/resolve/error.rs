//! Why a resolution fails: which package, who asked for it, and what to do.

use crate::config::redact_url;
use miette::Diagnostic;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// See each case.
#[derive(Debug, Clone, thiserror::Error, Diagnostic)]
pub enum ResolveError {
    /// The registry has no such package.
    #[error("there is no package {package} at {registry}{required_by}")]
    #[diagnostic(
        code(lockstep::resolve::no_package),
        help("check the spelling; a private package needs its registry and token in .npmrc")
    )]
    NoPackage {
        /// Its name.
        package: String,
        /// The registry that was asked.
        registry: String,
        /// Who asks for it.
        required_by: RequiredBy,
    },
    /// No version of the package is in the range, or it has no such tag.
    #[error("no version of {package} matches {range}{required_by}")]
    #[diagnostic(code(lockstep::resolve::no_version), help("{available}"))]
    NoVersion {
        /// The package's name.
        package: String,
        /// The range or tag.
        range: String,
        /// Who asks for it.
        required_by: RequiredBy,
        /// Its dist-tags and the versions nearest to the range.
        available: String,
    },
    /// A dependency that does not come from a registry, or whose range is no range.
    #[error("cannot install {dependency} from {}{required_by}", redact_url(specifier))]
    #[diagnostic(
        code(lockstep::resolve::unsupported),
        help(
            "supported are packages of a registry or of the workspace, git repositories of GitHub, GitLab and Bitbucket from their top, http(s) URLs of tarballs, and file: paths; what a dependency asks for has to be of a registry; an override can replace it"
        )
    )]
    Unsupported {
        /// Name under node_modules.
        dependency: String,
        /// What is asked for.
        specifier: String,
        /// Who asks for it.
        required_by: RequiredBy,
    },
    /// What is behind a specifier is no package.
    #[error("what is at {} has no package.json that makes sense{required_by}", redact_url(specifier))]
    #[diagnostic(code(lockstep::resolve::no_manifest), help("check where {dependency} in package.json leads"))]
    NoManifest {
        /// Name under node_modules.
        dependency: String,
        /// What is asked for.
        specifier: String,
        /// Who asks for it.
        required_by: RequiredBy,
    },
    /// What is behind a specifier cannot be had.
    #[error("cannot get {dependency} from {}", redact_url(specifier))]
    #[diagnostic(forward(source))]
    Foreign {
        /// Name under node_modules.
        dependency: String,
        /// What is asked for.
        specifier: String,
        /// What went wrong.
        source: SharedError,
    },
    /// The registry could not be asked.
    #[error("cannot load the packument of {package}")]
    #[diagnostic(forward(source))]
    Registry {
        /// The package's name.
        package: String,
        /// What went wrong.
        source: SharedError,
    },
    /// The registry's answer is no packument.
    #[error(transparent)]
    #[diagnostic(transparent)]
    InvalidPackument(#[from] InvalidPackument),
    /// The solver failed in another way.
    #[error("cannot resolve: {message}")]
    #[diagnostic(
        code(lockstep::resolve::solver),
        help("this looks like a mistake of lockstep; please report it with package.json")
    )]
    Solver {
        /// What the solver said.
        message: String,
    },
}

/// The registry's answer is no packument.
#[derive(Debug, Clone, thiserror::Error, Diagnostic)]
#[error("the registry's answer for {package} is not a packument")]
#[diagnostic(code(lockstep::resolve::packument), help("check that the registry in .npmrc is an npm registry"))]
pub struct InvalidPackument {
    /// The package's name.
    pub package: String,
    /// Where its JSON ends to make sense.
    pub source: Arc<serde_json::Error>,
}

/// An error that several hold.
#[derive(Debug, Clone)]
pub struct SharedError(Arc<dyn Diagnostic + Send + Sync>);

impl From<Arc<dyn Diagnostic + Send + Sync>> for SharedError {
    fn from(error: Arc<dyn Diagnostic + Send + Sync>) -> Self {
        SharedError(error)
    }
}

impl fmt::Display for SharedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for SharedError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

impl Diagnostic for SharedError {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.0.code()
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.0.help()
    }
}

/// Who asks for a package: `name@version`, or the path of a package.json. Sorted; empty when it is not known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequiredBy(pub Vec<String>);

impl fmt::Display for RequiredBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN_MAX: usize = 3;
        let (shown, rest) = self.0.split_at(self.0.len().min(SHOWN_MAX));
        if shown.is_empty() {
            return Ok(());
        }
        write!(f, ", required by {}", shown.join(", "))?;
        if rest.is_empty() { Ok(()) } else { write!(f, " and {} more", rest.len()) }
    }
}
