//! A failure as people read it: the verdict, one sentence, what happened to the package in question, and how to see it again.

use crate::bugs::Coordination;
use crate::explore::Failure;
use crate::observation::Observation;
use crate::trace::What;
use installer::rt::Event;
use std::fmt::Write as _;
use std::path::Path;

/// How many lines of what happened are shown.
const LINES_MAX: usize = 40;

/// The explanation; ends with a newline.
pub fn explain(scenario: &str, coordination: Coordination, failure: &Failure, file: &Path) -> String {
    let mut text = String::new();
    let oracle = failure.oracle;
    let _ = writeln!(text, "{scenario}: {} FAILED with seed {}", oracle.id(), failure.seed);
    let _ = writeln!(text, "  {} holds when {}.", oracle.id(), oracle.demand());
    let _ = writeln!(text, "  Here {}.", failure.violation.sentence);
    if let Some(subject) = &failure.violation.subject {
        let _ = writeln!(text, "\n  What happened to {subject}, in virtual milliseconds:");
        let lines = story(&failure.run.observation, subject);
        let hidden = lines.len().saturating_sub(LINES_MAX);
        for (at_us, who, what) in lines.into_iter().take(LINES_MAX) {
            let _ = writeln!(text, "  {:>10.3}  {who:<28}  {what}", at_us as f64 / 1000.0);
        }
        if hidden > 0 {
            let _ = writeln!(text, "              … and {hidden} more");
        }
    }
    let coordination = match coordination {
        Coordination::Shared => String::new(),
        other => format!(" --coordination {}", other.label()),
    };
    let _ = writeln!(text, "\n  Replay it exactly:   cargo sim replay {}", file.display());
    let _ = writeln!(text, "  Or from the seed:    cargo sim run {scenario} --seed {}{coordination}", failure.seed);
    text
}

/// What concerns one package, in order: who did it, and what.
fn story(run: &Observation, subject: &str) -> Vec<(u64, String, String)> {
    let mut lines = Vec::new();
    let package = subject.split('(').next().unwrap_or(subject);
    let path = run.gets.iter().find(|get| get.tarball.as_ref().is_some_and(|id| id.to_string() == package));
    let path = path.map(|get| get.path.clone()).unwrap_or_default();
    let integrity = integrity_of(run, &path);
    for entry in &run.trace {
        let own = entry.task.split(' ').nth(1).is_some_and(|name| {
            let name = name.split(['#', '(']).next().unwrap_or(name);
            name == package
        });
        let what = match &entry.what {
            What::Told(Event::Commit { keys }) if integrity.as_ref().is_some_and(|key| keys.contains(key)) => {
                format!("commits the row of {package}")
            }
            What::Told(Event::Partition { warm, cold }) => {
                format!("reads the committed rows: {warm} warm, {cold} cold")
            }
            What::Told(event) if own => short(&event.to_string()),
            What::At(_) if own => entry.what.to_string(),
            What::Spawned | What::Ended | What::Cancelled if own => entry.what.to_string(),
            _ => continue,
        };
        lines.push((entry.at_us, entry.task.to_string(), what));
    }
    for (number, get) in run.gets.iter().filter(|get| get.path == path).enumerate() {
        let number = number + 1;
        lines.push((get.started_us, "registry".to_owned(), format!("GET {number} of {path} arrives")));
        if let Some(ended_us) = get.ended_us {
            let how = if get.completed { "whole body handed over" } else { "ended without a whole body" };
            lines.push((ended_us, "registry".to_owned(), format!("GET {number}: {how} ({})", get.status)));
        }
    }
    lines.sort_by_key(|(at_us, ..)| *at_us);
    lines
}

/// The key of the package's index row, as some task named it with its URL.
fn integrity_of(run: &Observation, path: &str) -> Option<String> {
    run.trace.iter().find_map(|entry| match &entry.what {
        What::Told(Event::Lead { key }) if !path.is_empty() && key.contains(path) => {
            key.split_once('#').map(|(_, integrity)| integrity.to_owned())
        }
        _ => None,
    })
}

/// A key without its integrity, which is long and says nothing to people.
fn short(text: &str) -> String {
    match text.split_once("#sha") {
        Some((before, after)) => {
            let rest = after.find([' ', ':']).map_or("", |end| &after[end..]);
            format!("{before}{rest}")
        }
        None => text.to_owned(),
    }
}
