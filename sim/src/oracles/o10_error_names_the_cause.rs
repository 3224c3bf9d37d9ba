//! O10: an install ends as its scenario says; where it fails, the error names the package, the URL and the cause.

use super::{Oracle, Violation};
use crate::observation::{Observation, Outcome};
use crate::scenario::Expectation;

/// See the module.
pub struct ErrorNamesTheCause;

impl Oracle for ErrorNamesTheCause {
    fn id(&self) -> &'static str {
        "O10"
    }

    fn demand(&self) -> &'static str {
        "the install ends as expected, and an error names the package, the URL and the original cause"
    }

    fn check(&self, run: &Observation) -> Result<(), Violation> {
        match (&run.scenario.expect, &run.outcome) {
            (Expectation::Success, Outcome::Failed(error)) => Err(Violation::new(format!(
                "the install failed, which nothing in the scenario excuses: {}",
                error.replace('\n', ": ")
            ))),
            (Expectation::Failure(_), Outcome::Installed(_)) => {
                Err(Violation::new("the install succeeded although it cannot"))
            }
            (Expectation::Failure(words) | Expectation::SuccessOrFailure(words), Outcome::Failed(error)) => {
                match words.iter().find(|word| !error.contains(*word)) {
                    None => Ok(()),
                    Some(word) => {
                        Err(Violation::new(format!("the error does not say {word:?}: {}", error.replace('\n', ": "))))
                    }
                }
            }
            (_, Outcome::Installed(_) | Outcome::Hung(_) | Outcome::Panicked(_)) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracles::testing::{check, good_run, scenario};
    use serde_json::json;

    #[test]
    fn an_error_that_hides_its_cause_is_wrong() {
        let mut run = good_run();
        assert!(check(&ErrorNamesTheCause, &run).is_ok());
        run.scenario = scenario(json!({ "expect": { "failure": ["a@1.0.0", "404"] } }));
        assert!(check(&ErrorNamesTheCause, &run).is_err(), "it succeeded");
        run.outcome = Outcome::Failed("cannot get a@1.0.0\nthe registry does not have it (404)".to_owned());
        assert!(check(&ErrorNamesTheCause, &run).is_ok());
        run.outcome = Outcome::Failed("something went wrong".to_owned());
        assert!(check(&ErrorNamesTheCause, &run).is_err());
    }

    #[test]
    fn a_failure_without_a_reason_is_wrong() {
        let mut run = good_run();
        run.outcome = Outcome::Failed("x".to_owned());
        assert!(check(&ErrorNamesTheCause, &run).is_err());
    }
}
