//! How well a planted bug is found: by which oracle, after how many runs, and how small its failure becomes.

use super::planted::Bug;
use crate::explain::{LINES_MAX, abridged, story};
use crate::explore::{Failure, Plan, run_seed};
use crate::oracles;
use crate::prepare::Prepared;
use crate::shrink::{Shrunk, shrink};
use crate::strategy::StrategyKind;
use crate::threads;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

/// In so many runs it is looked which oracles fail together.
const RUNS_TOGETHER: u64 = 300;

/// What a bug came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// The bug.
    pub name: String,
    /// Which oracle found it first; none where it was not found.
    pub oracle: Option<String>,
    /// Strategy → the median of runs to the first failure; none where most starts found nothing within the budget.
    pub runs_to_failure: BTreeMap<String, Option<u64>>,
    /// The seed with which it did.
    pub seed: Option<u64>,
    /// The one oracle without which it would go unfound; none where several find it.
    pub needs: Option<String>,
    /// What shrinking made of its failure.
    pub shrunk: Option<Smallness>,
}

/// How small a failure became, and in how much time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Smallness {
    /// How many decisions its schedule has.
    pub decisions: usize,
    /// How many lines tell what happened.
    pub lines: usize,
    /// How many milliseconds shrinking took.
    pub shrink_ms: u64,
}

/// Measures a bug in this process, which has it.
pub fn measure(bug: &Bug, prepared: &Arc<Prepared>, strategies: &[StrategyKind], starts: u64, jobs: usize) -> Row {
    let plan = |strategy| Plan {
        prepared: prepared.clone(),
        coordination: bug.coordination,
        strategy,
        swarm: false,
        seeds: 0..bug.budget,
        jobs,
    };
    let mut row = Row { name: bug.planted.name.clone(), ..Row::default() };
    // Each start has seeds of its own.
    let failing_seeds = |plan: &Plan| {
        threads::map(jobs, 0..starts, |start| {
            let mut seeds = start * bug.budget..(start + 1) * bug.budget;
            seeds.find(|seed| oracles::judge(&run_seed(plan, *seed).observation).is_some())
        })
    };
    for strategy in strategies {
        let seeds = failing_seeds(&plan(*strategy));
        let runs = seeds.iter().zip(0..).map(|(seed, start)| Some((*seed)? - start * bug.budget + 1));
        let label = clap::ValueEnum::to_possible_value(strategy).expect("no strategy is hidden");
        row.runs_to_failure.insert(label.get_name().to_owned(), median(runs.collect()));
        if *strategy == StrategyKind::Portfolio {
            row.seed = seeds[0];
        }
    }
    let portfolio = plan(StrategyKind::Portfolio);
    let together = threads::map(jobs, 0..bug.budget.min(RUNS_TOGETHER), |seed| {
        oracles::failing(&run_seed(&portfolio, seed).observation)
    });
    let mut failing = together.into_iter().filter(|failing| !failing.is_empty());
    if let Some(first) = failing.next() {
        let rest: BTreeSet<_> = failing.collect();
        row.needs = (first.len() == 1 && rest.iter().all(|other| *other == first)).then(|| first[0].to_owned());
    }
    if let Some(failure) = row.seed.and_then(|seed| Failure::of_seed(&portfolio, seed)) {
        row.oracle = Some(failure.oracle.id().to_owned());
        let began = Instant::now();
        let shrunk = shrink(prepared, bug.coordination, failure);
        let shrink_ms = began.elapsed().as_millis() as u64;
        row.shrunk = Some(Smallness { decisions: shrunk.schedule.decisions(), lines: told(&shrunk), shrink_ms });
    }
    row
}

/// How many lines an explanation of this failure shows of what happened.
fn told(Shrunk { failure, schedule, .. }: &Shrunk) -> usize {
    let story = story(&failure.run.observation, failure.violation.subject.as_deref(), &schedule.holds);
    abridged(&story, LINES_MAX).len()
}

/// A start that found nothing took longer than all others.
fn median(mut runs: Vec<Option<u64>>) -> Option<u64> {
    runs.sort_by_key(|runs| runs.unwrap_or(u64::MAX));
    runs[runs.len() / 2]
}

/// The scoreboard, as people read it.
pub fn table(rows: &[Row]) -> String {
    let strategies: BTreeSet<_> = rows.iter().flat_map(|row| row.runs_to_failure.keys()).collect();
    let width = rows.iter().map(|row| row.name.len()).max().unwrap_or(0);
    let mut text = format!("{:width$}  found by ", "bug");
    strategies.iter().for_each(|strategy| text.push_str(&format!("  {strategy:>9}")));
    text.push_str("  shrunk to  lines     ms\n");
    for row in rows {
        text.push_str(&format!("{:width$}  {:9}", row.name, row.oracle.as_deref().unwrap_or("NOT FOUND")));
        for strategy in &strategies {
            let runs = row.runs_to_failure.get(*strategy).copied().flatten();
            text.push_str(&format!("  {:>9}", runs.map_or("–".to_owned(), |runs| runs.to_string())));
        }
        match row.shrunk {
            Some(Smallness { decisions, lines, shrink_ms }) => {
                text.push_str(&format!("  {decisions:>9}  {lines:>5}  {shrink_ms:>5}\n"));
            }
            None => text.push_str(&format!("  {:>9}  {:>5}  {:>5}\n", "–", "–", "–")),
        }
    }
    text
}

/// All rows together.
pub struct Score {
    /// A row for each bug.
    pub rows: Vec<Row>,
    /// The scenarios that fail where no bug is wanted.
    pub leaks: BTreeSet<String>,
    /// Whether these are all bugs.
    pub whole: bool,
}

impl Score {
    /// Whether every bug is found, every oracle needed, and nothing wrong where no bug is.
    pub fn is_good(&self) -> bool {
        self.found() == self.rows.len() && self.unneeded().is_empty() && self.leaks.is_empty()
    }

    fn found(&self) -> usize {
        self.rows.iter().filter(|row| row.oracle.is_some()).count()
    }

    /// The oracles that no bug needs: without such a one, every bug would be found all the same.
    fn unneeded(&self) -> Vec<&'static str> {
        let needed: BTreeSet<_> = self.rows.iter().filter_map(|row| row.needs.as_deref()).collect();
        let ids = oracles::all().into_iter().map(|oracle| oracle.id());
        ids.filter(|id| self.whole && !needed.contains(id)).collect()
    }

    /// What it comes to.
    pub fn words(&self) -> String {
        let mut text = format!("{} of {} planted bugs found\n", self.found(), self.rows.len());
        let half = |of: fn(&Smallness) -> u64| {
            let values = self.rows.iter().filter_map(|row| row.shrunk.as_ref()).map(|shrunk| Some(of(shrunk)));
            median(values.collect()).unwrap_or(0)
        };
        if self.rows.iter().any(|row| row.shrunk.is_some()) {
            let (decisions, lines) = (half(|shrunk| shrunk.decisions as u64), half(|shrunk| shrunk.lines as u64));
            let shrink_ms = half(|shrunk| shrunk.shrink_ms);
            text.push_str(&format!("median failure: {decisions} decisions, {lines} lines, shrunk in {shrink_ms} ms\n"));
        }
        let mut needs: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for row in self.rows.iter().filter(|_| self.whole) {
            needs.entry(row.needs.as_deref().unwrap_or_default()).or_default().push(&row.name);
        }
        // By their numbers: O2 before O10.
        for id in oracles::all().into_iter().map(|oracle| oracle.id()) {
            if let Some(names) = needs.get(id) {
                text.push_str(&format!("without {id} unfound: {}\n", names.join(", ")));
            }
        }
        let unneeded = self.unneeded();
        if !unneeded.is_empty() {
            text.push_str(&format!("no planted bug needs {}\n", unneeded.join(", ")));
        }
        for scenario in &self.leaks {
            text.push_str(&format!("{scenario} fails where no bug is wanted: an edit lacks its PLANTED\n"));
        }
        text
    }

    /// The same as Markdown, with the real bug that each stands for, in the order of their scenarios. The bugs are those of the rows.
    pub fn markdown(&self, bugs: &[Bug]) -> String {
        let mut rows: Vec<_> = bugs.iter().zip(&self.rows).collect();
        rows.sort_by(|(a, _), (b, _)| (&a.scenario, &a.planted.name).cmp(&(&b.scenario, &b.planted.name)));
        let mut text = "| scenario | planted bug | stands for | found by | with seed | the installer |\n".to_owned();
        text.push_str("|---|---|---|---|---|---|\n");
        for (bug, row) in rows {
            let oracle = row.oracle.as_deref().unwrap_or("NOT FOUND");
            let seed = row.seed.map_or("–".to_owned(), |seed| seed.to_string());
            let installer = if self.leaks.contains(&bug.scenario) { "FAILS" } else { "holds" };
            text.push_str(&format!("{} {oracle} | {seed} | {installer} |\n", bug.markdown()));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Score {
        let row =
            |oracle: &str| Row { oracle: Some(oracle.to_owned()), needs: Some(oracle.to_owned()), ..Row::default() };
        let rows = oracles::all().into_iter().map(|oracle| row(oracle.id())).collect();
        Score { rows, leaks: BTreeSet::new(), whole: true }
    }

    #[test]
    fn each_kind_of_blindness_is_noticed() {
        assert!(good().is_good(), "{}", good().words());
        type Breaks = fn(&mut Score);
        let bugs = oracles::all().len();
        let one_missing = format!("{} of {bugs} planted bugs found", bugs - 1);
        let broken: [(Breaks, &str); 3] = [
            (|score| score.rows[3].oracle = None, &one_missing),
            (|score| score.rows[0].needs = None, "no planted bug needs O1\n"),
            (|score| score.leaks = BTreeSet::from(["solo".to_owned()]), "solo fails where no bug is wanted"),
        ];
        for (breaks, says) in broken {
            let mut score = good();
            breaks(&mut score);
            assert!(!score.is_good() && score.words().contains(says), "{}", score.words());
        }
    }

    #[test]
    fn a_scenario_that_fails_is_shown_as_such() {
        let bug =
            Bug::parse("quiet".to_owned(), "Nothing.\n\nscenario: solo\nbudget: 1\ncoordination: none\n").unwrap();
        let rows = vec![Row { seed: Some(7), oracle: Some("O4".to_owned()), ..Row::default() }];
        for (leaks, shown) in [(BTreeSet::new(), "O4 | 7 | holds |"), (BTreeSet::from(["solo".to_owned()]), "FAILS |")]
        {
            let score = Score { rows: rows.clone(), leaks, whole: false };
            assert!(score.markdown(std::slice::from_ref(&bug)).contains(shown));
        }
    }

    #[test]
    fn the_median_failure_is_told() {
        let row =
            |decisions| Row { shrunk: Some(Smallness { decisions, lines: 10, shrink_ms: 500 }), ..Row::default() };
        let rows = [1, 9, 2].map(row).into_iter().chain([Row::default()]).collect();
        let words = Score { rows, leaks: BTreeSet::new(), whole: false }.words();
        assert!(words.contains("median failure: 2 decisions, 10 lines, shrunk in 500 ms\n"), "{words}");
    }

    #[test]
    fn a_bug_that_is_not_found_is_shown_as_such() {
        let table = table(&[Row { name: "quiet".to_owned(), ..Row::default() }]);
        assert!(table.contains("quiet  NOT FOUND"), "{table}");
    }
}
