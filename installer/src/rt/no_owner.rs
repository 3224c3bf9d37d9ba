//! What stands for `real::owner` where files are made by whoever makes them: on a simulated disk, and on systems without setfsuid(2).

use std::path::Path;

/// For whom files are made: nobody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner;

impl Owner {
    /// Whoever runs this.
    pub fn of(_dir: &Path) -> Self {
        Owner
    }

    /// Nothing: there is no other owner.
    pub fn act(self) -> Acting {
        Acting
    }
}

/// While it lives, its thread makes files as an [`Owner`].
#[derive(Debug)]
pub struct Acting;
