//! The coordination: at most one download per tarball, whoever asks first and whoever asks while it runs.
//!
//! A key has a slot. Who finds none inserts one and starts its *leader*, a task of its own that downloads; everybody,
//! the starter included, is then a *waiter* on that slot. The contract, by the numbers of ARCHITECTURE.md:
//!
//! 1. The key is the URL and the integrity.
//! 2. Looking up and becoming leader is one step under DashMap's entry; no shard guard lives across an await. Who only looks
//!    first leads nobody.
//! 3. The leader is a task of its own: a caller that goes away neither cancels nor orphans the download.
//! 4. `Leadership` is a guard. Dropped unfinished (cancel, panic) it vacates its own slot, by identity, and wakes the
//!    waiters, of whom exactly one finds the key free and leads again.
//! 5. A waiter registers for the wake-up before it re-checks the slot (pnpm#13166).
//! 6. A failure is shared with its cause. Only a prefetch's retryable failure is not final: the install may lead once more.
//! 7. The value says where the bytes came from.
//! 8. A waiter of the install raises the demand of a leader that still queues for a permit; it holds no permit itself.
//! 9. [`MemCache::close`] ends what nobody needed.

use super::coordinator::{CacheKey, Caller, Coordinator, Download};
use super::{Fetched, TarballError};
use crate::registry::Demand;
use crate::rt::sync::{Arc, AtomicBool, DashMap, Mutex, MutexGuard, OnceLock, Ordering, PoisonError};
use crate::rt::{self, Event, Point};
use dashmap::mapref::entry::Entry;
use tokio::sync::Notify;

/// How many leaders of one key a waiter sees go away without a result before it gives up.
pub const LOST_LEADERS_MAX: u32 = 3;

/// What a caller is told who comes after the end of the install.
const OVER: &str = "the install is over";

/// The downloads of one install, by key. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct MemCache {
    slots: Arc<DashMap<CacheKey, Arc<Slot>>>,
    /// Set once the install is over: nobody leads from then on.
    closed: Arc<AtomicBool>,
}

#[derive(Debug)]
struct Slot {
    /// How it ended: nothing while its leader runs, and never changed afterwards.
    end: OnceLock<Outcome>,
    changed: Notify,
    /// Raised as soon as the install waits for this slot.
    demand: Demand,
    /// Who started it: decides whether a retryable failure is final.
    starter: Caller,
    leader: Mutex<Option<rt::JoinHandle<()>>>,
}

/// How a slot ended.
#[derive(Debug, Clone)]
enum Outcome {
    Available(Arc<Fetched>),
    Failed(Arc<TarballError>),
    /// The slot is no longer in the map: a prefetch failed in a way that may pass.
    Retryable(Arc<TarballError>),
    /// The slot is no longer in the map: its leader was cancelled or panicked.
    Lost(&'static str),
}

impl Coordinator for MemCache {
    async fn fetch<D: Download>(
        &self,
        key: &CacheKey,
        caller: Caller,
        download: D,
    ) -> Result<Arc<Fetched>, Arc<TarballError>> {
        let mut lost = 0;
        loop {
            let Some(slot) = self.join_or_lead(key, caller, &download) else {
                return Err(Arc::new(download.lost(OVER.to_owned())));
            };
            match slot.outcome(key).await {
                Outcome::Available(fetched) => return Ok(fetched),
                Outcome::Failed(error) => return Err(error),
                Outcome::Retryable(error) if caller == Caller::Prefetch => return Err(error),
                Outcome::Retryable(_) => {}
                Outcome::Lost(reason) => {
                    lost += 1;
                    let over = self.closed.load(Ordering::Acquire);
                    if over || caller == Caller::Prefetch || lost == LOST_LEADERS_MAX {
                        return Err(Arc::new(download.lost(reason.to_owned())));
                    }
                }
            }
        }
    }

    async fn close(&self) -> usize {
        self.closed.store(true, Ordering::Release);
        let mut slots: Vec<_> = self.slots.iter().map(|entry| (entry.key().clone(), entry.value().clone())).collect();
        slots.sort_by(|a, b| a.0.cmp(&b.0));
        let leaders: Vec<_> = slots.iter().filter_map(|(_, slot)| lock(&slot.leader).take()).collect();
        leaders.iter().for_each(rt::JoinHandle::abort);
        for leader in leaders {
            // A leader that panicked has told its waiters; one that was cancelled has none.
            let _ = leader.await;
        }
        self.slots.iter().filter(|entry| entry.value().finished().is_none()).count()
    }
}

impl MemCache {
    /// The key's slot; a new one, with its leader running, where there was none. None when the cache is closed.
    fn join_or_lead<D: Download>(&self, key: &CacheKey, caller: Caller, download: &D) -> Option<Arc<Slot>> {
        // Most often it is there: then nobody else has to wait for this look.
        if let Some(slot) = self.slots.get(key) {
            return Some(join(&slot, caller));
        }
        let vacant = match self.slots.entry(key.clone()) {
            Entry::Occupied(entry) => return Some(join(entry.get(), caller)),
            Entry::Vacant(vacant) => vacant,
        };
        // Both under the entry's guard: whoever closes looks at this shard before, and is seen here, or after, and finds
        // a leader to abort.
        if self.closed.load(Ordering::Acquire) {
            return None;
        }
        let slot = Arc::new(Slot::new(caller));
        let leadership = Leadership { cache: self.clone(), key: key.clone(), slot: slot.clone() };
        let name = || format!("download {}", download.name());
        *lock(&slot.leader) = Some(rt::spawn(name, lead(leadership, download.clone())));
        vacant.insert(slot.clone());
        Some(slot)
    }
}

/// Comes while the map is looked at: a slot that is seen there is joined before it can be vacated.
fn join(slot: &Arc<Slot>, caller: Caller) -> Arc<Slot> {
    if caller == Caller::Install {
        slot.demand.raise();
    }
    slot.clone()
}

async fn lead<D: Download>(leadership: Leadership, download: D) {
    rt::event(|| Event::Lead { key: leadership.key.to_string() });
    rt::point(Point::LeaderStart).await;
    let result = download.run(leadership.slot.demand.clone()).await;
    let outcome = Outcome::of(result, leadership.slot.starter);
    rt::point(Point::LeaderPublish).await;
    leadership.publish(outcome);
    rt::point(Point::LeaderNotify).await;
    // Dropping the leadership wakes the waiters.
}

impl Outcome {
    fn of(result: Result<Fetched, TarballError>, starter: Caller) -> Self {
        match result {
            Ok(fetched) => Outcome::Available(Arc::new(fetched)),
            Err(error) if starter == Caller::Prefetch && !error.is_permanent() => Outcome::Retryable(Arc::new(error)),
            Err(error) => Outcome::Failed(Arc::new(error)),
        }
    }
}

impl Slot {
    fn new(starter: Caller) -> Self {
        Slot {
            end: OnceLock::new(),
            changed: Notify::new(),
            demand: starter.demand(),
            starter,
            leader: Mutex::new(None),
        }
    }

    fn finished(&self) -> Option<&Outcome> {
        self.end.get()
    }

    /// Waits until the slot has ended.
    async fn outcome(&self, key: &CacheKey) -> Outcome {
        if let Some(outcome) = self.finished() {
            return outcome.clone();
        }
        loop {
            rt::point(Point::WaiterRegister).await;
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            // Registered: a flip before this line is seen here, a flip after it wakes us.
            if let Some(outcome) = self.finished() {
                return outcome.clone();
            }
            rt::point(Point::WaiterPark).await;
            rt::event(|| Event::Wait { key: key.to_string() });
            changed.await;
            rt::event(|| Event::Woken { key: key.to_string() });
        }
    }

    /// Flips the slot, once. Returns whether this call did.
    fn flip(&self, outcome: Outcome) -> bool {
        self.end.set(outcome).is_ok()
    }
}

/// The duty to end a slot. Whatever happens to its holder, the slot ends and its waiters are woken.
struct Leadership {
    cache: MemCache,
    key: CacheKey,
    slot: Arc<Slot>,
}

impl Leadership {
    fn publish(&self, outcome: Outcome) {
        let label = match outcome {
            Outcome::Available(_) => "available",
            Outcome::Failed(_) => "failed",
            Outcome::Retryable(_) | Outcome::Lost(_) => "vacated",
        };
        if matches!(outcome, Outcome::Retryable(_)) {
            self.vacate();
        }
        assert!(self.slot.flip(outcome), "{} was ended by somebody who does not lead it", self.key);
        rt::event(|| Event::Publish { key: self.key.to_string(), outcome: label });
    }

    /// Frees the key for the next leader; leaves another leader's slot alone. Comes before the flip, so that a waiter
    /// who sees the flip finds the key free or led again, never this slot.
    fn vacate(&self) {
        self.cache.slots.remove_if(&self.key, |_, slot| Arc::ptr_eq(slot, &self.slot));
    }
}

impl Drop for Leadership {
    fn drop(&mut self) {
        if self.slot.finished().is_none() {
            self.vacate();
            let panicking = std::thread::panicking();
            self.slot.flip(Outcome::Lost(if panicking {
                "its download panicked"
            } else {
                "its download was cancelled"
            }));
            rt::event(|| Event::Publish { key: self.key.to_string(), outcome: "vacated" });
        }
        self.slot.changed.notify_waiters();
    }
}

/// Locks a mutex whose holders never panic halfway through a change.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
