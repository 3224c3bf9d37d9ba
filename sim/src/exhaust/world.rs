//! The smallest world: tasks and points, and nothing else.

use super::fault::Fault;
use crate::yield_once::YieldOnce;
use installer::rt::simulated::{BoxFuture, Disk, TaskId, World};
use installer::rt::{Event, Point};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

/// Runs whoever is chosen among the ready, up to its next point.
#[derive(Default)]
pub(super) struct Small {
    tasks: RefCell<BTreeMap<usize, Task>>,
    /// Kept, and not polled.
    stalled: RefCell<Option<Task>>,
    histories: RefCell<BTreeMap<usize, String>>,
    names: RefCell<Vec<String>>,
    /// Task → who spawned it.
    parents: RefCell<BTreeMap<usize, usize>>,
    /// Who was polled last is last.
    parked: RefCell<Vec<usize>>,
    wakes: Arc<Wakes>,
    next_id: Cell<usize>,
    current: Cell<Option<usize>>,
    cancelled: Cell<bool>,
    /// What is still to go wrong.
    fault: Cell<Option<Fault>>,
    /// The task at whose turn the first caller leaves or stalls.
    mishap: Cell<Option<usize>>,
    /// Whom something has gone wrong for.
    struck: Cell<Option<usize>>,
}

/// How long a state is, roughly.
const STATE_BYTES: usize = 512;

/// Stands for the parent of whom no task has spawned.
const NO_PARENT: usize = usize::MAX;

/// The first caller's task.
const FIRST_CALLER: usize = 0;

struct Task {
    body: BoxFuture,
}

#[derive(Default)]
struct Wakes(Mutex<Vec<usize>>);

struct TaskWaker(usize, Arc<Wakes>);

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        let mut woken = self.1.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !woken.contains(&self.0) {
            woken.push(self.0);
        }
    }
}

impl Small {
    pub(super) fn new(fault: Fault) -> Self {
        Self { fault: Cell::new(Some(fault)), ..Self::default() }
    }

    /// From here on it can happen at any moment that the first caller leaves or stalls, where that is the fault.
    pub(super) fn begin(&self) {
        let word = match self.fault.get() {
            Some(Fault::CallerLeaves) => "leaves",
            Some(Fault::CallerStalls) => "stalls",
            _ => return,
        };
        let TaskId(id) = self.spawn(format!("caller {FIRST_CALLER} {word}"), Box::pin(std::future::ready(())));
        self.mishap.set(Some(id));
    }

    /// Whom something has gone wrong for, if it has.
    pub(super) fn struck(&self) -> Option<usize> {
        self.struck.get()
    }

    /// The tasks that could go on, in the order of their spawning.
    pub(super) fn ready(&self) -> Vec<usize> {
        let woken = self.wakes.0.lock().unwrap_or_else(PoisonError::into_inner);
        self.tasks.borrow().keys().copied().filter(|id| woken.contains(id)).collect()
    }

    /// Polls the `choice`-th of the ready tasks; says who it was.
    pub(super) fn turn(&self, choice: usize) -> usize {
        let id = self.ready()[choice];
        self.wakes.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|woken| *woken != id);
        let mut task = self.tasks.borrow_mut().remove(&id).expect("a ready task is there");
        self.current.set(Some(id));
        self.cancelled.set(false);
        let waker = Waker::from(Arc::new(TaskWaker(id, self.wakes.clone())));
        if self.mishap.get() == Some(id) {
            self.strike_caller();
        }
        let noted = || self.histories.borrow().get(&id).map(String::len);
        let before = noted();
        let polled = task.body.as_mut().poll(&mut Context::from_waker(&waker));
        match polled {
            Poll::Ready(()) => self.note(" end"),
            Poll::Pending if noted() == before => self.note(" parks"),
            Poll::Pending => {}
        }
        self.parked.borrow_mut().retain(|parked| *parked != id);
        if polled.is_pending() && !self.cancelled.get() {
            self.tasks.borrow_mut().insert(id, task);
            self.parked.borrow_mut().push(id);
        } else {
            drop(task);
        }
        self.current.set(None);
        id
    }

    /// Who this task is, and where it came to last.
    pub(super) fn told(&self, id: usize) -> String {
        let histories = self.histories.borrow();
        let last =
            histories.get(&id).and_then(|history| history.rsplit([' ', '#']).find(|word| word.parse::<u32>().is_err()));
        format!("{}: {}", self.names.borrow()[id], last.unwrap_or_default())
    }

    fn strike_caller(&self) {
        // Taken out first: a caller that is dropped may wake others.
        let Some(caller) = ({ self.tasks.borrow_mut().remove(&FIRST_CALLER) }) else { return };
        self.struck.set(Some(FIRST_CALLER));
        self.histories.borrow_mut().entry(FIRST_CALLER).or_default().push_str(" struck");
        if self.fault.get() == Some(Fault::CallerStalls) {
            self.stalled.replace(Some(caller));
        }
    }

    fn note(&self, what: &str) {
        if let Some(id) = self.current.get() {
            self.histories.borrow_mut().entry(id).or_default().push_str(what);
        }
    }

    fn note_number(&self, number: usize) {
        if let Some(id) = self.current.get() {
            push(self.histories.borrow_mut().entry(id).or_default(), format_args!("{number}"));
        }
    }

    /// Where all stand. Which of the install's callers is which makes no difference: of the states that differ only in
    /// that, this is the first. `queues` says whether it matters who waits before whom.
    pub(super) fn state(&self, callers: usize, queues: bool) -> String {
        let ready = self.ready();
        let (histories, parents) = (self.histories.borrow(), self.parents.borrow());
        let named = |names: &[usize]| {
            let name = |id: usize| names.get(id).copied().unwrap_or(id);
            let mut tasks: Vec<_> = histories.iter().map(|(id, history)| (name(*id), *id, history)).collect();
            tasks.sort();
            let mut state = String::with_capacity(STATE_BYTES);
            for (name_of, id, history) in tasks {
                let parent = parents.get(&id).map_or(NO_PARENT, |id| name(*id));
                let ready = if ready.contains(&id) { '!' } else { ' ' };
                push(&mut state, format_args!("{name_of}<{parent}{ready}{history};"));
            }
            for id in self.parked.borrow().iter().filter(|_| queues) {
                push(&mut state, format_args!("{},", name(*id)));
            }
            state
        };
        permutations(callers).iter().map(|names| named(names)).min().unwrap_or_default()
    }

    pub(super) fn unfinished(&self) -> Vec<String> {
        let names = self.names.borrow();
        self.tasks.borrow().keys().map(|id| names[*id].clone()).collect()
    }

    pub(super) fn drop_tasks(&self) {
        while let Some((_, task)) = { self.tasks.borrow_mut().pop_first() } {
            drop(task);
        }
        drop(self.stalled.take());
    }

    /// The fault that strikes the running task at this point, if any; it does so once.
    fn strikes(&self, point: Point) -> Option<Fault> {
        let id = self.current.get()?;
        let fault = self.fault.get()?;
        let strikes = matches!(fault, Fault::LeaderCancelled(at) | Fault::LeaderPanics(at) if at == point);
        if strikes {
            self.fault.set(None);
            self.struck.set(Some(id));
        }
        strikes.then_some(fault)
    }
}

fn push(text: &mut String, what: fmt::Arguments<'_>) {
    text.write_fmt(what).expect("a text takes whatever is written to it");
}

/// The names that 0, 1, 2, … can have if 0, the prefetch, keeps its own.
fn permutations(callers: usize) -> Vec<Vec<usize>> {
    let mut all = vec![vec![0]];
    for next in 1..callers {
        let insert_at = |names: &Vec<usize>| {
            let names = names.clone();
            (1..=names.len()).map(move |at| [&names[..at], &[next], &names[at..]].concat())
        };
        all = all.iter().flat_map(insert_at).collect();
    }
    all
}

impl World for Small {
    fn spawn(&self, name: String, body: BoxFuture) -> TaskId {
        let id = self.next_id.replace(self.next_id.get() + 1);
        // Two leaders look alike; whose they are tells them apart.
        self.parents.borrow_mut().extend(self.current.get().map(|parent| (id, parent)));
        self.histories.borrow_mut().insert(id, String::new());
        self.names.borrow_mut().push(name);
        self.tasks.borrow_mut().insert(id, Task { body });
        self.wakes.0.lock().unwrap_or_else(PoisonError::into_inner).push(id);
        TaskId(id)
    }

    fn abort(&self, TaskId(id): TaskId) {
        let task = self.tasks.borrow_mut().remove(&id);
        drop(task);
    }

    fn point(&self, point: Point) -> BoxFuture {
        // Who is about to wait holds a slot, perhaps one that others have left behind: which one decides what it sees.
        // The slots are as many as the tasks that were spawned for them.
        let slot = if point == Point::WaiterRegister { self.next_id.get() } else { 0 };
        for part in [" ", point.label(), "#"] {
            self.note(part);
        }
        self.note_number(slot);
        match self.strikes(point) {
            Some(Fault::LeaderPanics(_)) => panic!("planted at {}", point.label()),
            Some(_) => {
                self.cancelled.set(true);
                Box::pin(std::future::pending())
            }
            None => Box::pin(YieldOnce::default()),
        }
    }

    fn event(&self, event: Event) {
        self.note(match event {
            Event::Lead { .. } => " leads",
            Event::Wait { .. } => " waits",
            Event::Woken { .. } => " woken",
            Event::Publish { outcome, .. } => outcome,
            _ => "",
        });
    }

    fn disk(&self) -> &dyn Disk {
        unreachable!("the coordination does not touch the disk")
    }

    fn unique(&self) -> u64 {
        0
    }
}
