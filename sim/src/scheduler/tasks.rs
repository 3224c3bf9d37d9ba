//! The tasks of a run: where each stands, and which are ready.

use super::names::install_of;
use crate::strategy::Ready;
use installer::rt::Point;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Wake, Waker};

/// The tasks that have not ended, by number, in the order of their spawning. None is there while it is polled.
#[derive(Default)]
pub(super) struct Tasks(pub(super) Vec<Option<Box<Task>>>);

impl Tasks {
    pub(super) fn get(&self, id: usize) -> Option<&Task> {
        self.0[id].as_deref()
    }

    pub(super) fn take_first(&mut self) -> Option<Box<Task>> {
        self.0.iter_mut().find_map(Option::take)
    }

    pub(super) fn take_first_of(&mut self, install: usize) -> Option<Box<Task>> {
        let own = |slot: &&mut Option<Box<Task>>| {
            slot.as_ref().is_some_and(|task| install_of(&task.place.next.task) == install)
        };
        self.0.iter_mut().find(own).and_then(Option::take)
    }
}

pub(super) struct Task {
    pub(super) body: Pin<Box<dyn Future<Output = ()>>>,
    pub(super) waker: Waker,
    pub(super) place: Place,
}

/// Where a task stands.
pub(super) struct Place {
    /// Its next turn; while it has a turn, the one after that.
    pub(super) next: Ready,
    /// How often it came to each point.
    pub(super) visits: BTreeMap<Point, u32>,
    pub(super) waits_for: Option<String>,
}

impl Place {
    pub(super) fn new(number: usize, name: Arc<str>) -> Self {
        Place { next: Ready::first(number, name), visits: BTreeMap::new(), waits_for: None }
    }
}

/// The task that is being polled.
pub(super) struct Current {
    pub(super) place: Place,
    /// Its scenario cancels it at the point that it came to.
    pub(super) cancelled: bool,
}

/// A task that cannot go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocked {
    /// Its name.
    pub task: String,
    /// The last point that it came to.
    pub last_point: Option<Point>,
    /// The download that it waits for.
    pub waits_for: Option<String>,
}

#[derive(Default)]
pub(super) struct ReadyQueue {
    pub(super) state: Mutex<ReadyState>,
}

#[derive(Default)]
pub(super) struct ReadyState {
    /// In the order in which they became ready.
    pub(super) tasks: Vec<usize>,
    /// Wakes the scheduler itself.
    pub(super) scheduler: Option<Waker>,
}

pub(super) struct TaskWaker {
    pub(super) id: usize,
    pub(super) ready: Arc<ReadyQueue>,
}

impl ReadyQueue {
    pub(super) fn wake(&self, id: usize) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !state.tasks.contains(&id) {
            state.tasks.push(id);
        }
        if let Some(waker) = state.scheduler.take() {
            drop(state);
            waker.wake();
        }
    }
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ready.wake(self.id);
    }
}
