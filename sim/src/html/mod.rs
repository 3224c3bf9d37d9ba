//! A failure as a page for a browser: the explanation, and every task as a lane over virtual time.
//!
//! One file that needs nothing else. The page is `page.html`, its script draws from one JSON object.

use crate::explain::{Explanation, Line, Source};
use crate::observation::Observation;
use crate::trace::{TraceEntry, What};
use installer::rt::Event as Fact;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// The page.
pub fn page(explanation: &Explanation, run: &Observation) -> String {
    // Inside a script element only `</` could end it.
    let data = data(explanation, run).to_string().replace("</", "<\\/");
    PAGE.replace("/*style*/", STYLE).replace("/*script*/", SCRIPT).replace("/*data*/", &data)
}

/// What the script draws. Times are microseconds of virtual time.
fn data(explanation: &Explanation, run: &Observation) -> Value {
    let mut lanes = Lanes::default();
    let mut events = Vec::new();
    for (index, get) in run.gets.iter().enumerate() {
        let lane = lanes.of(&format!("registry {}", get.path));
        let what = format!("GET {} arrives", get.path);
        events.push(Event {
            at: get.started_us,
            lane,
            what,
            meaning: "a request is there",
            source: Source::Arrival(index),
        });
        if let Some(at) = get.ended_us {
            let served = if get.completed { "sent whole" } else { "not sent whole" };
            let what = format!("GET {} {served} ({})", get.path, get.status);
            let meaning = "the registry has handed over the last byte, or the client is gone";
            events.push(Event { at, lane, what, meaning, source: Source::End(index) });
        }
    }
    // Tasks that only start and end say nothing about an order.
    let telling: BTreeSet<_> =
        happened(run).filter(|(_, entry)| tells(&entry.what)).map(|(_, entry)| &entry.task).collect();
    for (index, entry) in happened(run).filter(|(_, entry)| telling.contains(&entry.task)) {
        let lane = lanes.of(&entry.task);
        let what = without_integrity(&entry.what.to_string());
        events.push(Event { at: entry.at_us, lane, what, meaning: meaning(&entry.what), source: Source::Entry(index) });
    }
    events.sort_by_key(|event| event.at);
    let end_us = events.last().map_or(0, |event| event.at);
    let flip = explanation.flip.as_ref().map(|flip| {
        let told = |line: &Line| format!("{} {}", line.who, line.what);
        let place = |line: &Line| events.iter().position(|event| event.source == line.source);
        json!({ "first": told(&flip.first), "second": told(&flip.second), "condition": flip.condition(),
                "events": [place(&flip.first), place(&flip.second)] })
    });
    let bars = bars(run, &mut lanes, end_us);
    json!({
        "verdict": explanation.verdict, "demand": explanation.demand, "sentence": explanation.sentence,
        "takes": explanation.takes, "crash": explanation.crash, "blocked": explanation.blocked, "flip": flip,
        "commands": explanation.commands, "rate": explanation.rate,
        "lanes": lanes.names, "events": events, "bars": bars, "end": end_us,
    })
}

/// Something that happened, as the script has it.
#[derive(Serialize)]
struct Event {
    at: u64,
    lane: usize,
    what: String,
    meaning: &'static str,
    #[serde(skip)]
    source: Source,
}

/// The trace without the end of what was left at the run's own end.
fn happened(run: &Observation) -> impl Iterator<Item = (usize, &TraceEntry)> {
    let during = |entry: &TraceEntry| entry.at_us < run.returned_us || entry.what != What::Cancelled;
    run.trace.iter().enumerate().filter(move |(_, entry)| during(entry))
}

/// Keys without the integrity, which nobody reads.
fn without_integrity(what: &str) -> String {
    let Some((before, after)) = what.split_once("#sha512-") else { return what.to_owned() };
    let base64 = |letter: char| letter.is_ascii_alphanumeric() || "+/=".contains(letter);
    format!("{before}{}", after.trim_start_matches(base64))
}

fn meaning(what: &What) -> &'static str {
    match what {
        What::At(point) => point.meaning(),
        What::Told(_) => "a fact that the task tells",
        What::Spawned => "the task is there, and may go on",
        What::Ended => "the task has nothing more to do",
        What::Cancelled => "the task is dropped where it stands",
        What::Crashed(_) => "the scenario ends the program here",
    }
}

fn tells(what: &What) -> bool {
    matches!(what, What::At(_) | What::Told(_) | What::Crashed(_))
}

/// Lanes in the order in which they are first asked for.
#[derive(Default)]
struct Lanes {
    names: Vec<String>,
    indices: BTreeMap<String, usize>,
}

impl Lanes {
    fn of(&mut self, name: &str) -> usize {
        let next = self.names.len();
        let index = *self.indices.entry(name.to_owned()).or_insert(next);
        if index == next {
            self.names.push(name.to_owned());
        }
        index
    }
}

/// Requests, waits, and lives of tasks, as stretches of time.
fn bars(run: &Observation, lanes: &mut Lanes, end_us: u64) -> Vec<Value> {
    let bar = |kind: &str, lane: usize, from: u64, to: Option<u64>| json!({ "kind": kind, "lane": lane, "from": from, "to": to.unwrap_or(end_us), "open": to.is_none() });
    let mut bars = Vec::new();
    let mut open: BTreeMap<(usize, &str), u64> = BTreeMap::new();
    for (_, TraceEntry { at_us, task, what }) in happened(run) {
        if !lanes.indices.contains_key(&**task) {
            continue;
        }
        let lane = lanes.of(task);
        let (begins, ends) = match what {
            What::Spawned => (Some("life"), None),
            What::Told(Fact::Wait { .. }) => (Some("wait"), None),
            What::Told(Fact::Woken { .. }) => (None, Some("wait")),
            What::Ended | What::Cancelled => (None, Some("life")),
            _ => (None, None),
        };
        if let Some(kind) = begins {
            open.insert((lane, kind), *at_us);
        }
        let wait_too = (ends == Some("life")).then_some("wait");
        for kind in ends.into_iter().chain(wait_too) {
            if let Some(from) = open.remove(&(lane, kind)) {
                bars.push(bar(kind, lane, from, Some(*at_us)));
            }
        }
    }
    bars.extend(open.into_iter().map(|((lane, kind), from)| bar(kind, lane, from, None)));
    for get in &run.gets {
        bars.push(bar("get", lanes.of(&format!("registry {}", get.path)), get.started_us, get.ended_us));
    }
    // Lives lie under what happens in them.
    bars.sort_by_key(|bar| bar["kind"] != "life");
    bars
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::Flip;
    use crate::oracles::testing::good_run;
    use installer::rt::Point;

    fn explained() -> (Explanation, Observation) {
        let mut run = good_run();
        let entry = |at_us, task: &str, what| TraceEntry { at_us, task: task.into(), what };
        let wait = What::Told(Fact::Wait { key: "k".to_owned() });
        run.trace = vec![
            entry(10, "cold a@1.0.0", What::Spawned),
            entry(20, "cold a@1.0.0", What::At(Point::ColdStart)),
            entry(30, "cold a@1.0.0", wait),
            entry(40, "silent", What::Spawned),
        ];
        let line = |at_us, who: &str, what: &str, source| Line {
            at_us,
            who: who.to_owned(),
            what: what.to_owned(),
            rank: 0,
            source,
        };
        let flip = Flip {
            first: line(30, "cold", "waits", Source::Entry(2)),
            second: line(1_000, "registry", "GET 1 arrives", Source::Arrival(0)),
            without: "w".to_owned(),
            instead: None,
        };
        let explanation = Explanation {
            verdict: "v".to_owned(),
            demand: "d".to_owned(),
            sentence: "</script><b>".to_owned(),
            subject: None,
            lines: Vec::new(),
            hidden: 0,
            blocked: Vec::new(),
            takes: Vec::new(),
            crash: None,
            flip: Some(flip),
            commands: Vec::new(),
            rate: None,
        };
        (explanation, run)
    }

    #[test]
    fn lanes_are_the_tasks_that_tell_something_and_bars_what_takes_time() {
        let (explanation, run) = explained();
        let data = data(&explanation, &run);
        assert_eq!(data["lanes"], json!(["registry /a/-/a-1.0.0.tgz", "cold a@1.0.0"]));
        let bars: Vec<_> = data["bars"].as_array().unwrap().iter().map(|bar| (&bar["kind"], &bar["open"])).collect();
        assert_eq!(
            format!("{bars:?}"),
            r#"[(String("life"), Bool(true)), (String("wait"), Bool(true)), (String("get"), Bool(false))]"#
        );
        let what =
            |index: &Value| data["events"][index.as_u64().unwrap() as usize]["what"].as_str().unwrap().to_owned();
        let flip = &data["flip"]["events"];
        assert!(what(&flip[0]).contains("wait") && what(&flip[1]).contains("arrives"), "{data:#}");
    }

    #[test]
    fn what_packages_are_called_cannot_leave_the_data() {
        let (explanation, run) = explained();
        let page = page(&explanation, &run);
        assert_eq!(page.matches("</script>").count(), 2, "the data's and the code's own");
        assert!(!page.contains("http://") && !page.contains("https://"), "nothing is loaded from elsewhere");
    }
}
