//! O12: there is no barrier. A cold package waits for its own tarball only, a warm one for none.
//!
//! Seen from two sides: no task of the cold batch says that it waits for another package's download; and each package is
//! in node_modules soon after it could be, however slow the others are. Nobody waits for an install that is gone.

use super::{Oracle, SLACK_US, Violation};
use crate::observation::{Observation, Outcome, url_of};
use crate::scenario::{Crash, Store};
use crate::trace::{TraceEntry, What};
use installer::lockfile::package_key;
use installer::rt::Event;
use std::collections::BTreeMap;

/// See the module.
pub struct NoBarrier;

impl Oracle for NoBarrier {
    fn id(&self) -> &'static str {
        "O12"
    }

    fn demand(&self) -> &'static str {
        "a cold package waits for its own tarball only, a warm one for none, and a failure for nobody"
    }

    fn check(&self, run: &Observation) -> Result<(), Violation> {
        waits_for_its_own(run)?;
        takes_the_warm_pass(run)?;
        fails_at_once(run)?;
        waits_for_the_living(run)?;
        appears_in_time(run)
    }
}

fn waits_for_its_own(run: &Observation) -> Result<(), Violation> {
    for (_, entry, event) in run.told() {
        let Event::Wait { key } = event else { continue };
        let Some(dep_path) = entry.task.strip_prefix("cold ") else { continue };
        let package = package_key(dep_path);
        if run.packages_of(key).next().is_some() && !run.is_of(key, package) {
            let url = url_of(key);
            return Err(Violation::of(
                package,
                format!("{} waits for {url}, which is not its own tarball", entry.task),
            ));
        }
    }
    Ok(())
}

/// Where everything is in the store, no package gets a task of the cold batch.
fn takes_the_warm_pass(run: &Observation) -> Result<(), Violation> {
    let warm = run.scenario.store == Store::Warm && run.crash.is_none();
    let is_cold = |entry: &&TraceEntry| matches!(entry.what, What::Spawned) && entry.task.starts_with("cold ");
    match run.trace.iter().filter(|_| warm).find(is_cold) {
        None => Ok(()),
        Some(entry) => {
            Err(Violation::new(format!("everything is in the store, and yet there is a task {}", entry.task)))
        }
    }
}

/// A package that cannot be had ends the install: the others are not waited for.
fn fails_at_once(run: &Observation) -> Result<(), Violation> {
    let Outcome::Failed(error) = &run.outcome else { return Ok(()) };
    let Some(partition_us) = run.partition_us() else { return Ok(()) };
    for (package, gets) in run.tarball_gets() {
        let Some(ended_us) = gets.iter().map(|get| get.ended_us).max().flatten() else { continue };
        let possible_us = ended_us.max(partition_us);
        if error.contains(&package.to_string()) && run.returned_us > possible_us + SLACK_US {
            let late_ms = (run.returned_us - possible_us) / 1000;
            let sentence =
                format!("the install failed {late_ms} ms after the last answer for {package}, which it failed for");
            return Err(Violation::of(package, sentence));
        }
    }
    Ok(())
}

/// Where every other install was killed, or there never was one, nobody waits for another install.
fn waits_for_the_living(run: &Observation) -> Result<(), Violation> {
    let killed = |entry: &&TraceEntry| entry.what == What::Crashed(Crash::Kill);
    let alone_since_us = match run.scenario.beside {
        0 => Some(0),
        1 => run.trace.iter().find(killed).map(|entry| entry.at_us),
        _ => None,
    };
    let Some(alone_since_us) = alone_since_us else { return Ok(()) };
    for (at, wait) in run.trace.iter().enumerate() {
        let What::Told(Event::WaitForOther { key }) = &wait.what else { continue };
        let woken = What::Told(Event::Woken { key: key.clone() });
        let end = run.trace[at..].iter().find(|entry| entry.task == wait.task && entry.what == woken);
        let in_vain_us = end.map_or(0, |end| end.at_us.saturating_sub(wait.at_us.max(alone_since_us)));
        if in_vain_us > SLACK_US {
            let url = url_of(key);
            let for_ms = in_vain_us / 1000;
            let sentence =
                format!("{} waits {for_ms} ms for another install to download {url}: there is none", wait.task);
            let package = run.packages_of(key).next().map(ToString::to_string);
            return Err(Violation { sentence, subject: package });
        }
    }
    Ok(())
}

fn appears_in_time(run: &Observation) -> Result<(), Violation> {
    let Some(partition_us) = run.partition_us() else { return Ok(()) };
    let imports: BTreeMap<&str, u64> = run
        .told()
        .filter_map(|(_, entry, event)| match event {
            Event::Import { package } => Some((package.as_str(), entry.at_us)),
            _ => None,
        })
        .collect();
    let gets = run.tarball_gets();
    for (dep_path, imported_us) in imports {
        let own = gets.iter().find(|(id, _)| id.to_string() == package_key(dep_path)).map(|(_, gets)| gets);
        let served_us = own.and_then(|gets| gets.iter().filter_map(|get| get.ended_us).max()).unwrap_or(0);
        let possible_us = served_us.max(partition_us);
        if imported_us > possible_us + SLACK_US {
            let late_ms = (imported_us - possible_us) / 1000;
            let sentence = format!("{dep_path} was put in place {late_ms} ms after its own tarball had arrived");
            return Err(Violation::of(dep_path, sentence));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracles::testing::{check, good_run, scenario};
    use serde_json::json;

    fn told(at_us: u64, task: &str, event: Event) -> TraceEntry {
        TraceEntry { at_us, task: task.into(), what: What::Told(event) }
    }

    #[test]
    fn waiting_for_somebody_elses_tarball_is_a_barrier() {
        let mut run = good_run();
        let key = "http://10.0.0.1/a/-/a-1.0.0.tgz#sha512-x".to_owned();
        run.trace = vec![told(0, "cold a@1.0.0", Event::Wait { key: key.clone() })];
        assert!(check(&NoBarrier, &run).is_ok());
        run.trace = vec![told(0, "cold b@1.0.0", Event::Wait { key })];
        assert!(check(&NoBarrier, &run).unwrap_err().sentence.contains("not its own"));
    }

    #[test]
    fn a_warm_package_in_the_cold_batch_is_noticed() {
        let mut run = good_run();
        run.trace = vec![TraceEntry { at_us: 0, task: "cold a@1.0.0".into(), what: What::Spawned }];
        assert!(check(&NoBarrier, &run).is_ok());
        run.scenario = scenario(json!({ "store": "warm" }));
        assert!(check(&NoBarrier, &run).unwrap_err().sentence.contains("there is a task cold a@1.0.0"));
    }

    #[test]
    fn failing_late_is_a_barrier() {
        let mut run = good_run();
        run.outcome = Outcome::Failed("cannot get a@1.0.0".to_owned());
        run.trace = vec![told(1_500, "install", Event::Partition { warm: 0, cold: 1 })];
        assert!(check(&NoBarrier, &run).is_ok());
        run.returned_us = 30_000_000;
        assert!(check(&NoBarrier, &run).unwrap_err().sentence.contains("after the last answer"));
    }

    #[test]
    fn waiting_for_the_dead_is_noticed() {
        let mut run = good_run();
        let key = "http://10.0.0.1/a/-/a-1.0.0.tgz#sha512-x".to_owned();
        let wait = told(1_000, "2: download a@1.0.0", Event::WaitForOther { key: key.clone() });
        let woken = told(9_000_000, "2: download a@1.0.0", Event::Woken { key });
        let killed_at = |at_us| TraceEntry { at_us, task: "download a@1.0.0".into(), what: What::Crashed(Crash::Kill) };
        run.scenario = scenario(json!({ "beside": 1, "crash": "kill" }));
        run.trace = vec![wait.clone(), killed_at(8_990_000), woken.clone()];
        assert!(check(&NoBarrier, &run).is_ok(), "it was there for most of the time");
        run.trace = vec![wait.clone(), killed_at(2_000), woken.clone()];
        assert!(check(&NoBarrier, &run).unwrap_err().sentence.contains("waits 8998 ms for another install"));
        run.scenario = scenario(json!({ "beside": 1 }));
        run.trace = vec![wait, woken];
        assert!(check(&NoBarrier, &run).is_ok(), "the other one has not gone");
    }

    #[test]
    fn appearing_late_is_a_barrier() {
        let mut run = good_run();
        let import = |at_us| told(at_us, "cold a@1.0.0", Event::Import { package: "a@1.0.0".to_owned() });
        let partition = told(1_500, "install", Event::Partition { warm: 0, cold: 1 });
        run.trace = vec![partition.clone(), import(20_000)];
        assert!(check(&NoBarrier, &run).is_ok());
        run.trace = vec![partition, import(5_000_000)];
        assert!(check(&NoBarrier, &run).unwrap_err().sentence.contains("4998 ms after"));
    }
}
