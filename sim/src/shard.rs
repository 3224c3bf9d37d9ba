//! One exploration on many machines: each does a part of the seeds, and the parts together are the whole.
//!
//! A part is a run of whole blocks, and a block's result does not depend on where it was explored. So the merged report is
//! made from the same blocks as an unsharded one, by the same code.

use crate::bugs::Coordination;
use crate::explore::{BLOCK, Block, Plan};
use crate::report::ScenarioReport;
use crate::strategy::StrategyKind;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// The version of the format.
const FORMAT: u32 = 1;

/// One of several parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shard {
    /// Which, from 1.
    pub number: u64,
    /// Of how many.
    pub count: u64,
}

impl Shard {
    /// This part of the seeds below `runs`. The parts of all numbers are together all seeds, each once.
    pub fn seeds(self, runs: u64) -> Range<u64> {
        let blocks = u128::from(runs.div_ceil(BLOCK));
        let start = |number: u64| ((blocks * u128::from(number) / u128::from(self.count)) as u64 * BLOCK).min(runs);
        start(self.number - 1)..start(self.number)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text.split_once('/').and_then(|(k, n)| Some((k.parse().ok()?, n.parse().ok()?)));
        match parsed {
            Some((number, count)) if 1 <= number && number <= count => Ok(Shard { number, count }),
            _ => Err("a shard is K/N, such as 2/8".to_owned()),
        }
    }
}

/// What a shard found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShardResult {
    format: u32,
    /// Which part it is.
    pub shard: Shard,
    /// The scenarios' parts.
    pub scenarios: Vec<ScenarioPart>,
    /// What is not split, and was done by the first shard: regressions, `exhaust`.
    pub rows: Vec<ScenarioReport>,
    /// How long it took, in seconds.
    pub seconds: f64,
}

/// A part of one scenario's exploration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScenarioPart {
    /// What is the same in all parts.
    pub of: Whole,
    /// What was found; none where there was no time.
    pub blocks: Option<Vec<Block>>,
}

/// An exploration of which something is a part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Whole {
    /// The scenario, as JSON.
    pub scenario: Value,
    /// The coordination.
    pub coordination: Coordination,
    /// How schedules are chosen.
    pub strategy: StrategyKind,
    /// Whether seeds draw parameters of the scenario too.
    pub swarm: bool,
    /// How many runs all parts have together.
    pub runs: u64,
}

impl Whole {
    /// The exploration of which `plan` is a part.
    pub fn of(plan: &Plan, runs: u64) -> Self {
        let scenario = plan.prepared.scenario.to_value();
        Whole { scenario, coordination: plan.coordination, strategy: plan.strategy, swarm: plan.swarm, runs }
    }
}

/// Results that do not make a whole.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file is not a shard's result.
    #[error("{} is not what `cargo sim … --shard K/N --result FILE` writes: {source}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: serde_json::Error,
    },
    /// Written by another version.
    #[error("{} has format {format}, and this is format {FORMAT}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Its format.
        format: u32,
    },
    /// One of the shards is not there, or there twice.
    #[error("these are the shards {there:?} of {count}: each of 1 to {count} is needed, once")]
    Incomplete {
        /// Those that are there.
        there: Vec<u64>,
        /// How many there should be.
        count: u64,
    },
    /// They are not parts of one exploration.
    #[error(
        "shard {number} has other scenarios, runs, strategy or coordination than shard 1: explore all from the same commit"
    )]
    Different {
        /// Which one.
        number: u64,
    },
}

impl ShardResult {
    /// A result to be filled.
    pub fn new(shard: Shard) -> Self {
        ShardResult { format: FORMAT, shard, scenarios: Vec::new(), rows: Vec::new(), seconds: 0.0 }
    }

    /// Reads a shard's result.
    ///
    /// # Errors
    /// [`MergeError`], naming the file.
    pub fn read(path: &Path) -> Result<Self, MergeError> {
        let path = path.to_owned();
        let bytes = std::fs::read(&path).map_err(|source| MergeError::Unreadable { path: path.clone(), source })?;
        let result: ShardResult = match serde_json::from_slice(&bytes) {
            Ok(result) => result,
            Err(source) => return Err(MergeError::Malformed { path, source }),
        };
        match result.format {
            FORMAT => Ok(result),
            format => Err(MergeError::Format { path, format }),
        }
    }
}

/// Joins the results of all shards; the scenarios have all their blocks then, in order.
///
/// # Errors
/// When they are not the parts of one whole.
pub fn merge(mut shards: Vec<ShardResult>) -> Result<ShardResult, MergeError> {
    shards.sort_by_key(|result| result.shard.number);
    let count = shards.first().map_or(1, |result| result.shard.count);
    let there: Vec<u64> = shards.iter().map(|result| result.shard.number).collect();
    if there.iter().copied().ne(1..=count) {
        return Err(MergeError::Incomplete { there, count });
    }
    let mut whole = ShardResult::new(Shard { number: 1, count: 1 });
    for (index, result) in shards.into_iter().enumerate() {
        let number = result.shard.number;
        if index == 0 {
            whole.scenarios = result.scenarios;
        } else {
            let same = result.shard.count == count && wholes(&result.scenarios).eq(wholes(&whole.scenarios));
            if !same {
                return Err(MergeError::Different { number });
            }
            for (part, more) in whole.scenarios.iter_mut().zip(result.scenarios) {
                part.blocks = part.blocks.take().zip(more.blocks).map(|(blocks, more)| [blocks, more].concat());
            }
        }
        whole.rows.extend(result.rows);
        whole.seconds += result.seconds;
    }
    assert!(whole.scenarios.iter().all(is_in_order));
    Ok(whole)
}

fn wholes(parts: &[ScenarioPart]) -> impl Iterator<Item = &Whole> {
    parts.iter().map(|part| &part.of)
}

fn is_in_order(part: &ScenarioPart) -> bool {
    let starts: Vec<u64> = part.blocks.iter().flatten().map(|block| block.start).collect();
    starts.is_sorted() && starts.iter().collect::<BTreeSet<_>>().len() == starts.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_together_all_seeds() {
        for (runs, count) in [(10, 3), (1, 4), (1000, 7), (8, 8), (3000, 4)] {
            let shards = (1..=count).flat_map(|number| Shard { number, count }.seeds(runs));
            assert_eq!(shards.collect::<Vec<_>>(), (0..runs).collect::<Vec<_>>());
        }
        for wrong in ["0/3", "4/3", "1", "a/b", "1/0"] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
    }

    fn shard(number: u64, count: u64, runs: u64) -> ShardResult {
        let of = Whole {
            scenario: Value::Null,
            coordination: Coordination::Shared,
            strategy: Default::default(),
            swarm: false,
            runs,
        };
        let block = Block { start: number * BLOCK, runs: BLOCK, ..Block::default() };
        ShardResult {
            scenarios: vec![ScenarioPart { of, blocks: Some(vec![block]) }],
            ..ShardResult::new(Shard { number, count })
        }
    }

    #[test]
    fn parts_of_different_wholes_are_refused() {
        let whole = merge(vec![shard(2, 2, 128), shard(1, 2, 128)]).unwrap();
        assert_eq!(whole.scenarios[0].blocks.as_ref().unwrap().len(), 2);
        let error = |shards| merge(shards).unwrap_err().to_string();
        assert!(error(vec![shard(1, 2, 128)]).contains("shards [1] of 2"));
        assert!(error(vec![shard(1, 2, 128), shard(1, 2, 128)]).contains("[1, 1] of 2"));
        assert!(error(vec![shard(1, 2, 128), shard(2, 2, 64)]).contains("shard 2 has other"));
        assert!(error(vec![shard(1, 2, 128), shard(2, 3, 128)]).contains("shard 2 has other"));
    }

    #[test]
    fn what_one_shard_had_no_time_for_is_not_whole() {
        let mut late = shard(2, 2, 128);
        late.scenarios[0].blocks = None;
        assert_eq!(merge(vec![shard(1, 2, 128), late]).unwrap().scenarios[0].blocks, None);
    }
}
