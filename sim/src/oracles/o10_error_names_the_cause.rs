//! O10: an install ends as its scenario says; where it fails, the error names the package, the URL and the cause.

use super::{Oracle, Violation};
use crate::observation::{Observation, Outcome};
use crate::scenario::Expectation;
use crate::trace::{TraceEntry, What};

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
        tried_itself(run)?;
        let outcomes = [&run.outcome].into_iter().chain(run.beside.iter().map(|beside| &beside.outcome));
        outcomes.into_iter().try_for_each(|outcome| as_expected(run, outcome))
    }
}

fn as_expected(run: &Observation, outcome: &Outcome) -> Result<(), Violation> {
    match (&run.scenario.expect, outcome) {
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

/// An install does not fail with what only a prefetch has tried, unless trying again cannot help.
fn tried_itself(run: &Observation) -> Result<(), Violation> {
    let Outcome::Failed(error) = &run.outcome else { return Ok(()) };
    let leads = run.leads();
    for (package, gets) in run.tarball_gets() {
        let of_package: &[_] = leads.get(package).map_or(&[], Vec::as_slice);
        let package = package.to_string();
        // A registry in trouble may recover. A full disk does not, nor a package that is not there.
        let may_pass = gets.last().is_some_and(|get| get.status >= 500);
        if !error.contains(&package) || !may_pass {
            continue;
        }
        let begins = |kind: &str| {
            let name = format!("{kind} {package}");
            let begins = |entry: &TraceEntry| entry.task.starts_with(&name) && entry.what == What::Spawned;
            run.trace.iter().position(begins)
        };
        let (Some(prefetch), Some(cold), [(first, _)]) = (begins("prefetch"), begins("cold"), of_package) else {
            continue;
        };
        if (prefetch..cold).contains(first) {
            let sentence = format!("the install failed for want of {package}, which only a prefetch had tried to get");
            return Err(Violation::of(&package, sentence));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observation::Beside;
    use crate::oracles::testing::{check, good_run, lead, scenario};
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
    fn an_install_beside_it_counts_too() {
        let mut run = good_run();
        let outcome = Outcome::Failed("a file is gone".to_owned());
        run.beside = vec![Beside { outcome, returned_us: 0, tree: run.tree.clone() }];
        assert!(check(&ErrorNamesTheCause, &run).unwrap_err().sentence.contains("a file is gone"));
    }

    #[test]
    fn a_prefetch_does_not_fail_the_install() {
        let mut run = good_run();
        run.scenario = scenario(json!({ "expect": { "failure": ["a@1.0.0"] } }));
        run.outcome = Outcome::Failed("cannot get a@1.0.0".to_owned());
        run.gets[0].status = 503;
        let entry = |task: &str, what| TraceEntry { at_us: 0, task: task.into(), what };
        run.trace = vec![entry("prefetch a@1.0.0", What::Spawned), lead(), entry("cold a@1.0.0", What::Spawned)];
        assert!(check(&ErrorNamesTheCause, &run).is_err());
        run.trace.push(TraceEntry { task: "download a@1.0.0#2".into(), ..lead() });
        assert!(check(&ErrorNamesTheCause, &run).is_ok());
        run.trace.pop();
        run.gets[0].status = 404;
        assert!(check(&ErrorNamesTheCause, &run).is_ok());
    }

    #[test]
    fn a_failure_without_a_reason_is_wrong() {
        let mut run = good_run();
        run.outcome = Outcome::Failed("x".to_owned());
        assert!(check(&ErrorNamesTheCause, &run).is_err());
    }
}
