//! O8: never more requests in flight than permits, and every permit comes back.

use super::{Oracle, Violation};
use crate::observation::{Observation, Outcome};

/// See the module.
pub struct PermitsComeBack;

impl Oracle for PermitsComeBack {
    fn id(&self) -> &'static str {
        "O8"
    }

    fn demand(&self) -> &'static str {
        "the registry never serves more requests at once than the limit, and all permits come back"
    }

    fn check(&self, run: &Observation) -> Result<(), Violation> {
        let limit = run.scenario.network_concurrency;
        // An end before a start at the same instant: the permit was handed on.
        let starts = run.gets.iter().map(|get| (get.started_us, 1));
        let ends = run.gets.iter().filter_map(|get| Some((get.ended_us?, -1)));
        let mut changes: Vec<(u64, isize)> = starts.chain(ends).collect();
        changes.sort_unstable();
        let mut in_flight: isize = 0;
        for (at_us, change) in changes {
            in_flight += change;
            if in_flight > limit as isize {
                let at_ms = at_us as f64 / 1000.0;
                return Err(Violation::new(format!(
                    "{in_flight} requests were in flight at {at_ms:.3} ms; the limit is {limit}"
                )));
            }
        }
        match &run.outcome {
            Outcome::Installed(residue) if residue.permits_in_use > 0 => {
                Err(Violation::new(format!("{} permits did not come back", residue.permits_in_use)))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracles::testing::{check, get, good_run, scenario};
    use installer::install::Residue;
    use serde_json::json;

    #[test]
    fn more_than_the_limit_is_too_many() {
        let mut run = good_run();
        run.scenario = scenario(json!({ "network_concurrency": 2 }));
        run.gets = vec![get(0, 10), get(5, 15), get(10, 20)];
        assert!(check(&PermitsComeBack, &run).is_ok());
        run.gets.push(get(12, 14));
        assert!(check(&PermitsComeBack, &run).unwrap_err().sentence.contains("3 requests"));
    }

    #[test]
    fn a_permit_that_stays_away_is_missed() {
        let mut run = good_run();
        run.outcome = Outcome::Installed(Residue { permits_in_use: 1, ..Residue::default() });
        assert!(check(&PermitsComeBack, &run).is_err());
    }
}
