//! Chooses how progress is shown, by the `--reporter` flag and by what stderr is.

use super::args::ReporterKind;
use indicatif::ProgressDrawTarget;
use installer::install::Summary;
use installer::reporter::{
    LineReporter, NdjsonReporter, Paint, Reporter, SilentReporter, TerminalReporter, summary_text,
};
use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

/// The way this run shows its progress.
pub enum Progress {
    Terminal(Arc<TerminalReporter>),
    Lines(Arc<dyn Reporter>),
    Ndjson(Arc<dyn Reporter>),
    Silent,
}

impl Progress {
    pub fn new(kind: ReporterKind) -> Self {
        match kind {
            ReporterKind::Default if is_live_terminal() => {
                Progress::Terminal(Arc::new(TerminalReporter::new(ProgressDrawTarget::stderr())))
            }
            ReporterKind::Default | ReporterKind::AppendOnly => {
                Progress::Lines(Arc::new(LineReporter::new(std::io::stderr())))
            }
            ReporterKind::Ndjson => Progress::Ndjson(Arc::new(NdjsonReporter::new(std::io::stdout()))),
            ReporterKind::Silent => Progress::Silent,
        }
    }

    /// Who receives the events.
    pub fn reporter(&self) -> Arc<dyn Reporter> {
        match self {
            Progress::Terminal(reporter) => reporter.clone(),
            Progress::Lines(reporter) | Progress::Ndjson(reporter) => reporter.clone(),
            Progress::Silent => Arc::new(SilentReporter),
        }
    }

    /// Ends what is redrawn.
    pub fn clear(&self) {
        if let Progress::Terminal(reporter) = self {
            reporter.clear();
        }
    }

    /// Says what the install did.
    pub fn summarise(&self, summary: &Summary, elapsed: Duration) {
        match self {
            Progress::Terminal(_) | Progress::Lines(_) => {
                let paint = if colours() { Paint::Colours } else { Paint::Plain };
                eprint!("{}", summary_text(summary, elapsed, paint));
            }
            Progress::Ndjson(_) | Progress::Silent => {}
        }
    }
}

fn is_live_terminal() -> bool {
    std::io::stderr().is_terminal()
        && std::env::var_os("CI").is_none()
        && std::env::var("TERM").as_deref() != Ok("dumb")
}

/// Whether stderr takes colours: a terminal, and NO_COLOR is unset or empty.
pub fn colours() -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    std::io::stderr().is_terminal() && !refused && std::env::var("TERM").as_deref() != Ok("dumb")
}
