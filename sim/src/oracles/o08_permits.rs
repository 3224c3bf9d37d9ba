//! O8: never more requests in flight than permits, every permit comes back, none is idle while a download needs one, and packuments
//! and tarballs take turns.

use super::{Oracle, SLACK_US, Violation};
use crate::observation::{Observation, Outcome};
use crate::registry::Get;

/// See the module.
pub struct PermitsComeBack;

impl Oracle for PermitsComeBack {
    fn id(&self) -> &'static str {
        "O8"
    }

    fn demand(&self) -> &'static str {
        "the registry never serves more requests at once than the limit, all permits come back, and no download starves without one"
    }

    fn check(&self, run: &Observation) -> Result<(), Violation> {
        let limit = run.scenario.network_concurrency * run.scenario.installs();
        let in_flight = in_flight(run);
        for (at_us, in_flight) in &in_flight {
            if *in_flight > limit as isize {
                let at_us = *at_us;
                let at_ms = at_us as f64 / 1000.0;
                return Err(Violation::new(format!(
                    "{in_flight} requests were in flight at {at_ms:.3} ms; the limit is {limit}"
                )));
            }
        }
        nobody_starves(run, &in_flight)?;
        match &run.outcome {
            Outcome::Installed(residue) if residue.permits_in_use > 0 => {
                Err(Violation::new(format!("{} permits did not come back", residue.permits_in_use)))
            }
            _ => Ok(()),
        }
    }
}

/// How many requests were in flight from each of these moments on.
fn in_flight(run: &Observation) -> Vec<(u64, isize)> {
    // An end before a start at the same instant: the permit was handed on.
    let starts = run.gets.iter().map(|get| (get.started_us, 1));
    let ends = run.gets.iter().filter_map(|get| Some((get.ended_us?, -1)));
    let mut changes: Vec<(u64, isize)> = starts.chain(ends).collect();
    changes.sort_unstable();
    let mut in_flight = 0;
    for (_, change) in &mut changes {
        in_flight += *change;
        *change = in_flight;
    }
    changes
}

/// Whether each download's first request went out when it could: permits that wait for another attempt's time are of no use to
/// anybody, and packuments have no more than their turns.
fn nobody_starves(run: &Observation, in_flight: &[(u64, isize)]) -> Result<(), Violation> {
    // The trace of a crashed run begins with a life whose requests are not here; a faulty leader is late by itself.
    // Requests do not tell which install made them.
    if run.crash.is_some() || !run.scenario.leaders.is_empty() || run.scenario.beside > 0 {
        return Ok(());
    }
    let limit = run.scenario.network_concurrency;
    let leads = run.leads();
    for (package, gets) in run.tarball_gets() {
        let Some((_, led)) = leads.get(package).and_then(|leads| leads.first()) else { continue };
        let (led_us, first_us) = (led.at_us, gets[0].started_us);
        let idle_ms = idle_us(in_flight, limit, led_us, first_us) / 1000;
        if idle_ms > SLACK_US / 1000 {
            let sentence =
                format!("{package} was not asked for during {idle_ms} ms in which fewer requests ran than may");
            return Err(Violation::of(package, sentence));
        }
        let passing = |get: &&Get| (led_us + SLACK_US..first_us).contains(&get.started_us);
        let (tarballs, packuments): (Vec<_>, Vec<_>) =
            run.gets.iter().filter(passing).partition(|get| get.tarball.is_some());
        // They take turns; at either end of the wait, requests may arrive in another order than they were let through.
        if packuments.len() > tarballs.len() + 2 * limit {
            let (packuments, tarballs) = (packuments.len(), tarballs.len());
            let sentence =
                format!("while {package} waited, {packuments} packuments were asked for and {tarballs} tarballs");
            return Err(Violation::of(package, sentence));
        }
    }
    Ok(())
}

/// For how long, from one moment to another, fewer requests ran than may.
fn idle_us(in_flight: &[(u64, isize)], limit: usize, from_us: u64, to_us: u64) -> u64 {
    let starts = [(0, 0)].into_iter().chain(in_flight.iter().copied());
    let ends = in_flight.iter().map(|(at_us, _)| *at_us).chain([u64::MAX]);
    let idle = starts.zip(ends).filter(|((_, requests), _)| *requests < limit as isize);
    idle.map(|((start_us, _), end_us)| end_us.min(to_us).saturating_sub(start_us.max(from_us))).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracles::testing::{check, get, good_run, lead, scenario};
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

    /// One permit, and a download that begins at once.
    fn run_with_one_permit() -> Observation {
        let mut run = good_run();
        run.scenario = scenario(json!({ "network_concurrency": 1 }));
        run.trace = vec![lead()];
        run
    }

    #[test]
    fn packuments_that_take_more_than_their_turns_are_noticed() {
        let mut run = run_with_one_permit();
        let seconds = |number: u64| number * 1_000_000;
        for (packuments, holds) in [(5, false), (4, true)] {
            // The first two come before the download stands in the queue.
            run.gets = (0..packuments).map(|n| Get { tarball: None, ..get(seconds(n), seconds(n + 1)) }).collect();
            run.gets.push(get(seconds(packuments), seconds(packuments + 1)));
            assert_eq!(check(&PermitsComeBack, &run).is_ok(), holds, "{packuments}");
        }
    }

    #[test]
    fn a_permit_that_is_idle_while_it_is_needed_is_noticed() {
        let mut run = run_with_one_permit();
        for (earlier_ends_us, holds) in [(19_000_000, true), (1_000_000, false)] {
            let earlier = Get { tarball: None, ..get(0, earlier_ends_us) };
            run.gets = vec![earlier, get(20_000_000, 20_001_000)];
            assert_eq!(check(&PermitsComeBack, &run).is_ok(), holds, "{earlier_ends_us}");
        }
    }

    #[test]
    fn a_permit_that_stays_away_is_missed() {
        let mut run = good_run();
        run.outcome = Outcome::Installed(Residue { permits_in_use: 1, ..Residue::default() });
        assert!(check(&PermitsComeBack, &run).is_err());
    }
}
