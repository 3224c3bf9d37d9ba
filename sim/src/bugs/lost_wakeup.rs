//! pnpm#13166: the waiter sees a slot in progress, lets go of it, and only then asks for its wake-up. A leader that
//! flips the slot and notifies in between wakes nobody, and the waiter sleeps for ever.
//!
//! Upstream it hung a CI job for over an hour; its fix says that no test can reproduce it deterministically.

use installer::rt::{self, Event, Point};
use installer::tarball::{CacheKey, Caller, Coordinator, Download, Fetched, TarballError};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;

/// A coordinator with that bug, and otherwise as small as can be.
#[derive(Debug, Clone, Default)]
pub struct LostWakeup {
    slots: Arc<Mutex<BTreeMap<CacheKey, Arc<Slot>>>>,
}

#[derive(Debug, Default)]
struct Slot {
    done: Mutex<Option<Result<Arc<Fetched>, Arc<TarballError>>>>,
    changed: Notify,
    leader: Mutex<Option<rt::JoinHandle<()>>>,
}

impl Coordinator for LostWakeup {
    async fn fetch<D: Download>(
        &self,
        key: &CacheKey,
        caller: Caller,
        download: D,
    ) -> Result<Arc<Fetched>, Arc<TarballError>> {
        let slot = self.join_or_lead(key, caller, &download);
        loop {
            if let Some(done) = slot.done.lock().unwrap_or_else(PoisonError::into_inner).clone() {
                return done;
            }
            // The window: the slot is seen in progress, and the wake-up is not asked for yet.
            rt::point(Point::WaiterRegister).await;
            rt::event(|| Event::Wait { key: key.to_string() });
            slot.changed.notified().await;
            rt::event(|| Event::Woken { key: key.to_string() });
        }
    }

    async fn close(&self) -> usize {
        let slots: Vec<_> = self.slots.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        for slot in slots {
            let leader = slot.leader.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(leader) = leader {
                leader.abort();
                let _ = leader.await;
            }
        }
        0
    }
}

impl LostWakeup {
    fn join_or_lead<D: Download>(&self, key: &CacheKey, caller: Caller, download: &D) -> Arc<Slot> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = slots.get(key) {
            return slot.clone();
        }
        let slot = Arc::new(Slot::default());
        slots.insert(key.clone(), slot.clone());
        let (name, download) = (download.name(), download.clone());
        let leader = rt::spawn(|| format!("download {name}"), {
            let (slot, key) = (slot.clone(), key.to_string());
            async move {
                rt::event(|| Event::Lead { key: key.clone() });
                let result = download.run(caller.demand()).await;
                rt::point(Point::LeaderPublish).await;
                let done = result.map(Arc::new).map_err(Arc::new);
                *slot.done.lock().unwrap_or_else(PoisonError::into_inner) = Some(done);
                rt::event(|| Event::Publish { key, outcome: "done" });
                slot.changed.notify_waiters();
            }
        });
        *slot.leader.lock().unwrap_or_else(PoisonError::into_inner) = Some(leader);
        slot
    }
}
