//! Many runs of one scenario, on several threads; the same results whatever their number.

use crate::bugs::Coordination;
use crate::coverage::Coverage;
use crate::oracles::{Oracle, Violation, judge};
use crate::prepare::Prepared;
use crate::run::{Run, RunPlan, run};
use crate::schedule::Schedule;
use crate::strategy::{Crashing, Replay, StrategyKind};
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Of the runs that hold, one in so many is done twice to see that it is deterministic. Every run that fails is.
const CHECKED_TWICE_ONE_IN: u64 = 16;

/// Seeds are done in blocks of so many, and it is decided between blocks whether to go on: so it does not depend on the
/// number of threads which seeds are done.
const BLOCK: u64 = 64;

/// After so many failures a rate can be given, and more would say nothing new.
const FAILURES_MAX: u64 = 16;

/// What to explore.
#[derive(Clone)]
pub struct Plan {
    /// The scenario.
    pub prepared: Arc<Prepared>,
    /// The coordination.
    pub coordination: Coordination,
    /// How schedules are chosen.
    pub strategy: StrategyKind,
    /// One run for each.
    pub seeds: Range<u64>,
    /// On how many threads.
    pub jobs: usize,
}

/// What an exploration came to.
#[derive(Default)]
pub struct Exploration {
    /// How many runs were done.
    pub runs: u64,
    /// How many different traces there were among them.
    pub schedules: usize,
    /// What they have seen.
    pub coverage: Coverage,
    /// How many of them failed.
    pub failures: u64,
    /// The failure with the lowest seed, if any.
    pub failure: Option<Failure>,
    /// The run with the lowest seed that came out differently the second time, if any.
    pub nondeterminism: Option<Nondeterminism>,
}

/// A run in which an oracle fails.
pub struct Failure {
    /// The run's seed, where it came from one.
    pub seed: Option<u64>,
    /// Which oracle.
    pub oracle: &'static dyn Oracle,
    /// What is wrong.
    pub violation: Violation,
    /// The run.
    pub run: Run,
}

impl Failure {
    /// Whether two failures are the same: the same oracle, about the same package.
    pub fn is_like(&self, oracle: &dyn Oracle, violation: &Violation) -> bool {
        self.oracle.id() == oracle.id() && self.violation.subject == violation.subject
    }
}

/// One seed, two traces.
pub struct Nondeterminism {
    /// The seed.
    pub seed: u64,
    /// The first place where the traces differ, as text.
    pub difference: String,
}

/// Does the runs of these seeds; stops early when many fail. `done` is told after each run.
pub fn explore(plan: &Plan, done: &(dyn Fn() + Sync)) -> Exploration {
    let found = Mutex::new(Found::default());
    let mut start = plan.seeds.start;
    while start < plan.seeds.end {
        let end = plan.seeds.end.min(start + BLOCK);
        explore_block(plan, start..end, &found, done);
        start = end;
        let found = found.lock().unwrap_or_else(PoisonError::into_inner);
        if found.exploration.failures >= FAILURES_MAX || found.exploration.nondeterminism.is_some() {
            break;
        }
    }
    let Found { mut exploration, digests } = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    exploration.schedules = digests.len();
    exploration
}

fn explore_block(plan: &Plan, seeds: Range<u64>, found: &Mutex<Found>, done: &(dyn Fn() + Sync)) {
    let next = AtomicU64::new(seeds.start);
    std::thread::scope(|scope| {
        for _ in 0..plan.jobs.max(1) {
            scope.spawn(|| {
                let mut coverage = Coverage::default();
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        break;
                    }
                    let examined = examine(plan, seed, &mut coverage);
                    found.lock().unwrap_or_else(PoisonError::into_inner).add(examined);
                    done();
                }
                found.lock().unwrap_or_else(PoisonError::into_inner).exploration.coverage.join(coverage);
            });
        }
    });
}

#[derive(Default)]
struct Found {
    exploration: Exploration,
    digests: BTreeSet<u64>,
}

impl Found {
    fn add(&mut self, examined: Examined) {
        self.exploration.runs += 1;
        self.digests.insert(examined.digest);
        if let Some(failure) = examined.failure {
            self.exploration.failures += 1;
            if self.exploration.failure.as_ref().is_none_or(|lowest| failure.seed < lowest.seed) {
                self.exploration.failure = Some(failure);
            }
        }
        if let Some(nondeterminism) = examined.nondeterminism
            && self.exploration.nondeterminism.as_ref().is_none_or(|lowest| nondeterminism.seed < lowest.seed)
        {
            self.exploration.nondeterminism = Some(nondeterminism);
        }
    }
}

struct Examined {
    digest: u64,
    failure: Option<Failure>,
    nondeterminism: Option<Nondeterminism>,
}

fn examine(plan: &Plan, seed: u64, coverage: &mut Coverage) -> Examined {
    let run = run_seed(plan, seed);
    let digest = run.digest;
    coverage.add(&run.observation);
    let verdict = judge(&run.observation);
    let mut nondeterminism = None;
    if verdict.is_some() || seed.is_multiple_of(CHECKED_TWICE_ONE_IN) {
        let again = run_seed(plan, seed);
        nondeterminism = difference(&run, &again).map(|difference| Nondeterminism { seed, difference });
    }
    let failure = verdict.map(|(oracle, violation)| Failure { seed: Some(seed), oracle, violation, run });
    Examined { digest, failure, nondeterminism }
}

/// The run of this seed.
pub fn run_seed(plan: &Plan, seed: u64) -> Run {
    let (strategy, prepared) = (plan.strategy, plan.prepared.clone());
    let run_plan = RunPlan::new(prepared.clone(), plan.coordination);
    run(run_plan, move || {
        let chosen = strategy.strategy(seed, &prepared.trial);
        match prepared.scenario.crash {
            Some(_) => Box::new(Crashing::new(seed, &prepared.trial, chosen)),
            None => chosen,
        }
    })
}

/// The run of a recorded schedule.
pub fn replay(prepared: &Arc<Prepared>, coordination: Coordination, schedule: Schedule) -> Run {
    replay_edited(prepared, coordination, schedule, None)
}

/// The run of a recorded schedule in code that has changed since; see [`RunPlan::edit`].
pub fn replay_edited(
    prepared: &Arc<Prepared>,
    coordination: Coordination,
    schedule: Schedule,
    edit: Option<u64>,
) -> Run {
    let plan = RunPlan { edit, ..RunPlan::new(prepared.clone(), coordination) };
    run(plan, move || Box::new(Replay::new(schedule)))
}

/// Where two runs of one seed part, as text; `None` where they are the same.
pub fn difference(first: &Run, second: &Run) -> Option<String> {
    let (a, b) = (&first.observation.trace, &second.observation.trace);
    let same_end =
        first.observation.outcome == second.observation.outcome && first.observation.gets == second.observation.gets;
    if first.digest == second.digest && a.len() == b.len() && same_end {
        return None;
    }
    let index = a.iter().zip(b).position(|(a, b)| a != b).unwrap_or(a.len().min(b.len()));
    let show = |trace: &[crate::trace::TraceEntry]| {
        trace.get(index).map_or_else(
            || "it had ended".to_owned(),
            |entry| format!("{:.3} ms {} {}", entry.at_us as f64 / 1000.0, entry.task, entry.what),
        )
    };
    Some(format!("event {index}: first {}; then {}", show(a), show(b)))
}
