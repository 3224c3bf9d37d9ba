//! What goes wrong beside the network: the index, the disk, the whole program.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What goes wrong with the store's index.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct IndexFaults {
    /// How often a batch finds the database held by another process before it can be committed.
    #[serde(skip_serializing_if = "is_zero")]
    pub busy_times: u32,
    /// The database takes no row at all.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub read_only: bool,
}

/// What goes wrong with the disk.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DiskFaults {
    /// How many bytes may be written before the disk is full.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub full_after_bytes: Option<u64>,
    /// The filesystem has no locks.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub no_locks: bool,
    /// Which change of the disk (1 for the first) meets an I/O error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_at_change: Option<u64>,
}

/// How the whole program ends before its time. When is up to the schedule: before any change of the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Crash {
    /// It is killed: nothing is cleaned up, and what it wrote is there.
    Kill,
    /// It is interrupted (Ctrl-C): it drops what it does, which cleans up, and ends.
    Interrupt,
    /// The machine loses power: what was not synced is lost.
    PowerLoss,
}

impl Crash {
    /// In a sentence about the program.
    pub fn words(self) -> &'static str {
        match self {
            Crash::Kill => "is killed",
            Crash::Interrupt => "is interrupted",
            Crash::PowerLoss => "loses power",
        }
    }
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}
