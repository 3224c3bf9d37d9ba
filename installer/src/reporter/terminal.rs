//! The view on a terminal: one line of counts that is redrawn, and a gauge for each large tarball while it downloads.
//!
//! A gauge belongs to a URL, so it is drawn once however many snapshots wait for that download.

use super::counts::Counts;
use super::lines::{WAITING, script_block, warning_line};
use super::{ProgressEvent, Reporter, Stage};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Tarballs from this size on get a gauge, in bytes. As in pnpm.
const GAUGE_BYTES_MIN: u64 = 5 * 1024 * 1024;

/// Draws progress on stderr.
pub struct TerminalReporter {
    bars: MultiProgress,
    line: ProgressBar,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    counts: Counts,
    gauges: BTreeMap<String, ProgressBar>,
}

impl TerminalReporter {
    /// Draws on `target`.
    pub fn new(target: ProgressDrawTarget) -> Self {
        let bars = MultiProgress::with_draw_target(target);
        let line = bars.add(ProgressBar::new_spinner());
        line.set_style(ProgressStyle::with_template("{spinner} {wide_msg}").expect("a fixed template"));
        TerminalReporter { bars, line, state: Mutex::default() }
    }

    /// Clears what is drawn, so that the summary or an error follows a clean line.
    pub fn clear(&self) {
        for gauge in std::mem::take(&mut self.state().gauges).into_values() {
            gauge.finish_and_clear();
        }
        self.line.finish_and_clear();
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn gauge(&self, label: String, bytes_total: u64) -> ProgressBar {
        let gauge = self.bars.add(ProgressBar::new(bytes_total));
        // What is too long for the line is cut, never wrapped: what wraps cannot be redrawn.
        let template = "  {wide_msg} [{bar:24}] {bytes}/{total_bytes}";
        gauge.set_style(ProgressStyle::with_template(template).expect("a fixed template").progress_chars("=> "));
        gauge.set_message(label);
        gauge
    }
}

impl Reporter for TerminalReporter {
    fn report(&self, event: &ProgressEvent) {
        let mut state = self.state();
        if state.counts.add(event) {
            self.line.set_message(format!("Progress: {}", state.counts));
            self.line.tick();
        }
        match event {
            ProgressEvent::Stage { stage: Stage::Waiting } => {
                self.line.set_message(WAITING);
                self.line.tick();
            }
            // The first packages count as resolved once all are: until then this line says what takes the time.
            ProgressEvent::Stage { stage: Stage::Resolving } => {
                self.line.set_message("Resolving dependencies");
                self.line.tick();
            }
            ProgressEvent::DownloadStarted { url, package, bytes_total: Some(bytes) } if *bytes >= GAUGE_BYTES_MIN => {
                let draw = || self.gauge(format!("Downloading {package}"), *bytes);
                state.gauges.entry(url.clone()).or_insert_with(draw);
            }
            ProgressEvent::DownloadProgress { url, bytes } => {
                self.line.tick();
                if let Some(gauge) = state.gauges.get(url) {
                    gauge.set_position(*bytes);
                }
            }
            ProgressEvent::DownloadEnded { url } => {
                if let Some(gauge) = state.gauges.remove(url) {
                    gauge.finish_and_clear();
                }
            }
            ProgressEvent::ScriptStarted { package, script } => {
                self.line.set_message(format!("Running {script} of {package}"));
                self.line.tick();
            }
            ProgressEvent::ScriptEnded { .. } => {
                // A terminal that went away is no reason to stop an install.
                let _ = self.bars.println(script_block(event));
            }
            ProgressEvent::Warning { .. } | ProgressEvent::Retrying { .. } => {
                // A terminal that went away is no reason to stop an install.
                let _ = self.bars.println(warning_line(event));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::PackageId;
    use indicatif::InMemoryTerm;

    #[test]
    fn resolution_is_not_silent() {
        let term = InMemoryTerm::new(10, 100);
        let reporter = TerminalReporter::new(ProgressDrawTarget::term_like(Box::new(term.clone())));
        reporter.report(&ProgressEvent::Stage { stage: Stage::Resolving });
        assert!(term.contents().contains("Resolving dependencies"), "{}", term.contents());
        reporter.clear();
        assert_eq!(term.contents(), "");
    }

    #[test]
    fn a_large_tarball_has_one_gauge_until_it_ends() {
        let term = InMemoryTerm::new(10, 100);
        let reporter = TerminalReporter::new(ProgressDrawTarget::term_like(Box::new(term.clone())));
        let started = ProgressEvent::DownloadStarted {
            url: "u".into(),
            package: PackageId::new("next", "16.0.0"),
            bytes_total: Some(8 * 1024 * 1024),
        };
        reporter.report(&started);
        reporter.report(&started);
        reporter.report(&ProgressEvent::DownloadProgress { url: "u".into(), bytes: 4 * 1024 * 1024 });
        assert_eq!(term.contents().matches("Downloading next@16.0.0").count(), 1, "{}", term.contents());
        reporter.report(&ProgressEvent::DownloadEnded { url: "u".into() });
        reporter.clear();
        assert!(!term.contents().contains("Downloading"), "{}", term.contents());
    }
}
