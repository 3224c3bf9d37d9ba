//! A run as a Chrome trace: a JSON file that Perfetto and chrome://tracing show as swimlanes over virtual time.
//!
//! One lane per task and one for each path that the registry served. A slice is the time between two points of a task, or a
//! request; facts (commits, waits, wake-ups) are instants.

use crate::observation::Observation;
use crate::trace::What;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Processes of the trace: they only group the lanes.
const INSTALLER: u32 = 1;
const REGISTRY: u32 = 2;

/// The trace, in the JSON object format. Times are microseconds of virtual time.
pub fn chrome_trace(run: &Observation) -> Value {
    let mut events =
        vec![named("process_name", INSTALLER, 0, "installer"), named("process_name", REGISTRY, 0, "registry")];
    let mut lanes: BTreeMap<&str, u32> = BTreeMap::new();
    // Lane → what it has been doing since when.
    let mut open: BTreeMap<u32, (String, u64)> = BTreeMap::new();
    for entry in &run.trace {
        let next = lanes.len() as u32 + 1;
        let lane = *lanes.entry(&entry.task).or_insert(next);
        if lane == next {
            events.push(named("thread_name", INSTALLER, lane, &entry.task));
        }
        let doing = match &entry.what {
            What::Spawned => Some("start".to_owned()),
            What::At(point) => Some(point.label().to_owned()),
            What::Told(event) => {
                let (name, ts) = (event.to_string(), entry.at_us);
                events.push(json!({ "name": name, "ph": "i", "s": "t", "ts": ts, "pid": INSTALLER, "tid": lane }));
                continue;
            }
            What::Ended | What::Cancelled | What::Crashed(_) => None,
        };
        if let Some((name, since_us)) = open.remove(&lane) {
            events.push(slice(&name, INSTALLER, lane, since_us, entry.at_us));
        }
        if let Some(doing) = doing {
            open.insert(lane, (doing, entry.at_us));
        }
    }
    for (lane, (name, since_us)) in open {
        events.push(slice(&name, INSTALLER, lane, since_us, run.returned_us.max(since_us)));
    }
    let mut paths: BTreeMap<&str, u32> = BTreeMap::new();
    for get in &run.gets {
        let next = paths.len() as u32 + 1;
        let lane = *paths.entry(&get.path).or_insert(next);
        if lane == next {
            events.push(named("thread_name", REGISTRY, lane, &get.path));
        }
        let name = format!("GET {} {}", get.path, get.status);
        events.push(slice(&name, REGISTRY, lane, get.started_us, get.ended_us.unwrap_or(run.returned_us)));
    }
    json!({ "traceEvents": events, "displayTimeUnit": "ms" })
}

fn named(what: &str, process: u32, lane: u32, name: &str) -> Value {
    json!({ "name": what, "ph": "M", "pid": process, "tid": lane, "args": { "name": name } })
}

fn slice(name: &str, process: u32, lane: u32, from_us: u64, to_us: u64) -> Value {
    json!({ "name": name, "ph": "X", "ts": from_us, "dur": to_us.saturating_sub(from_us), "pid": process, "tid": lane })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracles::testing::good_run;
    use crate::trace::TraceEntry;
    use installer::rt::Point;

    #[test]
    fn points_become_slices_and_requests_too() {
        let mut run = good_run();
        let entry = |at_us, what| TraceEntry { at_us, task: "cold a@1.0.0".into(), what };
        run.trace = vec![entry(10, What::Spawned), entry(20, What::At(Point::ColdStart)), entry(50, What::Ended)];
        let trace = chrome_trace(&run);
        let slices: Vec<_> =
            trace["traceEvents"].as_array().unwrap().iter().filter(|event| event["ph"] == "X").collect();
        let seen = slices.iter().map(|slice| (slice["name"].as_str().unwrap(), slice["dur"].as_u64().unwrap()));
        let expected = [("start", 10), ("cold:start", 30), ("GET /a/-/a-1.0.0.tgz 200", 1_000)];
        assert_eq!(seen.collect::<Vec<_>>(), expected);
    }
}
