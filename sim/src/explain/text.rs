//! An explanation as a terminal shows it.

use super::{Explanation, Flip, Line};
use std::fmt;

/// How far apart columns are.
const GAP: usize = 2;

impl fmt::Display for Explanation {
    /// Ends with a newline.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n  {}\n  {}", self.verdict, self.demand, self.sentence)?;
        self.happened(f)?;
        if !self.blocked.is_empty() {
            writeln!(f, "\n  Blocked for ever:")?;
            self.blocked.iter().try_for_each(|line| writeln!(f, "    {line}"))?;
        }
        self.decides(f)?;
        let labels = ["Replay it exactly:   ", "Or from the seed:    "];
        writeln!(f)?;
        self.commands.iter().zip(labels).try_for_each(|(command, label)| writeln!(f, "  {label}{command}"))?;
        self.rate.iter().try_for_each(|rate| writeln!(f, "  {rate}"))
    }
}

impl Explanation {
    /// What happened, a column for each task.
    fn happened(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut columns: Vec<&str> = Vec::new();
        for line in &self.lines {
            if !columns.contains(&line.who.as_str()) {
                columns.push(&line.who);
            }
        }
        let about = self.subject.as_ref().map_or(String::new(), |subject| format!(" to {subject}"));
        writeln!(f, "\n  What happened{about}, in virtual milliseconds:\n")?;
        let width = |who: &&str| {
            let widest = self.lines.iter().filter(|line| line.who == *who).map(|line| line.what.len()).max();
            GAP + widest.unwrap_or(0).max(who.len())
        };
        let widths: Vec<usize> = columns.iter().map(width).collect();
        let header: String = columns.iter().zip(&widths).map(|(who, width)| format!("{who:<width$}")).collect();
        writeln!(f, "  {:>9}  {}", "", header.trim_end())?;
        for line in &self.lines {
            let column = columns.iter().position(|who| *who == line.who).unwrap_or(0);
            let indent = " ".repeat(widths[..column].iter().sum());
            writeln!(f, "  {:>9.3}  {indent}{}", line.at_us as f64 / 1000.0, line.what)?;
        }
        if self.hidden > 0 {
            writeln!(f, "             ({} lines that say less are left out)", self.hidden)?;
        }
        Ok(())
    }

    /// What it takes, and what of it decides.
    fn decides(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(crash) = &self.crash {
            writeln!(f, "\n  {crash}")?;
        }
        if self.takes.is_empty() {
            return writeln!(f, "\n  No particular order is needed: it fails in the default order.");
        }
        writeln!(f, "\n  It takes this, against the default order:")?;
        self.takes.iter().try_for_each(|hold| writeln!(f, "    {hold}"))?;
        let Some(flip @ Flip { first, second, .. }) = &self.flip else { return Ok(()) };
        let event = |line: &Line| format!("{} {}", line.who, line.what);
        writeln!(f, "\n  What decides, seen by running both:")?;
        writeln!(f, "    fails:  {}   before   {}", event(first), event(second))?;
        writeln!(f, "    holds:  {}   before   {}", event(second), event(first))?;
        writeln!(f, "            ({})", flip.condition())
    }
}
