//! Network permits: how many requests may be in flight, and who goes next.
//!
//! A permit that comes back goes straight to the next in the queue. Packuments and tarballs queue apart and take turns
//! when both wait, so that neither starves (pnpm#12309). Among tarballs, those that the install waits for go before
//! prefetches, in the order of their coming; the demand is read when a permit is granted, so it may rise in the queue.
//!
//! A waiter that goes away costs nobody anything: its grant carries the permit itself, and a permit dropped unread goes
//! to the next.

use super::demand::Demand;
use crate::store::LOCK_FILES;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::oneshot;

/// How many files are open at most besides the sockets of requests: the store's, with those of its locks, and one for each thread
/// that writes.
const OTHER_FILES_MAX: usize = 64 + LOCK_FILES;

/// How many requests may be in flight: as many as is wished, as long as the system has files for them. A request may take two
/// sockets, where another's falls free while its own is being opened.
pub(super) fn requests_max(wished: usize, open_files_max: Option<usize>) -> usize {
    let allowed = open_files_max.map_or(wished, |files| files.saturating_sub(OTHER_FILES_MAX) / 2);
    wished.min(allowed).max(1)
}

/// The permits of one client. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Permits {
    shared: Arc<Shared>,
}

/// What a permit is for.
#[derive(Debug, Clone, Copy)]
pub enum Purpose<'a> {
    /// A packument: resolution waits for it.
    Metadata,
    /// A tarball, wanted this much.
    Tarball(&'a Demand),
}

/// The right to have one request in flight; comes back when dropped.
#[derive(Debug)]
pub struct Permit {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    limit: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Permits handed out, including those in a grant that its waiter has not read yet. Never above the limit.
    in_use: usize,
    /// Nobody waits in either queue while a permit is free.
    metadata: VecDeque<oneshot::Sender<Permit>>,
    tarballs: VecDeque<QueuedTarball>,
    /// Whether a packument goes first when both queues have someone: the last grant was a tarball's.
    metadata_next: bool,
}

#[derive(Debug)]
struct QueuedTarball {
    demand: Demand,
    grant: oneshot::Sender<Permit>,
}

impl Permits {
    /// So many permits.
    ///
    /// # Panics
    /// When there are none: every request would wait forever.
    pub fn new(limit: usize) -> Self {
        assert!(limit > 0, "at least one request must be allowed");
        Permits { shared: Arc::new(Shared { limit, state: Mutex::new(State::default()) }) }
    }

    /// How many requests may be in flight at once.
    pub fn limit(&self) -> usize {
        self.shared.limit
    }

    /// How many permits are out.
    pub fn in_use(&self) -> usize {
        self.shared.lock().in_use
    }

    /// How many wait for a permit.
    pub fn queued(&self) -> usize {
        let state = self.shared.lock();
        let waiting = |grant: &&oneshot::Sender<Permit>| !grant.is_closed();
        let tarballs = state.tarballs.iter().map(|queued| &queued.grant);
        state.metadata.iter().chain(tarballs).filter(waiting).count()
    }

    /// Waits for a permit. Dropping the future leaves the queue, and gives back a permit that was just granted.
    pub async fn acquire(&self, purpose: Purpose<'_>) -> Permit {
        let granted = {
            let mut state = self.shared.lock();
            if state.in_use < self.shared.limit {
                state.in_use += 1;
                state.metadata_next = matches!(purpose, Purpose::Tarball(_));
                return Permit { shared: self.shared.clone() };
            }
            let (grant, granted) = oneshot::channel();
            match purpose {
                Purpose::Metadata => state.metadata.push_back(grant),
                Purpose::Tarball(demand) => state.tarballs.push_back(QueuedTarball { demand: demand.clone(), grant }),
            }
            granted
        };
        granted.await.expect("whoever waits keeps the queue alive, and only a grant or its own end takes it out")
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds this lock")
    }
}

impl State {
    /// Takes the next waiter out of its queue.
    fn next(&mut self) -> Option<oneshot::Sender<Permit>> {
        if self.metadata_next {
            self.next_metadata().or_else(|| self.next_tarball())
        } else {
            self.next_tarball().or_else(|| self.next_metadata())
        }
    }

    fn next_metadata(&mut self) -> Option<oneshot::Sender<Permit>> {
        let grant = std::iter::from_fn(|| self.metadata.pop_front()).find(|grant| !grant.is_closed())?;
        self.metadata_next = false;
        Some(grant)
    }

    fn next_tarball(&mut self) -> Option<oneshot::Sender<Permit>> {
        let first_wanted = || {
            let raised = self.tarballs.iter().position(|queued| queued.demand.is_raised());
            self.tarballs.remove(raised.unwrap_or(0)).map(|queued| queued.grant)
        };
        let grant = std::iter::from_fn(first_wanted).find(|grant| !grant.is_closed())?;
        self.metadata_next = true;
        Some(grant)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let next = {
            let mut state = self.shared.lock();
            assert!((1..=self.shared.limit).contains(&state.in_use), "a permit came back that was never handed out");
            let next = state.next();
            if next.is_none() {
                state.in_use -= 1;
            }
            next
        };
        if let Some(grant) = next {
            // A waiter that left meanwhile hands the permit back to us: its drop looks for the next one.
            drop(grant.send(Permit { shared: self.shared.clone() }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use std::future::Future;
    use std::pin::Pin;

    type Waiting = Pin<Box<dyn Future<Output = Permit> + Send>>;

    /// Queues, without being granted anything yet.
    fn queue(permits: &Permits, demand: Option<&Demand>) -> Waiting {
        let (permits, demand) = (permits.clone(), demand.cloned());
        let mut waiting: Waiting =
            Box::pin(async move { permits.acquire(demand.as_ref().map_or(Purpose::Metadata, Purpose::Tarball)).await });
        assert!((&mut waiting).now_or_never().is_none(), "no permit is free");
        waiting
    }

    fn granted(waiting: &mut Waiting) -> Option<Permit> {
        waiting.now_or_never()
    }

    #[test]
    fn there_are_no_more_requests_than_the_system_has_files_for() {
        assert_eq!(requests_max(64, None), 64);
        assert_eq!(requests_max(64, Some(1024)), 64);
        assert_eq!(requests_max(200, Some(256)), 88);
        assert_eq!(requests_max(64, Some(20)), 1, "what is missing then is told by whoever needs it");
    }

    #[tokio::test]
    async fn never_more_than_the_limit() {
        let permits = Permits::new(3);
        let tasks: Vec<_> = (0..50)
            .map(|number| {
                let permits = permits.clone();
                tokio::spawn(async move {
                    let demand = Demand::prefetch();
                    let purpose = if number % 3 == 0 { Purpose::Metadata } else { Purpose::Tarball(&demand) };
                    let permit = permits.acquire(purpose).await;
                    let in_use = permits.in_use();
                    tokio::task::yield_now().await;
                    drop(permit);
                    in_use
                })
            })
            .collect();
        for task in tasks {
            assert!((1..=3).contains(&task.await.unwrap()));
        }
        assert_eq!((permits.in_use(), permits.queued()), (0, 0));
    }

    #[tokio::test]
    async fn a_waiter_that_leaves_the_queue_is_passed_over() {
        let permits = Permits::new(1);
        let held = permits.acquire(Purpose::Metadata).await;
        let demand = Demand::prefetch();
        let gone = queue(&permits, Some(&demand));
        let mut stays = queue(&permits, Some(&demand));
        drop(gone);
        drop(held);
        assert!(granted(&mut stays).is_some());
        assert_eq!((permits.in_use(), permits.queued()), (0, 0));
    }

    #[tokio::test]
    async fn a_waiter_that_leaves_with_its_grant_unread_passes_it_on() {
        let permits = Permits::new(1);
        let held = permits.acquire(Purpose::Metadata).await;
        let demand = Demand::prefetch();
        let leaves = queue(&permits, Some(&demand));
        let mut next = queue(&permits, Some(&demand));
        drop(held);
        assert_eq!(permits.in_use(), 1, "the first waiter has the permit and does not know yet");
        drop(leaves);
        let permit = granted(&mut next).expect("the permit went on");
        drop(permit);
        assert_eq!(permits.in_use(), 0);
    }

    #[tokio::test]
    async fn demand_that_rises_in_the_queue_goes_first() {
        let permits = Permits::new(1);
        let held = permits.acquire(Purpose::Metadata).await;
        let (hint, wanted, also_wanted) = (Demand::prefetch(), Demand::prefetch(), Demand::install());
        let mut first = queue(&permits, Some(&hint));
        let mut second = queue(&permits, Some(&wanted));
        let mut third = queue(&permits, Some(&also_wanted));
        wanted.raise();
        drop(held);
        assert!(granted(&mut first).is_none() && granted(&mut third).is_none());
        drop(granted(&mut second).expect("raised first"));
        assert!(granted(&mut first).is_none());
        drop(granted(&mut third).expect("raised second"));
        drop(granted(&mut first).expect("a hint last"));
    }

    #[tokio::test]
    async fn packuments_and_tarballs_take_turns() {
        let permits = Permits::new(1);
        let mut held = permits.acquire(Purpose::Metadata).await;
        let demand = Demand::install();
        let mut waiting: Vec<(char, Waiting)> = Vec::new();
        for _ in 0..3 {
            waiting.push(('p', queue(&permits, None)));
        }
        for _ in 0..2 {
            waiting.push(('t', queue(&permits, Some(&demand))));
        }
        let mut order = String::new();
        while !waiting.is_empty() {
            drop(held);
            let (index, permit) = waiting
                .iter_mut()
                .enumerate()
                .find_map(|(index, (_, waiting))| Some((index, granted(waiting)?)))
                .expect("someone has the permit");
            order.push(waiting.remove(index).0);
            held = permit;
        }
        assert_eq!(order, "tptpp");
    }
}
