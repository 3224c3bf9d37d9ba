//! O2: at most one completed body per tarball, for all installs on the store together; none for a package that was in the store.

use super::{Oracle, Violation};
use crate::observation::Observation;
use crate::scenario::{LeaderFault, Store};

/// See the module.
pub struct OneBody;

impl Oracle for OneBody {
    fn id(&self) -> &'static str {
        "O2"
    }

    fn demand(&self) -> &'static str {
        "at most one whole body per tarball is served, to all installs together, and none where the store was warm"
    }

    fn check(&self, run: &Observation) -> Result<(), Violation> {
        for (package, gets) in run.tarball_gets() {
            // A download that was cut off by its scenario after its last byte has to be done again.
            let more = run.scenario.leaders.get(package).map_or(0, LeaderFault::leaders_more);
            let allowed = if run.scenario.store == Store::Warm { 0 } else { run.scenario.downloaders() } + more;
            let bodies = gets.iter().filter(|get| get.completed).count();
            if bodies > allowed {
                let path = &gets[0].path;
                let sentence = format!("{path} was served whole {bodies} times; {allowed} is the most");
                return Err(Violation::of(package, sentence));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracles::testing::{check, get, good_run, scenario};
    use serde_json::json;

    #[test]
    fn a_second_body_is_one_too_many() {
        let mut run = good_run();
        assert!(check(&OneBody, &run).is_ok());
        run.gets.push(get(3_000, 4_000));
        assert!(check(&OneBody, &run).unwrap_err().sentence.contains("2 times"));
        run.scenario = scenario(json!({ "beside": 1 }));
        assert!(check(&OneBody, &run).is_err(), "one for all installs together");
        run.scenario = scenario(json!({ "beside": 1, "disk": { "no_locks": true } }));
        assert!(check(&OneBody, &run).is_ok(), "one for each, where they cannot agree");
        run.scenario = scenario(json!({}));
        run.gets[1].completed = false;
        assert!(check(&OneBody, &run).is_ok(), "a failed request has no body");
    }

    #[test]
    fn a_warm_package_is_not_downloaded() {
        let mut run = good_run();
        run.scenario = scenario(json!({ "store": "warm" }));
        assert!(check(&OneBody, &run).is_err());
    }
}
