//! How much one tarball may unpack to: a small one can hold more than a disk does.

use super::error::ConfigError;
use super::sources::Sources;
use super::values::number;

/// What a tarball may unpack to. `tarball-unpacked-bytes-max`, `tarball-files-max` and `tarball-depth-max`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TarballLimits {
    /// All its files together, in bytes.
    pub unpacked_bytes_max: u64,
    /// How many files it has, directories included.
    pub files_max: usize,
    /// How many directories a file lies in, below the package's own.
    pub depth_max: usize,
}

impl Default for TarballLimits {
    fn default() -> Self {
        TarballLimits { unpacked_bytes_max: 2 << 30, files_max: 250_000, depth_max: 100 }
    }
}

impl TarballLimits {
    /// What the sources say, and the defaults where they say nothing.
    pub(super) fn of(sources: &Sources<'_>) -> Result<Self, ConfigError> {
        let default = TarballLimits::default();
        let bytes = number(sources, "tarball-unpacked-bytes-max", "a number of bytes")?;
        let files = number(sources, "tarball-files-max", "a number of files")?;
        let depth = number(sources, "tarball-depth-max", "a number of directories")?;
        Ok(TarballLimits {
            unpacked_bytes_max: bytes.unwrap_or(default.unpacked_bytes_max),
            files_max: files.unwrap_or(default.files_max),
            depth_max: depth.unwrap_or(default.depth_max),
        })
    }

    /// How many bytes of a tar stream are looked at: beside the files there are headers, and nobody says how large those are.
    pub fn stream_bytes_max(self) -> u64 {
        const HEADERS_BYTES_PER_FILE: u64 = 4 << 10;
        let headers = (self.files_max as u64).saturating_mul(HEADERS_BYTES_PER_FILE);
        self.unpacked_bytes_max.saturating_add(headers).saturating_add(1 << 20)
    }
}
