//! One run: a madsim runtime with two nodes, a registry and an installer, under one schedule.
//!
//! Each run has a fresh OS thread: std's `RandomState` is seeded once per thread.

use crate::bugs::{Coordination, LostWakeup, Unsteady};
use crate::disk::{Image, ModelDisk};
use crate::observation::{Observation, Outcome};
use crate::prepare::Prepared;
use crate::registry::{self, GetLog};
use crate::scenario::{Install, Scenario};
use crate::schedule::Schedule;
use crate::scheduler::{MAIN, Scheduler};
use crate::strategy::{Strategy, Trial};
use crate::trace;
use installer::config::Settings;
use installer::install::{CoordinationMode, InstallError, InstallOptions, InstallPath, Summary, install_with};
use installer::reporter::{ProgressEvent, Reporter};
use installer::rt::simulated;
use installer::tarball::MemCache;
use madsim::runtime::Runtime;
use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Where the project is on the model disk.
pub const PROJECT_DIR: &str = "/project";

/// Where the store is on the model disk.
pub const STORE_DIR: &str = "/store";

/// Seeds madsim. The same for all runs: what differs between them is their schedule, and nothing else.
const SEED: u64 = 0;

/// How long a packet is on its way; how long the registry takes to answer is up to the schedule.
const PACKET_LATENCY: Duration = Duration::from_millis(1);

/// An install that has not ended after so much virtual time hangs: far beyond every timeout and retry of a scenario.
const HUNG_AFTER: Duration = Duration::from_secs(600);

/// How long what is left may take to go away after the install has returned.
const SETTLE: Duration = Duration::from_secs(5);

/// The inactivity timeout of simulated requests.
const FETCH_TIMEOUT: Duration = Duration::from_secs(20);

/// What is run, apart from the schedule.
#[derive(Clone)]
pub struct RunPlan {
    /// The scenario and what was prepared for it.
    pub prepared: Arc<Prepared>,
    /// The coordination.
    pub coordination: Coordination,
    /// Runs as if unrelated code had been added: which additions, as a seed. For tests of replays.
    pub edit: Option<u64>,
}

/// A run, and how to do it again.
pub struct Run {
    /// What it came to.
    pub observation: Observation,
    /// Its schedule.
    pub schedule: Schedule,
    /// The first decision of a replayed schedule that it never came to.
    pub misfit: Option<String>,
    /// What strategies can learn from it.
    pub trial: Trial,
    /// Stands for the whole trace; see [`trace::digest`].
    pub digest: u64,
    /// How many polls it took.
    pub steps: u64,
    /// The disk afterwards.
    pub image: Image,
}

/// Runs the plan under `strategy`, on a thread of its own.
///
/// # Panics
/// When the simulator itself is at fault.
pub fn run(plan: RunPlan, strategy: impl FnOnce() -> Box<dyn Strategy> + Send) -> Run {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("simulation".to_owned());
        let run = thread.spawn_scoped(scope, move || run_here(plan, strategy())).expect("the system has a thread left");
        run.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn run_here(plan: RunPlan, strategy: Box<dyn Strategy>) -> Run {
    let scenario = plan.prepared.scenario.clone();
    let mut config = madsim::Config::default();
    config.net.send_latency = PACKET_LATENCY..PACKET_LATENCY + Duration::from_nanos(1);
    let runtime = Runtime::with_seed_and_config(SEED, config);
    let gets = GetLog::default();
    let faults = scenario.leaders.iter().map(|(package, fault)| (format!("download {package}"), fault.clone()));
    let scheduler = Scheduler::new(strategy, ModelDisk::new(&plan.prepared.image), faults.collect());
    scheduler.edit(plan.edit);
    let (served, published, log) = (scenario.clone(), plan.prepared.published.clone(), gets.clone());
    let decides = OnThisThread(scheduler.clone());
    let latency: registry::Latency = Box::new(move |path| {
        let (from_ms, to_ms) = served.network.latency_ms;
        decides.get().latency(path, from_ms, to_ms)
    });
    let registry_node = runtime.create_node().name("registry").ip(registry::ADDRESS.parse().expect("an address"));
    registry_node.build().spawn(registry::serve(scenario, published, log, latency));
    let installer_node = runtime.create_node().name("installer").ip("10.0.0.2".parse().expect("an address")).build();

    let result = Arc::new(Mutex::new(None));
    let slot = result.clone();
    // The scheduler and the installer's future stay on this thread, which madsim's types do not know.
    let scheduler = OnThisThread(scheduler);
    let body = async move {
        let local = madsim::task::spawn_local(async move {
            let OnThisThread(scheduler) = { scheduler };
            simulate(plan, scheduler, gets).await
        });
        let run = local.await.expect("the simulation's own task does not fail");
        *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(OnThisThread(run));
    };
    runtime.block_on(async { installer_node.spawn(body).await.expect("the simulation's own task does not fail") });
    // A runtime that is dropped leaks the tasks that are pending: end them first.
    runtime.block_on(async {
        let handle = madsim::runtime::Handle::current();
        handle.kill("registry");
        handle.kill("installer");
        tokio::time::sleep(Duration::from_millis(1)).await;
    });
    drop(runtime);
    let OnThisThread(run) = result.lock().unwrap_or_else(PoisonError::into_inner).take().expect("the task has ended");
    run
}

/// A value that is made, used and dropped on one thread, and passes through an interface that asks for `Send`.
struct OnThisThread<T>(T);

impl<T> OnThisThread<T> {
    fn get(&self) -> &T {
        &self.0
    }
}

// SAFETY: madsim's runtime is single-threaded. `run_here` creates the value, and everything that holds it (the
// runtime's tasks included) lives and dies within `run_here`, on the thread that called it.
#[expect(unsafe_code, reason = "madsim asks for Send although a runtime never leaves its thread")]
unsafe impl<T> Send for OnThisThread<T> {}

async fn simulate(plan: RunPlan, scheduler: Rc<Scheduler>, gets: GetLog) -> Run {
    let scenario = &plan.prepared.scenario;
    let entered = simulated::enter(scheduler.clone());
    // The registry binds its port meanwhile.
    tokio::time::sleep(Duration::from_millis(50)).await;

    let reporter = Arc::new(Recorder::default());
    let ended: Rc<Mutex<Option<Outcome>>> = Rc::default();
    let main = {
        let (ended, reporter, options) = (ended.clone(), reporter.clone(), options(scenario, plan.coordination));
        async move {
            let installed = AssertUnwindSafe(install(options, plan.coordination, reporter));
            let outcome = match futures_util::FutureExt::catch_unwind(installed).await {
                Ok(Ok(summary)) => Outcome::Installed(summary.residue),
                Ok(Err(error)) => Outcome::Failed(render(&error)),
                Err(panic) => Outcome::Panicked(panic_text(&*panic)),
            };
            *ended.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
        }
    };
    let in_time = tokio::time::timeout(HUNG_AFTER, scheduler.run(main)).await.is_ok();
    let returned_us = crate::clock::now_us();
    let ended = ended.lock().unwrap_or_else(PoisonError::into_inner).take();
    let outcome = match ended {
        Some(outcome) if in_time => outcome,
        _ => Outcome::Hung(scheduler.unfinished().into_iter().filter(|task| !is_connection(&task.task)).collect()),
    };
    if in_time {
        scheduler.settle(SETTLE).await;
    }
    let leftover_tasks = scheduler.unfinished().into_iter().map(|task| task.task).filter(|name| !is_connection(name));
    let leftover_tasks = leftover_tasks.filter(|name| name != MAIN).collect();
    scheduler.drop_tasks();
    drop(entered);

    let trace = scheduler.trace().take();
    let (schedule, misfit, trial) = (scheduler.schedule(), scheduler.misfit(), scheduler.trial());
    let disk = scheduler.model_disk();
    let digest = trace::digest(&trace);
    let observation = Observation {
        scenario: scenario.clone(),
        gets: gets.snapshot(),
        trace,
        progress: reporter.take(),
        outcome,
        returned_us,
        leftover_tasks,
        leftover_files: temporary_files(disk),
        tree: disk.tree(Path::new(PROJECT_DIR)),
        expected_tree: plan.prepared.expected_tree.clone(),
    };
    Run { observation, schedule, misfit, trial, digest, steps: scheduler.steps(), image: disk.image() }
}

async fn install(
    options: InstallOptions,
    coordination: Coordination,
    reporter: Arc<dyn Reporter>,
) -> Result<Summary, InstallError> {
    match coordination {
        Coordination::Shared | Coordination::None => install_with(options, MemCache::default(), reporter).await,
        Coordination::LostWakeup => install_with(options, LostWakeup::default(), reporter).await,
        Coordination::Unsteady => install_with(options, Unsteady::default(), reporter).await,
    }
}

fn options(scenario: &Scenario, coordination: Coordination) -> InstallOptions {
    let registry = url(registry::URL);
    let mut settings = Settings::for_registry(registry, PathBuf::from(STORE_DIR));
    settings.network.network_concurrency = scenario.network_concurrency;
    settings.network.fetch_retries = scenario.fetch_retries;
    settings.network.fetch_retry_mintimeout = Duration::from_millis(100);
    settings.network.fetch_retry_maxtimeout = Duration::from_secs(1);
    settings.network.fetch_timeout = FETCH_TIMEOUT;
    let mut options = InstallOptions::new(PathBuf::from(PROJECT_DIR), settings);
    options.path = match scenario.install {
        Install::Fresh => InstallPath::Fresh,
        Install::Frozen => InstallPath::Frozen,
        Install::NoLockfile => InstallPath::NoLockfile,
    };
    options.coordination = match coordination {
        Coordination::None => CoordinationMode::None,
        Coordination::Shared | Coordination::LostWakeup | Coordination::Unsteady => CoordinationMode::Shared,
    };
    options.prefetch = scenario.prefetch;
    options.commit_lag = Duration::from_millis(scenario.commit_lag_ms);
    options
}

fn url<T: std::str::FromStr>(text: &str) -> T
where
    T::Err: std::fmt::Debug,
{
    text.parse().expect("a fixed URL")
}

/// hyper keeps a task per connection for as long as the connection may be used again.
fn is_connection(task: &str) -> bool {
    task.starts_with("connection")
}

/// Names that only a write in progress may have.
fn temporary_files(disk: &ModelDisk) -> Vec<String> {
    let in_store = disk.tree(Path::new(STORE_DIR)).into_keys().filter(|path| path.contains("/tmp/"));
    let in_project = disk.tree(Path::new(PROJECT_DIR)).into_keys().filter(|path| path.contains(".lockstep-tmp-"));
    in_store.chain(in_project).collect()
}

/// The error and its causes, one a line.
fn render(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push('\n');
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default()
}

/// Keeps what the user is told.
#[derive(Default)]
struct Recorder(Mutex<Vec<ProgressEvent>>);

impl Recorder {
    fn take(&self) -> Vec<ProgressEvent> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Reporter for Recorder {
    fn report(&self, event: &ProgressEvent) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(event.clone());
    }
}
