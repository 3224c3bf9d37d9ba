//! Other people's coordinators under our contract: what each guarantees to a few callers of one key, under every schedule.
//!
//! Optional (feature `coordinators`, which `cargo sim coordinators` asks for): nothing else needs those libraries.

mod adapters;

use crate::cargo;
use crate::exhaust::{Enumeration, Fault, enumerate_with, exhaust, exhaust_without_queues};
use installer::tarball::MemCache;
use std::fs;

/// A library that makes sure that something is done once.
pub struct Contender {
    /// What it is called here.
    pub name: &'static str,
    /// The crate; none for our own.
    pub package: Option<&'static str>,
    /// Enumerates every schedule of so many callers with a fault.
    enumerate: fn(usize, usize) -> Vec<Enumeration>,
}

/// All of them; ours is the first.
pub const CONTENDERS: [Contender; 8] = [
    Contender {
        name: "MemCache",
        package: None,
        enumerate: |callers, jobs| enumerate_with(exhaust_without_queues::<MemCache>, callers, jobs),
    },
    foreign::<adapters::Moka>("moka", "moka"),
    foreign::<adapters::QuickCache>("quick_cache", "quick_cache"),
    foreign::<adapters::TokioOnceCell>("tokio OnceCell", "tokio"),
    foreign::<adapters::AsyncOnceCell>("async-once-cell", "async-once-cell"),
    foreign::<adapters::Singleflight>("singleflight-async", "singleflight-async"),
    foreign::<adapters::RememberedSingleflight>("singleflight-async and a map", "singleflight-async"),
    foreign::<adapters::UvOnceMap>("uv-once-map", "uv-once-map"),
];

const fn foreign<L: adapters::Library>(name: &'static str, package: &'static str) -> Contender {
    let enumerate = |callers, jobs| enumerate_with(exhaust::<adapters::Foreign<L>>, callers, jobs);
    Contender { name, package: Some(package), enumerate }
}

/// A column of the table.
struct Column {
    /// What goes wrong.
    title: &'static str,
    /// Which faults those are.
    has: fn(Fault) -> bool,
}

const COLUMNS: [Column; 7] = [
    Column { title: "nothing goes wrong", has: |fault| fault == Fault::None },
    Column { title: "a caller leaves", has: |fault| fault == Fault::CallerLeaves },
    Column { title: "a caller stalls", has: |fault| fault == Fault::CallerStalls },
    Column { title: "the leader is cancelled", has: |fault| matches!(fault, Fault::LeaderCancelled(_)) },
    Column { title: "the leader panics", has: |fault| matches!(fault, Fault::LeaderPanics(_)) },
    Column { title: "fails for now", has: |fault| matches!(fault, Fault::FailsForNow(_)) },
    Column { title: "fails for good", has: |fault| matches!(fault, Fault::FailsForGood(_)) },
];

/// How wide a column is on a terminal at least.
const WIDTH_MIN: usize = 15;

/// What still holds, in a cell of the table.
const HOLDS: &str = "holds";

/// What one of them guarantees.
pub struct Guarantees {
    /// Whose they are.
    pub contender: &'static Contender,
    /// With each fault.
    pub enumerations: Vec<Enumeration>,
}

impl Contender {
    /// Enumerates with each fault, on so many threads.
    pub fn guarantees(&'static self, callers: usize, jobs: usize) -> Guarantees {
        Guarantees { contender: self, enumerations: (self.enumerate)(callers, jobs) }
    }

    /// Its name, with the version of the crate that was built.
    fn title(&self) -> String {
        let lock = fs::read_to_string(cargo::workspace().join("Cargo.lock")).unwrap_or_default();
        let version = self.package.and_then(|package| {
            let (_, rest) = lock.split_once(&format!("name = \"{package}\"\nversion = \""))?;
            Some(rest.split_once('"')?.0)
        });
        version.map_or_else(|| self.name.to_owned(), |version| format!("{} {version}", self.name))
    }
}

impl Guarantees {
    /// What breaks with the faults of a column, in a word or two.
    fn cell(&self, column: &Column) -> &'static str {
        let mut found = self.enumerations.iter().filter(|one| (column.has)(one.fault));
        found.find_map(|one| Some(one.found.violation.as_ref()?.1.label())).unwrap_or(HOLDS)
    }
}

/// The table, as Markdown.
pub fn markdown(all: &[Guarantees]) -> String {
    let titles: Vec<_> = COLUMNS.iter().map(|column| column.title).collect();
    let mut text = format!("| | {} |\n|---|{}\n", titles.join(" | "), "---|".repeat(titles.len()));
    for one in all {
        let cells: Vec<_> = COLUMNS.iter().map(|column| one.cell(column)).collect();
        text.push_str(&format!("| {} | {} |\n", one.contender.title(), cells.join(" | ")));
    }
    text
}

/// The table, for terminals.
pub fn table(all: &[Guarantees]) -> String {
    let width = all.iter().map(|one| one.contender.title().len()).max().unwrap_or(0);
    let line = |title: &str, cells: Vec<&str>| {
        let cells = cells.iter().zip(&COLUMNS).map(|(cell, column)| {
            let width = column.title.len().max(WIDTH_MIN);
            format!("  {cell:>width$}")
        });
        format!("{title:width$}{}\n", cells.collect::<String>())
    };
    let head = line("", COLUMNS.iter().map(|column| column.title).collect());
    let rows =
        all.iter().map(|one| line(&one.contender.title(), COLUMNS.iter().map(|column| one.cell(column)).collect()));
    head + &rows.collect::<String>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_in_the_lockfile() {
        for contender in &CONTENDERS {
            assert_eq!(contender.title() == contender.name, contender.package.is_none(), "{}", contender.title());
        }
    }
}
