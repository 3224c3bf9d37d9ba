//! Plain `cargo test` compiles this file without `--cfg madsim`: its one test runs cargo again with the flag, in a target
//! directory of its own. There the same file is compiled with the flag, and holds the real tests.

#[cfg(not(madsim))]
#[test]
fn the_simulation_holds() {
    let arguments = ["test", "--profile", "sim", "--package", "sim"];
    let status = sim::cargo::cargo(&arguments).status().expect("cargo can be run");
    assert!(status.success(), "the tests above failed in the simulation build");
}

#[cfg(madsim)]
mod simulated {
    use installer::rt::{Event, Point};
    use sim::bugs::Coordination;
    use sim::explore::{Exploration, Plan, difference, explore, replay, replay_edited, run_seed};
    use sim::observation::Outcome;
    use sim::oracles::judge;
    use sim::prepare::{Prepared, prepare};
    use sim::replay_file::ReplayFile;
    use sim::scenario::{Expectation, Scenario};
    use sim::schedule::{Hold, Moment, Schedule};
    use sim::shrink::{Shrunk, shrink};
    use sim::strategy::StrategyKind;
    use sim::trace::What;
    use std::path::{Path, PathBuf};
    use std::sync::Arc;

    fn scenarios_dir() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios")
    }

    fn prepared(name: &str) -> Arc<Prepared> {
        let path = scenarios_dir().join(format!("{name}.json"));
        prepare(Scenario::read(&path).unwrap()).unwrap()
    }

    fn plan(coordination: Coordination, runs: u64) -> Plan {
        let prepared = prepared("prefetch-cold-race");
        Plan { prepared, coordination, strategy: StrategyKind::Portfolio, swarm: false, seeds: 0..runs, jobs: 2 }
    }

    fn explored(coordination: Coordination, runs: u64) -> Exploration {
        explore(&plan(coordination, runs), &|| {})
    }

    /// pnpm/pnpm#12241: without the coordination some seed makes the registry serve a tarball twice, and that seed does so
    /// every time; with it no seed of a large set does.
    #[test]
    fn issue_12241() {
        let uncoordinated = explored(Coordination::None, 50);
        let failure = uncoordinated.failure.expect("the race is found within 50 runs");
        assert!(["O1", "O2"].contains(&failure.oracle.id()), "{}", failure.oracle.id());
        for _ in 0..5 {
            let again = run_seed(&plan(Coordination::None, 50), failure.seed.unwrap());
            let (oracle, violation) = judge(&again.observation).expect("the seed fails again");
            assert_eq!((oracle.id(), violation), (failure.oracle.id(), failure.violation.clone()));
        }
        let coordinated = explored(Coordination::Shared, 3000);
        assert!(coordinated.failure.is_none() && coordinated.nondeterminism.is_none());
    }

    /// pnpm/pnpm#13166: a waiter that registers after it re-checks loses its wake-up. Upstream says that no test can
    /// reproduce it deterministically.
    #[test]
    fn issue_13166() {
        let buggy = explored(Coordination::LostWakeup, 200);
        let failure = buggy.failure.expect("the lost wake-up is found within 200 runs");
        assert_eq!(failure.oracle.id(), "O4");
        let Outcome::Hung(blocked) = &failure.run.observation.outcome else { panic!("it hangs") };
        let waiter = blocked.iter().find(|task| task.waits_for.is_some()).expect("somebody waits for a download");
        assert!(waiter.task.starts_with("cold ") || waiter.task.starts_with("prefetch "), "{}", waiter.task);
        let prepared = prepared("prefetch-cold-race");
        let again = replay(&prepared, Coordination::LostWakeup, failure.run.schedule.clone());
        assert_eq!(again.misfit, None);
        assert_eq!(again.observation.outcome, failure.run.observation.outcome);
    }

    /// Each strategy by itself finds the lost wake-up.
    #[test]
    fn every_strategy_finds_the_lost_wakeup() {
        for strategy in StrategyKind::RANDOM {
            let plan = Plan { strategy, ..plan(Coordination::LostWakeup, 400) };
            assert!(explore(&plan, &|| {}).failure.is_some(), "{} does not", strategy.label());
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_trace_and_a_replay_gives_it_too() {
        let plan = plan(Coordination::Shared, 1);
        for seed in 0..40 {
            let first = run_seed(&plan, seed);
            let second = run_seed(&plan, seed);
            assert_eq!(difference(&first, &second), None, "seed {seed}");
            let replayed = replay(&plan.prepared, Coordination::Shared, first.schedule.clone());
            assert_eq!(replayed.misfit, None, "seed {seed}");
            assert_eq!(difference(&first, &replayed), None, "seed {seed}");
        }
    }

    #[test]
    fn another_seed_gives_another_trace() {
        let plan = plan(Coordination::Shared, 1);
        assert!(difference(&run_seed(&plan, 0), &run_seed(&plan, 5)).is_some());
    }

    #[test]
    fn one_thread_and_many_come_to_the_same() {
        for coordination in [Coordination::Shared, Coordination::LostWakeup] {
            let result = |jobs| {
                let Exploration { runs, schedules, coverage, failures, failure, .. } =
                    explore(&Plan { jobs, ..plan(coordination, 300) }, &|| {});
                (runs, schedules, coverage, failures, failure.map(|failure| (failure.seed, failure.violation)))
            };
            assert_eq!(result(1), result(3));
        }
    }

    /// A shrunk failure is the same failure, takes at most two holds, and holds without any of them.
    #[test]
    fn failures_shrink_to_what_decides() {
        for coordination in [Coordination::None, Coordination::LostWakeup] {
            for first in [0, 100, 200] {
                let plan = Plan { seeds: first..first + 100, ..plan(coordination, 100) };
                let failure = explore(&plan, &|| {}).failure.expect("it is found within 100 runs");
                let (oracle, subject) = (failure.oracle.id(), failure.violation.subject.clone());
                let Shrunk { prepared, schedule, failure, .. } = shrink(&plan.prepared, coordination, failure);
                assert_eq!((failure.oracle.id(), &failure.violation.subject), (oracle, &subject));
                assert!(schedule.holds.len() <= 2 && schedule.preemptions.is_empty(), "{schedule:?}");
                assert!(prepared.scenario.packages.len() <= 3, "{:?}", prepared.scenario.packages);
                for index in 0..schedule.holds.len() {
                    let mut fewer = schedule.clone();
                    fewer.holds.remove(index);
                    let run = replay(&prepared, coordination, fewer);
                    let verdict = judge(&run.observation);
                    assert!(verdict.is_none_or(|(oracle, violation)| !failure.is_like(oracle, &violation, &run)));
                }
            }
        }
    }

    /// An error that hides its cause stays that, and does not become an install that succeeds although it cannot.
    #[test]
    fn a_failure_shrinks_to_one_of_its_kind() {
        let mut scenario = prepared("prefetch-fails-always").scenario.as_ref().clone();
        scenario.expect = Expectation::Failure(vec!["what no error says".to_owned()]);
        let prepared = prepare(scenario).unwrap();
        let plan = Plan { prepared, ..plan(Coordination::Shared, 10) };
        let failure = explore(&plan, &|| {}).failure.expect("no error says that");
        let shrunk = shrink(&plan.prepared, Coordination::Shared, failure);
        assert!(matches!(shrunk.failure.run.observation.outcome, Outcome::Failed(_)));
    }

    /// Unrelated code is added in a hundred ways: what was recorded still fails, in at least 95 of them.
    #[test]
    fn records_survive_unrelated_edits() {
        for coordination in [Coordination::None, Coordination::LostWakeup] {
            let plan = plan(coordination, 100);
            let failure = explore(&plan, &|| {}).failure.expect("it is found within 100 runs");
            let Shrunk { prepared, schedule, failure, .. } = shrink(&plan.prepared, coordination, failure);
            let mut changed = 0;
            let reproduced = (0..100).filter(|edit| {
                let run = replay_edited(&prepared, coordination, schedule.clone(), Some(*edit));
                changed += u32::from(run.digest != failure.run.digest);
                judge(&run.observation).is_some_and(|(oracle, violation)| failure.is_like(oracle, &violation, &run))
            });
            let reproduced = reproduced.count();
            assert!(changed > 50, "the edits change the run: {changed}");
            assert!(reproduced >= 95, "{}: {reproduced} of 100", coordination.label());
        }
    }

    /// A record of code that is gone says which of its decisions no longer fits.
    #[test]
    fn a_record_that_no_longer_fits_says_where() {
        let plan = plan(Coordination::Shared, 1);
        let gone = Moment { task: "cold gone@1.0.0".into(), point: "cold:start".into(), occurrence: 1 };
        let schedule = Schedule { holds: vec![Hold { at: gone, delay_ms: 10 }], ..Schedule::default() };
        let run = replay(&plan.prepared, Coordination::Shared, schedule);
        assert_eq!(run.misfit.as_deref(), Some("cold gone@1.0.0 at cold:start waits 10 ms"));
    }

    /// Without the lag, a race with the commit would be rare, and no oracle would notice that nobody looks for it any more.
    #[test]
    fn rows_are_committed_as_late_as_the_scenario_says() {
        let plan = plan(Coordination::Shared, 1);
        let lag_us = plan.prepared.scenario.commit_lag_ms * 1000;
        assert!(lag_us > 0);
        let (mut batch_us, mut commits) = (None, 0);
        for entry in run_seed(&plan, 0).observation.trace {
            match entry.what {
                What::At(Point::WriterBatch) => batch_us = Some(entry.at_us),
                What::Told(Event::Commit { .. }) => {
                    let batch_us = batch_us.take().expect("a batch comes before its commit");
                    assert!(entry.at_us - batch_us >= lag_us, "committed after {} µs", entry.at_us - batch_us);
                    commits += 1;
                }
                _ => {}
            }
        }
        assert!(commits > 0);
    }

    /// Every scenario, a little: `cargo sim gate` does more of each.
    #[test]
    fn the_scenarios_hold() {
        let mut names: Vec<_> = std::fs::read_dir(scenarios_dir()).unwrap().map(|file| file.unwrap().path()).collect();
        names.retain(|path| path.is_file() && !path.ends_with("schema.json"));
        names.sort();
        for path in names {
            let prepared = prepare(Scenario::read(&path).unwrap()).unwrap();
            let plan = Plan { prepared, seeds: 0..128, ..plan(Coordination::Shared, 0) };
            let found = explore(&plan, &|| {});
            let verdict = found.failure.map(|failure| (failure.oracle.id(), failure.violation.sentence));
            assert_eq!((verdict, found.nondeterminism), (None, None), "{}", path.display());
        }
    }

    /// What a change once broke stays recorded, and holds.
    #[test]
    fn recorded_regressions_hold() {
        let mut files: Vec<_> = std::fs::read_dir(scenarios_dir().join("regressions")).unwrap().collect();
        assert!(!files.is_empty());
        files.sort_by_key(|file| file.as_ref().unwrap().path());
        for file in files {
            let path = file.unwrap().path();
            let record = ReplayFile::read(&path).unwrap();
            let scenario = Scenario::from_value(record.scenario, &path).unwrap();
            let run = replay(&prepare(scenario).unwrap(), record.coordination, record.schedule);
            let verdict = judge(&run.observation).map(|(_, violation)| violation.sentence);
            assert_eq!(verdict, None, "{}", path.display());
        }
    }
}
