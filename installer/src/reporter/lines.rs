//! Plain lines, for logs and pipes: one per stage, warning and retry, and the counts at the end.

use super::counts::Counts;
use super::{ProgressEvent, Reporter, Stage};
use std::io::Write;
use std::sync::{Mutex, PoisonError};

/// What an install says that waits for another one.
pub(super) const WAITING: &str = "Waiting for another install in this project to finish";

/// Writes plain lines; nothing is ever overwritten.
pub struct LineReporter<W: Write + Send> {
    state: Mutex<State<W>>,
}

struct State<W> {
    out: W,
    counts: Counts,
}

impl<W: Write + Send> LineReporter<W> {
    /// Writes to `out`.
    pub fn new(out: W) -> Self {
        LineReporter { state: Mutex::new(State { out, counts: Counts::default() }) }
    }
}

impl<W: Write + Send> Reporter for LineReporter<W> {
    fn report(&self, event: &ProgressEvent) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.counts.add(event);
        let counts = state.counts;
        let line = match event {
            ProgressEvent::Stage { stage: Stage::Waiting } => WAITING.to_owned(),
            ProgressEvent::Stage { stage: Stage::Resolving } => "Resolving dependencies".to_owned(),
            ProgressEvent::Stage { stage: Stage::Importing } => "Installing packages".to_owned(),
            ProgressEvent::Stage { stage: Stage::Linking } => format!("Progress: {counts}"),
            ProgressEvent::Stage { stage: Stage::Building } => "Building packages".to_owned(),
            ProgressEvent::ScriptEnded { .. } => script_block(event),
            ProgressEvent::Warning { .. } | ProgressEvent::Retrying { .. } => warning_line(event),
            _ => return,
        };
        // A reader that went away is no reason to stop an install.
        let _ = writeln!(state.out, "{line}");
    }
}

/// A warning or a retry as one line.
pub(super) fn warning_line(event: &ProgressEvent) -> String {
    match event {
        ProgressEvent::Warning { message, .. } => format!("WARN  {message}"),
        ProgressEvent::Retrying { url, attempt, attempts_max, delay_ms, cause } => {
            let seconds = *delay_ms as f64 / 1000.0;
            format!("WARN  {url}: {cause}; attempt {attempt} of {attempts_max}, trying again in {seconds:.1} s")
        }
        _ => String::new(),
    }
}

/// What a script did, in one piece, whatever ran beside it.
pub(super) fn script_block(event: &ProgressEvent) -> String {
    let ProgressEvent::ScriptEnded { package, script, command, output, failed } = event else { return String::new() };
    let mut block = format!("{package} {script}$ {command}");
    for line in output.lines() {
        block.push_str("\n│ ");
        block.push_str(line);
    }
    block.push_str(if *failed { "\n└ failed" } else { "\n└ done" });
    block
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_one_block() {
        let mut out = Vec::new();
        LineReporter::new(&mut out).report(&ProgressEvent::ScriptEnded {
            package: "native@1.0.0".into(),
            script: "install",
            command: "make".into(),
            output: "cc a.c\ncc b.c\n".into(),
            failed: false,
        });
        assert_eq!(String::from_utf8(out).unwrap(), "native@1.0.0 install$ make\n│ cc a.c\n│ cc b.c\n└ done\n");
    }

    #[test]
    fn warnings_and_stages_become_lines() {
        let mut out = Vec::new();
        let reporter = LineReporter::new(&mut out);
        reporter.report(&ProgressEvent::Stage { stage: Stage::Resolving });
        reporter.report(&ProgressEvent::Warning { code: "X", message: "careful".into() });
        reporter.report(&ProgressEvent::DownloadEnded { url: "u".into() });
        assert_eq!(String::from_utf8(out).unwrap(), "Resolving dependencies\nWARN  careful\n");
    }
}
