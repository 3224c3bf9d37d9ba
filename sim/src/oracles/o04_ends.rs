//! O4: the install ends; no task waits for ever, and none panics but those that the scenario makes panic.

use super::{Oracle, Violation};
use crate::observation::{Observation, Outcome, url_of};
use crate::scheduler::Blocked;

/// See the module.
pub struct Ends;

impl Oracle for Ends {
    fn id(&self) -> &'static str {
        "O4"
    }

    fn demand(&self) -> &'static str {
        "the install ends: no task waits for ever"
    }

    fn check(&self, run: &Observation) -> Result<(), Violation> {
        let beside = run.beside.iter().map(|beside| &beside.outcome);
        [&run.outcome].into_iter().chain(beside).try_for_each(ended)
    }
}

fn ended(outcome: &Outcome) -> Result<(), Violation> {
    match outcome {
        Outcome::Installed(_) | Outcome::Failed(_) => Ok(()),
        Outcome::Panicked(message) => Err(Violation::new(format!("the install panicked: {message}"))),
        Outcome::Hung(blocked) => {
            let waiting = blocked.iter().find(|task| task.waits_for.is_some());
            let subject = waiting.and_then(|task| task.task.split_once(' ')).map(|(_, package)| package.to_owned());
            let tasks: Vec<_> = blocked.iter().map(describe).collect();
            let sentence = format!("the install hangs; blocked for ever: {}", tasks.join("; "));
            Err(Violation { sentence, subject })
        }
    }
}

fn describe(blocked: &Blocked) -> String {
    let at = blocked.last_point.map_or_else(String::new, |point| format!(" @ {}", point.label()));
    let waits = blocked.waits_for.as_ref().map_or_else(String::new, |key| {
        let url = url_of(key);
        format!(", waits for the download of {url}")
    });
    format!("{}{at}{waits}", blocked.task)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracles::testing::{check, good_run};
    use installer::rt::Point;

    #[test]
    fn a_hang_names_who_waits_for_what() {
        let mut run = good_run();
        assert!(check(&Ends, &run).is_ok());
        run.outcome = Outcome::Hung(vec![Blocked {
            task: "cold a@1.0.0".to_owned(),
            last_point: Some(Point::WaiterRegister),
            waits_for: Some("http://10.0.0.1/a/-/a-1.0.0.tgz#sha512-x".to_owned()),
        }]);
        let violation = check(&Ends, &run).unwrap_err();
        let expected = "cold a@1.0.0 @ waiter:register, waits for the download of http://10.0.0.1/a/-/a-1.0.0.tgz";
        assert!(violation.sentence.ends_with(expected), "{}", violation.sentence);
        assert_eq!(violation.subject.as_deref(), Some("a@1.0.0"));
    }
}
