//! What can be wrong with the settings.

use miette::Diagnostic;
use std::io;
use std::path::PathBuf;
use thiserror::Error;

/// The settings cannot be used.
#[derive(Debug, Error, Diagnostic)]
pub enum ConfigError {
    /// A settings file exists and cannot be read.
    #[error("cannot read the settings in {}", file.display())]
    #[diagnostic(code(lockstep::config::unreadable), help("make the file readable, or move it away"))]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why the disk refused.
        source: io::Error,
    },
    /// pnpm-workspace.yaml is no YAML, or no map.
    #[error("{} cannot be understood: line {line}, column {column}: {message}", file.display())]
    #[diagnostic(code(lockstep::config::syntax), help("correct the file at that place"))]
    Syntax {
        /// The file.
        file: PathBuf,
        /// Line, from 1.
        line: u64,
        /// Column, from 1.
        column: u64,
        /// What the parser said.
        message: String,
    },
    /// A setting has a value that means nothing.
    #[error("`{key}` in {origin} is `{value}`: expected {expected}")]
    #[diagnostic(code(lockstep::config::invalid), help("change `{key}` in {origin}, or remove it to use the default"))]
    Invalid {
        /// The setting's name, as in .npmrc.
        key: String,
        /// Where it comes from: a file, an environment variable, or the command line.
        origin: String,
        /// What it is set to, without secrets.
        value: String,
        /// What would be understood.
        expected: &'static str,
    },
    /// Neither a `store-dir` setting nor a home directory says where the store lives.
    #[error("there is no place for the store: `store-dir` is not set and the home directory is unknown")]
    #[diagnostic(code(lockstep::config::no_store_dir), help("set `store-dir` in .npmrc, or HOME"))]
    NoStoreDir,
}
