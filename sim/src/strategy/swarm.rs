//! Swarm testing ("Swarm Testing", Groce et al., 2012): a seed draws the scenario's own parameters too, so that runs differ in
//! what they make likely and not only in their order.

use super::Chance;
use crate::scenario::Scenario;

/// Sets this draw apart from those of the strategy with the same seed.
const STREAM: u64 = 0x7377_6172_6d00;

const COMMIT_LAGS_MS: [u64; 5] = [0, 1, 5, 20, 200];
const CONCURRENCIES: [usize; 4] = [1, 2, 4, 16];
const LATENCIES_MS: [(u64, u64); 4] = [(1, 1), (1, 10), (1, 60), (20, 200)];

/// The scenario of this seed: slower or faster than `scenario` in each of its parts, with or without prefetches; packages,
/// faults and expectations are its own.
pub fn drawn(scenario: &Scenario, seed: u64) -> Scenario {
    let mut chance = Chance::new(seed ^ STREAM);
    let mut drawn = scenario.clone();
    drawn.commit_lag_ms = COMMIT_LAGS_MS[chance.below(COMMIT_LAGS_MS.len())];
    drawn.network_concurrency = CONCURRENCIES[chance.below(CONCURRENCIES.len())];
    drawn.network.latency_ms = LATENCIES_MS[chance.below(LATENCIES_MS.len())];
    drawn.prefetch &= chance.below(8) > 0;
    drawn
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracles::testing::scenario;
    use serde_json::json;
    use std::collections::BTreeSet;

    #[test]
    fn seeds_draw_different_scenarios_and_always_the_same() {
        let base = scenario(json!({}));
        let all: Vec<_> = (0..200).map(|seed| drawn(&base, seed)).collect();
        assert!(all.iter().zip(0..).all(|(scenario, seed)| *scenario == drawn(&base, seed)));
        let kinds: BTreeSet<_> =
            all.iter().map(|one| (one.commit_lag_ms, one.network_concurrency, one.prefetch)).collect();
        assert!(kinds.len() > 30, "{}", kinds.len());
    }
}
