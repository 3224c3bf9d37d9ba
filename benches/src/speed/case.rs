//! What is there already when an install starts.

use super::peer::{Peer, Place};
use crate::project::Project;
use serde::Serialize;
use std::fmt;
use std::io;

/// See each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Case {
    /// Nothing but package.json.
    Cold,
    /// The store and its caches.
    WarmStore,
    /// The lockfile, and nothing else.
    FrozenCold,
    /// The lockfile, the store and its caches.
    FrozenWarm,
    /// Everything: a second install of the same.
    UpToDate,
}

impl Case {
    /// All of them.
    pub const ALL: [Case; 5] = [Case::Cold, Case::WarmStore, Case::FrozenCold, Case::FrozenWarm, Case::UpToDate];

    /// Whether the lockfile is there and may not change.
    pub fn is_frozen(self) -> bool {
        matches!(self, Case::FrozenCold | Case::FrozenWarm)
    }

    fn has_store(self) -> bool {
        matches!(self, Case::WarmStore | Case::FrozenWarm | Case::UpToDate)
    }

    /// Makes the place as this case wants it, from whatever the last install left.
    pub(super) fn set_up(self, peer: &Peer, place: &Place, project: &Project) -> io::Result<()> {
        if !self.has_store() {
            place.clear()?;
        }
        if self == Case::UpToDate {
            return if place.is_installed(peer) { Ok(()) } else { Err(io::Error::other("up to date comes last")) };
        }
        project.copy_to(&place.project)?;
        if self.is_frozen() { place.restore_lockfile(peer) } else { Ok(()) }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Case::Cold => "cold, no lockfile",
            Case::WarmStore => "warm store, no lockfile",
            Case::FrozenCold => "frozen, cold",
            Case::FrozenWarm => "frozen, warm",
            Case::UpToDate => "up to date",
        })
    }
}
