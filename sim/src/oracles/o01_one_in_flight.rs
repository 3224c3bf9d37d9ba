//! O1: at most one GET is in flight per tarball at any instant.

use super::{Oracle, Violation};
use crate::observation::Observation;
use crate::registry::Get;

/// See the module.
pub struct OneInFlight;

impl Oracle for OneInFlight {
    fn id(&self) -> &'static str {
        "O1"
    }

    fn demand(&self) -> &'static str {
        "at most one GET is in flight per tarball at any instant, of all installs together"
    }

    fn check(&self, run: &Observation) -> Result<(), Violation> {
        for (package, gets) in run.tarball_gets() {
            for (at, get) in gets.iter().enumerate() {
                let served = |earlier: &&&Get| earlier.ended_us.unwrap_or(u64::MAX) > get.started_us;
                if gets[..at].iter().filter(served).count() >= run.scenario.downloaders() {
                    let at_ms = get.started_us as f64 / 1000.0;
                    let sentence = format!(
                        "{} was asked for at {at_ms:.3} ms while the registry still served it to an earlier request",
                        get.path
                    );
                    return Err(Violation::of(package, sentence));
                }
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
    fn two_at_once_are_one_too_many() {
        let mut run = good_run();
        assert!(check(&OneInFlight, &run).is_ok());
        run.gets.push(get(3_000, 4_000));
        assert!(check(&OneInFlight, &run).is_ok(), "one after the other");
        run.gets.push(get(3_500, 5_000));
        assert!(check(&OneInFlight, &run).unwrap_err().sentence.contains("a-1.0.0.tgz"));
        run.scenario = scenario(json!({ "beside": 1 }));
        assert!(check(&OneInFlight, &run).is_err(), "installs beside each other agree");
        run.scenario = scenario(json!({ "beside": 1, "disk": { "no_locks": true } }));
        assert!(check(&OneInFlight, &run).is_ok(), "one for each install, where they cannot");
        run.gets.push(get(3_600, 5_000));
        assert!(check(&OneInFlight, &run).is_err());
    }
}
