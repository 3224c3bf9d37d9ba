//! O3: a tarball is not asked for more often than the retries of its leaders allow.
//!
//! A prefetch has one ladder of retries, the install one more. There is never one ladder per waiter.

use super::{Oracle, Violation};
use crate::observation::Observation;
use crate::scenario::Install;

/// See the module.
pub struct RetryBudget;

impl Oracle for RetryBudget {
    fn id(&self) -> &'static str {
        "O3"
    }

    fn demand(&self) -> &'static str {
        "a tarball is asked for at most as often as one prefetch's retries and one install's retries allow"
    }

    fn check(&self, run: &Observation) -> Result<(), Violation> {
        let scenario = &run.scenario;
        let prefetches = scenario.prefetch && scenario.install == Install::Fresh;
        let attempts_max = scenario.fetch_retries as usize + 1;
        for (package, gets) in run.tarball_gets() {
            let struck = usize::from(scenario.leaders.contains_key(package));
            let ladders = 1 + usize::from(prefetches) + struck;
            let allowed = ladders * attempts_max;
            if gets.len() > allowed {
                let (path, times) = (&gets[0].path, gets.len());
                let sentence = format!(
                    "{path} was asked for {times} times; {ladders} ladders of {attempts_max} attempts allow {allowed}"
                );
                return Err(Violation::of(package, sentence));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracles::testing::{check, get, good_run};

    #[test]
    fn one_ladder_per_waiter_is_too_many() {
        let mut run = good_run();
        run.gets = (0..6).map(|n| get(n * 1_000, n * 1_000 + 500)).collect();
        assert!(check(&RetryBudget, &run).is_ok());
        run.gets.push(get(7_000, 7_500));
        assert!(check(&RetryBudget, &run).unwrap_err().sentence.contains("7 times"));
    }
}
