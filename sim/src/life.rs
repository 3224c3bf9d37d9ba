//! One life of the program: an install from its start to its end, on a disk and under a schedule.

use crate::bugs::{Coordination, LostWakeup, Unsteady, unsteady};
use crate::observation::Outcome;
use crate::registry;
use crate::run::{RunPlan, STORE_DIR, project_dir};
use crate::scenario::{Install, Scenario};
use crate::scheduler::{MAIN, Scheduler, own_name};
use crate::threads;
use crate::trace::TraceEntry;
use installer::config::{NodeLinker, Settings};
use installer::install::{CoordinationMode, InstallError, InstallOptions, InstallPath, Summary, install_with};
use installer::reporter::{ProgressEvent, Reporter};
use installer::rt::simulated;
use installer::tarball::MemCache;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// An install that has not ended after so much virtual time hangs: far beyond every timeout and retry of a scenario.
const HUNG_AFTER: Duration = Duration::from_secs(600);

/// How long what is left may take to go away after the install has returned.
const SETTLE: Duration = Duration::from_secs(5);

/// The inactivity timeout of simulated requests.
const FETCH_TIMEOUT: Duration = Duration::from_secs(20);

/// What an install came to. Where it was killed, what it came to before that.
pub struct Life {
    /// How it ended.
    pub outcome: Outcome,
    /// When, in microseconds of virtual time.
    pub returned_us: u64,
    /// Tasks that still ran some time later; connections that idle do not count.
    pub leftover_tasks: Vec<String>,
    /// How the installs beside it ended, and when, in microseconds of virtual time.
    pub beside: Vec<(Outcome, u64)>,
    /// What the user was told.
    pub progress: Vec<ProgressEvent>,
    /// Every event, in order.
    pub trace: Vec<TraceEntry>,
}

/// Runs so many installs beside each other as the scheduler decides.
pub async fn live(plan: &RunPlan, installs: usize, scheduler: &Rc<Scheduler>) -> Life {
    let entered = simulated::enter(scheduler.clone());
    let reporter = Arc::new(Recorder::default());
    let ended: Rc<RefCell<BTreeMap<usize, (Outcome, u64)>>> = Rc::default();
    let main = |number| -> Pin<Box<dyn Future<Output = ()>>> {
        let options = options(&plan.prepared.scenario, plan.coordination, number);
        let reporter = if number == 0 { reporter.clone() } else { Arc::default() };
        let (ended, coordination) = (ended.clone(), plan.coordination);
        Box::pin(async move {
            let installed = AssertUnwindSafe(install(options, coordination, reporter));
            let outcome = match futures_util::FutureExt::catch_unwind(installed).await {
                Ok(Ok(summary)) => Outcome::Installed(summary.residue),
                Ok(Err(error)) => Outcome::Failed(render(&error)),
                Err(panic) => Outcome::Panicked(threads::panic_text(&*panic)),
            };
            ended.borrow_mut().insert(number, (outcome, crate::clock::now_us()));
        })
    };
    let in_time = tokio::time::timeout(HUNG_AFTER, scheduler.run((0..installs).map(main).collect())).await.is_ok();
    let hung = || Outcome::Hung(scheduler.unfinished().into_iter().filter(|task| !is_connection(&task.task)).collect());
    let mut outcomes = (0..installs).map(|number| {
        let ended = ended.borrow_mut().remove(&number).filter(|_| in_time);
        ended.unwrap_or_else(|| (hung(), crate::clock::now_us()))
    });
    let (outcome, returned_us) = outcomes.next().expect("there is always a first install");
    let beside = outcomes.collect();
    // Who was killed does nothing more, and what its tasks do while they are dropped does not count.
    let until_killed = scheduler.is_dead().then(|| scheduler.trace().take());
    if in_time && until_killed.is_none() {
        scheduler.settle(SETTLE).await;
    }
    let leftover_tasks = scheduler.unfinished().into_iter().map(|task| task.task).filter(|name| !is_connection(name));
    let leftover_tasks = leftover_tasks.filter(|name| name != MAIN).collect();
    scheduler.drop_tasks();
    drop(entered);

    let trace = until_killed.unwrap_or_else(|| scheduler.trace().take());
    Life { outcome, returned_us, leftover_tasks, beside, progress: reporter.take(), trace }
}

async fn install(
    options: InstallOptions,
    coordination: Coordination,
    reporter: Arc<dyn Reporter>,
) -> Result<Summary, InstallError> {
    let looking_at = |source| install_with(options.clone(), Unsteady::new(source), reporter.clone());
    match coordination {
        Coordination::Shared | Coordination::None => install_with(options, MemCache::default(), reporter).await,
        Coordination::LostWakeup => install_with(options, LostWakeup::default(), reporter).await,
        Coordination::Unsteady => looking_at(unsteady::process_state).await,
        Coordination::UnsteadyClock => looking_at(unsteady::file_clock).await,
        Coordination::UnsteadyAddress => looking_at(unsteady::address).await,
        Coordination::UnsteadyThread => looking_at(unsteady::thread).await,
        Coordination::Steady => looking_at(unsteady::of_std).await,
    }
}

fn options(scenario: &Scenario, coordination: Coordination, install: usize) -> InstallOptions {
    let registry = url(registry::URL);
    let mut settings = Settings::for_registry(registry, PathBuf::from(STORE_DIR));
    settings.network.network_concurrency = scenario.network_concurrency;
    settings.network.fetch_retries = scenario.fetch_retries;
    settings.network.fetch_retry_mintimeout = Duration::from_millis(100);
    settings.network.fetch_retry_maxtimeout = Duration::from_secs(60);
    settings.network.fetch_timeout = FETCH_TIMEOUT;
    settings.project.enable_global_virtual_store = scenario.global_virtual_store;
    if scenario.hoisted {
        settings.project.node_linker = NodeLinker::Hoisted;
    }
    let dir = project_dir(scenario.project_of(install));
    if !scenario.members.is_empty() {
        settings.project.packages = scenario.members.keys().cloned().collect();
        settings.project.workspace_dir = Some(dir.clone());
    }
    let mut options = InstallOptions::new(dir, settings);
    options.path = match scenario.install {
        Install::Fresh => InstallPath::Fresh,
        Install::Frozen => InstallPath::Frozen,
        Install::NoLockfile => InstallPath::NoLockfile,
    };
    options.coordination = match coordination {
        Coordination::None => CoordinationMode::None,
        _ => CoordinationMode::Shared,
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
    own_name(task).starts_with("connection")
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
