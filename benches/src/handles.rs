//! What a running program has open: files, and the sockets among them.
//!
//! Linux tells it under /proc. Elsewhere nothing is counted, and whoever asks sees zeros.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long nobody looks in between. What is open for a shorter time may be missed.
pub const PAUSE: Duration = Duration::from_millis(2);

/// How much is open at once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handles {
    /// Everything that has a descriptor, sockets included.
    pub open: usize,
    /// Sockets.
    pub sockets: usize,
}

impl Handles {
    /// The greater of each.
    pub fn max(self, other: Handles) -> Handles {
        Handles { open: self.open.max(other.open), sockets: self.sockets.max(other.sockets) }
    }
}

/// What this process has open now; nothing once it has ended.
pub fn of(process: u32) -> Handles {
    let Ok(entries) = std::fs::read_dir(format!("/proc/{process}/fd")) else { return Handles::default() };
    let is_socket = |target: &std::path::Path| target.to_string_lossy().starts_with("socket:");
    entries.flatten().fold(Handles::default(), |seen, entry| Handles {
        open: seen.open + 1,
        // What was closed meanwhile has no target.
        sockets: seen.sockets + usize::from(std::fs::read_link(entry.path()).is_ok_and(|target| is_socket(&target))),
    })
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn files_and_sockets_are_counted() {
        let before = of(std::process::id());
        let sockets: Vec<_> = (0..20).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let after = of(std::process::id());
        // Other tests of this process open and close their own.
        assert!(
            after.sockets >= before.sockets + sockets.len() / 2 && after.open > after.sockets,
            "{before:?} {after:?}"
        );
    }
}
