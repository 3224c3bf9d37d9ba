//! The command line's arguments.

use crate::bugs::Coordination;
use crate::shard::Shard;
use crate::strategy::StrategyKind;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

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
  cargo sim bugs                                              the scoreboard of planted bugs
  cargo sim promises limits:: faults::                        break promises, see their tests fail
  cargo sim gate --budget 120                                 all that CI asks for; out of time is a failure
  cargo sim gate --times 20 --shard 3/8 --result 3.json       a part of a longer one, on one of eight machines
  cargo sim merge *.json                                      all parts of it

Exit codes: 0 held, 1 an oracle failed, 2 bad input, 3 not deterministic";

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Explore one scenario
    Run(RunArgs),
    /// Do a recorded failure again, decision by decision
    Replay {
        /// The file that the failure left behind
        file: PathBuf,
        #[command(flatten)]
        pictures: Pictures,
    },
    /// Enumerate every schedule of a few callers of the coordination, with each fault
    Exhaust(ExhaustArgs),
    /// Show that planted bugs are found: in a copy of the sources, one after the other
    Bugs(BugsArgs),
    /// Show that the installer's tests notice a promise that is broken: in a copy of the sources, one after the other
    Promises(PromisesArgs),
    /// Compare what other people's coordinators guarantee: every schedule, each fault
    Coordinators(CoordinatorsArgs),
    /// Count the instructions of a few installs, and compare them with what was recorded
    Cost(CostArgs),
    /// What a CI runs: all scenarios, all recorded regressions, and `exhaust`, with reports
    Gate(GateArgs),
    /// Join what shards found into one report
    Merge(MergeArgs),
    /// Write a scenario to begin with: scenarios/NAME.json
    New {
        /// Letters, digits and hyphens
        name: String,
    },
    /// Print the JSON Schema of scenarios
    Schema,
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
    /// Let each seed draw latencies, concurrency and commit lag of the scenario too
    #[arg(long, global = true)]
    pub swarm: bool,
    /// So many times the runs that each scenario asks for
    #[arg(long, global = true, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    pub times: u64,
    /// The K-th of N parts of each scenario's seeds; `cargo sim merge` joins them
    #[arg(long, global = true, value_name = "K/N")]
    pub shard: Option<Shard>,
    /// Write what was found, for `cargo sim merge`
    #[arg(long, global = true, value_name = "FILE")]
    pub result: Option<PathBuf>,
    /// Stop beginning new scenarios after so many seconds
    #[arg(long, global = true, value_name = "SECONDS")]
    pub budget: Option<u64>,
}

#[derive(Debug, Args)]
pub struct RunArgs {
    /// A scenario's name, or the path of its file
    pub scenario: String,
    /// One run, with this seed
    #[arg(long, value_name = "N", conflicts_with_all = ["runs", "shard", "times"])]
    pub seed: Option<u64>,
    /// So many runs, with the seeds 0, 1, 2, … [default: as the scenario says]
    #[arg(long, value_name = "N")]
    pub runs: Option<u64>,
    /// The coordination of downloads; all but `shared` are bugs that once were real
    #[arg(long, value_enum, default_value_t = Coordination::Shared)]
    pub coordination: Coordination,
    /// Where to leave the replay file of a failure
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    #[command(flatten)]
    pub pictures: Pictures,
}

/// Pictures of a failure.
#[derive(Debug, Args)]
pub struct Pictures {
    /// Draw the failure as a page for a browser, complete in one file
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Write the failing run as a Chrome trace, for Perfetto
    #[arg(long, value_name = "FILE")]
    pub perfetto: Option<PathBuf>,
}

impl Pictures {
    /// Whether there is anything to draw.
    pub fn are_wanted(&self) -> bool {
        self.html.is_some() || self.perfetto.is_some()
    }
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
pub struct BugsArgs {
    /// Some of them, by name or by a real bug that they stand for, such as pnpm#13166 [default: all]
    #[arg(value_name = "BUG")]
    pub names: Vec<String>,
    /// How many starts each median is of, for each strategy
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..))]
    pub starts: u64,
    /// One start and the default strategy: what CI asks for
    #[arg(long)]
    pub quick: bool,
    /// Print the scoreboard as Markdown, as docs/history.md has it
    #[arg(long)]
    pub markdown: bool,
    /// List them, with the real bug that each stands for
    #[arg(long)]
    pub list: bool,
    /// Measure the bug of this process
    #[arg(long, hide = true, requires = "names")]
    pub here: bool,
}

#[derive(Debug, Args)]
pub struct PromisesArgs {
    /// Some of them, by name or by how a test begins, such as faults:: [default: all]
    #[arg(value_name = "PROMISE")]
    pub names: Vec<String>,
    /// List them, with what is broken
    #[arg(long)]
    pub list: bool,
}

#[derive(Debug, Args)]
pub struct CoordinatorsArgs {
    /// One of them, with a schedule for each guarantee that does not hold [default: all]
    pub name: Option<String>,
    /// Print the table as Markdown, as docs/coordinators.md has it
    #[arg(long)]
    pub markdown: bool,
    /// Fail unless this page has the table
    #[arg(long, value_name = "FILE", conflicts_with = "name")]
    pub check: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct CostArgs {
    /// Fail where an install costs more than this file says
    #[arg(long, value_name = "FILE")]
    pub check: Option<PathBuf>,
    /// Write the counts to this file
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,
    /// So many runs too many: for showing that the check can fail
    #[arg(long, value_name = "N", default_value_t = 0, hide = true)]
    pub planted: u64,
}

#[derive(Debug, Args)]
pub struct GateArgs {
    #[command(flatten)]
    pub outputs: Outputs,
    /// Write each failure as a regression file, ready to be committed [DIR: scenarios/regressions]
    #[arg(long, value_name = "DIR", num_args = 0..=1, default_missing_value = "scenarios/regressions")]
    pub save_regressions: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct MergeArgs {
    /// What each shard wrote with `--result`
    #[arg(required = true, value_name = "FILE")]
    pub results: Vec<PathBuf>,
    #[command(flatten)]
    pub outputs: Outputs,
}

/// Where a report goes beside the terminal.
#[derive(Debug, Args)]
pub struct Outputs {
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
