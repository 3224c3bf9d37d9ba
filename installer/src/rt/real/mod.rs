//! The production half of the seam: tokio, rayon and the system's clock.

use super::{Event, JoinError, Point, StopSignal, panic_message};
use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::pin::Pin;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

pub mod fs;
mod lane;
mod lock;
#[cfg(target_os = "linux")]
mod owner;
mod process;

pub use self::lane::Lane;
pub use self::lock::{DirLock, LockFile, has_locks, try_lock_dir};
#[cfg(target_os = "linux")]
pub use self::owner::{Acting, Owner};
pub use self::process::run as run_process;

/// A running task. Dropping it lets the task go on; [`abort`](Self::abort) ends it.
#[derive(Debug)]
pub struct JoinHandle<T>(tokio::task::JoinHandle<T>);

impl<T> JoinHandle<T> {
    /// Ends the task at its next await; it then reports [`JoinError::Cancelled`].
    pub fn abort(&self) {
        self.0.abort();
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map(|result| {
            result.map_err(|error| match error.try_into_panic() {
                Ok(payload) => JoinError::Panicked(panic_message(&*payload)),
                Err(_) => JoinError::Cancelled,
            })
        })
    }
}

/// Runs `future` as a task of its own. The name is what the simulator shows; here it costs nothing.
#[inline]
pub fn spawn<F>(_name: impl FnOnce() -> String, future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    JoinHandle(tokio::task::spawn(future))
}

/// How many pieces of blocking work the program has begun, or is about to begin.
static BLOCKING: AtomicUsize = AtomicUsize::new(0);

/// One of them, until it is dropped.
struct BlockingWork;

impl BlockingWork {
    fn new() -> Self {
        BLOCKING.fetch_add(1, Ordering::AcqRel);
        BlockingWork
    }
}

impl Drop for BlockingWork {
    fn drop(&mut self) {
        BLOCKING.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Runs blocking or CPU-bound work off the async threads.
///
/// # Panics
/// When `work` panics.
pub async fn blocking<T: Send + 'static>(label: &'static str, work: impl FnOnce() -> T + Send + 'static) -> T {
    let counted = BlockingWork::new();
    let work = move || {
        let _counted = counted;
        work()
    };
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => value,
        Err(error) => panic!("{label}: {error}"),
    }
}

/// `f` on every item, in parallel on rayon's pool; the results in the order of the items.
pub async fn parallel<T, R>(label: &'static str, items: Vec<T>, f: impl Fn(T) -> R + Send + Sync + 'static) -> Vec<R>
where
    T: Send + 'static,
    R: Send + 'static,
{
    use rayon::iter::{IndexedParallelIterator, IntoParallelIterator, ParallelIterator};
    if items.is_empty() {
        return Vec::new();
    }
    // Each on its own: a few take far longer than the others.
    blocking(label, move || items.into_par_iter().with_max_len(1).map(f).collect()).await
}

/// Fewer items than these are not worth waking another thread for.
const PARALLEL_ITEMS_MIN: usize = 8;

/// The same, for who may block already.
pub fn each<T: Send>(items: Vec<T>, f: impl Fn(T) + Send + Sync) {
    use rayon::iter::{IntoParallelIterator, ParallelIterator};
    if items.len() < PARALLEL_ITEMS_MIN {
        items.into_iter().for_each(f);
    } else {
        items.into_par_iter().for_each(f);
    }
}

/// Both at once, for who may block already.
pub fn join<A: Send, B: Send>(one: impl FnOnce() -> A + Send, other: impl FnOnce() -> B + Send) -> (A, B) {
    rayon::join(one, other)
}

/// Drops what took many allocations on a thread of its own, for which nobody waits, not even the program's end.
pub fn drop_aside<T: Send + 'static>(value: T) {
    // Where there is no thread left, it is dropped here.
    let _ = std::thread::Builder::new().spawn(move || drop(value));
}

/// Whether this program ends after what it does now.
static ENDS_SOON: AtomicBool = AtomicBool::new(false);

/// To be called by a program that ends after what it does next.
pub fn end_soon() {
    ENDS_SOON.store(true, Ordering::Relaxed);
}

/// Drops what took many allocations, unless the program ends soon: then the system takes all memory back at one go.
pub fn drop_last<T: Send + 'static>(value: T) {
    if ENDS_SOON.load(Ordering::Relaxed) {
        std::mem::forget(value);
    } else {
        drop_aside(value);
    }
}

/// An interleaving point: nothing, in a real build.
#[inline(always)]
#[expect(clippy::unused_async, reason = "the simulated half may wait here")]
pub async fn point(_point: Point) {}

/// A fact for the simulator's trace: nothing, in a real build.
#[inline(always)]
pub fn event(_event: impl FnOnce() -> Event) {}

/// A word that no other call returns, in whatever process or container: for the names of temporary files. A process id
/// alone would come again in the next container that shares the store.
pub fn unique() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    static RUN: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one(std::process::id()));
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{:016x}-{next:x}", *RUN)
}

/// The same, or up to half longer: programs that failed together do not try again together.
pub fn jittered(delay: Duration) -> Duration {
    let chance = RandomState::new().hash_one(delay);
    // 53 bits are what a double has.
    let share = (chance >> 11) as f64 / (1_u64 << 53) as f64;
    delay + delay.mul_f64(share / 2.0)
}

/// An environment variable of this program.
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// A word that stays the same until the machine starts again; none where the system has none.
pub fn boot() -> Option<String> {
    BOOT.clone()
}

/// Read once: it outlives the program. Linux; random(4).
static BOOT: LazyLock<Option<String>> = LazyLock::new(|| {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(id.trim().to_owned())
});

/// How many threads the machine runs at once.
pub fn parallelism() -> usize {
    std::thread::available_parallelism().map_or(4, std::num::NonZero::get)
}

/// How many files and sockets this process may have open, where the system says.
pub fn open_files_max() -> Option<usize> {
    #[cfg(unix)]
    return {
        use nix::sys::resource::{Resource, getrlimit};
        getrlimit(Resource::RLIMIT_NOFILE).ok().and_then(|(soft, _)| usize::try_from(soft).ok())
    };
    #[cfg(not(unix))]
    None
}

/// How many threads block on the disk or compute at most, per processor.
const BLOCKING_THREADS_PER_PROCESSOR: usize = 4;

/// How long the program's end waits for threads that write files, so that an interrupted install leaves none half written.
const HALF_WRITTEN_FILES_WAIT: Duration = Duration::from_millis(500);

/// Runs the program: `future` on this thread, its tasks on tokio's.
///
/// # Errors
/// When the system has no thread or file descriptor left for a runtime.
pub fn block_on<F: Future>(future: F) -> std::io::Result<F::Output> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS_PER_PROCESSOR * parallelism())
        .build()?;
    let output = runtime.block_on(future);
    if ENDS_SOON.load(Ordering::Relaxed) && BLOCKING.load(Ordering::Acquire) == 0 {
        // Nothing is going on. Threads that end would give their memory back piece by piece.
        std::mem::forget(runtime);
    } else {
        // Idle connections need not be waited for; a file that is half written, for a moment.
        runtime.shutdown_timeout(HALF_WRITTEN_FILES_WAIT);
    }
    Ok(output)
}

/// Returns when the program is asked to stop. Where the system cannot tell, it never returns.
pub async fn interrupted() -> StopSignal {
    tokio::select! {
        Ok(()) = tokio::signal::ctrl_c() => StopSignal::Interrupt,
        Some(()) = terminated() => StopSignal::Terminate,
        else => std::future::pending().await,
    }
}

#[cfg(unix)]
async fn terminated() -> Option<()> {
    use tokio::signal::unix::{SignalKind, signal};
    signal(SignalKind::terminate()).ok()?.recv().await
}

#[cfg(not(unix))]
async fn terminated() -> Option<()> {
    None
}
