//! One run: a madsim runtime with two nodes, a registry and an installer, under one schedule.
//!
//! Each run has a fresh OS thread: std's `RandomState` is seeded once per thread.

use crate::bugs::Coordination;
use crate::committed::committed_rows;
use crate::disk::{Image, ModelDisk};
use crate::life::live;
use crate::observation::{Beside, CrashSeen, Observation};
use crate::prepare::Prepared;
use crate::registry::{self, GetLog};
use crate::scenario::Scenario;
use crate::schedule::Schedule;
use crate::scheduler::{Crashed, Scheduler};
use crate::strategy::{Fifo, Strategy, Trial};
use crate::threads;
use crate::trace;
use installer::install::repeat;
use installer::rt::TEMPORARY_PREFIX;
use installer::store::StoreDir;
use installer::virtual_store::{boot_note, shared};
use madsim::runtime::Runtime;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Where an install's project is on the model disk.
pub fn project_dir(install: usize) -> PathBuf {
    PathBuf::from(if install == 0 { "/project".to_owned() } else { format!("/project-{}", install + 1) })
}

/// Where the store is on the model disk.
pub const STORE_DIR: &str = "/store";

/// Seeds madsim. The same for all runs: what differs between them is their schedule, and nothing else.
const SEED: u64 = 0;

/// How long a packet is on its way; how long the registry takes to answer is up to the schedule.
pub const PACKET_LATENCY: Duration = Duration::from_millis(1);

/// What is run, apart from the schedule.
#[derive(Clone)]
pub struct RunPlan {
    /// The scenario and what was prepared for it.
    pub prepared: Arc<Prepared>,
    /// The coordination.
    pub coordination: Coordination,
    /// Runs as if unrelated code had been added: which additions, as a seed. For tests of replays.
    pub edit: Option<u64>,
    /// Whether others are prepared from this run: its disk and its trial are wanted afterwards.
    pub prepares: bool,
}

impl RunPlan {
    /// A run of this scenario, as it is.
    pub fn new(prepared: Arc<Prepared>, coordination: Coordination) -> Self {
        RunPlan { prepared, coordination, edit: None, prepares: false }
    }
}

/// A run, and how to do it again.
pub struct Run {
    /// What it came to.
    pub observation: Observation,
    /// Its schedule.
    pub schedule: Schedule,
    /// The first decision of a replayed schedule that it never came to.
    pub misfit: Option<String>,
    /// What strategies can learn from it, where that is wanted.
    pub trial: Option<Trial>,
    /// Stands for the whole trace; see [`trace::digest`].
    pub digest: u64,
    /// How many polls it took.
    pub steps: u64,
    /// The disk afterwards, where it is wanted.
    pub image: Option<Image>,
}

/// Runs the plan under `strategy`, on a thread of its own.
///
/// # Panics
/// When the simulator itself is at fault.
pub fn run(plan: RunPlan, strategy: impl FnOnce() -> Box<dyn Strategy> + Send) -> Run {
    threads::quietly(move || run_here(plan, strategy()))
}

fn run_here(plan: RunPlan, strategy: Box<dyn Strategy>) -> Run {
    // How much stack a thread has is asked once, and here: within the simulation madsim takes the question for the start of
    // a thread and refuses, and the resolver would take a new stack for every package.
    let _ = stacker::remaining_stack();
    let scenario = plan.prepared.scenario.clone();
    let mut config = madsim::Config::default();
    config.net.send_latency = PACKET_LATENCY..PACKET_LATENCY + Duration::from_nanos(1);
    let runtime = Runtime::with_seed_and_config(SEED, config);
    let gets = GetLog::default();
    let scheduler = Scheduler::new(strategy, Rc::new(ModelDisk::new(&plan.prepared.image)), scenario.clone());
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
    // The registry binds its port meanwhile.
    tokio::time::sleep(Duration::from_millis(50)).await;
    let first = live(&plan, plan.prepared.scenario.installs(), &scheduler).await;
    let (schedule, misfit) = (scheduler.schedule(), scheduler.misfit());
    let trial = plan.prepares.then(|| scheduler.trial());
    let mut stale = Vec::new();
    let (life, disk, crash, gets_before, steps) = match scheduler.crashed() {
        None => (first, scheduler.model_disk().clone(), None, 0, scheduler.steps()),
        Some(Crashed { at, left }) => {
            let gets_before = gets.snapshot().len();
            let (disk, then) = match left {
                // Others have gone on since then.
                Some(left) if !scheduler.is_dead() => (scheduler.model_disk().image(), Some(left)),
                Some(left) => (left, None),
                None => (scheduler.model_disk().image(), None),
            };
            let disk = Rc::new(ModelDisk::new(&disk));
            let then = then.map_or_else(|| disk.clone(), |left| Rc::new(ModelDisk::new(&left)));
            // In the store they go after a day, for another install may be writing them.
            stale = store_temporaries(&then);
            let rows = committed_rows(&then, &plan.prepared.published);
            let undisturbed = Arc::new(Scenario { crash: None, ..Scenario::clone(&plan.prepared.scenario) });
            let second = Scheduler::new(Box::new(Fifo), disk.clone(), undisturbed);
            let mut life = live(&plan, 1, &second).await;
            life.trace = first.trace.into_iter().chain(life.trace).collect();
            life.beside = first.beside;
            (life, disk, Some(CrashSeen { at, rows }), gets_before, scheduler.steps() + second.steps())
        }
    };
    let digest = trace::digest(&life.trace);
    let mut leftover_files = store_temporaries(&disk);
    leftover_files.retain(|file| !stale.contains(file));
    let links_dir = StoreDir::new(Path::new(STORE_DIR)).links_dir();
    let mut tree_of = |install| {
        let mut tree = disk.tree(&project_dir(plan.prepared.scenario.project_of(install)));
        if plan.prepared.scenario.global_virtual_store {
            tree.extend(disk.tree(&links_dir).into_iter().map(|(path, entry)| (format!("links/{path}"), entry)));
        }
        leftover_files.extend(tree.keys().filter(|path| path.contains(TEMPORARY_PREFIX)).cloned());
        // They say when the tree was made.
        let notes = [boot_note::FILE_NAME, repeat::FILE_NAME, shared::NOTE];
        tree.retain(|path, _| !notes.iter().any(|note| path.ends_with(note)));
        tree
    };
    let tree = tree_of(0);
    let beside = life.beside.into_iter().zip(1..);
    let beside = beside
        .map(|((outcome, returned_us), install)| Beside { outcome, returned_us, tree: tree_of(install) })
        .collect();
    let observation = Observation {
        scenario: plan.prepared.scenario.clone(),
        gets: gets.snapshot().split_off(gets_before),
        trace: life.trace,
        progress: life.progress,
        outcome: life.outcome,
        returned_us: life.returned_us,
        leftover_tasks: life.leftover_tasks,
        leftover_files,
        beside,
        rows: committed_rows(&disk, &plan.prepared.published),
        tree,
        expected_tree: plan.prepared.expected_tree.clone(),
        crash,
    };
    Run { observation, schedule, misfit, trial, digest, steps, image: plan.prepares.then(|| disk.image()) }
}

/// Names in the store that only a write in progress may have.
fn store_temporaries(disk: &ModelDisk) -> Vec<String> {
    let dir = StoreDir::new(Path::new(STORE_DIR)).tmp_dir();
    disk.tree(&dir).into_keys().map(|name| format!("{}/{name}", dir.display())).collect()
}
