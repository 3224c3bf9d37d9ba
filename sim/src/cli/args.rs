//! The command line's arguments.

use crate::bugs::Coordination;
use crate::strategy::StrategyKind;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use std::str::FromStr;

/// Run the real installer under chosen interleavings, and judge every run
#[derive(Debug, Parser)]
#[command(name = "cargo sim", bin_name = "cargo sim", version, max_term_width = 100, after_help = AFTER_HELP)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub explore: ExploreArgs,
}

const AFTER_HELP: &str = "\
Examples:
  cargo sim                                                   explore all scenarios
  cargo sim run prefetch-cold-race --runs 5000                one scenario, more runs
  cargo sim run prefetch-cold-race --coordination none        see the race of pnpm#12241
  cargo sim replay target/sim-failures/…json                  do a failure again, exactly
  cargo sim gate --budget 120                                 all that CI asks for

Exit codes: 0 held, 1 an oracle failed, 2 bad input, 3 not deterministic";

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Explore one scenario
    Run(RunArgs),
    /// Do a recorded failure again, decision by decision
    Replay {
        /// The file that the failure left behind
        file: PathBuf,
        /// Write the run as a Chrome trace, for Perfetto
        #[arg(long, value_name = "FILE")]
        perfetto: Option<PathBuf>,
    },
    /// Enumerate every schedule of a few callers of the coordination, with each fault
    Exhaust(ExhaustArgs),
    /// What a CI runs: all scenarios, all recorded regressions, and `exhaust`, with reports
    Gate(GateArgs),
    /// List the scenarios
    List,
    /// List the oracles: what must hold of every run
    Oracles,
    /// List the interleaving points, as ARCHITECTURE.md has them
    Points,
}

#[derive(Debug, Args)]
pub struct ExploreArgs {
    /// Threads to run on [default: all cores]
    #[arg(long, global = true, value_name = "N")]
    pub jobs: Option<usize>,
    /// How schedules are chosen
    #[arg(long, global = true, value_enum, value_name = "KIND", default_value_t = StrategyKind::Portfolio)]
    pub strategy: StrategyKind,
    /// Stop beginning new scenarios after so many seconds
    #[arg(long, value_name = "SECONDS")]
    pub budget: Option<u64>,
}

#[derive(Debug, Args)]
pub struct RunArgs {
    /// A scenario's name, or the path of its file
    pub scenario: String,
    /// One run, with this seed
    #[arg(long, value_name = "N", conflicts_with_all = ["runs", "shard"])]
    pub seed: Option<u64>,
    /// So many runs, with the seeds 0, 1, 2, … [default: as the scenario says]
    #[arg(long, value_name = "N")]
    pub runs: Option<u64>,
    /// The K-th of N equal parts of the runs
    #[arg(long, value_name = "K/N")]
    pub shard: Option<Shard>,
    /// The coordination of downloads; all but `shared` are bugs that once were real
    #[arg(long, value_enum, default_value_t = Coordination::Shared)]
    pub coordination: Coordination,
    /// Where to leave the replay file of a failure
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct ExhaustArgs {
    /// How many callers ask for one tarball: a prefetch, then the install's
    #[arg(long, value_name = "N", default_value_t = CALLERS, value_parser = clap::value_parser!(u8).range(1..=4))]
    pub callers: u8,
    /// The coordination of downloads
    #[arg(long, value_enum, default_value_t = Coordination::Shared)]
    pub coordination: Coordination,
}

/// How many callers the gate has.
pub const CALLERS: u8 = 3;

#[derive(Debug, Args)]
pub struct GateArgs {
    /// Stop beginning new scenarios after so many seconds; one that is not run is a failure
    #[arg(long, value_name = "SECONDS")]
    pub budget: Option<u64>,
    /// Write the report as JUnit XML
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Write the report as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Append the report as Markdown [default: $GITHUB_STEP_SUMMARY, where that is set]
    #[arg(long, value_name = "FILE")]
    pub summary: Option<PathBuf>,
}

/// One of several equal parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// Which, from 1.
    number: u64,
    /// Of how many.
    count: u64,
}

impl Shard {
    /// This part of the seeds below `runs`. The parts of all numbers are together all seeds, each once.
    pub fn seeds(self, runs: u64) -> std::ops::Range<u64> {
        let start = |number: u64| u128::from(runs) * u128::from(number) / u128::from(self.count);
        start(self.number - 1) as u64..start(self.number) as u64
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_together_all_seeds() {
        for (runs, count) in [(10, 3), (1, 4), (1000, 7), (8, 8)] {
            let shards = (1..=count).flat_map(|number| Shard { number, count }.seeds(runs));
            assert_eq!(shards.collect::<Vec<_>>(), (0..runs).collect::<Vec<_>>());
        }
        for wrong in ["0/3", "4/3", "1", "a/b", "1/0"] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
    }
}
