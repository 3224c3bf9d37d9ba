//! A controlled executor that lives inside one madsim task.
//!
//! madsim keeps time and the network; which of the installer's tasks is polled next, and what a task does at an
//! interleaving point, is decided here by a [`Strategy`] and recorded. So a schedule can be replayed exactly, and when
//! nothing can go on, the scheduler knows every blocked task by name and by the last point it came to.

use crate::disk::ModelDisk;
use crate::scenario::LeaderFault;
use crate::schedule::{Branch, Decision};
use crate::strategy::Strategy;
use crate::trace::{TraceLog, What};
use installer::rt::simulated::{BoxFuture, Disk, TaskId, World};
use installer::rt::{Event, Point};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

/// The main task's name.
pub const MAIN: &str = "install";

/// One run's tasks, disk and record.
pub struct Scheduler {
    tasks: RefCell<BTreeMap<usize, Task>>,
    ready: Arc<Ready>,
    current: RefCell<Option<Current>>,
    next_id: Cell<usize>,
    next_unique: Cell<u64>,
    strategy: RefCell<Box<dyn Strategy>>,
    record: RefCell<Vec<Decision>>,
    names: RefCell<BTreeMap<String, usize>>,
    /// What is still to happen to which task.
    faults: RefCell<BTreeMap<String, LeaderFault>>,
    disk: ModelDisk,
    trace: TraceLog,
    steps: Cell<u64>,
}

struct Task {
    body: Pin<Box<dyn Future<Output = ()>>>,
    waker: Waker,
    name: Arc<str>,
    last_point: Option<Point>,
    waits_for: Option<String>,
}

/// The task that is being polled.
struct Current {
    name: Arc<str>,
    last_point: Option<Point>,
    waits_for: Option<String>,
    /// Its scenario cancels it at the point that it came to.
    cancelled: bool,
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
struct Ready {
    state: Mutex<ReadyState>,
}

#[derive(Default)]
struct ReadyState {
    tasks: BTreeSet<usize>,
    /// Wakes the scheduler itself.
    scheduler: Option<Waker>,
}

struct TaskWaker {
    id: usize,
    ready: Arc<Ready>,
}

impl Ready {
    fn wake(&self, id: usize) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.tasks.insert(id);
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

impl Scheduler {
    /// A scheduler with no task yet. `faults` says what happens to tasks: name → fault, once.
    pub fn new(strategy: Box<dyn Strategy>, disk: ModelDisk, faults: BTreeMap<String, LeaderFault>) -> Rc<Self> {
        Rc::new(Scheduler {
            tasks: RefCell::default(),
            ready: Arc::default(),
            current: RefCell::default(),
            next_id: Cell::new(0),
            next_unique: Cell::new(0),
            strategy: RefCell::new(strategy),
            record: RefCell::default(),
            names: RefCell::default(),
            faults: RefCell::new(faults),
            disk,
            trace: TraceLog::default(),
            steps: Cell::new(0),
        })
    }

    /// The disk.
    pub fn model_disk(&self) -> &ModelDisk {
        &self.disk
    }

    /// The trace so far.
    pub fn trace(&self) -> &TraceLog {
        &self.trace
    }

    /// Every decision so far, and where a replay stopped fitting.
    pub fn take_record(&self) -> (Vec<Decision>, Option<crate::strategy::Divergence>) {
        (self.record.take(), self.strategy.borrow().divergence())
    }

    /// How many polls there were.
    pub fn steps(&self) -> u64 {
        self.steps.get()
    }

    /// The tasks that have not ended, in the order of their spawning.
    pub fn unfinished(&self) -> Vec<Blocked> {
        let blocked = |task: &Task| Blocked {
            task: task.name.to_string(),
            last_point: task.last_point,
            waits_for: task.waits_for.clone(),
        };
        self.tasks.borrow().values().map(blocked).collect()
    }

    /// Runs `main` and every task that it spawns, until `main` ends. Call it from one madsim task.
    pub async fn run(self: &Rc<Self>, main: impl Future<Output = ()> + 'static) {
        let main = self.add(MAIN.to_owned(), Box::pin(main));
        self.drive(|this| !this.tasks.borrow().contains_key(&main)).await;
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
            let Some((_, task)) = self.tasks.borrow_mut().pop_first() else { return };
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
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }

    /// The task to poll next; registers for a wake-up where none is ready.
    fn choose(&self, cx: &Context<'_>) -> Option<usize> {
        let mut state = self.ready.state.lock().unwrap_or_else(PoisonError::into_inner);
        let tasks = self.tasks.borrow();
        state.tasks.retain(|id| tasks.contains_key(id));
        let id = match state.tasks.len() {
            0 => {
                state.scheduler = Some(cx.waker().clone());
                return None;
            }
            1 => *state.tasks.first().expect("there is one"),
            _ => {
                let names: Vec<&str> = state.tasks.iter().map(|id| tasks[id].name.as_ref()).collect();
                let index = self.strategy.borrow_mut().pick(&names);
                self.record.borrow_mut().push(Decision::Run(names[index].to_owned()));
                *state.tasks.iter().nth(index).expect("a strategy picks one of them")
            }
        };
        state.tasks.remove(&id);
        Some(id)
    }

    fn poll_task(&self, id: usize) {
        let mut task = self.tasks.borrow_mut().remove(&id).expect("a chosen task is there");
        self.steps.set(self.steps.get() + 1);
        self.current.replace(Some(Current {
            name: task.name.clone(),
            last_point: task.last_point,
            waits_for: task.waits_for.take(),
            cancelled: false,
        }));
        let polled = task.body.as_mut().poll(&mut Context::from_waker(&task.waker));
        let current = self.current.borrow().as_ref().map(|now| (now.last_point, now.waits_for.clone(), now.cancelled));
        let (last_point, waits_for, cancelled) = current.expect("only this function ends a turn");
        if polled.is_pending() && !cancelled {
            task.last_point = last_point;
            task.waits_for = waits_for;
            self.tasks.borrow_mut().insert(id, task);
        } else {
            self.trace.add(&task.name, if polled.is_pending() { What::Cancelled } else { What::Ended });
            // Dropping a body tells facts too: they are this task's.
            drop(task);
        }
        self.current.replace(None);
    }

    fn add(&self, name: String, body: Pin<Box<dyn Future<Output = ()>>>) -> usize {
        let id = self.next_id.get();
        self.next_id.set(id + 1);
        let name: Arc<str> = self.distinct(name).into();
        let waker = Waker::from(Arc::new(TaskWaker { id, ready: self.ready.clone() }));
        self.trace.add(&name, What::Spawned);
        self.tasks.borrow_mut().insert(id, Task { body, waker, name, last_point: None, waits_for: None });
        self.ready.wake(id);
        id
    }

    /// The second task of one name gets a `#2`.
    fn distinct(&self, name: String) -> String {
        let mut names = self.names.borrow_mut();
        let count = names.entry(name.clone()).or_default();
        *count += 1;
        if *count == 1 { name } else { format!("{name}#{count}") }
    }

    fn current_name(&self) -> Arc<str> {
        self.current.borrow().as_ref().map_or_else(|| "teardown".into(), |current| current.name.clone())
    }

    fn with_current(&self, change: impl FnOnce(&mut Current)) {
        if let Some(current) = self.current.borrow_mut().as_mut() {
            change(current);
        }
    }

    /// The fault that strikes the running task at this point, if any.
    fn fault_at(&self, task: &str, point: Point) -> Option<LeaderFault> {
        let mut faults = self.faults.borrow_mut();
        let strikes = faults.get(task).is_some_and(|fault| {
            let (LeaderFault::CancelledAt(label) | LeaderFault::PanicsAt(label)) = fault;
            label == point.label()
        });
        if strikes { faults.remove(task) } else { None }
    }
}

/// Ready at the second poll.
struct YieldOnce(bool);

impl Future for YieldOnce {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.0 {
            return Poll::Ready(());
        }
        self.0 = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl World for Scheduler {
    fn spawn(&self, name: String, body: BoxFuture) -> TaskId {
        TaskId(self.add(name, body))
    }

    fn abort(&self, TaskId(id): TaskId) {
        let task = self.tasks.borrow_mut().remove(&id);
        if let Some(task) = task {
            self.trace.add(&task.name, What::Cancelled);
            drop(task);
        }
    }

    fn point(&self, point: Point) -> BoxFuture {
        let name = self.current_name();
        self.trace.add(&name, What::At(point));
        self.with_current(|current| current.last_point = Some(point));
        match self.fault_at(&name, point) {
            Some(LeaderFault::PanicsAt(_)) => panic!("planted at {}", point.label()),
            Some(LeaderFault::CancelledAt(_)) => {
                self.with_current(|current| current.cancelled = true);
                return Box::pin(std::future::pending());
            }
            None => {}
        }
        let branch = self.strategy.borrow_mut().branch(&name, point);
        let (task, label) = (name.to_string(), point.label().to_owned());
        self.record.borrow_mut().push(Decision::At { task, point: label, branch });
        match branch {
            Branch::Continue => Box::pin(std::future::ready(())),
            Branch::Yield => Box::pin(YieldOnce(false)),
            Branch::Delay(ms) => Box::pin(tokio::time::sleep(Duration::from_millis(ms))),
        }
    }

    fn event(&self, event: Event) {
        if let Event::Wait { key } = &event {
            self.with_current(|current| current.waits_for = Some(key.clone()));
        }
        self.trace.add(&self.current_name(), What::Told(event));
    }

    fn disk(&self) -> &dyn Disk {
        &self.disk
    }

    fn unique(&self) -> u64 {
        let next = self.next_unique.get();
        self.next_unique.set(next + 1);
        next
    }
}
