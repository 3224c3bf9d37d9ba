//! The file that a failure leaves behind: all that is needed to do the run again, as JSON.

use crate::bugs::Coordination;
use crate::schedule::Schedule;
use crate::shrink::Shrunk;
use crate::strategy::StrategyKind;
use serde::{Deserialize, Serialize};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;
use std::path::{Path, PathBuf};

/// The version of this format.
const FORMAT: u32 = 3;

/// See the module.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplayFile {
    /// The format's version.
    pub format: u32,
    /// The oracle that failed.
    pub oracle: String,
    /// What is wrong, in one sentence.
    pub sentence: String,
    /// What it is about: `name@version`.
    pub subject: Option<String>,
    /// The coordination.
    pub coordination: Coordination,
    /// The strategy and the seed that found it, for the curious: a replay needs neither.
    pub strategy: StrategyKind,
    /// See `strategy`.
    pub seed: Option<u64>,
    /// The scenario, whole.
    pub scenario: serde_json::Value,
    /// The schedule: every decision that departs from the default.
    pub schedule: Schedule,
}

/// A replay file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ReplayFileError {
    /// It cannot be read or written.
    #[error("cannot open {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is no replay file.
    #[error("{} is not a replay file: {source}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: serde_json::Error,
    },
    /// It is of another format.
    #[error("{} has format {format}; this simulator reads format {FORMAT}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Its format.
        format: u32,
    },
}

impl ReplayFile {
    /// What it takes to do this failure again.
    pub fn new(shrunk: &Shrunk, coordination: Coordination, strategy: StrategyKind) -> Self {
        let Shrunk { prepared, schedule, failure, .. } = shrunk;
        ReplayFile {
            format: FORMAT,
            oracle: failure.oracle.id().to_owned(),
            sentence: failure.violation.sentence.clone(),
            subject: failure.violation.subject.clone(),
            coordination,
            strategy,
            seed: failure.seed,
            scenario: prepared.scenario.to_value(),
            schedule: schedule.clone(),
        }
    }

    /// A name for it among the recorded regressions: the same failure gets the same one.
    pub fn regression_name(&self) -> String {
        let mut hasher = DefaultHasher::new();
        (self.scenario.to_string(), serde_json::to_string(&self.schedule).unwrap_or_default()).hash(&mut hasher);
        let name = self.scenario["name"].as_str().unwrap_or("scenario");
        format!("{name}-{}-{:08x}.json", self.oracle.to_lowercase(), hasher.finish() as u32)
    }

    /// Reads a replay file.
    ///
    /// # Errors
    /// [`ReplayFileError`].
    pub fn read(path: &Path) -> Result<Self, ReplayFileError> {
        let io = |source| ReplayFileError::Io { path: path.to_owned(), source };
        let malformed = |source| ReplayFileError::Malformed { path: path.to_owned(), source };
        let text = std::fs::read_to_string(path).map_err(io)?;
        let file: ReplayFile = serde_json::from_str(&text).map_err(malformed)?;
        if file.format != FORMAT {
            return Err(ReplayFileError::Format { path: path.to_owned(), format: file.format });
        }
        Ok(file)
    }

    /// Writes it, creating directories.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn write(&self, path: &Path) -> Result<(), ReplayFileError> {
        let io = |source| ReplayFileError::Io { path: path.to_owned(), source };
        if let Some(dir) = path.parent() {
            std::fs::create_dir_all(dir).map_err(io)?;
        }
        let text = serde_json::to_string_pretty(self).expect("a replay file is plain data");
        std::fs::write(path, text + "\n").map_err(io)
    }
}
