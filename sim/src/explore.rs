//! Many runs of one scenario, on several threads; the same results whatever their number.

use crate::bugs::Coordination;
use crate::coverage::Coverage;
use crate::oracles::{Oracle, Violation, judge};
use crate::prepare::Prepared;
use crate::run::{Run, RunPlan, run};
use crate::schedule::Schedule;
use crate::strategy::{Crashing, Replay, StrategyKind, swarm};
use crate::threads;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

/// Of the runs that hold, one in so many is done twice to see that it is deterministic. Every run that fails is.
const CHECKED_TWICE_ONE_IN: u64 = 16;

/// Seeds are done in blocks of so many, and it is decided between blocks whether to go on: so it does not depend on the
/// number of threads which seeds are done.
pub const BLOCK: u64 = 64;

/// After so many failures a rate can be given, and more would say nothing new.
const FAILURES_MAX: usize = 16;

/// What to explore.
#[derive(Clone)]
pub struct Plan {
    /// The scenario.
    pub prepared: Arc<Prepared>,
    /// The coordination.
    pub coordination: Coordination,
    /// How schedules are chosen.
    pub strategy: StrategyKind,
    /// Whether each seed draws parameters of the scenario too; see [`swarm`].
    pub swarm: bool,
    /// One run for each.
    pub seeds: Range<u64>,
    /// On how many threads.
    pub jobs: usize,
}

impl Plan {
    /// What this seed runs.
    pub fn prepared_for(&self, seed: u64) -> Arc<Prepared> {
        if !self.swarm {
            return self.prepared.clone();
        }
        let scenario = Arc::new(swarm::drawn(&self.prepared.scenario, seed));
        Arc::new(Prepared { scenario, ..Prepared::clone(&self.prepared) })
    }
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
    /// The blocks that it is made of.
    pub blocks: Vec<Block>,
}

/// What a block of seeds came to, as plain data: what one machine found can be judged on another.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Block {
    /// The first seed.
    pub start: u64,
    /// How many runs were done.
    pub runs: u64,
    /// The different traces.
    pub digests: BTreeSet<u64>,
    /// What was seen.
    pub coverage: Coverage,
    /// The seeds that failed.
    pub failing_seeds: BTreeSet<u64>,
    /// The runs that came out differently the second time.
    pub nondeterminisms: Vec<Nondeterminism>,
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
    /// What fails in the run of this seed, if anything.
    pub fn of_seed(plan: &Plan, seed: u64) -> Option<Self> {
        let run = run_seed(plan, seed);
        let (oracle, violation) = judge(&run.observation)?;
        Some(Failure { seed: Some(seed), oracle, violation, run })
    }

    /// Whether `run`, of which an oracle says this, fails in the same way: the same oracle, about the same package. Where it
    /// is about none, both installs have to end the same way: one that fails with a wrong error is not one that succeeds.
    pub fn is_like(&self, oracle: &dyn Oracle, violation: &Violation, run: &Run) -> bool {
        let end = |run: &Run| std::mem::discriminant(&run.observation.outcome);
        self.oracle.id() == oracle.id()
            && self.violation.subject == violation.subject
            && (violation.subject.is_some() || end(&self.run) == end(run))
    }
}

/// One seed, two traces.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Nondeterminism {
    /// The seed.
    pub seed: u64,
    /// The first place where the traces differ, as text.
    pub difference: String,
}

/// Does the runs of these seeds; stops early when many fail. `done` is told after each run.
pub fn explore(plan: &Plan, done: &(dyn Fn() + Sync)) -> Exploration {
    let mut blocks = Vec::new();
    let mut start = plan.seeds.start;
    while start < plan.seeds.end && !is_enough(&blocks) {
        let end = plan.seeds.end.min(start + BLOCK);
        blocks.push(explore_block(plan, start..end, done));
        start = end;
    }
    Exploration::of(plan, blocks)
}

/// Whether more blocks would say nothing new.
fn is_enough(blocks: &[Block]) -> bool {
    let failures: usize = blocks.iter().map(|block| block.failing_seeds.len()).sum();
    failures >= FAILURES_MAX || blocks.iter().any(|block| !block.nondeterminisms.is_empty())
}

impl Exploration {
    /// What these blocks come to, in the order of their seeds, wherever each was explored.
    pub fn of(plan: &Plan, all: Vec<Block>) -> Self {
        let mut blocks = Vec::new();
        for block in all {
            if is_enough(&blocks) {
                break;
            }
            blocks.push(block);
        }
        let mut exploration = Exploration::default();
        let mut digests: BTreeSet<u64> = BTreeSet::new();
        for block in &blocks {
            exploration.runs += block.runs;
            exploration.failures += block.failing_seeds.len() as u64;
            exploration.coverage.join(block.coverage.clone());
            digests.extend(&block.digests);
        }
        let nondeterminism = blocks.iter().flat_map(|block| &block.nondeterminisms).min().cloned();
        let failing_seed = blocks.iter().flat_map(|block| &block.failing_seeds).min();
        let failure = failing_seed.and_then(|seed| Failure::of_seed(plan, *seed));
        Exploration { schedules: digests.len(), failure, nondeterminism, blocks, ..exploration }
    }
}

fn explore_block(plan: &Plan, seeds: Range<u64>, done: &(dyn Fn() + Sync)) -> Block {
    let mut found = Block { start: seeds.start, ..Block::default() };
    let gathered = threads::gather(plan.jobs, seeds, |seed, block| {
        examine(plan, seed, block);
        done();
    });
    gathered.into_iter().for_each(|block| found.join(block));
    found.nondeterminisms.sort();
    found
}

impl Block {
    /// Adds what another thread found in the same block.
    fn join(&mut self, other: Block) {
        self.runs += other.runs;
        self.digests.extend(other.digests);
        self.coverage.join(other.coverage);
        self.failing_seeds.extend(other.failing_seeds);
        self.nondeterminisms.extend(other.nondeterminisms);
    }
}

fn examine(plan: &Plan, seed: u64, block: &mut Block) {
    let run = run_seed(plan, seed);
    block.runs += 1;
    block.digests.insert(run.digest);
    block.coverage.add(&run.observation);
    let failed = judge(&run.observation).is_some();
    if failed {
        block.failing_seeds.insert(seed);
    }
    if failed || seed.is_multiple_of(CHECKED_TWICE_ONE_IN) {
        let again = run_seed(plan, seed);
        let difference = difference(&run, &again);
        block.nondeterminisms.extend(difference.map(|difference| Nondeterminism { seed, difference }));
    }
}

/// The run of this seed.
pub fn run_seed(plan: &Plan, seed: u64) -> Run {
    let (strategy, prepared) = (plan.strategy, plan.prepared_for(seed));
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
