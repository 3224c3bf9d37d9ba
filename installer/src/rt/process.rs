//! What a program is started with, and how it ended; see [`run_process`](super::run_process).

use std::collections::BTreeMap;
use std::path::PathBuf;

/// A program to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its name, looked up in PATH, or its path.
    pub program: String,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Where it runs.
    pub dir: PathBuf,
    /// Variables that it has besides our own, or in their place.
    pub environment: BTreeMap<String, String>,
}

/// How a program ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessEnded {
    /// Its exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// What it wrote to stdout and stderr, in order.
    pub output: Vec<u8>,
}
