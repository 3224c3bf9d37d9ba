//! O3: a tarball is not asked for more often than the retries of its leaders allow.
//!
//! A prefetch has one ladder of retries, the install one more. There is never one ladder per waiter.

use super::{Oracle, Violation};
use crate::observation::Observation;
use crate::scenario::{Install, LeaderFault};

/// See the module.
pub struct RetryBudget;

impl Oracle for RetryBudget {
    fn id(&self) -> &'static str {
        "O3"
    }

    fn demand(&self) -> &'static str {
        "a tarball is asked for at most as often as one prefetch's and one install's retries allow, by as many tasks"
    }

    fn check(&self, run: &Observation) -> Result<(), Violation> {
        let scenario = &run.scenario;
        let prefetches = scenario.prefetch && scenario.install == Install::Fresh;
        let attempts_max = scenario.fetch_retries as usize + 1;
        let leads = run.leads();
        for (package, gets) in run.tarball_gets() {
            let more = scenario.leaders.get(package).map_or(0, LeaderFault::leaders_more);
            let ladders = 1 + usize::from(prefetches) + more;
            let leaders = leads.get(package).map_or(0, Vec::len);
            // A crashed run has the leaders of two lives.
            if run.crash.is_none() && leaders > ladders {
                let sentence = format!("{leaders} tasks set out to download {package}; {ladders} is the most");
                return Err(Violation::of(package, sentence));
            }
            let allowed = ladders * attempts_max * scenario.installs();
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
    use crate::oracles::testing::{check, get, good_run, lead};

    #[test]
    fn a_leader_too_many_is_noticed() {
        let mut run = good_run();
        run.trace = vec![lead(), lead()];
        assert!(check(&RetryBudget, &run).is_ok());
        run.trace.push(lead());
        assert!(check(&RetryBudget, &run).unwrap_err().sentence.contains("3 tasks set out"));
    }

    #[test]
    fn one_ladder_per_waiter_is_too_many() {
        let mut run = good_run();
        run.gets = (0..6).map(|n| get(n * 1_000, n * 1_000 + 500)).collect();
        assert!(check(&RetryBudget, &run).is_ok());
        run.gets.push(get(7_000, 7_500));
        assert!(check(&RetryBudget, &run).unwrap_err().sentence.contains("7 times"));
    }
}
