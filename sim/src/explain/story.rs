//! What happened to one package, in order: who did it, and what.

use crate::observation::Observation;
use crate::registry::Get;
use crate::schedule::Hold;
use crate::trace::{TraceEntry, What};
use installer::rt::Event;

/// One line of a story.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// When, in microseconds of virtual time.
    pub at_us: u64,
    /// Who: `cold`, `download`, `index writer`, `registry`, …
    pub who: String,
    /// What.
    pub what: String,
    /// How little it says about a race; 0 is what must be told.
    pub rank: u8,
    /// What of the run it tells.
    pub source: Source,
}

/// A part of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// An entry of the trace, by its index.
    Entry(usize),
    /// The arrival of a request, by its index.
    Arrival(usize),
    /// The end of a request, by its index.
    End(usize),
}

/// The story of `subject` (`name@version`, perhaps with peers), or of everybody.
pub fn story(run: &Observation, subject: Option<&str>, holds: &[Hold]) -> Vec<Line> {
    let package = subject.map(|subject| subject.split('(').next().unwrap_or(subject));
    let path = package.and_then(|package| path_of(run, package));
    let row = path.as_ref().and_then(|path| row_key(run, path));
    let during = |entry: &TraceEntry| entry.at_us < run.returned_us || entry.what != What::Cancelled;
    let entries = run.trace.iter().enumerate().filter(|(_, entry)| during(entry));
    let mut lines: Vec<_> = entries
        .filter_map(|(index, entry)| line(entry, Source::Entry(index), package, row.as_deref(), holds))
        .collect();
    let own = |get: &Get| path.as_ref().map_or(get.tarball.is_some(), |path| get.path == *path);
    let gets = run.gets.iter().enumerate().filter(|(_, get)| own(get));
    for (number, (index, get)) in gets.enumerate() {
        let number = number + 1;
        let mut tell = |at_us, what, source| {
            lines.push(Line { at_us, who: "registry".to_owned(), what, rank: 0, source });
        };
        tell(get.started_us, format!("GET {number} arrives"), Source::Arrival(index));
        if let Some(ended_us) = get.ended_us {
            let how = if get.completed { "sent whole" } else { "not sent whole" };
            let status = if get.status == 200 { String::new() } else { format!(" ({})", get.status) };
            tell(ended_us, format!("GET {number} {how}{status}"), Source::End(index));
        }
    }
    lines.sort_by_key(|line| line.at_us);
    lines
}

/// At most `lines_max` lines: those that say most, in order.
pub fn abridged(story: &[Line], lines_max: usize) -> Vec<Line> {
    let mut indices: Vec<_> = (0..story.len()).collect();
    indices.sort_by_key(|index| (story[*index].rank, *index));
    indices.truncate(lines_max);
    indices.sort_unstable();
    indices.into_iter().map(|index| story[index].clone()).collect()
}

fn line(entry: &TraceEntry, source: Source, package: Option<&str>, row: Option<&str>, holds: &[Hold]) -> Option<Line> {
    let (kind, subject) = entry.task.split_once(' ').unwrap_or((&entry.task, ""));
    let own = package.is_some_and(|package| subject.split(['#', '(']).next() == Some(package));
    let who = if own { kind } else { &*entry.task };
    let held = |label: &str| {
        holds.iter().find(|hold| *hold.at.task == *entry.task && *hold.at.point == *label && hold.delay_ms > 0)
    };
    let (what, rank) = match &entry.what {
        What::Told(Event::Commit { keys }) if row.is_none_or(|row| keys.iter().any(|key| key == row)) => {
            ("commits its row".to_owned(), 1)
        }
        What::Told(Event::Partition { warm, cold }) => (format!("reads rows: {warm} warm, {cold} cold"), 0),
        What::Told(Event::Lead { .. }) if own => ("leads".to_owned(), 1),
        What::Told(Event::Wait { .. }) if own => ("waits".to_owned(), 0),
        What::Told(Event::Woken { .. }) if own => ("is woken".to_owned(), 2),
        What::Told(Event::Publish { outcome, .. }) if own => (format!("publishes: {outcome}"), 0),
        What::Told(Event::Import { .. }) if own => ("is in node_modules".to_owned(), 3),
        What::At(point) => match held(point.label()) {
            Some(hold) => (format!("@ {}, waits {} ms", point.label(), hold.delay_ms), 0),
            None if own => (format!("@ {}", point.label()), if point.label() == "cold:start" { 1 } else { 4 }),
            None => return None,
        },
        What::Crashed(crash) => (format!("the program {}", crash.words()), 0),
        What::Cancelled if own => ("is cancelled".to_owned(), 2),
        What::Spawned if own => ("starts".to_owned(), 5),
        What::Ended if own => ("ends".to_owned(), 5),
        _ => return None,
    };
    Some(Line { at_us: entry.at_us, who: who.to_owned(), what, rank, source })
}

fn path_of(run: &Observation, package: &str) -> Option<String> {
    let get = run.gets.iter().find(|get| get.tarball.as_ref().is_some_and(|id| id.to_string() == package));
    get.map(|get| get.path.clone())
}

/// The key of the package's index row, as some task named it with its URL.
fn row_key(run: &Observation, path: &str) -> Option<String> {
    run.trace.iter().find_map(|entry| match &entry.what {
        What::Told(Event::Lead { key }) if key.contains(path) => {
            key.split_once('#').map(|(_, integrity)| integrity.to_owned())
        }
        _ => None,
    })
}
