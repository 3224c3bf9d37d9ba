//! The simulation's half of the seam: the same names as [`real`](super), handed to a [`World`].
//!
//! A world belongs to one thread (madsim's runtimes do) and is plugged in with [`enter`]. The installer runs in it
//! unchanged: tasks go to the world's scheduler, files to its disk, time and network to madsim.

use super::{Event, JoinError, Point, Process, ProcessEnded, StopSignal, panic_message};
use futures_util::FutureExt;
use std::cell::RefCell;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

/// A task's body, as a world runs it.
pub type BoxFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Names a task within one run, in the order of spawning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(pub usize);

/// What the simulator provides.
pub trait World {
    /// Takes a task over; it is polled when the schedule says so.
    fn spawn(&self, name: String, body: BoxFuture) -> TaskId;
    /// Drops a task's body before its next poll. No effect on a finished task.
    fn abort(&self, task: TaskId);
    /// The running task has come to a point: ready at once, or later.
    fn point(&self, point: Point) -> BoxFuture;
    /// The running task tells a fact.
    fn event(&self, event: Event);
    /// The disk that the installer sees.
    fn disk(&self) -> &dyn Disk;
    /// A number that no other call of this run returns.
    fn unique(&self) -> u64;
    /// How often the machine was started.
    fn boot(&self) -> u64 {
        1
    }
    /// Ready when the user interrupts the program.
    fn interrupted(&self) -> BoxFuture {
        Box::pin(std::future::pending())
    }
}

thread_local!(static WORLD: RefCell<Option<Rc<dyn World>>> = const { RefCell::new(None) });

/// Plugs a world into this thread until the guard is dropped.
///
/// # Panics
/// When this thread is in a world already.
pub fn enter(world: Rc<dyn World>) -> Entered {
    WORLD.with(|slot| {
        let previous = slot.borrow_mut().replace(world);
        assert!(previous.is_none(), "this thread already runs a simulation");
    });
    Entered(())
}

/// This thread is in a world; see [`enter`].
pub struct Entered(());

impl Drop for Entered {
    fn drop(&mut self) {
        let world = WORLD.with(|slot| slot.borrow_mut().take());
        drop(world);
    }
}

fn world() -> Rc<dyn World> {
    WORLD
        .try_with(|slot| slot.borrow().clone())
        .ok()
        .flatten()
        .expect("the installer was built with --cfg madsim and runs outside a simulation: call rt::enter first")
}

/// What a task left behind, and who waits for it.
#[derive(Debug)]
struct Outcome<T> {
    result: Option<Result<T, JoinError>>,
    waker: Option<Waker>,
}

/// Reports the task as cancelled when its body is dropped unfinished.
struct Completion<T>(Arc<Mutex<Outcome<T>>>);

impl<T> Completion<T> {
    fn set(&self, result: Result<T, JoinError>) {
        let mut outcome = self.0.lock().expect("no task panics while it holds this lock");
        if outcome.result.is_none() {
            outcome.result = Some(result);
        }
        if let Some(waker) = outcome.waker.take() {
            drop(outcome);
            waker.wake();
        }
    }
}

impl<T> Drop for Completion<T> {
    fn drop(&mut self) {
        self.set(Err(JoinError::Cancelled));
    }
}

/// A running task. Dropping it lets the task go on; [`abort`](Self::abort) ends it.
#[derive(Debug)]
pub struct JoinHandle<T> {
    task: TaskId,
    outcome: Arc<Mutex<Outcome<T>>>,
}

impl<T> JoinHandle<T> {
    /// Ends the task before its next poll; it then reports [`JoinError::Cancelled`].
    pub fn abort(&self) {
        world().abort(self.task);
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut outcome = self.outcome.lock().expect("no task panics while it holds this lock");
        match outcome.result.take() {
            Some(result) => Poll::Ready(result),
            None => {
                outcome.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

/// Runs `future` as a task of its own, under this name.
pub fn spawn<F>(name: impl FnOnce() -> String, future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let outcome = Arc::new(Mutex::new(Outcome { result: None, waker: None }));
    let completion = Completion(outcome.clone());
    let body = async move {
        let result = AssertUnwindSafe(future).catch_unwind().await;
        completion.set(result.map_err(|payload| JoinError::Panicked(panic_message(&*payload))));
    };
    JoinHandle { task: world().spawn(name(), Box::pin(body)), outcome }
}

/// One step of the simulation, scheduled like any task.
///
/// # Panics
/// When `work` panics.
pub async fn blocking<T: Send + 'static>(label: &'static str, work: impl FnOnce() -> T + Send + 'static) -> T {
    match spawn(|| label.to_owned(), async move { work() }).await {
        Ok(value) => value,
        Err(error) => panic!("{label}: {error}"),
    }
}

/// `f` on every item, each a step of its own in an order that the schedule chooses; the results in the order of the items.
pub async fn parallel<T, R>(label: &'static str, items: Vec<T>, f: impl Fn(T) -> R + Send + Sync + 'static) -> Vec<R>
where
    T: Send + 'static,
    R: Send + 'static,
{
    let f = Arc::new(f);
    let steps: Vec<_> = items
        .into_iter()
        .enumerate()
        .map(|(index, item)| {
            let f = f.clone();
            spawn(|| format!("{label} {index}"), async move { f(item) })
        })
        .collect();
    let mut results = Vec::with_capacity(steps.len());
    for step in steps {
        results.push(super::joined(step.await));
    }
    results
}

/// `f` on every item, one after the other.
pub fn each<T: Send>(items: Vec<T>, f: impl Fn(T) + Send + Sync) {
    items.into_iter().for_each(f);
}

/// The one, then the other.
pub fn join<A: Send, B: Send>(one: impl FnOnce() -> A + Send, other: impl FnOnce() -> B + Send) -> (A, B) {
    (one(), other())
}

/// A thread for steps that wait behind nothing but each other: here each is one of the simulation's.
#[derive(Debug)]
pub struct Lane(&'static str);

impl Lane {
    /// A lane whose steps are called so.
    pub fn new(label: &'static str) -> Self {
        Lane(label)
    }

    /// Runs one step.
    ///
    /// # Panics
    /// When `work` panics.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        blocking(self.0, work).await
    }
}

/// The process of a simulated program does not end with it.
pub fn end_soon() {}

/// Drops it.
pub fn drop_last<T: Send + 'static>(value: T) {
    drop(value);
}

/// Drops it.
pub fn drop_aside<T: Send + 'static>(value: T) {
    drop(value);
}

/// An interleaving point: the world decides whether the task goes on, yields, or waits.
pub async fn point(point: Point) {
    let branch = world().point(point);
    branch.await;
}

/// A fact for the simulator's trace.
pub fn event(event: impl FnOnce() -> Event) {
    world().event(event());
}

/// A word that no other call of this run returns: for the names of temporary files.
pub fn unique() -> String {
    format!("{:x}", world().unique())
}

/// The same: what varies in a simulation is its schedule.
pub fn jittered(delay: std::time::Duration) -> std::time::Duration {
    delay
}

/// A simulation has no environment variables.
pub fn variable(_name: &str) -> Option<String> {
    None
}

/// A word that stays the same until the machine starts again.
pub fn boot() -> Option<String> {
    Some(world().boot().to_string())
}

/// How many threads the simulated machine runs at once.
pub fn parallelism() -> usize {
    4
}

/// The simulated machine does not count them.
pub fn open_files_max() -> Option<usize> {
    None
}

/// The simulator runs the program, not the program itself.
///
/// # Errors
/// Always.
pub fn block_on<F: Future>(_future: F) -> std::io::Result<F::Output> {
    Err(std::io::Error::other("built with --cfg madsim: this binary runs inside the simulator only"))
}

/// There are no other programs in a simulation.
///
/// # Errors
/// Always.
#[expect(clippy::unused_async, reason = "the real half waits for the program")]
pub async fn run_process(_process: Process) -> std::io::Result<ProcessEnded> {
    Err(std::io::Error::new(std::io::ErrorKind::Unsupported, "a simulation has no processes"))
}

/// Ends when the world says that the user interrupts the program.
pub async fn interrupted() -> StopSignal {
    let interrupted = world().interrupted();
    interrupted.await;
    StopSignal::Interrupt
}

/// A file whose places can be locked, each on its own; see `rt/real/lock.rs`.
#[derive(Debug)]
pub struct LockFile(Box<dyn Locks>);

/// What the simulated disk has for an open [`LockFile`]. Dropped, it gives its locks back.
pub trait Locks: Send + Sync + std::fmt::Debug {
    /// Locks a place, unless another holder has it; says whether it did.
    ///
    /// # Errors
    /// When the simulated filesystem has no locks.
    fn try_lock(&self, place: u64) -> std::io::Result<bool>;
    /// Locks a place together with all others who share it, unless a holder has it alone; says whether it did.
    ///
    /// # Errors
    /// When the simulated filesystem has no locks.
    fn try_share(&self, place: u64) -> std::io::Result<bool>;
    /// Gives a place back.
    fn unlock(&self, place: u64);
    /// Whether another holder has a place, alone or shared.
    ///
    /// # Errors
    /// When the simulated filesystem has no locks.
    fn is_held_elsewhere(&self, place: u64) -> std::io::Result<bool>;
    /// Leaves a word in the file, in place of the last one.
    ///
    /// # Errors
    /// When the simulated disk refuses.
    fn sign(&self, word: &str) -> std::io::Result<()>;
    /// Whether this is the word that was left last.
    ///
    /// # Errors
    /// When the simulated disk refuses.
    fn is_signed(&self, word: &str) -> std::io::Result<bool>;
}

impl LockFile {
    /// Opens the file at `path`, which is created when it is not there.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn open(path: &std::path::Path) -> std::io::Result<Self> {
        let disk = world();
        let disk = disk.disk();
        if !disk.exists(path) {
            disk.write_new(path, b"", false)?;
        }
        disk.locks(path).map(LockFile)
    }
}

impl std::ops::Deref for LockFile {
    type Target = dyn Locks;

    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}

/// A directory that is locked; dropped, it is free again.
#[derive(Debug)]
pub struct DirLock(#[expect(dead_code, reason = "open means locked")] Box<dyn Locks>);

/// Locks a directory itself; none while another process holds it.
///
/// # Errors
/// When there is no such directory, or the simulated filesystem has no locks.
pub fn try_lock_dir(path: &std::path::Path) -> std::io::Result<Option<DirLock>> {
    let dir = world().disk().locks(path)?;
    Ok(dir.try_lock(0)?.then_some(DirLock(dir)))
}

/// Whether databases can be locked where `path` is: on a simulated disk they always can.
pub fn has_locks(_path: &std::path::Path) -> bool {
    true
}

/// The disk as the installer sees it; each method as in [`fs`].
#[expect(missing_docs, reason = "each method is documented at the function of the same name in rt/real/fs.rs")]
pub trait Disk {
    fn read(&self, path: &std::path::Path) -> std::io::Result<Vec<u8>>;
    fn write_new(&self, path: &std::path::Path, bytes: &[u8], executable: bool) -> std::io::Result<()>;
    fn create_dir_all(&self, path: &std::path::Path) -> std::io::Result<()>;
    fn rename(&self, from: &std::path::Path, to: &std::path::Path) -> std::io::Result<()>;
    fn remove_file(&self, path: &std::path::Path) -> std::io::Result<()>;
    fn remove_dir_all(&self, path: &std::path::Path) -> std::io::Result<()>;
    fn reflink(&self, from: &std::path::Path, to: &std::path::Path) -> std::io::Result<()>;
    fn hard_link(&self, from: &std::path::Path, to: &std::path::Path) -> std::io::Result<()>;
    fn copy(&self, from: &std::path::Path, to: &std::path::Path) -> std::io::Result<()>;
    fn symlink(&self, target: &std::path::Path, link: &std::path::Path) -> std::io::Result<()>;
    fn read_link(&self, path: &std::path::Path) -> std::io::Result<std::path::PathBuf>;
    fn kind(&self, path: &std::path::Path) -> std::io::Result<super::FileKind>;
    fn exists(&self, path: &std::path::Path) -> bool;
    fn size(&self, path: &std::path::Path) -> std::io::Result<u64> {
        self.read(path).map(|bytes| bytes.len() as u64)
    }
    /// Stores lie behind no link in simulations.
    fn canonical(&self, path: &std::path::Path) -> std::io::Result<std::path::PathBuf> {
        self.kind(path).map(|_| path.to_owned())
    }
    /// No simulated disk is old enough for this to matter.
    fn age(&self, path: &std::path::Path) -> std::io::Result<std::time::Duration> {
        self.kind(path).map(|_| std::time::Duration::ZERO)
    }
    /// Nothing ages on a simulated disk.
    fn touch(&self, path: &std::path::Path) -> std::io::Result<()> {
        self.kind(path).map(drop)
    }
    /// Stores are not pruned in simulations: every file counts as used.
    fn names(&self, path: &std::path::Path) -> std::io::Result<u64> {
        self.kind(path).map(|_| 2)
    }
    fn read_dir(&self, path: &std::path::Path) -> std::io::Result<Vec<String>>;
    /// Nothing is run in simulations.
    fn is_executable(&self, path: &std::path::Path) -> std::io::Result<bool> {
        self.kind(path).map(|_| true)
    }
    fn set_executable(&self, path: &std::path::Path) -> std::io::Result<()>;
    /// One more holder of locks on what is at `path`.
    fn locks(&self, path: &std::path::Path) -> std::io::Result<Box<dyn Locks>>;
    fn database(&self, path: &std::path::Path, writable: bool) -> rusqlite::Result<rusqlite::Connection>;
}

/// The simulated disk, behind the same functions as the real one.
pub mod fs {
    use super::super::FileKind;
    use super::world;
    use std::io;
    use std::path::{Path, PathBuf};
    use std::time::Duration;

    macro_rules! forward {
        ($($name:ident($($arg:ident: $type:ty),*) -> $result:ty;)*) => {
            $(
                #[expect(missing_docs, reason = "documented at the function of the same name in rt/real/fs.rs")]
                pub fn $name($($arg: $type),*) -> $result { world().disk().$name($($arg),*) }
            )*
        };
    }

    forward! {
        read(path: &Path) -> io::Result<Vec<u8>>;
        write_new(path: &Path, bytes: &[u8], executable: bool) -> io::Result<()>;
        create_dir_all(path: &Path) -> io::Result<()>;
        rename(from: &Path, to: &Path) -> io::Result<()>;
        remove_file(path: &Path) -> io::Result<()>;
        remove_dir_all(path: &Path) -> io::Result<()>;
        reflink(from: &Path, to: &Path) -> io::Result<()>;
        hard_link(from: &Path, to: &Path) -> io::Result<()>;
        copy(from: &Path, to: &Path) -> io::Result<()>;
        symlink(target: &Path, link: &Path) -> io::Result<()>;
        read_link(path: &Path) -> io::Result<PathBuf>;
        kind(path: &Path) -> io::Result<FileKind>;
        exists(path: &Path) -> bool;
        size(path: &Path) -> io::Result<u64>;
        canonical(path: &Path) -> io::Result<PathBuf>;
        age(path: &Path) -> io::Result<Duration>;
        touch(path: &Path) -> io::Result<()>;
        names(path: &Path) -> io::Result<u64>;
        read_dir(path: &Path) -> io::Result<Vec<String>>;
        is_executable(path: &Path) -> io::Result<bool>;
        set_executable(path: &Path) -> io::Result<()>;
        database(path: &Path, writable: bool) -> rusqlite::Result<rusqlite::Connection>;
    }
}
