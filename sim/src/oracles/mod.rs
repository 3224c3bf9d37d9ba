//! Oracles: what must hold of every run. One small file each; each has a test in which it fails.
//!
//! They judge from the registry's side and the disk's side wherever that is possible, so the installer cannot talk its
//! way out. ARCHITECTURE.md lists them.

mod o01_one_in_flight;
mod o02_one_body;
mod o03_retry_budget;
mod o04_ends;
mod o05_survives_its_leader;
mod o06_truthful_progress;
mod o07_rows_mean_files;
mod o08_permits;
mod o09_nothing_left;
mod o10_error_names_the_cause;
mod o11_same_result;
mod o12_no_barrier;
mod o13_one_per_project;
mod o14_one_packument;
#[cfg(test)]
pub(crate) mod testing;

use crate::observation::Observation;

/// How late something may be that nothing but the schedule delays: more than every delay at interleaving points on its way
/// together.
const SLACK_US: u64 = 1_500_000;

/// Something that must hold of every run.
pub trait Oracle: Sync {
    /// `O1`
    fn id(&self) -> &'static str;

    /// What it demands, as the end of "holds when …".
    fn demand(&self) -> &'static str;

    /// Whether it holds of this run.
    ///
    /// # Errors
    /// What is wrong, in one sentence.
    fn check(&self, run: &Observation) -> Result<(), Violation>;
}

/// A run in which an oracle fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// What is wrong, in one sentence: which tarball, which tasks.
    pub sentence: String,
    /// What it is about, where that is one package: `name@version`.
    pub subject: Option<String>,
}

impl Violation {
    fn new(sentence: impl Into<String>) -> Self {
        Violation { sentence: sentence.into(), subject: None }
    }

    fn of(subject: impl ToString, sentence: impl Into<String>) -> Self {
        Violation { sentence: sentence.into(), subject: Some(subject.to_string()) }
    }
}

/// All of them, in the order of their numbers.
pub fn all() -> [&'static dyn Oracle; 14] {
    [
        &o01_one_in_flight::OneInFlight,
        &o02_one_body::OneBody,
        &o03_retry_budget::RetryBudget,
        &o04_ends::Ends,
        &o05_survives_its_leader::SurvivesItsLeader,
        &o06_truthful_progress::TruthfulProgress,
        &o07_rows_mean_files::RowsMeanFiles,
        &o08_permits::PermitsComeBack,
        &o09_nothing_left::NothingLeft,
        &o10_error_names_the_cause::ErrorNamesTheCause,
        &o11_same_result::SameResult,
        &o12_no_barrier::NoBarrier,
        &o13_one_per_project::OnePerProject,
        &o14_one_packument::OnePackument,
    ]
}

/// The first oracle that fails, of those that apply to the run's scenario.
pub fn judge(run: &Observation) -> Option<(&'static dyn Oracle, Violation)> {
    violations(run).next()
}

/// Every oracle that fails, of those that apply to the run's scenario.
pub fn failing(run: &Observation) -> Vec<&'static str> {
    violations(run).map(|(oracle, _)| oracle.id()).collect()
}

fn violations(run: &Observation) -> impl Iterator<Item = (&'static dyn Oracle, Violation)> {
    let applies = |oracle: &&dyn Oracle| !run.scenario.without_oracles.contains_key(oracle.id());
    let check = |oracle: &'static dyn Oracle| oracle.check(run).err().map(|violation| (oracle, violation));
    all().into_iter().filter(applies).filter_map(check)
}
