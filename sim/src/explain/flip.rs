//! The flip: the two events whose order decides, verified by running both orders.

use super::story::{Line, story};
use crate::bugs::Coordination;
use crate::explore::replay;
use crate::oracles::judge;
use crate::shrink::Shrunk;
use std::collections::BTreeMap;

/// Two events, and what their order makes of the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flip {
    /// What comes first where the run fails.
    pub first: Line,
    /// What comes second there, and first where it holds.
    pub second: Line,
    /// What was left out of the schedule to have it hold.
    pub without: String,
    /// The oracle that fails instead then, if one does.
    pub instead: Option<&'static str>,
}

impl Flip {
    /// Under what the second order comes about, and what it comes to.
    pub fn condition(&self) -> String {
        let instead = self.instead.map_or(String::new(), |oracle| format!("; {oracle} fails instead"));
        format!("without: {}{instead}", self.without)
    }
}

/// Leaves one decision out, sees that the run holds, and looks for what changed its order. A shrunk schedule holds without
/// any of its decisions; the last of them is the nearest to the failure.
pub fn flip(shrunk: &Shrunk, coordination: Coordination) -> Option<Flip> {
    let subject = shrunk.failure.violation.subject.as_deref();
    (0..shrunk.schedule.decisions()).rev().find_map(|index| {
        let mut schedule = shrunk.schedule.clone();
        let without = match index.checked_sub(schedule.holds.len()) {
            None => schedule.holds.remove(index).to_string(),
            Some(index) => schedule.preemptions.remove(index).to_string(),
        };
        let other = replay(&shrunk.prepared, coordination, schedule);
        let verdict = judge(&other.observation);
        if verdict.as_ref().is_some_and(|(oracle, violation)| shrunk.failure.is_like(*oracle, violation, &other)) {
            return None;
        }
        let instead = verdict.map(|(oracle, _)| oracle.id());
        let fails = story(&shrunk.failure.run.observation, subject, &[]);
        let holds = story(&other.observation, subject, &[]);
        let (first, second) = swapped(&fails, &holds)?;
        Some(Flip { first, second, without, instead })
    })
}

/// The most telling pair of events that come in one order here and in the other there.
fn swapped(here: &[Line], there: &[Line]) -> Option<(Line, Line)> {
    let places = |lines: &[Line]| -> BTreeMap<(String, String), usize> {
        let mut places = BTreeMap::new();
        for (place, line) in lines.iter().enumerate() {
            places.entry((line.who.clone(), line.what.clone())).or_insert(place);
        }
        places
    };
    let (places_here, places_there) = (places(here), places(there));
    let key = |line: &Line| (line.who.clone(), line.what.clone());
    let mut best: Option<(usize, usize)> = None;
    for (i, first) in here.iter().enumerate() {
        for (j, second) in here.iter().enumerate().skip(i + 1) {
            let once = places_here[&key(first)] == i && places_here[&key(second)] == j;
            let (Some(a), Some(b)) = (places_there.get(&key(first)), places_there.get(&key(second))) else { continue };
            if !once || first.who == second.who || a < b {
                continue;
            }
            let worth = |(i, j): (usize, usize)| (here[i].rank + here[j].rank, j - i, i);
            if best.is_none_or(|best| worth((i, j)) < worth(best)) {
                best = Some((i, j));
            }
        }
    }
    best.map(|(i, j)| (here[i].clone(), here[j].clone()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::Source;

    fn lines(names: &[(&str, &str, u8)]) -> Vec<Line> {
        let line = |(who, what, rank): &(&str, &str, u8)| Line {
            at_us: 0,
            who: (*who).to_owned(),
            what: (*what).to_owned(),
            rank: *rank,
            source: Source::Entry(0),
        };
        names.iter().map(line).collect()
    }

    #[test]
    fn the_most_telling_pair_is_found() {
        let here = lines(&[("a", "x", 4), ("install", "reads", 0), ("b", "y", 4), ("writer", "commits", 0)]);
        let there = lines(&[("b", "y", 4), ("writer", "commits", 0), ("a", "x", 4), ("install", "reads", 0)]);
        let (first, second) = swapped(&here, &there).unwrap();
        assert_eq!((first.what.as_str(), second.what.as_str()), ("reads", "commits"));
        assert_eq!(swapped(&here, &here), None);
    }
}
