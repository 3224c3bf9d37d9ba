//! Many runs of one scenario, on several threads; the same results whatever their number.

use crate::bugs::Coordination;
use crate::oracles::{Oracle, Reference, Violation, judge};
use crate::prepare::Prepared;
use crate::run::{Run, RunPlan, run};
use crate::schedule::Decision;
use crate::strategy::{Random, Replay};
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Of the runs that hold, one in so many is done twice to see that it is deterministic. Every run that fails is.
const CHECKED_TWICE_ONE_IN: u64 = 16;

/// What an exploration came to.
pub struct Exploration {
    /// How many runs were done.
    pub runs: u64,
    /// How many different traces there were among them.
    pub schedules: usize,
    /// The failure with the lowest seed, if any.
    pub failure: Option<Failure>,
    /// The run with the lowest seed that came out differently the second time, if any.
    pub nondeterminism: Option<Nondeterminism>,
}

/// A run in which an oracle fails.
pub struct Failure {
    /// The run's seed.
    pub seed: u64,
    /// Which oracle.
    pub oracle: &'static dyn Oracle,
    /// What is wrong.
    pub violation: Violation,
    /// The run.
    pub run: Run,
}

/// One seed, two traces.
pub struct Nondeterminism {
    /// The seed.
    pub seed: u64,
    /// The first place where the traces differ, as text.
    pub difference: String,
}

/// Does the runs of these seeds; stops early at a failure. `done` is told after each run.
pub fn explore(
    prepared: &Arc<Prepared>,
    coordination: Coordination,
    seeds: Range<u64>,
    jobs: usize,
    done: &(dyn Fn() + Sync),
) -> Exploration {
    let reference = Reference::default();
    // The first run decides what the others are held against, whatever thread is first.
    let first = run_seed(prepared, coordination, seeds.start);
    let _ = judge(&first.observation, &reference);
    drop(first);

    let next = AtomicU64::new(seeds.start);
    let stop = AtomicBool::new(false);
    let found = Mutex::new(Found::default());
    std::thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(|| {
                while !stop.load(Ordering::Acquire) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        break;
                    }
                    let examined = examine(prepared, coordination, seed, &reference);
                    if examined.failure.is_some() || examined.nondeterminism.is_some() {
                        // Lower seeds are under way on other threads and are waited for, so the lowest is found.
                        stop.store(true, Ordering::Release);
                    }
                    found.lock().unwrap_or_else(PoisonError::into_inner).add(examined);
                    done();
                }
            });
        }
    });
    let found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    Exploration {
        runs: found.runs,
        schedules: found.digests.len(),
        failure: found.failure,
        nondeterminism: found.nondeterminism,
    }
}

#[derive(Default)]
struct Found {
    runs: u64,
    digests: BTreeSet<u64>,
    failure: Option<Failure>,
    nondeterminism: Option<Nondeterminism>,
}

impl Found {
    fn add(&mut self, examined: Examined) {
        self.runs += 1;
        self.digests.insert(examined.digest);
        if let Some(failure) = examined.failure
            && self.failure.as_ref().is_none_or(|lowest| failure.seed < lowest.seed)
        {
            self.failure = Some(failure);
        }
        if let Some(nondeterminism) = examined.nondeterminism
            && self.nondeterminism.as_ref().is_none_or(|lowest| nondeterminism.seed < lowest.seed)
        {
            self.nondeterminism = Some(nondeterminism);
        }
    }
}

struct Examined {
    digest: u64,
    failure: Option<Failure>,
    nondeterminism: Option<Nondeterminism>,
}

fn examine(prepared: &Arc<Prepared>, coordination: Coordination, seed: u64, reference: &Reference) -> Examined {
    let run = run_seed(prepared, coordination, seed);
    let digest = run.digest;
    let verdict = judge(&run.observation, reference);
    let mut nondeterminism = None;
    if verdict.is_some() || seed.is_multiple_of(CHECKED_TWICE_ONE_IN) {
        let again = run_seed(prepared, coordination, seed);
        nondeterminism = difference(&run, &again).map(|difference| Nondeterminism { seed, difference });
    }
    let failure = verdict.map(|(oracle, violation)| Failure { seed, oracle, violation, run });
    Examined { digest, failure, nondeterminism }
}

/// The run of this seed.
pub fn run_seed(prepared: &Arc<Prepared>, coordination: Coordination, seed: u64) -> Run {
    let plan = RunPlan { prepared: prepared.clone(), coordination, seed };
    run(plan, move || Box::new(Random::new(seed)))
}

/// The run of this seed, under a recorded schedule.
pub fn replay(prepared: &Arc<Prepared>, coordination: Coordination, seed: u64, decisions: Vec<Decision>) -> Run {
    let plan = RunPlan { prepared: prepared.clone(), coordination, seed };
    run(plan, move || Box::new(Replay::new(decisions)))
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
