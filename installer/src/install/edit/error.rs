//! Why package.json is not changed.

use miette::Diagnostic;
use std::path::PathBuf;

/// See each case.
#[derive(Debug, Clone, thiserror::Error, Diagnostic)]
pub enum EditError {
    /// The project does not ask for what is named.
    #[error("this project does not depend on {}", names.join(", "))]
    #[diagnostic(code(lockstep::edit::not_there), help("{}", depends_on(available)))]
    NotThere {
        /// What was named.
        names: Vec<String>,
        /// What could have been.
        available: Vec<String>,
    },
    /// `update --latest` with a range.
    #[error("--latest takes {name} to its latest version, so a range makes no sense")]
    #[diagnostic(code(lockstep::edit::latest_of_range), help("leave out either --latest or what follows the @"))]
    LatestOfRange {
        /// The package.
        name: String,
    },
    /// package.json can be read but not edited.
    #[error("cannot change {}: its maps of dependencies have to be objects", path.display())]
    #[diagnostic(code(lockstep::edit::shape), help("correct package.json, then try again"))]
    Shape {
        /// Which file.
        path: PathBuf,
    },
}

fn depends_on(available: &[String]) -> String {
    if available.is_empty() {
        "it has no dependencies".to_owned()
    } else {
        format!("it depends on {}", available.join(", "))
    }
}
