//! Every schedule of a small world: a few callers of the coordination, one key, one fault. Not a sample: all of them.
//!
//! The coordination runs alone here, without network, disk or time, so a schedule is only who goes next at each point. The
//! search replays a prefix, branches over all who are ready, and merges states in which every task has the same history and
//! the same tasks are ready: what shared memory holds shows in those histories, because whoever reads it goes on differently.
//! The schedules through merged states are counted, not run again (a partial-order reduction by state).

mod fault;
mod world;

pub use self::fault::Fault;

use self::world::Small;
use crate::bugs::{Coordination, LostWakeup};
use crate::threads;
use installer::package::PackageId;
use installer::registry::Demand;
use installer::rt::{self, Point, simulated};
use installer::tarball::{
    CacheKey, Caller, Coordinator, Download, Fetched, MemCache, Source, TarballError, TarballErrorCause, integrity,
};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// What the search came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exhausted {
    /// How many schedules there are.
    pub schedules: u128,
    /// How many states they lead through.
    pub states: usize,
    /// The first schedule that breaks the contract, turn by turn, and how.
    pub violation: Option<(Vec<String>, String)>,
}

/// Enumerates every schedule of `callers` callers (a prefetch, then the install's) of one key with this fault.
pub fn exhaust<C: Coordinator + Default>(callers: usize, fault: Fault) -> Exhausted {
    Search { callers, fault, merge: true, seen: BTreeMap::new(), violation: None }.finish::<C>()
}

/// One fault, and what the search with it came to.
pub struct Enumeration {
    /// The fault.
    pub fault: Fault,
    /// What was found.
    pub found: Exhausted,
}

impl Enumeration {
    /// The schedule that breaks the contract, turn by turn; nothing where all hold.
    pub fn explanation(&self) -> Option<String> {
        let (turns, violation) = self.found.violation.as_ref()?;
        let turns: String = turns.iter().map(|turn| format!("    {turn}\n")).collect();
        Some(format!("exhaust: where {}, {violation}:\n{turns}", self.fault.words()))
    }
}

/// Enumerates with each fault, on so many threads; nothing for a coordination that is no coordinator.
pub fn enumerate(coordination: Coordination, callers: usize, jobs: usize) -> Option<Vec<Enumeration>> {
    let exhaust: fn(usize, Fault) -> Exhausted = match coordination {
        Coordination::Shared => exhaust::<MemCache>,
        Coordination::LostWakeup => exhaust::<LostWakeup>,
        _ => return None,
    };
    let faults = Fault::all();
    let found = threads::map(jobs, 0..faults.len() as u64, |index| {
        let fault = faults[index as usize];
        Enumeration { fault, found: threads::quietly(|| exhaust(callers, fault)) }
    });
    Some(found)
}

struct Search {
    callers: usize,
    fault: Fault,
    /// Whether states that look alike are visited once.
    merge: bool,
    /// State → how many schedules lead on from it.
    seen: BTreeMap<String, u128>,
    violation: Option<(Vec<String>, String)>,
}

impl Search {
    fn finish<C: Coordinator + Default>(mut self) -> Exhausted {
        let schedules = self.count::<C>(&mut Vec::new());
        Exhausted { schedules, states: self.seen.len(), violation: self.violation }
    }

    /// How many schedules begin with these choices.
    fn count<C: Coordinator + Default>(&mut self, choices: &mut Vec<usize>) -> u128 {
        if self.violation.is_some() {
            return 0;
        }
        let here = run::<C>(self.callers, self.fault, choices);
        if here.ready == 0 {
            if let Some(violation) = here.violation {
                self.violation = Some((here.turns, violation));
            }
            return 1;
        }
        match self.seen.get(&here.state) {
            Some(schedules) if self.merge => return *schedules,
            _ => {}
        }
        let mut schedules = 0;
        for choice in 0..here.ready {
            choices.push(choice);
            schedules += self.count::<C>(choices);
            choices.pop();
        }
        self.seen.insert(here.state, schedules);
        schedules
    }
}

/// Where some choices lead.
struct Here {
    ready: usize,
    state: String,
    turns: Vec<String>,
    violation: Option<String>,
}

fn run<C: Coordinator + Default>(callers: usize, fault: Fault, choices: &[usize]) -> Here {
    let world = Rc::new(Small::new(fault));
    let entered = simulated::enter(world.clone());
    let (cache, log) = (C::default(), Arc::new(Log::default()));
    for number in 0..callers {
        let (cache, download) = (cache.clone(), Scripted { fault, log: log.clone() });
        let caller = if number == 0 { Caller::Prefetch } else { Caller::Install };
        let key = CacheKey { url: "u".to_owned(), integrity: None };
        // Dropped: the task goes on.
        drop(rt::spawn(|| format!("caller {number}"), async move {
            let log = download.log.clone();
            let result = cache.fetch(&key, caller, download).await.map(drop).map_err(|error| error.to_string());
            log.results.lock().unwrap_or_else(PoisonError::into_inner).insert(number, result);
        }));
    }
    let turns = choices.iter().map(|choice| world.turn(*choice)).collect();
    let here = Here {
        ready: world.ready().len(),
        state: world.state(callers),
        turns,
        violation: log.violation(callers, fault, world.unfinished()),
    };
    world.drop_tasks();
    drop(entered);
    here
}

/// What the downloads and callers of one run did.
#[derive(Debug, Default)]
struct Log {
    runs: AtomicU32,
    in_flight: AtomicU32,
    in_flight_max: AtomicU32,
    results: Mutex<BTreeMap<usize, Result<(), String>>>,
}

impl Log {
    /// What the contract does not allow, where all is over.
    fn violation(&self, callers: usize, fault: Fault, unfinished: Vec<String>) -> Option<String> {
        if !unfinished.is_empty() {
            return Some(format!("{} never goes on", unfinished.join(" and ")));
        }
        if self.in_flight_max.load(Ordering::Relaxed) > 1 {
            return Some("two downloads run at once".to_owned());
        }
        let runs = self.runs.load(Ordering::Relaxed);
        let runs_max =
            if matches!(fault, Fault::None | Fault::FailsForGood | Fault::CallerCancelled(_)) { 1 } else { 2 };
        if runs > runs_max {
            return Some(format!("{runs} downloads were run; {runs_max} is the most"));
        }
        let results = self.results.lock().unwrap_or_else(PoisonError::into_inner);
        (1..callers).find_map(|number| match (fault, results.get(&number)) {
            (Fault::FailsForNow, Some(_)) | (Fault::FailsForGood, Some(Err(_))) => None,
            (Fault::FailsForGood, Some(Ok(()))) => Some(format!("caller {number} got what nobody could have")),
            (_, Some(Ok(()))) => None,
            (_, Some(Err(error))) => Some(format!("caller {number} of the install fails: {error}")),
            (_, None) => Some(format!("caller {number} has no result")),
        })
    }
}

/// A download of one step.
#[derive(Clone)]
struct Scripted {
    fault: Fault,
    log: Arc<Log>,
}

/// Counts a download out, however it ends.
struct InFlight(Arc<Log>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Download for Scripted {
    fn name(&self) -> String {
        "it".to_owned()
    }

    async fn run(&self, _demand: Demand) -> Result<Fetched, TarballError> {
        let run = self.log.runs.fetch_add(1, Ordering::Relaxed);
        let in_flight = 1 + self.log.in_flight.fetch_add(1, Ordering::Relaxed);
        self.log.in_flight_max.fetch_max(in_flight, Ordering::Relaxed);
        let _in_flight = InFlight(self.log.clone());
        rt::point(Point::BodyComplete).await;
        match self.fault {
            Fault::FailsForNow if run == 0 => Err(self.lost("the network is down".to_owned())),
            Fault::FailsForGood => {
                let wrong = integrity::verify(b"wrong", &integrity::of(b"right"));
                Err(error(TarballErrorCause::Integrity(wrong.expect_err("these bytes are wrong"))))
            }
            _ => Ok(Fetched { row: Arc::default(), source: Source::Network }),
        }
    }

    fn lost(&self, reason: String) -> TarballError {
        error(TarballErrorCause::Lost(reason))
    }
}

fn error(cause: TarballErrorCause) -> TarballError {
    TarballError { package: PackageId::new("it", "1.0.0"), url: "u".to_owned(), cause }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_contract_holds_under_every_schedule() {
        for fault in Fault::all() {
            for callers in 1..=2 {
                let found = exhaust::<MemCache>(callers, fault);
                assert_eq!(found.violation, None, "{callers} callers, {}", fault.words());
                assert!(callers == 1 || found.schedules > 10, "{found:?}");
            }
        }
    }

    #[test]
    fn merging_states_leaves_no_schedule_out() {
        for fault in Fault::all() {
            let merged = exhaust::<MemCache>(2, fault);
            // One by one, 25,000 schedules take a second; each panic that is caught costs more.
            if merged.schedules <= 200_000 && !matches!(fault, Fault::LeaderPanics(_)) {
                let all = Search { callers: 2, fault, merge: false, seen: BTreeMap::new(), violation: None };
                assert_eq!(merged, all.finish::<MemCache>(), "{}", fault.words());
            }
        }
    }

    #[test]
    fn the_lost_wakeup_is_among_the_schedules() {
        let (_, violation) = exhaust::<LostWakeup>(2, Fault::None).violation.expect("pnpm#13166 is found");
        assert!(violation.contains("never goes on"), "{violation}");
    }
}
