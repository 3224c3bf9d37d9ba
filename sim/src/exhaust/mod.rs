//! Every schedule of a small world: a few callers of the coordination, one key, one fault. Not a sample: all of them.
//!
//! The coordination runs alone here, without network, disk or time, so a schedule is only who goes next at each point. The
//! search replays a prefix, branches over all who are ready, and merges states in which every task has the same history, the
//! same tasks are ready, and those who wait came in the same order: what shared memory holds shows in those histories, because whoever
//! reads it goes on differently, and a queue shows in that order.
//! The schedules through merged states are counted, not run again (a partial-order reduction by state).

mod contract;
mod fault;
mod world;

pub use self::contract::Violation;
pub use self::fault::Fault;

use self::contract::Log;
use self::fault::DOWNLOAD_POINTS;
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
use std::sync::Arc;

/// What the search came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exhausted {
    /// How many schedules there are.
    pub schedules: u128,
    /// How many states they lead through.
    pub states: usize,
    /// The first schedule that breaks the contract, turn by turn, and how.
    pub violation: Option<(Vec<String>, Violation)>,
}

/// Enumerates every schedule of `callers` callers (a prefetch, then the install's) of one key with this fault.
pub fn exhaust<C: Coordinator + Default>(callers: usize, fault: Fault) -> Exhausted {
    Search::new(callers, fault).finish::<C>()
}

/// As [`exhaust`], for a coordinator without queues: who waits before whom makes no difference to it, because it wakes all who
/// wait. Goes through a quarter of the states.
pub fn exhaust_without_queues<C: Coordinator + Default>(callers: usize, fault: Fault) -> Exhausted {
    Search { queues: false, ..Search::new(callers, fault) }.finish::<C>()
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
    match coordination {
        Coordination::Shared => Some(enumerate_with(exhaust_without_queues::<MemCache>, callers, jobs)),
        Coordination::LostWakeup => Some(enumerate_with(exhaust_without_queues::<LostWakeup>, callers, jobs)),
        _ => None,
    }
}

/// Enumerates with each fault, on so many threads, by this [`exhaust`].
pub fn enumerate_with(exhaust: fn(usize, Fault) -> Exhausted, callers: usize, jobs: usize) -> Vec<Enumeration> {
    let faults = Fault::all();
    threads::map(jobs, 0..faults.len() as u64, |index| {
        let fault = faults[index as usize];
        Enumeration { fault, found: threads::quietly(|| exhaust(callers, fault)) }
    })
}

struct Search {
    callers: usize,
    fault: Fault,
    /// Whether states that look alike are visited once.
    merge: bool,
    /// Whether states look different that differ only in who waits before whom.
    queues: bool,
    /// State → how many schedules lead on from it.
    seen: BTreeMap<String, u128>,
    violation: Option<(Vec<String>, Violation)>,
}

impl Search {
    fn new(callers: usize, fault: Fault) -> Self {
        Search { callers, fault, merge: true, queues: true, seen: BTreeMap::new(), violation: None }
    }

    fn finish<C: Coordinator + Default>(mut self) -> Exhausted {
        let schedules = self.count::<C>(&mut Vec::new(), None);
        Exhausted { schedules, states: self.seen.len(), violation: self.violation }
    }

    /// How many schedules begin with these choices. `before` is where all but the last of them have led.
    fn count<C: Coordinator + Default>(&mut self, choices: &mut Vec<usize>, before: Option<Live<C>>) -> u128 {
        if self.violation.is_some() {
            return 0;
        }
        let here = match (before, choices.last()) {
            (Some(before), Some(choice)) => {
                before.world.turn(*choice);
                before
            }
            _ => self.replayed::<C>(choices, &mut |_| {}),
        };
        let ready = here.world.ready().len();
        if ready == 0 {
            let violation = here.violation(self.callers, self.fault);
            drop(here);
            self.violation = violation.map(|violation| (self.turns::<C>(choices), violation));
            return 1;
        }
        let state = here.world.state(self.callers, self.queues);
        match self.seen.get(&state) {
            Some(schedules) if self.merge => return *schedules,
            _ => {}
        }
        // A state cannot be gone back to: the first choice goes on from it, the others replay the way here.
        let mut here = Some(here);
        let mut schedules = 0;
        for choice in 0..ready {
            choices.push(choice);
            schedules += self.count::<C>(choices, here.take());
            choices.pop();
        }
        self.seen.insert(state, schedules);
        schedules
    }

    /// These choices, turn by turn, as text.
    fn turns<C: Coordinator + Default>(&self, choices: &[usize]) -> Vec<String> {
        let mut turns = Vec::new();
        drop(self.replayed::<C>(choices, &mut |turn| turns.push(turn())));
        turns
    }

    /// Where these choices lead; `tell` is given each turn.
    fn replayed<C: Coordinator + Default>(
        &self,
        choices: &[usize],
        tell: &mut dyn FnMut(&dyn Fn() -> String),
    ) -> Live<C> {
        let here = Live::<C>::new(self.callers, self.fault);
        for choice in choices {
            let id = here.world.turn(*choice);
            tell(&|| here.world.told(id));
        }
        here
    }
}

/// A small world under way, on this thread.
struct Live<C> {
    world: Rc<Small>,
    log: Arc<Log>,
    _cache: C,
    _entered: simulated::Entered,
}

impl<C: Coordinator + Default> Live<C> {
    fn new(callers: usize, fault: Fault) -> Self {
        let world = Rc::new(Small::new(fault));
        let entered = simulated::enter(world.clone());
        let (cache, log) = (C::default(), Arc::new(Log::default()));
        for number in 0..callers {
            let (cache, download) = (cache.clone(), Scripted { fault, caller: number, log: log.clone() });
            let caller = if number == 0 { Caller::Prefetch } else { Caller::Install };
            let key = CacheKey { url: "u".into(), integrity: None };
            // Dropped: the task goes on.
            drop(rt::spawn(|| format!("caller {number}"), async move {
                let log = download.log.clone();
                let result = cache.fetch(&key, caller, download).await.map(drop).map_err(|error| error.to_string());
                log.returns(number, result);
            }));
        }
        world.begin();
        Live { world, log, _cache: cache, _entered: entered }
    }
}

impl<C> Live<C> {
    /// The promise that is broken, where all is over.
    fn violation(&self, callers: usize, fault: Fault) -> Option<Violation> {
        self.log.violation(callers, fault, self.world.struck(), self.world.unfinished())
    }
}

impl<C> Drop for Live<C> {
    fn drop(&mut self) {
        self.world.drop_tasks();
    }
}

/// A download that comes to its points, and does nothing between them.
#[derive(Clone)]
struct Scripted {
    fault: Fault,
    /// Whose it is.
    caller: usize,
    log: Arc<Log>,
}

/// Counts a download out, however it ends.
struct InFlight(Arc<Log>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.ends();
    }
}

impl Download for Scripted {
    fn name(&self) -> String {
        "it".to_owned()
    }

    async fn run(&self, _demand: Demand) -> Result<Fetched, TarballError> {
        let before = self.log.begins(self.caller);
        let _in_flight = InFlight(self.log.clone());
        // It begins right after the leader's first point.
        let failure = self.failure_at(Point::LeaderStart, before);
        failure.map_or(Ok(()), Err)?;
        for point in DOWNLOAD_POINTS {
            rt::point(point).await;
            let failure = self.failure_at(point, before);
            failure.map_or(Ok(()), Err)?;
        }
        Ok(Fetched { row: Arc::default(), source: Source::Network })
    }

    fn lost(&self, reason: String) -> TarballError {
        error(TarballErrorCause::Lost(reason))
    }
}

impl Scripted {
    /// How this download, before which so many others were run, is to fail here.
    fn failure_at(&self, point: Point, before: u32) -> Option<TarballError> {
        match self.fault {
            Fault::FailsForNow(at) if at == point && before == 0 => Some(self.lost("the network is down".to_owned())),
            Fault::FailsForGood(at) if at == point => {
                let wrong = integrity::verify(b"wrong", &integrity::of(b"right"));
                Some(error(TarballErrorCause::Integrity(wrong.expect_err("these bytes are wrong"))))
            }
            _ => None,
        }
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
                let all = Search { merge: false, ..Search::new(2, fault) };
                assert_eq!(merged, all.finish::<MemCache>(), "{}", fault.words());
            }
            let without = exhaust_without_queues::<MemCache>(2, fault);
            assert_eq!(merged.schedules, without.schedules, "{}", fault.words());
            assert!(merged.states > without.states);
        }
    }

    #[test]
    fn the_lost_wakeup_is_among_the_schedules() {
        let (_, violation) = exhaust::<LostWakeup>(2, Fault::None).violation.expect("pnpm#13166 is found");
        assert!(matches!(violation, Violation::Hangs(_)), "{violation}");
    }
}
