//! What explorations came to, as a value that every output (table, JSON, JUnit, Markdown) is made from.

use crate::bugs::Coordination;
use crate::coverage::{Coverage, Reach, failure_rate_below};
use crate::exhaust::Enumeration;
use crate::explain::{Rate, explanation};
use crate::explore::{Exploration, Plan};
use crate::replay_file::{ReplayFile, ReplayFileError};
use crate::shrink::shrink;
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Where failures are left.
const FAILURES_DIR: &str = "target/sim-failures";

/// Where a failure's replay file is left.
#[derive(Debug, Clone, Default)]
pub enum Leave {
    /// Where failures are left.
    #[default]
    Failure,
    /// Here.
    At(PathBuf),
    /// In this directory, under a name that a regression can keep.
    RegressionIn(PathBuf),
}

/// How bad a verdict is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// All is well.
    #[default]
    Held,
    /// An oracle failed, or a state was never reached.
    Failed,
    /// One seed came out differently the second time.
    NotDeterministic,
}

/// What one scenario came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScenarioReport {
    /// The scenario.
    pub name: String,
    /// How many runs were done.
    pub runs: u64,
    /// How many different traces were among them.
    pub schedules: usize,
    /// How many pairs of conflicting points were seen.
    pub pairs: usize,
    /// How many of them in both orders.
    pub pairs_both_orders: usize,
    /// How many runs failed.
    pub failures: u64,
    /// How bad it is.
    pub verdict: Verdict,
    /// The same in a few words.
    pub words: String,
    /// What people need to know, where it is bad.
    pub explanation: String,
    /// What does its failure again.
    pub replay_file: Option<PathBuf>,
}

/// What several came to.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Report {
    /// One for each scenario.
    pub scenarios: Vec<ScenarioReport>,
    /// How long it took, in seconds.
    pub seconds: f64,
}

impl ScenarioReport {
    /// Judges an exploration: shrinks and explains its failure, and leaves a replay file.
    ///
    /// # Errors
    /// When the replay file cannot be written.
    pub fn new(plan: &Plan, exploration: Exploration, leave: &Leave) -> Result<Self, ReplayFileError> {
        let Exploration { runs, schedules, coverage, failures, failure, nondeterminism, .. } = exploration;
        let name = plan.prepared.scenario.name.clone();
        let (pairs, pairs_both_orders) = coverage.pairs();
        let report = |verdict, words, explanation, replay_file| ScenarioReport {
            name: name.clone(),
            runs,
            schedules,
            pairs,
            pairs_both_orders,
            failures,
            verdict,
            words,
            explanation,
            replay_file,
        };
        if let Some(nondeterminism) = nondeterminism {
            let words = format!("NOT DETERMINISTIC (seed {})", nondeterminism.seed);
            let text = format!("{name}: seed {} gave two traces; {}\n", nondeterminism.seed, nondeterminism.difference);
            return Ok(report(Verdict::NotDeterministic, words, text, None));
        }
        if let Some(failure) = failure {
            let words = format!("{} FAILED (seed {})", failure.oracle.id(), failure.seed.unwrap_or_default());
            let prepared = plan.prepared_for(failure.seed.unwrap_or_default());
            let shrunk = shrink(&prepared, plan.coordination, failure);
            let seed = shrunk.failure.seed.unwrap_or_default();
            let replay_file = ReplayFile::new(&shrunk, plan.coordination, plan.strategy);
            let file = match leave {
                Leave::Failure => {
                    Path::new(FAILURES_DIR).join(format!("{name}-{}-{seed}.json", plan.coordination.label()))
                }
                Leave::At(file) => file.clone(),
                Leave::RegressionIn(dir) => dir.join(replay_file.regression_name()),
            };
            replay_file.write(&file)?;
            let rate = Some(Rate { failures, runs });
            let mut explanation = explanation(&name, plan.coordination, &shrunk, rate, &file);
            if let Some(from_seed) = explanation.commands.get_mut(1).filter(|_| plan.swarm) {
                from_seed.push_str(" --swarm");
            }
            return Ok(report(Verdict::Failed, words, explanation.to_string(), Some(file)));
        }
        match never_reached(plan, &coverage) {
            Some(reach) => {
                let words = format!("NEVER REACHED {}", reach.label());
                let text = format!(
                    "{name}: none of {runs} runs reached the state {}, which the scenario asks for: what held \
                     was not tried\n",
                    reach.label()
                );
                Ok(report(Verdict::Failed, words, text, None))
            }
            None => Ok(report(Verdict::Held, "held".to_owned(), String::new(), None)),
        }
    }
}

impl ScenarioReport {
    /// A scenario that there was no time for.
    pub fn not_run(name: &str, verdict: Verdict) -> Self {
        ScenarioReport::of(name.to_owned(), 0, verdict, "not run: out of budget".to_owned(), String::new())
    }

    /// A recorded regression, and how it fails again if it does.
    pub fn regression(path: &Path, explanation: Option<String>) -> Self {
        let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let name = format!("regressions/{name}");
        match explanation {
            None => ScenarioReport::of(name, 1, Verdict::Held, "held".to_owned(), String::new()),
            Some(text) => ScenarioReport::of(name, 1, Verdict::Failed, "FAILS AGAIN".to_owned(), text),
        }
    }

    /// Every schedule of a small world.
    pub fn exhausted(all: &[Enumeration]) -> Self {
        let schedules: u128 = all.iter().map(|one| one.found.schedules).sum();
        let text: String = all.iter().filter_map(Enumeration::explanation).collect();
        let held = text.is_empty();
        let words = if held { format!("held: {schedules} of {schedules} schedules") } else { "FAILED".to_owned() };
        let verdict = if held { Verdict::Held } else { Verdict::Failed };
        ScenarioReport::of("exhaust".to_owned(), 1, verdict, words, text)
    }

    fn of(name: String, runs: u64, verdict: Verdict, words: String, explanation: String) -> Self {
        let failures = u64::from(verdict == Verdict::Failed && runs > 0);
        let schedules = usize::from(runs > 0);
        ScenarioReport {
            name,
            runs,
            schedules,
            pairs: 0,
            pairs_both_orders: 0,
            failures,
            verdict,
            words,
            explanation,
            replay_file: None,
        }
    }
}

/// Only an exploration of the right coordination has to reach anything.
fn never_reached(plan: &Plan, coverage: &Coverage) -> Option<Reach> {
    let asked = plan.prepared.scenario.reach.iter().copied();
    let whole = plan.seeds.end - plan.seeds.start >= plan.prepared.scenario.runs;
    let applies = plan.coordination == Coordination::Shared && whole;
    asked.filter(|_| applies).find(|reach| coverage.runs_that_reached(*reach) == 0)
}

impl Report {
    /// The worst verdict.
    pub fn verdict(&self) -> Verdict {
        self.scenarios.iter().map(|scenario| scenario.verdict).max().unwrap_or_default()
    }

    /// How many runs there were.
    pub fn runs(&self) -> u64 {
        self.scenarios.iter().map(|scenario| scenario.runs).sum()
    }

    /// What it all means, in a sentence.
    pub fn meaning(&self) -> String {
        let runs = self.runs();
        let failures: u64 = self.scenarios.iter().map(|scenario| scenario.failures).sum();
        let seconds = self.seconds;
        match (failures, self.verdict()) {
            (0, Verdict::Held) => {
                let rate = failure_rate_below(runs);
                format!("{runs} runs in {seconds:.1} s, 0 failures: below {rate:.1e} per run at 95 % confidence")
            }
            _ => format!("{runs} runs in {seconds:.1} s, {failures} failures"),
        }
    }

    /// For a terminal.
    pub fn table(&self) -> String {
        let width = self.scenarios.iter().map(|row| row.name.len()).max().unwrap_or(0).max("scenario".len());
        let mut text =
            format!("{:<width$}  {:>6}  {:>9}  {:>13}  verdict\n", "scenario", "runs", "schedules", "pairs in both");
        for row in &self.scenarios {
            let pairs = format!("{} of {}", row.pairs_both_orders, row.pairs);
            let ScenarioReport { name, runs, schedules, words, .. } = row;
            let _ = writeln!(text, "{name:<width$}  {runs:>6}  {schedules:>9}  {pairs:>13}  {words}");
        }
        text
    }

    /// For a step summary.
    pub fn markdown(&self) -> String {
        let mut text = format!("### Simulation: {}\n\n| scenario | runs | verdict |\n|---|---|---|\n", self.meaning());
        for ScenarioReport { name, runs, words, .. } in &self.scenarios {
            let _ = writeln!(text, "| {name} | {runs} | {words} |");
        }
        for row in self.scenarios.iter().filter(|row| !row.explanation.is_empty()) {
            let _ = writeln!(text, "\n```text\n{}```", row.explanation);
        }
        text
    }

    /// As most CI systems read it.
    pub fn junit(&self) -> String {
        let failures = self.scenarios.iter().filter(|row| row.verdict != Verdict::Held).count();
        let (tests, seconds) = (self.scenarios.len(), self.seconds);
        let mut text = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"cargo sim\" tests=\"{tests}\" \
             failures=\"{failures}\" time=\"{seconds:.3}\">\n"
        );
        for row in &self.scenarios {
            let name = escaped(&row.name);
            if row.verdict == Verdict::Held {
                let _ = writeln!(text, "  <testcase name=\"{name}\" classname=\"scenarios\"/>");
            } else {
                let (words, explanation) = (escaped(&row.words), escaped(&row.explanation));
                let _ = writeln!(
                    text,
                    "  <testcase name=\"{name}\" classname=\"scenarios\"><failure message=\"{words}\">{explanation}\
                     </failure></testcase>"
                );
            }
        }
        text + "</testsuite>\n"
    }

    /// Annotations, as GitHub Actions reads them from standard output.
    pub fn annotations(&self) -> String {
        let bad = self.scenarios.iter().filter(|row| row.verdict != Verdict::Held);
        bad.map(|row| {
            let detail = row.explanation.replace('%', "%25").replace('\n', "%0A");
            format!("::error title=cargo sim: {} {}::{detail}\n", row.name, row.words)
        })
        .collect()
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let row = |name: &str, verdict, words: &str, explanation: &str| ScenarioReport {
            name: name.to_owned(),
            runs: 20_000,
            schedules: 19_000,
            pairs: 9,
            pairs_both_orders: 4,
            failures: u64::from(verdict == Verdict::Failed),
            verdict,
            words: words.to_owned(),
            explanation: explanation.to_owned(),
            replay_file: None,
        };
        let scenarios = vec![
            row("good", Verdict::Held, "held", ""),
            row("bad", Verdict::Failed, "O2 FAILED (seed 3)", "a < b & \"c\"\n50 %\n"),
        ];
        Report { scenarios, seconds: 2.0 }
    }

    #[test]
    fn a_failure_is_in_every_output() {
        let report = report();
        assert_eq!(report.verdict(), Verdict::Failed);
        assert!(
            report.table().contains("bad        20000      19000         4 of 9  O2 FAILED (seed 3)"),
            "{}",
            report.table()
        );
        assert!(report.markdown().contains("| bad | 20000 | O2 FAILED (seed 3) |"));
        assert!(report.junit().contains("failures=\"1\"") && report.junit().contains("a &lt; b &amp; &quot;c&quot;"));
        assert_eq!(
            report.annotations(),
            "::error title=cargo sim: bad O2 FAILED (seed 3)::a < b & \"c\"%0A50 %25%0A\n"
        );
        assert!(report.meaning().ends_with("1 failures"));
    }

    #[test]
    fn what_holds_says_how_much_that_means() {
        let mut report = report();
        report.scenarios.pop();
        report.scenarios.push(report.scenarios[0].clone());
        assert_eq!(report.meaning(), "40000 runs in 2.0 s, 0 failures: below 7.5e-5 per run at 95 % confidence");
        assert_eq!(report.annotations(), "");
    }
}
