//! Makes a failure small before it is shown: the scenario first, then the schedule, as long as it stays the same failure.
//!
//! The schedule ends as a handful of holds against the default order, none of which can be left out or shortened. It is
//! made so in three steps: drop the order of turns and keep the holds; if the failure needs that order, look for holds that
//! cause it too; then delta debugging ("Simplifying and Isolating Failure-Inducing Input", Zeller and Hildebrandt, 2002).
//! Work is bounded in runs, never in time, so the same failure always shrinks to the same one.

use crate::bugs::Coordination;
use crate::explore::{Failure, replay};
use crate::oracles::judge;
use crate::prepare::{Prepared, prepare};
use crate::run::{Run, RunPlan, run};
use crate::scenario::{Network, Scenario, VersionedName};
use crate::schedule::{Hold, Schedule};
use crate::strategy::FewHolds;
use std::iter::once;
use std::sync::Arc;

/// How many runs may look for few holds that cause a failure, before its own order of turns is kept.
const SEARCH_RUNS_MAX: u64 = 600;

/// How many runs one shrinking may take.
const RUNS_MAX: u64 = 2_500;

/// Delays to try in place of a longer one, in milliseconds.
const DELAYS_MS: [u64; 7] = [0, 1, 3, 10, 30, 100, 300];

/// How many of the holds are tried for other times when the scenario gets simpler.
const HOLDS_VARIED: usize = 2;

/// A failure made small.
pub struct Shrunk {
    /// The scenario that is left.
    pub prepared: Arc<Prepared>,
    /// The schedule that is left.
    pub schedule: Schedule,
    /// The failure that it causes.
    pub failure: Failure,
    /// How many runs it took.
    pub runs: u64,
}

/// Shrinks a failure of this scenario.
pub fn shrink(prepared: &Arc<Prepared>, coordination: Coordination, failure: Failure) -> Shrunk {
    let schedule = failure.run.schedule.clone();
    let mut shrinker = Shrinker { prepared: prepared.clone(), coordination, schedule, failure, runs: 0 };
    shrinker.drop_the_order();
    shrinker.minimise();
    if shrinker.shrink_scenario() {
        shrinker.minimise();
    }
    shrinker.shorten_holds();
    let Shrinker { prepared, schedule, failure, runs, .. } = shrinker;
    Shrunk { prepared, schedule, failure, runs }
}

struct Shrinker {
    prepared: Arc<Prepared>,
    coordination: Coordination,
    schedule: Schedule,
    failure: Failure,
    runs: u64,
}

impl Shrinker {
    /// Takes `schedule` on `prepared` over if it causes the failure.
    fn accept(&mut self, prepared: &Arc<Prepared>, schedule: Schedule) -> bool {
        if self.runs >= RUNS_MAX {
            return false;
        }
        let run = replay(prepared, self.coordination, schedule.clone());
        self.take(prepared, schedule, run)
    }

    fn take(&mut self, prepared: &Arc<Prepared>, schedule: Schedule, run: Run) -> bool {
        self.runs += 1;
        let Some((oracle, violation)) = judge(&run.observation) else { return false };
        if !self.failure.is_like(oracle, &violation, &run) {
            return false;
        }
        self.failure = Failure { seed: self.failure.seed, oracle, violation, run };
        self.prepared = prepared.clone();
        self.schedule = schedule;
        true
    }

    /// First come, first served, with the same holds, or with a few others.
    fn drop_the_order(&mut self) {
        if self.schedule.preemptions.is_empty() {
            return;
        }
        let prepared = self.prepared.clone();
        if self.accept(&prepared, Schedule { preemptions: Vec::new(), ..self.schedule.clone() }) {
            return;
        }
        for seed in 0..SEARCH_RUNS_MAX {
            let plan = RunPlan::new(prepared.clone(), self.coordination);
            let trial = &prepared.trial;
            let holds = 1 + (seed % 3) as usize;
            let run = run(plan, || Box::new(FewHolds::new(seed, holds, trial)));
            let schedule = run.schedule.clone();
            if self.take(&prepared, schedule, run) {
                return;
            }
        }
    }

    /// Leaves out decisions until none is left that could be.
    fn minimise(&mut self) {
        loop {
            let before = self.schedule.decisions();
            self.minimise_list(|schedule| &mut schedule.preemptions);
            self.minimise_list(|schedule| &mut schedule.holds);
            if self.schedule.decisions() == before || self.schedule.preemptions.is_empty() {
                return;
            }
        }
    }

    /// Delta debugging: leaves out as many of these decisions as it can, first many at once, then one by one.
    fn minimise_list<T>(&mut self, decisions: fn(&mut Schedule) -> &mut Vec<T>) {
        let prepared = self.prepared.clone();
        let mut length = decisions(&mut self.schedule).len();
        let mut chunk = length.div_ceil(2);
        while chunk > 0 {
            let mut start = 0;
            while start < length {
                let mut fewer = self.schedule.clone();
                decisions(&mut fewer).drain(start..length.min(start + chunk));
                if !self.accept(&prepared, fewer) {
                    start += chunk;
                }
                length = decisions(&mut self.schedule).len();
            }
            chunk = if chunk == 1 { 0 } else { chunk.div_ceil(2) };
        }
    }

    /// Leaves out packages, faults and slowness.
    fn shrink_scenario(&mut self) -> bool {
        let mut shrunk = false;
        loop {
            let candidates = simpler(&self.prepared.scenario, self.failure.violation.subject.as_deref());
            let accepted = candidates.into_iter().any(|scenario| {
                let schedules = once(self.schedule.clone()).chain(with_other_delays(&self.schedule));
                prepare(scenario)
                    .is_ok_and(|prepared| schedules.into_iter().any(|schedule| self.accept(&prepared, schedule)))
            });
            if !accepted {
                return shrunk;
            }
            shrunk = true;
        }
    }

    /// Makes each wait as short as it can be.
    fn shorten_holds(&mut self) {
        let prepared = self.prepared.clone();
        for index in 0..self.schedule.holds.len() {
            for delay_ms in DELAYS_MS {
                let Some(Hold { delay_ms: now, .. }) = self.schedule.holds.get(index) else { break };
                if delay_ms >= *now {
                    break;
                }
                let mut shorter = self.schedule.clone();
                shorter.holds[index].delay_ms = delay_ms;
                if self.accept(&prepared, shorter) {
                    break;
                }
            }
        }
    }
}

/// The same few holds, one of them for another time: with less to do, what somebody has to wait for comes at another moment.
fn with_other_delays(schedule: &Schedule) -> Vec<Schedule> {
    let few = schedule.holds.iter().take(HOLDS_VARIED).enumerate();
    let other = few.flat_map(|(index, hold)| {
        DELAYS_MS.into_iter().filter(|delay_ms| *delay_ms != hold.delay_ms).map(move |delay_ms| {
            let mut schedule = schedule.clone();
            schedule.holds[index].delay_ms = delay_ms;
            schedule
        })
    });
    other.collect()
}

/// Scenarios that are a step simpler.
fn simpler(scenario: &Scenario, subject: Option<&str>) -> Vec<Scenario> {
    let mut candidates = Vec::new();
    let keep = |name: &VersionedName| subject.is_some_and(|subject| subject.starts_with(&name.to_string()));
    for name in scenario.packages.keys().filter(|name| !keep(name)) {
        candidates.extend(without(scenario, name));
    }
    let mut changed = |change: &dyn Fn(&mut Scenario)| {
        let mut candidate = scenario.clone();
        change(&mut candidate);
        if candidate != *scenario {
            candidates.push(candidate);
        }
    };
    for member in scenario.members.keys() {
        changed(&|scenario| {
            scenario.members.remove(member);
            scenario
                .members
                .values_mut()
                .chain([&mut scenario.dependencies])
                .for_each(|asked| drop(asked.remove(member)));
        });
    }
    changed(&|scenario| scenario.network = Network { latency_ms: (1, 1), ..Network::default() });
    changed(&|scenario| scenario.network.tarballs.clear());
    changed(&|scenario| scenario.leaders.clear());
    changed(&|scenario| scenario.unpolled_prefetches.clear());
    changed(&|scenario| scenario.commit_lag_ms = 0);
    changed(&|scenario| scenario.packages.values_mut().for_each(|package| package.size_bytes = 100));
    candidates
}

/// The scenario without one package; who depended on it depends on what it depended on.
fn without(scenario: &Scenario, name: &VersionedName) -> Option<Scenario> {
    let mut candidate = scenario.clone();
    let removed = candidate.packages.remove(name)?;
    if candidate.packages.is_empty() || candidate.packages.keys().any(|other| other.0.name == name.0.name) {
        return None;
    }
    for package in candidate.packages.values_mut() {
        if package.dependencies.remove(&name.0.name).is_some() {
            package.dependencies.extend(removed.dependencies.clone());
        }
        package.optional_dependencies.remove(&name.0.name);
        package.peer_dependencies.remove(&name.0.name);
    }
    for asked in candidate.members.values_mut().chain([&mut candidate.dependencies]) {
        if asked.remove(&name.0.name).is_some() {
            asked.extend(removed.dependencies.clone());
        }
    }
    candidate.network.tarballs.remove(name);
    candidate.leaders.remove(name);
    candidate.unpolled_prefetches.remove(name);
    Some(candidate)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::Moment;
    use crate::strategy::{Chance, Fifo, Ready, Strategy};
    use serde_json::json;
    use std::path::Path;

    /// Nobody waits anywhere: all that is chosen is whose turn it is.
    struct Turns(Chance);

    impl Strategy for Turns {
        fn pick(&mut self, ready: &[&Ready]) -> usize {
            self.0.below(ready.len())
        }

        fn hold(&mut self, _moment: &Moment) -> Option<u64> {
            None
        }

        fn latency(&mut self, _request: &Moment, from_ms: u64, _to_ms: u64) -> u64 {
            from_ms
        }
    }

    /// Of two tarballs that are not there, the one whose answer is read first is the one that the error names.
    #[test]
    fn an_order_shrinks_to_the_preemptions_that_decide() {
        let scenario = json!({
            "description": "",
            "packages": { "left@1.0.0": {}, "right@1.0.0": {} },
            "dependencies": { "left": "1.0.0", "right": "1.0.0" },
            "prefetch": false,
            "network": { "tarballs": {
                "left@1.0.0": { "always": { "status": 404 } },
                "right@1.0.0": { "always": { "status": 404 } },
            } },
            "expect": { "failure": ["right@1.0.0"] },
        });
        let prepared = prepare(Scenario::from_value(scenario, Path::new("order")).unwrap()).unwrap();
        let coordination = Coordination::Shared;
        let judged = |strategy: Box<dyn Strategy + Send>| {
            let run = run(RunPlan::new(prepared.clone(), coordination), || strategy);
            judge(&run.observation).map(|(oracle, violation)| Failure { seed: None, oracle, violation, run })
        };
        let by_default = judged(Box::new(Fifo)).map(|failure| failure.violation.sentence);
        assert_eq!(by_default, None, "by default it names the right one");
        let failure = (0..200).find_map(|seed| judged(Box::new(Turns(Chance::new(seed)))));
        let failure = failure.expect("by another order it names the left one");
        let schedule = failure.run.schedule.clone();
        let before = schedule.preemptions.len();
        let mut shrinker = Shrinker { prepared: prepared.clone(), coordination, schedule, failure, runs: 0 };
        shrinker.minimise();
        let Shrinker { schedule, failure, .. } = shrinker;
        let left = schedule.preemptions.len();
        assert!((1..=3).contains(&left) && left < before, "{before} shrink to {:?}", schedule.preemptions);
        for index in 0..left {
            let mut fewer = schedule.clone();
            fewer.preemptions.remove(index);
            let run = replay(&prepared, coordination, fewer);
            let verdict = judge(&run.observation);
            assert!(verdict.is_none_or(|(oracle, violation)| !failure.is_like(oracle, &violation, &run)));
        }
    }
}
