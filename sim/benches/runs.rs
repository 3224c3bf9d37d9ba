//! How long one run of the whole installer takes on one core. benches/README.md says how to run it, and holds its figures.

/// The simulator's own.
#[cfg(madsim)]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[cfg(madsim)]
mod measured {
    use criterion::Criterion;
    use serde_json::{Value, json};
    use sim::explore::{Plan, run_seed};
    use sim::prepare::prepare;
    use sim::scenario::Scenario;
    use sim::strategy::StrategyKind;
    use std::path::Path;

    /// Thirty packages, each of which depends on the next two.
    fn thirty_packages() -> Value {
        let package = |number: usize| {
            let next = (number + 1..=30).take(2).map(|next| (format!("p{next:02}"), json!("1.0.0")));
            let dependencies: serde_json::Map<_, _> = next.collect();
            (format!("p{number:02}@1.0.0"), json!({ "size_bytes": 500, "dependencies": dependencies }))
        };
        let packages: serde_json::Map<_, _> = (1..=30).map(package).collect();
        json!({ "description": "", "packages": packages, "dependencies": { "p01": "1.0.0" }, "commit_lag_ms": 20 })
    }

    fn measure(criterion: &mut Criterion, name: &str, scenario: Scenario) {
        let prepared = prepare(scenario).expect("the scenario can be prepared");
        let strategy = StrategyKind::Portfolio;
        let plan = Plan { prepared, coordination: Default::default(), strategy, swarm: false, seeds: 0..1, jobs: 1 };
        let mut seeds = 0..;
        criterion.bench_function(name, |bencher| {
            bencher.iter(|| run_seed(&plan, seeds.next().expect("there are enough numbers")).steps);
        });
    }

    pub fn main() {
        let mut criterion = Criterion::default().configure_from_args().sample_size(20);
        let race = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios/prefetch-cold-race.json");
        measure(&mut criterion, "run prefetch-cold-race", Scenario::read(&race).expect("it is a scenario"));
        let thirty = Scenario::from_value(thirty_packages(), Path::new("thirty")).expect("it is a scenario");
        measure(&mut criterion, "run of 30 packages", thirty);
        criterion.final_summary();
    }
}

fn main() {
    #[cfg(madsim)]
    measured::main();
}
