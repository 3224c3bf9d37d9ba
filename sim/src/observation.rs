//! What a run came to: everything that the oracles look at.

use crate::committed::CommittedRow;
use crate::disk::Entry;
use crate::registry::Get;
use crate::scenario::{Scenario, VersionedName};
use crate::schedule::Moment;
use crate::scheduler::{Blocked, install_of};
use crate::trace::{TraceEntry, What};
use installer::install::Residue;
use installer::reporter::ProgressEvent;
use installer::rt::Event;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A run, seen from the registry's side, the disk's side, the user's side and the scheduler's side.
#[derive(Debug, Clone)]
pub struct Observation {
    /// What was run.
    pub scenario: Arc<Scenario>,
    /// Every request, as the registry saw it.
    pub gets: Vec<Get>,
    /// Every event, in order.
    pub trace: Vec<TraceEntry>,
    /// What the user was told.
    pub progress: Vec<ProgressEvent>,
    /// How the install ended.
    pub outcome: Outcome,
    /// When it ended, in microseconds of virtual time.
    pub returned_us: u64,
    /// Tasks that still ran some time after the install had returned; connections that idle do not count.
    pub leftover_tasks: Vec<String>,
    /// Temporary files and directories that were left.
    pub leftover_files: Vec<String>,
    /// The committed index rows at the end.
    pub rows: Vec<CommittedRow>,
    /// The lockfile and node_modules: path → what is there.
    pub tree: BTreeMap<String, Entry>,
    /// The installs beside this one. The trace and the requests are those of all together.
    pub beside: Vec<Beside>,
    /// What they are after an undisturbed run, where that succeeds.
    pub expected_tree: Option<Arc<BTreeMap<String, Entry>>>,
    /// How the program ended before its time, where it did. The trace begins with that first life; everything else is the
    /// second one's, which went on from what was left.
    pub crash: Option<CrashSeen>,
}

/// An install on the same store, in a project of its own.
#[derive(Debug, Clone)]
pub struct Beside {
    /// How it ended.
    pub outcome: Outcome,
    /// When, in microseconds of virtual time.
    pub returned_us: u64,
    /// Its lockfile and node_modules.
    pub tree: BTreeMap<String, Entry>,
}

/// The program's end before its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrashSeen {
    /// Before which change of the disk.
    pub at: Moment,
    /// The committed index rows on the disk that was left.
    pub rows: Vec<CommittedRow>,
}

/// How an install ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It succeeded, and left this over.
    Installed(Residue),
    /// It failed, saying this; the causes are included, one a line.
    Failed(String),
    /// It did not end: these tasks cannot go on.
    Hung(Vec<Blocked>),
    /// It panicked, saying this.
    Panicked(String),
}

/// The URL in a key of the coordination, which is written as `URL#integrity`.
pub fn url_of(key: &str) -> &str {
    key.split('#').next().unwrap_or(key)
}

impl Observation {
    /// The requests for tarballs, by package, in the order of their arrival.
    pub fn tarball_gets(&self) -> BTreeMap<&VersionedName, Vec<&Get>> {
        let mut gets: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for get in &self.gets {
            if let Some(package) = &get.tarball {
                gets.entry(package).or_default().push(get);
            }
        }
        gets
    }

    /// The packages whose tarballs were requested at the URL of this key.
    pub fn packages_of(&self, key: &str) -> impl Iterator<Item = &VersionedName> + Clone {
        let of_key = move |get: &&Get| key.contains(&get.path);
        self.gets.iter().filter(of_key).filter_map(|get| get.tarball.as_ref())
    }

    /// Whether this key is of the tarball of this package, as far as it was requested.
    pub fn is_of(&self, key: &str, package: &str) -> bool {
        let own = |get: &&Get| get.tarball.as_ref().is_some_and(|of| of.is(package));
        self.gets.iter().filter(own).any(|get| key.contains(&get.path))
    }

    /// Every fact that a task of this install told: its place in the trace, its entry, the fact.
    pub fn told(&self) -> impl Iterator<Item = (usize, &TraceEntry, &Event)> {
        self.trace.iter().enumerate().filter_map(|(at, entry)| match &entry.what {
            What::Told(event) if install_of(&entry.task) == 0 => Some((at, entry, event)),
            _ => None,
        })
    }

    /// Every time that a task of this install sets out to download a tarball that was requested, by package: its place in the
    /// trace, its entry.
    pub fn leads(&self) -> BTreeMap<&VersionedName, Vec<(usize, &TraceEntry)>> {
        let mut leads: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (at, entry, event) in self.told() {
            if let Event::Lead { key } = event {
                for package in self.packages_of(key).collect::<BTreeSet<_>>() {
                    leads.entry(package).or_default().push((at, entry));
                }
            }
        }
        leads
    }

    /// When the packages were last parted into warm and cold ones, in microseconds of virtual time.
    pub fn partition_us(&self) -> Option<u64> {
        self.told()
            .filter(|(.., event)| matches!(event, Event::Partition { .. }))
            .last()
            .map(|(_, entry, _)| entry.at_us)
    }

    /// Whether the install succeeded.
    pub fn installed(&self) -> bool {
        matches!(self.outcome, Outcome::Installed(_))
    }
}
