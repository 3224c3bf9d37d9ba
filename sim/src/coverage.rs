//! What an exploration has seen: orders of conflicting points, and states that are worth reaching.
//!
//! Two points conflict when tasks of different kinds come to them on behalf of one package, or when one of the two is the
//! index writer's or the partition's, which concern all packages.

use crate::observation::Observation;
use crate::trace::{TraceEntry, What};
use installer::reporter::{ProgressEvent, Stage};
use installer::rt::{Event, Point};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The tasks that share something, by the first word of their names.
const KINDS: [&str; 5] = ["install", "index", "prefetch", "download", "cold"];

/// A point and the kind of task that came to it.
type Label = (u8, Point);

/// What was seen in some runs. Joining two is like having seen all runs of both.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Record", try_from = "Record")]
pub struct Coverage {
    orders: Orders,
    reached: BTreeMap<Reach, u64>,
}

/// Which label came before which: a row of bits for each label, in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Orders(Vec<u128>);

impl Default for Orders {
    fn default() -> Self {
        Orders(vec![0; KINDS.len() * Point::ALL.len()])
    }
}

impl Orders {
    /// The place of a label among all.
    fn place((kind, point): Label) -> usize {
        usize::from(kind) * Point::ALL.len() + point as usize
    }

    fn insert(&mut self, before: Label, after: Label) {
        self.0[Self::place(before)] |= 1 << Self::place(after);
    }

    fn contains(&self, before: Label, after: Label) -> bool {
        self.0[Self::place(before)] & (1 << Self::place(after)) != 0
    }

    fn join(&mut self, other: &Orders) {
        self.0.iter_mut().zip(&other.0).for_each(|(row, other)| *row |= other);
    }

    /// All of them, in their order.
    fn iter(&self) -> impl Iterator<Item = (Label, Label)> {
        let labels = || (0..KINDS.len() as u8).flat_map(|kind| Point::ALL.iter().map(move |point| (kind, *point)));
        let pairs = labels().flat_map(move |before| labels().map(move |after| (before, after)));
        pairs.filter(|(before, after)| self.contains(*before, *after))
    }
}

// A row has a bit for each label.
const _: () = assert!(KINDS.len() * Point::ALL.len() <= u128::BITS as usize);

impl Coverage {
    /// Adds one run.
    pub fn add(&mut self, run: &Observation) {
        let mut packages: BTreeMap<&str, Vec<(Label, &str)>> = BTreeMap::new();
        let mut shared: Vec<(Label, &str)> = Vec::new();
        for (label, package, entry) in run.trace.iter().filter_map(labelled) {
            let seen = (label, &*entry.task);
            match package {
                None => {
                    packages.values_mut().for_each(|seen_there| self.follow(seen_there, seen));
                    shared.push(seen);
                }
                Some(package) => self.follow(packages.entry(package).or_insert_with(|| shared.clone()), seen),
            }
        }
        for reach in Reach::ALL {
            if reach.in_run(run) {
                *self.reached.entry(reach).or_default() += 1;
            }
        }
    }

    fn follow<'a>(&mut self, seen_before: &mut Vec<(Label, &'a str)>, (label, task): (Label, &'a str)) {
        for (before, _) in seen_before.iter().filter(|(_, by)| *by != task) {
            self.orders.insert(*before, label);
        }
        seen_before.push((label, task));
    }

    /// Adds what other runs have seen.
    pub fn join(&mut self, other: Coverage) {
        self.orders.join(&other.orders);
        for (reach, runs) in other.reached {
            *self.reached.entry(reach).or_default() += runs;
        }
    }

    /// How many pairs of conflicting points were seen, and how many of them in both orders.
    pub fn pairs(&self) -> (usize, usize) {
        let both = self.orders.iter().filter(|(a, b)| a < b && self.orders.contains(*b, *a)).count();
        let same = self.orders.iter().filter(|(a, b)| a == b).count();
        // Each pair that was seen in both orders is there twice.
        (self.orders.iter().count() - both, both + same)
    }

    /// In how many runs a state was reached.
    pub fn runs_that_reached(&self, reach: Reach) -> u64 {
        self.reached.get(&reach).copied().unwrap_or(0)
    }
}

/// Coverage as files have it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    /// `prefetch waiter:park < cold waiter:register`
    orders: Vec<String>,
    reached: BTreeMap<Reach, u64>,
}

/// Between the two halves of an order.
const BEFORE: &str = " < ";

impl From<Coverage> for Record {
    fn from(coverage: Coverage) -> Self {
        let label = |(kind, point): &Label| format!("{} {}", KINDS[usize::from(*kind)], point.label());
        let order = |(a, b): &(Label, Label)| format!("{}{BEFORE}{}", label(a), label(b));
        Record { orders: coverage.orders.iter().map(|pair| order(&pair)).collect(), reached: coverage.reached }
    }
}

impl TryFrom<Record> for Coverage {
    type Error = String;

    fn try_from(record: Record) -> Result<Self, String> {
        let label = |text: &str| {
            let (kind, point) = text.split_once(' ')?;
            Some((KINDS.iter().position(|known| *known == kind)? as u8, Point::from_label(point)?))
        };
        let order = |text: &String| {
            let parsed = text.split_once(BEFORE).and_then(|(a, b)| Some((label(a)?, label(b)?)));
            parsed.ok_or_else(|| format!("`{text}` is not an order of two points"))
        };
        let mut orders = Orders::default();
        for text in &record.orders {
            let (before, after) = order(text)?;
            orders.insert(before, after);
        }
        Ok(Coverage { orders, reached: record.reached })
    }
}

fn labelled(entry: &TraceEntry) -> Option<(Label, Option<&str>, &TraceEntry)> {
    let What::At(point) = entry.what else { return None };
    let (kind, subject) = entry.task.split_once(' ').unwrap_or((&entry.task, ""));
    let index = KINDS.iter().position(|known| *known == kind)? as u8;
    let package = matches!(kind, "prefetch" | "download" | "cold").then(|| subject.split(['#', '(']).next()).flatten();
    Some(((index, point), package, entry))
}

/// A state that a scenario may say must be reached, or its exploration proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Reach {
    /// A cold package waits for a download.
    ColdWaits,
    /// A download is under way when the committed rows are read.
    InFlightAtPartition,
    /// A download is finished, and its row not committed, when the committed rows are read.
    UncommittedAtPartition,
    /// A row is committed after the committed rows were read and before the first cold package starts.
    CommitBeforeColdStart,
    /// The committed rows hold some packages and lack others.
    WarmAndCold,
    /// A tarball is asked for more than once.
    AskedAgain,
    /// A leader goes away without a result.
    LeaderLost,
    /// A second leader runs for a tarball.
    SecondLeader,
    /// A download waits for another install's of the same tarball.
    WaitsForOther,
    /// An install waits for another one in its project.
    ProjectBusy,
    /// The program ends before its time.
    Crashed,
    /// The program ends before its time, with some rows committed.
    CrashedWithRows,
}

impl Reach {
    /// All states.
    pub const ALL: [Reach; 12] = [
        Reach::ColdWaits,
        Reach::InFlightAtPartition,
        Reach::UncommittedAtPartition,
        Reach::CommitBeforeColdStart,
        Reach::WarmAndCold,
        Reach::AskedAgain,
        Reach::LeaderLost,
        Reach::SecondLeader,
        Reach::WaitsForOther,
        Reach::ProjectBusy,
        Reach::Crashed,
        Reach::CrashedWithRows,
    ];

    /// As scenarios have it.
    pub fn label(self) -> &'static str {
        match self {
            Reach::ColdWaits => "cold-waits",
            Reach::InFlightAtPartition => "in-flight-at-partition",
            Reach::UncommittedAtPartition => "uncommitted-at-partition",
            Reach::CommitBeforeColdStart => "commit-before-cold-start",
            Reach::WarmAndCold => "warm-and-cold",
            Reach::AskedAgain => "asked-again",
            Reach::LeaderLost => "leader-lost",
            Reach::SecondLeader => "second-leader",
            Reach::WaitsForOther => "waits-for-other",
            Reach::ProjectBusy => "project-busy",
            Reach::Crashed => "crashed",
            Reach::CrashedWithRows => "crashed-with-rows",
        }
    }

    /// Whether a run reached it.
    pub fn in_run(self, run: &Observation) -> bool {
        let mut partitions = run.told().filter_map(|(.., event)| match event {
            Event::Partition { warm, cold } => Some((*warm, *cold)),
            _ => None,
        });
        match self {
            Reach::ColdWaits => run
                .told()
                .any(|(_, entry, event)| matches!(event, Event::Wait { .. }) && entry.task.starts_with("cold ")),
            Reach::InFlightAtPartition => at_partition(run, |leads, published, _| leads > published),
            Reach::UncommittedAtPartition => at_partition(run, |_, published, committed| published > committed),
            Reach::CommitBeforeColdStart => commit_before_cold_start(run),
            Reach::WarmAndCold => partitions.next().is_some_and(|(warm, cold)| warm > 0 && cold > 0),
            Reach::AskedAgain => run.tarball_gets().values().any(|gets| gets.len() > 1),
            Reach::LeaderLost => run.trace.iter().any(|entry| {
                matches!(entry.what, What::Cancelled) && entry.task.starts_with("download ")
                    || matches!(&entry.what, What::Told(Event::Publish { outcome: "vacated", .. }))
            }),
            Reach::SecondLeader => {
                let mut keys = BTreeSet::new();
                run.told().any(|(.., event)| matches!(event, Event::Lead { key } if !keys.insert(key)))
            }
            Reach::WaitsForOther => run.told().any(|(.., event)| matches!(event, Event::WaitForOther { .. })),
            Reach::ProjectBusy => run.progress.contains(&ProgressEvent::Stage { stage: Stage::Waiting }),
            Reach::Crashed => run.crash.is_some(),
            Reach::CrashedWithRows => run.crash.as_ref().is_some_and(|crash| !crash.rows.is_empty()),
        }
    }
}

/// How many leaders had started, had published and had their rows committed when the committed rows were read.
fn at_partition(run: &Observation, holds: impl Fn(usize, usize, usize) -> bool) -> bool {
    let (mut leads, mut published, mut committed) = (0, 0, 0);
    for (.., event) in run.told() {
        match event {
            Event::Lead { .. } => leads += 1,
            Event::Publish { .. } => published += 1,
            Event::Commit { keys } => committed += keys.len(),
            Event::Partition { .. } => return holds(leads, published, committed),
            _ => {}
        }
    }
    false
}

fn commit_before_cold_start(run: &Observation) -> bool {
    let after_partition =
        run.trace.iter().skip_while(|entry| !matches!(entry.what, What::Told(Event::Partition { .. })));
    let between = after_partition.take_while(|entry| entry.what != What::At(Point::ColdStart));
    between.into_iter().any(|entry| matches!(entry.what, What::Told(Event::Commit { .. })))
}

/// What so many runs without a failure mean: below this failure rate per run, with 95 % confidence. The rule of three.
pub fn failure_rate_below(runs: u64) -> f64 {
    3.0 / runs.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracles::testing::good_run;

    fn at(task: &str, point: Point) -> TraceEntry {
        TraceEntry { at_us: 0, task: task.into(), what: What::At(point) }
    }

    #[test]
    fn an_order_counts_between_tasks_of_one_package() {
        let mut run = good_run();
        run.trace = vec![
            at("prefetch a@1.0.0", Point::PrefetchStart),
            at("cold a@1.0.0", Point::ColdStart),
            at("cold b@1.0.0", Point::ColdStart),
        ];
        let mut coverage = Coverage::default();
        coverage.add(&run);
        assert_eq!(coverage.pairs(), (1, 0));
        run.trace.reverse();
        coverage.add(&run);
        assert_eq!(coverage.pairs(), (1, 1), "seen in both orders now");
    }

    #[test]
    fn what_concerns_all_packages_conflicts_with_each() {
        let mut run = good_run();
        run.trace = vec![at("index writer", Point::WriterBatch), at("cold a@1.0.0", Point::ColdStart)];
        let mut coverage = Coverage::default();
        coverage.add(&run);
        assert_eq!(coverage.pairs(), (1, 0));
    }

    #[test]
    fn states_are_reached_or_not() {
        let mut run = good_run();
        let told = |task: &str, event| TraceEntry { at_us: 0, task: task.into(), what: What::Told(event) };
        let key = || "u#i".to_owned();
        run.trace = vec![
            told("download a@1.0.0", Event::Lead { key: key() }),
            told("install", Event::Partition { warm: 1, cold: 1 }),
            told("index writer", Event::Commit { keys: vec![key()] }),
            at("cold a@1.0.0", Point::ColdStart),
            told("cold a@1.0.0", Event::Wait { key: key() }),
            told("download a@1.0.0", Event::Lead { key: key() }),
        ];
        let reached: Vec<_> = Reach::ALL.into_iter().filter(|reach| reach.in_run(&run)).collect();
        let expected = [
            Reach::ColdWaits,
            Reach::InFlightAtPartition,
            Reach::CommitBeforeColdStart,
            Reach::WarmAndCold,
            Reach::SecondLeader,
        ];
        assert_eq!(reached, expected);
    }
}
