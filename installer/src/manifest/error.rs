//! Why a package.json gives no manifest.

use miette::{Diagnostic, NamedSource, SourceSpan};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// See each case.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum ManifestError {
    /// There is no such file.
    #[error("there is no package.json at {}", path.display())]
    #[diagnostic(
        code(lockstep::manifest::missing),
        help("run lockstep in the directory of a project, or name one with --dir")
    )]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The file is there and cannot be read.
    #[error("cannot read {}", path.display())]
    #[diagnostic(code(lockstep::manifest::unreadable), help("check that the file is readable by this user"))]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The file is no JSON object.
    #[error("{} is not valid JSON: line {line}, column {column}", path.display())]
    #[diagnostic(code(lockstep::manifest::syntax), help("correct package.json at the marked place"))]
    Syntax {
        /// Which file.
        path: PathBuf,
        /// The line of the error, from 1.
        line: usize,
        /// The column of the error, from 1.
        column: usize,
        /// The file's text.
        #[source_code]
        text: Arc<NamedSource<String>>,
        /// The place in the text.
        #[label("{source}")]
        place: SourceSpan,
        /// What the parser said.
        source: serde_json::Error,
    },
}

impl ManifestError {
    pub(super) fn syntax(path: &Path, bytes: &[u8], source: serde_json::Error) -> Self {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let (line, column) = (source.line(), source.column());
        let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
        let offset = (start + column.saturating_sub(1)).min(text.len().saturating_sub(1));
        ManifestError::Syntax {
            path: path.to_owned(),
            line,
            column,
            text: Arc::new(NamedSource::new(path.display().to_string(), text).with_language("JSON")),
            place: SourceSpan::from(offset..offset + 1),
            source,
        }
    }
}
