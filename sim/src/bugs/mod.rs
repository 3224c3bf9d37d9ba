//! Planted bugs: coordinators that are wrong in a way that real ones were, to show that the simulator notices.

mod lost_wakeup;
pub mod planted;
pub mod scoreboard;
pub mod unsteady;

pub use lost_wakeup::LostWakeup;
pub use unsteady::Unsteady;

use serde::{Deserialize, Serialize};

/// Which coordination a run has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Coordination {
    /// The installer's own.
    #[default]
    Shared,
    /// The cold batch asks nobody: the installer before pnpm#12241 was fixed.
    None,
    /// A waiter registers for its wake-up after it re-checks: pnpm#13166.
    LostWakeup,
    /// Cannot be repeated: looks at what the process did before.
    Unsteady,
    /// Cannot be repeated: looks at a clock that is not std's.
    UnsteadyClock,
    /// Cannot be repeated: looks at addresses.
    UnsteadyAddress,
    /// Starts a thread.
    UnsteadyThread,
    /// Looks at std's clock and at the order of a map, which are the same every time.
    Steady,
}

impl Coordination {
    /// The option that chooses it on the command line; nothing for the default.
    pub fn option(self) -> String {
        match self {
            Coordination::Shared => String::new(),
            other => format!(" --coordination {}", other.label()),
        }
    }

    /// As the command line has it.
    pub fn label(self) -> &'static str {
        match self {
            Coordination::Shared => "shared",
            Coordination::None => "none",
            Coordination::LostWakeup => "lost-wakeup",
            Coordination::Unsteady => "unsteady",
            Coordination::UnsteadyClock => "unsteady-clock",
            Coordination::UnsteadyAddress => "unsteady-address",
            Coordination::UnsteadyThread => "unsteady-thread",
            Coordination::Steady => "steady",
        }
    }
}
