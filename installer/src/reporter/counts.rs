//! The four numbers that an install shows: resolved, reused, downloaded, added.

use super::ProgressEvent;
use std::fmt;

/// How far an install is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    resolved: usize,
    reused: usize,
    downloaded: usize,
    added: usize,
}

impl Counts {
    /// Counts one event; whether a number changed.
    pub(super) fn add(&mut self, event: &ProgressEvent) -> bool {
        let number = match event {
            ProgressEvent::Resolved { .. } => &mut self.resolved,
            ProgressEvent::FoundInStore { .. } => &mut self.reused,
            ProgressEvent::Fetched { .. } => &mut self.downloaded,
            ProgressEvent::Imported { .. } => &mut self.added,
            _ => return false,
        };
        *number += 1;
        true
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts { resolved, reused, downloaded, added } = self;
        write!(f, "resolved {resolved}, reused {reused}, downloaded {downloaded}, added {added}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::PackageId;

    #[test]
    fn each_event_counts_once() {
        let package = || PackageId::new("left-pad", "1.3.0");
        let mut counts = Counts::default();
        assert!(counts.add(&ProgressEvent::Resolved { package: package() }));
        assert!(counts.add(&ProgressEvent::Fetched { package: package() }));
        assert!(counts.add(&ProgressEvent::Imported { dep_path: "left-pad@1.3.0".into() }));
        assert!(!counts.add(&ProgressEvent::DownloadEnded { url: String::new() }));
        assert_eq!(counts.to_string(), "resolved 1, reused 0, downloaded 1, added 1");
    }
}
