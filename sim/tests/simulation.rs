//! Plain `cargo test` compiles this file without `--cfg madsim`: its one test runs cargo again with the flag, in a target
//! directory of its own. There the same file is compiled with the flag, and holds the real tests.

#[cfg(not(madsim))]
#[test]
fn the_simulation_holds() {
    let arguments = ["test", "--profile", "sim", "--package", "sim"];
    let status = sim::launcher::cargo(&arguments).status().expect("cargo can be run");
    assert!(status.success(), "the tests above failed in the simulation build");
}

#[cfg(madsim)]
mod simulated {
    use sim::bugs::Coordination;
    use sim::explore::{Exploration, difference, explore, replay, run_seed};
    use sim::observation::Outcome;
    use sim::oracles::{Reference, judge};
    use sim::prepare::{Prepared, prepare};
    use sim::replay_file::ReplayFile;
    use sim::scenario::Scenario;
    use std::path::{Path, PathBuf};
    use std::sync::Arc;

    fn scenarios_dir() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios")
    }

    fn prepared(name: &str) -> Arc<Prepared> {
        let path = scenarios_dir().join(format!("{name}.json"));
        prepare(Scenario::read(&path).unwrap()).unwrap()
    }

    fn explored(name: &str, coordination: Coordination, runs: u64) -> Exploration {
        explore(&prepared(name), coordination, 0..runs, 2, &|| {})
    }

    /// pnpm/pnpm#12241: without the coordination some seed makes the registry serve a tarball twice, and that seed does so
    /// every time; with it no seed of a large set does.
    #[test]
    fn issue_12241() {
        let uncoordinated = explored("prefetch-cold-race", Coordination::None, 50);
        let failure = uncoordinated.failure.expect("the race is found within 50 runs");
        assert!(["O1", "O2"].contains(&failure.oracle.id()), "{}", failure.oracle.id());
        let prepared = prepared("prefetch-cold-race");
        for _ in 0..5 {
            let again = run_seed(&prepared, Coordination::None, failure.seed);
            let (oracle, violation) = judge(&again.observation, &Reference::default()).expect("the seed fails again");
            assert_eq!((oracle.id(), violation), (failure.oracle.id(), failure.violation.clone()));
        }
        let coordinated = explored("prefetch-cold-race", Coordination::Shared, 3000);
        assert!(coordinated.failure.is_none() && coordinated.nondeterminism.is_none());
    }

    /// pnpm/pnpm#13166: a waiter that registers after it re-checks loses its wake-up. Upstream says that no test can
    /// reproduce it deterministically.
    #[test]
    fn issue_13166() {
        let buggy = explored("prefetch-cold-race", Coordination::LostWakeup, 200);
        let failure = buggy.failure.expect("the lost wake-up is found within 200 runs");
        assert_eq!(failure.oracle.id(), "O4");
        let Outcome::Hung(blocked) = &failure.run.observation.outcome else { panic!("it hangs") };
        let waiter = blocked.iter().find(|task| task.waits_for.is_some()).expect("somebody waits for a download");
        assert!(waiter.task.starts_with("cold ") || waiter.task.starts_with("prefetch "), "{}", waiter.task);
        let prepared = prepared("prefetch-cold-race");
        let again = replay(&prepared, Coordination::LostWakeup, failure.seed, failure.run.decisions.clone());
        assert!(again.divergence.is_none());
        assert_eq!(again.observation.outcome, failure.run.observation.outcome);
    }

    #[test]
    fn the_same_seed_gives_the_same_trace_and_a_replay_gives_it_too() {
        let prepared = prepared("prefetch-cold-race");
        for seed in 0..20 {
            let first = run_seed(&prepared, Coordination::Shared, seed);
            let second = run_seed(&prepared, Coordination::Shared, seed);
            assert_eq!(difference(&first, &second), None, "seed {seed}");
            let replayed = replay(&prepared, Coordination::Shared, seed, first.decisions.clone());
            assert_eq!(replayed.divergence, None, "seed {seed}");
            assert_eq!(difference(&first, &replayed), None, "seed {seed}");
        }
    }

    #[test]
    fn another_seed_gives_another_trace() {
        let prepared = prepared("prefetch-cold-race");
        let (a, b) = (run_seed(&prepared, Coordination::Shared, 1), run_seed(&prepared, Coordination::Shared, 2));
        assert!(difference(&a, &b).is_some());
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
            let run = replay(&prepare(scenario).unwrap(), record.coordination, record.seed, record.decisions);
            let verdict = judge(&run.observation, &Reference::default()).map(|(_, violation)| violation.sentence);
            assert_eq!(verdict, None, "{}", path.display());
        }
    }
}
