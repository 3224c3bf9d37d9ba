//! O5: who waits for a download gets its result although the task that leads it is cancelled or panics.

use super::{Oracle, Violation};
use crate::observation::{Observation, Outcome};
use crate::scenario::Expectation;

/// See the module.
pub struct SurvivesItsLeader;

impl Oracle for SurvivesItsLeader {
    fn id(&self) -> &'static str {
        "O5"
    }

    fn demand(&self) -> &'static str {
        "an install succeeds although a download's task is cancelled or panics once"
    }

    fn check(&self, run: &Observation) -> Result<(), Violation> {
        let Some(package) = run.scenario.leaders.keys().next() else { return Ok(()) };
        if run.scenario.expect != Expectation::Success {
            return Ok(());
        }
        match &run.outcome {
            Outcome::Installed(_) => Ok(()),
            Outcome::Failed(error) => {
                let error = error.replace('\n', ": ");
                Err(Violation::of(
                    package,
                    format!("the task that downloads {package} went away once, and the install failed: {error}"),
                ))
            }
            Outcome::Hung(_) | Outcome::Panicked(_) => Err(Violation::of(
                package,
                format!("the task that downloads {package} went away once, and the install never ended"),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracles::testing::{check, good_run, scenario};
    use serde_json::json;

    #[test]
    fn a_leader_that_goes_away_takes_nobody_with_it() {
        let mut run = good_run();
        run.scenario = scenario(json!({ "leaders": { "a@1.0.0": { "panics_at": "leader:start" } } }));
        assert!(check(&SurvivesItsLeader, &run).is_ok());
        run.outcome = Outcome::Failed("cannot get a@1.0.0".to_owned());
        assert!(check(&SurvivesItsLeader, &run).is_err());
        run.outcome = Outcome::Hung(Vec::new());
        assert!(check(&SurvivesItsLeader, &run).is_err());
    }
}
