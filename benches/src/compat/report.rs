//! What a comparison with pnpm came to, as a table for people.

use super::known::Judged;
use super::{Compared, Respect};

/// The columns that count differences.
const COLUMNS: [(&str, &[Respect]); 6] = [
    ("versions, variants", &[Respect::Version, Respect::Variant]),
    ("lockfile", &[Respect::Lockfile]),
    ("pnpm takes ours", &[Respect::PnpmFrozen]),
    ("we take pnpm's", &[Respect::LockstepFrozen]),
    ("links, commands, files", &[Respect::Link, Respect::Command, Respect::File]),
    ("smoke", &[Respect::Smoke]),
];

/// A Markdown table of the projects: `same`, or how many differences.
pub fn markdown(compared: &[Compared]) -> String {
    let heads = COLUMNS.map(|(head, _)| head).join(" | ");
    let mut text =
        format!("| project | packages | variants | entries | {heads} |\n|---|---|---|---|---|---|---|---|---|---|\n");
    for project in compared {
        let cells = COLUMNS.map(|(_, respects)| {
            let count = project.differences.iter().filter(|difference| respects.contains(&difference.respect)).count();
            match count {
                0 if respects == [Respect::Smoke] && !project.smoked => "–".to_owned(),
                0 => "same".to_owned(),
                count => format!("{count} differ"),
            }
        });
        let Compared { project, packages, snapshots, entries, .. } = project;
        text.push_str(&format!("| {project} | {packages} | {snapshots} | {entries} | {} |\n", cells.join(" | ")));
    }
    text
}

/// What has to be looked at.
pub fn verdict(judged: &Judged) -> String {
    let mut text = String::new();
    for difference in &judged.unexplained {
        text.push_str(&format!("differs: {difference}\n"));
    }
    for row in &judged.outdated {
        text.push_str(&format!("no longer differs, take it out of docs/pnpm-compat.md: {row}\n"));
    }
    let (unexplained, outdated) = (judged.unexplained.len(), judged.outdated.len());
    text.push_str(&format!(
        "{} known differences, {unexplained} unexplained, {outdated} rows out of date\n",
        judged.explained
    ));
    text
}
