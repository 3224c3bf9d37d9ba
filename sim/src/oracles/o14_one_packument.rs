//! O14: an install asks for each packument once, and for none where a lockfile says all.
//!
//! Abbreviated and full packuments are two documents: a package that somebody needs and somebody else could do without may cost one
//! of each.

use super::{Oracle, Violation};
use crate::observation::Observation;
use crate::scenario::Install;
use std::collections::BTreeMap;

/// See the module.
pub struct OnePackument;

impl Oracle for OnePackument {
    fn id(&self) -> &'static str {
        "O14"
    }

    fn demand(&self) -> &'static str {
        "an install asks for each packument once, and for none where a lockfile says all"
    }

    fn check(&self, run: &Observation) -> Result<(), Violation> {
        let mut asked: BTreeMap<_, usize> = BTreeMap::new();
        for get in run.gets.iter().filter(|get| get.tarball.is_none()) {
            *asked.entry((&get.path, &get.accept)).or_default() += 1;
        }
        // What an install that was killed had asked for is asked for again by the next.
        let lives = 1 + usize::from(run.crash.is_some());
        let (allowed, rule) = match run.scenario.install {
            Install::Frozen => (0, "the lockfile says all"),
            Install::Fresh | Install::NoLockfile => (run.scenario.installs() * lives, "once an install is enough"),
        };
        match asked.into_iter().find(|(_, times)| *times > allowed) {
            Some(((path, _), times)) => {
                let times = if times == 1 { "once".to_owned() } else { format!("{times} times") };
                Err(Violation::new(format!("the packument {path} was asked for {times}; {rule}")))
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracles::testing::{check, get, good_run, scenario};
    use crate::registry::Get;
    use serde_json::json;

    fn packument(accept: &str) -> Get {
        Get { path: "/a".to_owned(), accept: accept.to_owned(), tarball: None, ..get(0, 500) }
    }

    #[test]
    fn a_packument_asked_for_again_is_noticed() {
        let mut run = good_run();
        run.gets.extend([packument("abbreviated"), packument("full")]);
        assert!(check(&OnePackument, &run).is_ok());
        run.gets.push(packument("full"));
        assert!(check(&OnePackument, &run).unwrap_err().sentence.contains("/a was asked for 2 times"));
        run.scenario = scenario(json!({ "beside": 1 }));
        assert!(check(&OnePackument, &run).is_ok(), "each install may ask once");
    }

    #[test]
    fn a_packument_that_a_lockfile_spares_is_noticed() {
        let mut run = good_run();
        run.scenario = scenario(json!({ "install": "frozen" }));
        assert!(check(&OnePackument, &run).is_ok());
        run.gets.push(packument("abbreviated"));
        assert!(check(&OnePackument, &run).unwrap_err().sentence.contains("was asked for once"));
    }
}
