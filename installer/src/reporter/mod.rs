//! What an install tells people about itself: typed events, and the three ways to show them.
//!
//! Each package is reported as fetched or as found in the store exactly once, by whoever installs it; prefetches report
//! only bytes. So the counts are true whoever wins a race (pnpm#12235).

mod counts;
mod lines;
mod ndjson;
mod summary;
mod terminal;

pub use lines::LineReporter;
pub use ndjson::NdjsonReporter;
pub use summary::{Paint, summary_text};
pub use terminal::TerminalReporter;

use crate::package::PackageId;
use serde::Serialize;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum ProgressEvent {
    /// Resolution chose this package.
    Resolved { package: PackageId },
    /// This package's files came over the network during this install.
    Fetched { package: PackageId },
    /// This package's files were in the store.
    FoundInStore { package: PackageId },
    /// A tarball's headers arrived. `bytes_total` is its size where the registry says so.
    DownloadStarted { url: String, package: PackageId, bytes_total: Option<u64> },
    /// So many bytes of that tarball have arrived by now, since its last `DownloadStarted`.
    DownloadProgress { url: String, bytes: u64 },
    /// The last byte of that tarball arrived, or the download ended some other way.
    DownloadEnded { url: String },
    /// A request failed and will be tried again after `delay_ms`.
    Retrying { url: String, attempt: u32, attempts_max: u32, delay_ms: u64, cause: String },
    /// One directory of the virtual store is new, and complete.
    Imported { dep_path: String },
    /// Something people should know that does not stop the install.
    Warning { code: &'static str, message: String },
    /// A script of this package, or of the project, runs.
    ScriptStarted { package: String, script: &'static str },
    /// It ended. The output of one that failed is in the error or the warning that follows.
    ScriptEnded { package: String, script: &'static str, command: String, output: String, failed: bool },
    /// A stage of the pipeline began.
    Stage { stage: Stage },
}

/// The stages of an install.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Another install works in this project; this one begins when that one has ended.
    Waiting,
    /// Choosing versions.
    Resolving,
    /// Filling the virtual store.
    Importing,
    /// Symlinks, hoisting and commands.
    Linking,
    /// Scripts of dependencies that are allowed to run.
    Building,
}

/// Receives the events of one install, from any thread.
pub trait Reporter: Send + Sync {
    /// Takes one event. Must not block.
    fn report(&self, event: &ProgressEvent);
}

/// Shows nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct SilentReporter;

impl Reporter for SilentReporter {
    fn report(&self, _event: &ProgressEvent) {}
}
