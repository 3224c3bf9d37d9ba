//! A failure as people read it: the verdict, one sentence, what happened, what decides, and how to see it again.

mod flip;
mod hang;
mod story;

pub use flip::{Flip, flip};
pub use story::{Line, abridged, story};

use crate::bugs::Coordination;
use crate::scenario::Crash;
use crate::shrink::Shrunk;
use std::fmt::Write as _;
use std::path::Path;

/// How many lines of what happened are shown.
pub const LINES_MAX: usize = 12;

/// How far apart columns are.
const GAP: usize = 2;

/// How often a failure was seen.
#[derive(Debug, Clone, Copy)]
pub struct Rate {
    /// So many runs failed,
    pub failures: u64,
    /// of so many.
    pub runs: u64,
}

/// The explanation; ends with a newline.
pub fn explain(name: &str, coordination: Coordination, shrunk: &Shrunk, rate: Option<Rate>, file: &Path) -> String {
    let mut text = String::new();
    let failure = &shrunk.failure;
    let oracle = failure.oracle;
    let seed = failure.seed.map_or(String::new(), |seed| format!(" with seed {seed}"));
    let _ = writeln!(text, "{name}: {} FAILED{seed}", oracle.id());
    let _ = writeln!(text, "  {} holds when {}.", oracle.id(), oracle.demand());
    let _ = writeln!(text, "  Here {}.", failure.violation.sentence);
    write_trace(&mut text, shrunk);
    let blocked = hang::blocked_tasks(&failure.run.observation);
    if !blocked.is_empty() {
        let _ = writeln!(text, "\n  Blocked for ever:");
        for line in blocked {
            let _ = writeln!(text, "    {line}");
        }
    }
    write_flip(&mut text, shrunk, coordination);
    let _ = writeln!(text, "\n  Replay it exactly:   cargo sim replay {}", file.display());
    if let Some(seed) = failure.seed {
        let _ = writeln!(text, "  Or from the seed:    cargo sim run {name} --seed {seed}{}", coordination.option());
    }
    if let Some(Rate { failures, runs }) = rate.filter(|rate| rate.runs > 1) {
        let _ = writeln!(text, "  {failures} of {runs} runs failed.");
    }
    text
}

/// The shrunk trace, a column for each task.
fn write_trace(text: &mut String, shrunk: &Shrunk) {
    let run = &shrunk.failure.run.observation;
    let lines = story(run, shrunk.failure.violation.subject.as_deref(), &shrunk.schedule.holds);
    let hidden = lines.len().saturating_sub(LINES_MAX);
    let lines = abridged(&lines, LINES_MAX);
    let mut columns: Vec<&str> = Vec::new();
    for line in &lines {
        if !columns.contains(&line.who.as_str()) {
            columns.push(&line.who);
        }
    }
    let about = shrunk.failure.violation.subject.as_ref().map_or(String::new(), |subject| format!(" to {subject}"));
    let _ = writeln!(text, "\n  What happened{about}, in virtual milliseconds:\n");
    let width = |who: &&str| {
        let widest = lines.iter().filter(|line| line.who == *who).map(|line| line.what.len()).max();
        GAP + widest.unwrap_or(0).max(who.len())
    };
    let widths: Vec<usize> = columns.iter().map(width).collect();
    let header: String = columns.iter().zip(&widths).map(|(who, width)| format!("{who:<width$}")).collect();
    let _ = writeln!(text, "  {:>9}  {}", "", header.trim_end());
    for line in &lines {
        let column = columns.iter().position(|who| *who == line.who).unwrap_or(0);
        let indent = " ".repeat(widths[..column].iter().sum());
        let _ = writeln!(text, "  {:>9.3}  {indent}{}", line.at_us as f64 / 1000.0, line.what);
    }
    if hidden > 0 {
        let _ = writeln!(text, "             ({hidden} lines that say less are left out)");
    }
}

fn write_flip(text: &mut String, shrunk: &Shrunk, coordination: Coordination) {
    let holds = &shrunk.schedule.holds;
    if let Some(moment) = &shrunk.schedule.crash {
        let how = shrunk.prepared.scenario.crash.map_or("ends", Crash::words);
        let _ = writeln!(text, "\n  The program {how} before this change of the disk: {moment}.");
    }
    if holds.is_empty() && shrunk.schedule.order.is_empty() {
        let _ = writeln!(text, "\n  No particular order is needed: it fails in the default order.");
        return;
    }
    let _ = writeln!(text, "\n  It takes this, against the default order:");
    for hold in holds {
        let _ = writeln!(text, "    {hold}");
    }
    if !shrunk.schedule.order.is_empty() {
        let _ = writeln!(
            text,
            "    and an order of {} turns, which could not be made shorter",
            shrunk.schedule.order.len()
        );
    }
    if let Some(Flip { first, second, without }) = flip(shrunk, coordination) {
        let event = |line: &Line| format!("{} {}", line.who, line.what);
        let _ = writeln!(text, "\n  What decides, seen by running both:");
        let _ = writeln!(text, "    fails:  {}   before   {}", event(&first), event(&second));
        let _ = writeln!(text, "    holds:  {}   before   {}", event(&second), event(&first));
        let _ = writeln!(text, "            (without: {without})");
    }
}
