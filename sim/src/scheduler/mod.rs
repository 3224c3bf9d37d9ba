//! A controlled executor that lives inside one madsim task.
//!
//! madsim keeps time and the network; which of the installer's tasks is polled next, and what a task does at an
//! interleaving point, is decided here by a [`Strategy`] and recorded. So a schedule can be replayed exactly, and when
//! nothing can go on, the scheduler knows every blocked task by name and by the last point it came to.

mod mishaps;
mod names;
mod tasks;
mod world;

pub use self::mishaps::Crashed;
pub use self::names::{MAIN, install_of, own_name};
pub use self::tasks::Blocked;

use self::mishaps::Mishaps;
use self::names::{TaskNames, owned};
use self::tasks::{Current, Place, ReadyQueue, Task, TaskWaker, Tasks};
use crate::disk::{ModelDisk, Watch};
use crate::edit::Edit;
use crate::scenario::{LeaderFault, Scenario};
use crate::schedule::{Hold, Moment, Preemption, REGISTRY, Schedule, shared_label};
use crate::strategy::{Ready, Strategy, Trial};
use crate::trace::{TraceLog, What};
use crate::yield_once::YieldOnce;
use installer::rt::{Event, Point};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// One run's tasks, disk and record.
pub struct Scheduler {
    tasks: RefCell<Tasks>,
    ready: Arc<ReadyQueue>,
    current: RefCell<Option<Current>>,
    next_unique: Cell<u64>,
    strategy: RefCell<Box<dyn Strategy>>,
    holds: RefCell<Vec<Hold>>,
    moments: RefCell<Vec<Moment>>,
    /// Who was polled, in order.
    turns: RefCell<Vec<Arc<str>>>,
    /// Who took a turn, and whose turn it would have been, where that is somebody else.
    preemptions: RefCell<Vec<(Ready, Ready)>>,
    /// Path → how often it was asked for.
    requests: RefCell<BTreeMap<String, u32>>,
    names: TaskNames,
    /// What is still to happen to which task.
    faults: RefCell<BTreeMap<String, LeaderFault>>,
    /// Which tasks get no turn any more once they have asked for their tarball.
    unpolled: BTreeSet<String>,
    disk: Rc<ModelDisk>,
    mishaps: Mishaps,
    trace: TraceLog,
    steps: Cell<u64>,
    edit: RefCell<Option<Edit>>,
}

impl Scheduler {
    /// A scheduler with no task yet, and with what the scenario says goes wrong.
    pub fn new(strategy: Box<dyn Strategy>, disk: Rc<ModelDisk>, scenario: Arc<Scenario>) -> Rc<Self> {
        let faults = scenario.leaders.iter().map(|(package, fault)| (format!("download {package}"), fault.clone()));
        let faults = RefCell::new(faults.collect());
        let unpolled = scenario.unpolled_prefetches.iter().map(|package| format!("prefetch {package}")).collect();
        let scheduler = Rc::new(Scheduler {
            tasks: RefCell::default(),
            ready: Arc::default(),
            current: RefCell::default(),
            // No name of a temporary file comes again after a crash.
            next_unique: Cell::new(disk.uses() << 32),
            strategy: RefCell::new(strategy),
            holds: RefCell::default(),
            moments: RefCell::default(),
            turns: RefCell::default(),
            preemptions: RefCell::default(),
            requests: RefCell::default(),
            names: TaskNames::default(),
            faults,
            unpolled,
            disk,
            mishaps: Mishaps::new(scenario),
            trace: TraceLog::default(),
            steps: Cell::new(0),
            edit: RefCell::default(),
        });
        let this: Rc<dyn Watch> = scheduler.clone();
        scheduler.disk.watched_by(Rc::downgrade(&this));
        scheduler
    }

    /// Runs as if unrelated code had been added; see [`Edit`].
    pub fn edit(&self, seed: Option<u64>) {
        self.edit.replace(seed.map(Edit::new));
    }

    /// The disk.
    pub fn model_disk(&self) -> &Rc<ModelDisk> {
        &self.disk
    }

    /// The trace so far.
    pub fn trace(&self) -> &TraceLog {
        &self.trace
    }

    /// The schedule so far, as it would be replayed.
    pub fn schedule(&self) -> Schedule {
        let preemption = |(goes, before): &(Ready, Ready)| Preemption { goes: goes.named(), before: before.named() };
        Schedule {
            holds: self.holds.borrow().clone(),
            preemptions: self.preemptions.borrow().iter().map(preemption).collect(),
            crash: self.mishaps.crashed_at(),
        }
    }

    /// What strategies can learn from this run.
    pub fn trial(&self) -> Trial {
        let mut turns = BTreeMap::new();
        for task in self.turns.borrow().iter() {
            *turns.entry(task.clone()).or_default() += 1;
        }
        Trial { turns, moments: self.moments.borrow().clone(), changes: self.mishaps.changes() }
    }

    /// The first decision of a replayed schedule that the run never came to.
    pub fn misfit(&self) -> Option<String> {
        self.strategy.borrow().misfit()
    }

    /// How long the registry takes to answer this request, in milliseconds, between the two.
    pub fn latency(&self, path: &str, from_ms: u64, to_ms: u64) -> u64 {
        if self.mishaps.crashed_at().is_some() {
            return from_ms;
        }
        let mut requests = self.requests.borrow_mut();
        let occurrence = requests.entry(path.to_owned()).or_default();
        *occurrence += 1;
        let at = Moment { task: REGISTRY.into(), point: format!("GET {path}").into(), occurrence: *occurrence };
        let delay_ms = self.strategy.borrow_mut().latency(&at, from_ms, to_ms);
        self.moments.borrow_mut().push(at.clone());
        if delay_ms != from_ms {
            self.holds.borrow_mut().push(Hold { at, delay_ms });
        }
        delay_ms
    }

    /// A point that recorded schedules do not know.
    pub(crate) fn added_point(&self, task: &str, before: Point) {
        let at = Moment { task: task.into(), point: format!("added before {}", before.label()).into(), occurrence: 1 };
        let held = self.strategy.borrow_mut().hold(&at);
        assert!(held.is_none(), "a record cannot mention what was added after it");
    }

    /// A fact that recorded runs do not have.
    pub(crate) fn added_fact(&self, task: &str) {
        self.trace.add(&task.into(), What::Told(Event::Commit { keys: Vec::new() }));
    }

    /// A task that recorded schedules do not know, and that takes turns.
    pub(crate) fn added_task(&self) {
        self.add("added".to_owned(), Box::pin(YieldOnce::default()));
    }

    /// How many polls there were.
    pub fn steps(&self) -> u64 {
        self.steps.get()
    }

    /// The tasks that have not ended, in the order of their spawning.
    pub fn unfinished(&self) -> Vec<Blocked> {
        let blocked = |task: &Task| Blocked {
            task: task.place.next.task.to_string(),
            last_point: task.place.next.point,
            waits_for: task.place.waits_for.clone(),
        };
        self.tasks.borrow().0.iter().flatten().map(|task| blocked(task)).collect()
    }

    /// Runs each install's main task and every task that it spawns, until they have ended. Call it from one madsim task.
    pub async fn run(self: &Rc<Self>, mains: Vec<Pin<Box<dyn Future<Output = ()>>>>) {
        let add = |(install, main)| self.add(owned(install, MAIN.to_owned()), main);
        let mains: Vec<_> = mains.into_iter().enumerate().map(add).collect();
        let is_over = |tasks: &Tasks| mains.iter().all(|main| tasks.get(*main).is_none());
        self.drive(|this| this.is_dead() || is_over(&this.tasks.borrow())).await;
    }

    /// Lets the tasks that are left go on for so long.
    pub async fn settle(self: &Rc<Self>, duration: Duration) {
        let over = tokio::time::sleep(duration);
        let mut over = std::pin::pin!(over);
        let drive = self.drive(|_| false);
        let mut drive = std::pin::pin!(drive);
        poll_fn(|cx| {
            let _ = drive.as_mut().poll(cx);
            over.as_mut().poll(cx)
        })
        .await;
    }

    /// Drops every task that is left, in the order of spawning.
    pub fn drop_tasks(&self) {
        loop {
            // Dropping a task may spawn or wake others: nothing may be borrowed meanwhile.
            let Some(task) = self.tasks.borrow_mut().take_first() else { return };
            drop(task);
        }
    }

    /// Polls one task a turn, so that madsim's own tasks (network, timers, servers) interleave with every step.
    async fn drive(self: &Rc<Self>, done: impl Fn(&Self) -> bool) {
        poll_fn(|cx| {
            if done(self) {
                return Poll::Ready(());
            }
            let Some(id) = self.choose(cx) else { return Poll::Pending };
            self.poll_task(id);
            if self.first_is_gone() {
                self.drop_first();
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }

    /// The task to poll next; registers for a wake-up where none is ready.
    fn choose(&self, cx: &Context<'_>) -> Option<usize> {
        let mut state = self.ready.state.lock().unwrap_or_else(PoisonError::into_inner);
        let tasks = self.tasks.borrow();
        state.tasks.retain(|id| tasks.get(*id).is_some());
        let index = match state.tasks.len() {
            0 => {
                state.scheduler = Some(cx.waker().clone());
                return None;
            }
            1 => 0,
            _ => {
                let ready = state.tasks.iter().filter_map(|id| tasks.get(*id));
                let ready: Vec<_> = ready.map(|task| &task.place.next).collect();
                let index = self.strategy.borrow_mut().pick(&ready);
                if index > 0 {
                    self.preemptions.borrow_mut().push((ready[index].clone(), ready[0].clone()));
                }
                index
            }
        };
        Some(state.tasks.remove(index))
    }

    fn poll_task(&self, id: usize) {
        let mut task = self.tasks.borrow_mut().0[id].take().expect("a chosen task is there");
        task.place.next.turn += 1;
        task.place.waits_for = None;
        let name = task.place.next.task.clone();
        self.turns.borrow_mut().push(name.clone());
        self.current.replace(Some(Current { place: task.place, cancelled: false }));
        let polled = task.body.as_mut().poll(&mut Context::from_waker(&task.waker));
        let current = self.current.borrow_mut().take().expect("only this function ends a turn");
        if polled.is_pending() && !current.cancelled {
            task.place = current.place;
            self.tasks.borrow_mut().0[id] = Some(task);
        } else {
            self.tell(&name, if polled.is_pending() { What::Cancelled } else { What::Ended });
            // Dropping a body tells facts too: they are this task's.
            self.current.replace(Some(current));
            drop(task.body);
            self.current.replace(None);
        }
    }

    fn add(&self, name: String, body: Pin<Box<dyn Future<Output = ()>>>) -> usize {
        let id = self.tasks.borrow().0.len();
        // What an install's task spawns is that install's.
        let install = self.current.borrow().as_ref().map_or(0, |current| install_of(&current.place.next.task));
        let name: Arc<str> = self.names.distinct(owned(install, name)).into();
        let waker = Waker::from(Arc::new(TaskWaker { id, ready: self.ready.clone() }));
        self.tell(&name, What::Spawned);
        self.tasks.borrow_mut().0.push(Some(Box::new(Task { body, waker, place: Place::new(id, name) })));
        self.ready.wake(id);
        id
    }

    /// Adds to the trace, unless it is a dead program's task that tells it.
    fn tell(&self, task: &Arc<str>, what: What) {
        if !self.first_is_gone() || install_of(task) != 0 {
            self.trace.add(task, what);
        }
    }

    /// Drops the tasks of the first install, which was killed.
    fn drop_first(&self) {
        loop {
            let task = self.tasks.borrow_mut().take_first_of(0);
            if task.is_none() {
                return;
            }
        }
    }

    fn current_name(&self) -> Arc<str> {
        self.current.borrow().as_ref().map_or_else(|| "teardown".into(), |current| current.place.next.task.clone())
    }

    fn with_current(&self, change: impl FnOnce(&mut Current)) {
        if let Some(current) = self.current.borrow_mut().as_mut() {
            change(current);
        }
    }

    /// Notes that the running task came to a point.
    fn arrive(&self, point: Point) -> Moment {
        let mut occurrence = 1;
        self.with_current(|current| {
            let visits = current.place.visits.entry(point).or_default();
            *visits += 1;
            occurrence = *visits;
            let next = &mut current.place.next;
            (next.point, next.occurrence, next.turn) = (Some(point), occurrence, 1);
        });
        let moment = Moment { task: self.current_name(), point: shared_label(point), occurrence };
        self.moments.borrow_mut().push(moment.clone());
        moment
    }
}
