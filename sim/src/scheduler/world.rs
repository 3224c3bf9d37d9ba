//! What the installer asks of the world it runs in, answered by the scheduler; and what strikes its tasks at points.

use super::Scheduler;
use crate::scenario::LeaderFault;
use crate::schedule::Hold;
use crate::trace::What;
use crate::yield_once::YieldOnce;
use installer::rt::simulated::{BoxFuture, Disk, TaskId, World};
use installer::rt::{Event, Point};
use std::time::Duration;

impl Scheduler {
    /// The fault that strikes the running task at this point, if any.
    fn fault_at(&self, task: &str, point: Point) -> Option<LeaderFault> {
        let mut faults = self.faults.borrow_mut();
        let first = task.split('#').next().unwrap_or(task);
        if let Some(fault @ LeaderFault::AlwaysPanicsAt(at)) = faults.get(first) {
            return (at == point.label()).then(|| fault.clone());
        }
        let strikes = faults.get(task).is_some_and(|fault| fault.point() == point.label());
        if strikes { faults.remove(task) } else { None }
    }

    /// Whether the running task gets no turn after this one: a prefetch that has just asked for its tarball.
    fn is_unpolled(&self, task: &str, point: Point) -> bool {
        point != Point::PrefetchStart && self.unpolled.contains(task)
    }
}

impl World for Scheduler {
    fn spawn(&self, name: String, body: BoxFuture) -> TaskId {
        TaskId(self.add(name, body))
    }

    fn abort(&self, TaskId(id): TaskId) {
        let task = self.tasks.borrow_mut().0[id].take();
        if let Some(task) = task {
            self.tell(&task.place.next.task, What::Cancelled);
            drop(task);
        }
    }

    fn point(&self, point: Point) -> BoxFuture {
        let name = self.current_name();
        if let Some(edit) = &*self.edit.borrow() {
            edit.before(point, &name, self);
        }
        self.tell(&name, What::At(point));
        let at = self.arrive(point);
        match self.fault_at(&name, point) {
            Some(LeaderFault::PanicsAt(_) | LeaderFault::AlwaysPanicsAt(_)) => panic!("planted at {}", point.label()),
            Some(LeaderFault::CancelledAt(_)) => {
                self.with_current(|current| current.cancelled = true);
                return Box::pin(std::future::pending());
            }
            Some(LeaderFault::StalledAt(_, ms)) => return Box::pin(tokio::time::sleep(Duration::from_millis(ms))),
            None if self.is_unpolled(&name, point) => return Box::pin(std::future::pending()),
            None => {}
        }
        let Some(delay_ms) = self.strategy.borrow_mut().hold(&at) else { return Box::pin(std::future::ready(())) };
        self.holds.borrow_mut().push(Hold { at, delay_ms });
        match delay_ms {
            0 => Box::pin(YieldOnce::default()),
            ms => Box::pin(tokio::time::sleep(Duration::from_millis(ms))),
        }
    }

    fn event(&self, event: Event) {
        if let Event::Wait { key } | Event::WaitForOther { key } = &event {
            self.with_current(|current| current.place.waits_for = Some(key.clone()));
        }
        self.tell(&self.current_name(), What::Told(event));
    }

    fn disk(&self) -> &dyn Disk {
        &*self.disk
    }

    fn unique(&self) -> u64 {
        let next = self.next_unique.get();
        self.next_unique.set(next + 1);
        next
    }

    fn boot(&self) -> u64 {
        self.disk.boots()
    }

    fn interrupted(&self) -> BoxFuture {
        self.mishaps.interrupted()
    }
}
