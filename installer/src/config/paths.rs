//! Where paths in settings lead, and where the store is when no setting says so.

use super::error::ConfigError;
use super::sources::{Env, Sources};
use std::path::{Path, PathBuf};

/// The version of the layout of pnpm's store, which is a directory of that name in it.
pub(super) const PNPM_STORE_VERSION: &str = "v11";

/// What paths in settings are relative to.
pub(super) struct Paths<'a> {
    pub project_dir: &'a Path,
    pub home: Option<&'a Path>,
    pub env: Env<'a>,
}

impl Paths<'_> {
    /// `~/` is the home directory; a relative path belongs to the project.
    pub fn absolute(&self, path: &str) -> PathBuf {
        match (path.strip_prefix("~/").or_else(|| path.strip_prefix("~\\")), self.home) {
            (Some(rest), Some(home)) => home.join(rest),
            _ => self.project_dir.join(path),
        }
    }

    pub fn store_dir(&self, sources: &Sources<'_>) -> Result<PathBuf, ConfigError> {
        if let Some(found) = sources.get("store-dir").filter(|found| !found.value.is_empty()) {
            return Ok(self.absolute(&found.value));
        }
        self.data_dir().map(|data| data.join("lockstep").join("store")).ok_or(ConfigError::NoStoreDir)
    }

    /// pnpm's rule, but for a project on another disk than the user's data: its store is at that disk's root.
    pub fn pnpm_store_dir(&self, sources: &Sources<'_>) -> PathBuf {
        let set = sources.get("store-dir").filter(|found| !found.value.is_empty());
        let store = set.map(|found| self.absolute(&found.value));
        let home = || self.directory("PNPM_HOME").or_else(|| Some(self.data_dir()?.join("pnpm")));
        store.or_else(|| Some(home()?.join("store"))).unwrap_or_default().join(PNPM_STORE_VERSION)
    }

    fn directory(&self, variable: &str) -> Option<PathBuf> {
        (self.env)(variable).filter(|value| !value.is_empty()).map(PathBuf::from)
    }

    /// Where programs keep the user's data.
    fn data_dir(&self) -> Option<PathBuf> {
        self.directory("XDG_DATA_HOME").or_else(|| {
            if cfg!(windows) {
                self.directory("LOCALAPPDATA")
            } else if cfg!(target_os = "macos") {
                self.home.map(|home| home.join("Library"))
            } else {
                self.home.map(|home| home.join(".local/share"))
            }
        })
    }
}
