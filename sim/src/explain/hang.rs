//! A hang: who is blocked, where, on what, and who should have woken it.

use crate::observation::{Observation, Outcome, url_of};
use crate::scheduler::Blocked;
use crate::trace::What;
use installer::rt::Event;

/// One line for each blocked task; none where nothing hangs.
pub fn blocked_tasks(run: &Observation) -> Vec<String> {
    let Outcome::Hung(blocked) = &run.outcome else { return Vec::new() };
    blocked.iter().map(|task| line(run, task)).collect()
}

fn line(run: &Observation, blocked: &Blocked) -> String {
    let last = blocked
        .last_point
        .map_or_else(|| "came to no point".to_owned(), |point| format!("last came to {}", point.label()));
    let Some(key) = &blocked.waits_for else { return format!("{} {last}", blocked.task) };
    let url = url_of(key);
    let leader = run.trace.iter().rev().find(|entry| is_lead(&entry.what, key)).map(|entry| entry.task.clone());
    let published = run.trace.iter().rev().find(|entry| is_publish(&entry.what, key));
    let waker = match (leader, published) {
        (_, Some(entry)) => {
            let ms = entry.at_us as f64 / 1000.0;
            format!("{} published it at {ms:.3} ms and woke whoever had registered by then", entry.task)
        }
        (Some(leader), None) => format!("{leader} should wake it, and has not published"),
        (None, None) => "nobody leads it".to_owned(),
    };
    format!("{} {last} and waits for {url}: {waker}", blocked.task)
}

fn is_lead(what: &What, key: &str) -> bool {
    matches!(what, What::Told(Event::Lead { key: led }) if led == key)
}

fn is_publish(what: &What, key: &str) -> bool {
    matches!(what, What::Told(Event::Publish { key: published, .. }) if published == key)
}
