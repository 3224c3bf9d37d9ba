//! One JSON object per line and event, for programs. Field names and values are those of [`ProgressEvent`].

use super::{ProgressEvent, Reporter};
use std::io::Write;
use std::sync::{Mutex, PoisonError};

/// Writes one JSON object per event.
pub struct NdjsonReporter<W: Write + Send> {
    out: Mutex<W>,
}

impl<W: Write + Send> NdjsonReporter<W> {
    /// Writes to `out`.
    pub fn new(out: W) -> Self {
        NdjsonReporter { out: Mutex::new(out) }
    }
}

impl<W: Write + Send> Reporter for NdjsonReporter<W> {
    fn report(&self, event: &ProgressEvent) {
        let mut line = serde_json::to_vec(event).expect("an event is plain data");
        line.push(b'\n');
        // A reader that went away is no reason to stop an install.
        let _ = self.out.lock().unwrap_or_else(PoisonError::into_inner).write_all(&line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::PackageId;

    #[test]
    fn an_event_is_one_line() {
        let mut out = Vec::new();
        let reporter = NdjsonReporter::new(&mut out);
        reporter.report(&ProgressEvent::Fetched { package: PackageId::new("@a/b", "1.0.0") });
        assert_eq!(String::from_utf8(out).unwrap(), "{\"event\":\"fetched\",\"package\":\"@a/b@1.0.0\"}\n");
    }
}
