//! The differences that are known, each with its reason: a table in docs/pnpm-compat.md, which is the only place for them.

use super::{Compared, Difference};
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

const BEGIN: &str = "<!-- differences:begin";
const END: &str = "<!-- differences:end";

/// A row of the table. A subject that ends with `*` stands for all that start like it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    /// The project's name.
    pub project: String,
    /// The name of a [`Respect`](super::Respect).
    pub respect: String,
    /// What differs.
    pub subject: String,
    /// Why.
    pub reason: String,
}

impl Row {
    fn covers(&self, difference: &Difference) -> bool {
        let subject = match self.subject.strip_suffix('*') {
            Some(start) => difference.subject.starts_with(start),
            None => difference.subject == self.subject,
        };
        subject && self.project == difference.project && self.respect == difference.respect.name()
    }
}

impl std::fmt::Display for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {} of {} ({})", self.project, self.respect, self.subject, self.reason)
    }
}

/// The table in this repository.
pub fn document() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/pnpm-compat.md")
}

/// The rows between the markers of a document.
///
/// # Errors
/// When the markers are missing, or a row has no reason, or is not of four cells.
pub fn parse(text: &str) -> io::Result<BTreeSet<Row>> {
    let wrong = |message: String| io::Error::new(io::ErrorKind::InvalidData, message);
    let begin = text.find(BEGIN).and_then(|at| text[at..].find('\n').map(|line| at + line + 1));
    let (Some(begin), Some(end)) = (begin, text.find(END)) else {
        return Err(wrong(format!("the document has no table between {BEGIN} and {END}")));
    };
    let rows = text[begin..end].lines().filter(|line| line.starts_with('|')).skip(2);
    rows.map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`')).collect();
        let [project, respect, subject, reason] = cells[..] else {
            return Err(wrong(format!("not four cells: {line}")));
        };
        if reason.is_empty() || !super::Respect::ALL.iter().any(|known| known.name() == respect) {
            return Err(wrong(format!("no reason, or no respect of that name: {line}")));
        }
        let [project, respect, subject, reason] = [project, respect, subject, reason].map(str::to_owned);
        Ok(Row { project, respect, subject, reason })
    })
    .collect()
}

/// How found differences and known ones go together.
#[derive(Debug, Clone, Default)]
pub struct Judged {
    /// Found, and not in the table.
    pub unexplained: Vec<Difference>,
    /// In the table, and not found although its project was compared.
    pub outdated: Vec<Row>,
    /// Found, and in the table.
    pub explained: usize,
}

impl Judged {
    /// Whether table and differences are one truth.
    pub fn holds(&self) -> bool {
        self.unexplained.is_empty() && self.outdated.is_empty()
    }
}

/// Holds what was found against what is known. `smoked`: whether rows about smoke commands can be out of date.
pub fn judge(compared: &[Compared], known: &BTreeSet<Row>) -> Judged {
    let mut judged = Judged::default();
    let mut occurring = BTreeSet::new();
    for difference in compared.iter().flat_map(|project| &project.differences) {
        let rows: Vec<&Row> = known.iter().filter(|row| row.covers(difference)).collect();
        if rows.is_empty() {
            judged.unexplained.push(difference.clone());
        } else {
            judged.explained += 1;
            occurring.extend(rows);
        }
    }
    let compared_now = |row: &&Row| {
        let of = compared.iter().find(|project| project.project == row.project);
        of.is_some_and(|project| project.smoked || row.respect != super::Respect::Smoke.name())
    };
    judged.outdated = known.iter().filter(compared_now).filter(|row| !occurring.contains(row)).cloned().collect();
    judged
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compat::Respect;

    const TABLE: &str = "x\n<!-- differences:begin (read) -->\n| project | in | of | because |\n|---|---|---|---|\n\
        | p | version | `a` | older |\n| p | link | `node_modules/.pnpm/*` | known |\n| q | smoke | all | slow |\n<!-- differences:end -->\n";

    fn compared(differences: &[(Respect, &str)]) -> Compared {
        let differences = differences.iter().map(|(respect, subject)| Difference {
            project: "p".to_owned(),
            respect: *respect,
            subject: (*subject).to_owned(),
            detail: String::new(),
        });
        let differences = differences.collect();
        Compared { project: "p".to_owned(), packages: 1, snapshots: 1, entries: 1, differences, smoked: false }
    }

    #[test]
    fn the_table_and_what_is_found_are_one_truth() {
        let known = parse(TABLE).unwrap();
        let both = [(Respect::Version, "a"), (Respect::Link, "node_modules/.pnpm/node_modules/x")];
        assert!(judge(&[compared(&both)], &known).holds());
        let more = judge(&[compared(&[both[0], both[1], (Respect::Version, "b")])], &known);
        assert_eq!((more.unexplained.len(), more.outdated.len(), more.explained), (1, 0, 2));
        let less = judge(&[compared(&both[..1])], &known);
        assert_eq!((less.unexplained.len(), less.outdated.len()), (0, 1));
        assert!(!less.holds());
    }

    #[test]
    fn a_row_needs_a_reason() {
        assert!(parse(&TABLE.replace("| older |", "| |")).is_err());
        assert!(parse("nothing").is_err());
    }

    #[test]
    fn the_document_can_be_read() {
        parse(&std::fs::read_to_string(document()).unwrap()).unwrap();
    }
}
