//! A thread for steps that wait behind nothing but each other.

use super::super::panic_message;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;
use std::sync::mpsc::{Sender, channel};
use tokio::sync::oneshot;

type Step = Box<dyn FnOnce() + Send>;

/// Runs blocking work in the order in which it is asked for, on a thread of its own: work that is short, and that must not
/// queue behind all other [`blocking`](super::blocking) work. The thread starts with the first step and ends with the lane.
#[derive(Debug)]
pub struct Lane {
    label: &'static str,
    steps: OnceLock<Option<Sender<Step>>>,
}

impl Lane {
    /// A lane whose steps are called so.
    pub fn new(label: &'static str) -> Self {
        Lane { label, steps: OnceLock::new() }
    }

    /// Runs one step.
    ///
    /// # Panics
    /// When `work` panics.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        let Some(steps) = self.steps.get_or_init(|| start(self.label)) else {
            // There is no thread left for it.
            return super::blocking(self.label, work).await;
        };
        let (done, result) = oneshot::channel();
        let step = move || drop(done.send(catch_unwind(AssertUnwindSafe(work))));
        let _ = steps.send(Box::new(step));
        match result.await {
            Ok(Ok(value)) => value,
            Ok(Err(payload)) => panic!("{}: {}", self.label, panic_message(&*payload)),
            Err(_) => panic!("{}: its thread is gone", self.label),
        }
    }
}

fn start(label: &str) -> Option<Sender<Step>> {
    let (steps, taken) = channel::<Step>();
    let thread = std::thread::Builder::new().name(label.to_owned());
    thread.spawn(move || taken.into_iter().for_each(|step| step())).is_ok().then_some(steps)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run<T>(future: impl Future<Output = T>) -> T {
        super::super::block_on(future).unwrap()
    }

    #[test]
    fn steps_run_one_after_the_other_on_one_thread() {
        let lane = Lane::new("lane");
        let name = || std::thread::current().name().map(ToOwned::to_owned);
        assert_eq!(run(async { (lane.run(name).await, lane.run(|| 2).await) }), (Some("lane".to_owned()), 2));
    }

    #[test]
    fn a_step_that_panics_is_its_askers_and_not_the_lanes() {
        let lane = std::sync::Arc::new(Lane::new("lane"));
        let asking = lane.clone();
        let asker = async move { asking.run(|| panic!("planted")).await };
        let (failed, next) = run(async { (super::super::spawn(String::new, asker).await, lane.run(|| 3).await) });
        assert_eq!(failed, Err::<(), _>(super::super::JoinError::Panicked("lane: planted".to_owned())));
        assert_eq!(next, 3);
    }
}
