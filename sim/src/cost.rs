//! What a simulated install costs, in instructions: a busy machine counts as many as an idle one.
//!
//! Counted by cachegrind around this very program, once with one run of a scenario and once with [`RUNS`] more, so that what
//! comes before the first run does not count. A count is of one compiler's program; others are not compared with it.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::process::Command;
use std::{env, io, thread};

/// What is counted: an install with nothing there, one with a lockfile, one with all in the store, a mixture, and peers.
pub const SCENARIOS: [&str; 5] = ["prefetch-cold-race", "frozen", "all-warm", "mixed", "peer-variants"];

/// How many runs each count is the mean of.
pub const RUNS: u64 = 20;

/// How much more than recorded is too much, in percent. Hash maps and addresses make counts differ by less than one.
pub const TOLERANCE_PERCENT: f64 = 3.0;

/// What prints a program's count of instructions when it ends.
const COUNTER: [&str; 3] = ["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"];

/// What one run of each scenario costs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Costs {
    /// `rustc --version`.
    pub compiler: String,
    /// Scenario → instructions of one run.
    pub instructions_per_run: BTreeMap<String, u64>,
}

/// Why nothing was counted.
#[derive(Debug, thiserror::Error)]
pub enum CostError {
    /// A program is not there.
    #[error("cannot run {program}: {source}")]
    NotThere {
        /// Which.
        program: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// It said something else.
    #[error("{program} did not count: {said}")]
    NoCount {
        /// Which.
        program: &'static str,
        /// What it said.
        said: String,
    },
}

/// Counts, `planted` runs too many among them, as if the installer were so much slower.
///
/// # Errors
/// When there is no valgrind or no compiler here, or they do not do what they should.
pub fn count(planted: u64, counted: impl Fn() + Sync) -> Result<Costs, CostError> {
    let version = output(Command::new("rustc").arg("--version"), "rustc")?;
    let count_one = &|scenario: &str| {
        let before = instructions(scenario, 1)?;
        let after = instructions(scenario, 1 + RUNS + planted)?;
        counted();
        Ok((scenario.to_owned(), (after - before) / RUNS))
    };
    // All at once: what others do meanwhile costs time, and no instructions.
    let instructions_per_run: Result<BTreeMap<_, _>, CostError> = thread::scope(|scope| {
        let counting = SCENARIOS.map(|scenario| scope.spawn(move || count_one(scenario)));
        counting.into_iter().map(|count| count.join().expect("counting does not panic")).collect()
    });
    Ok(Costs { compiler: version.0.trim().to_owned(), instructions_per_run: instructions_per_run? })
}

fn instructions(scenario: &str, runs: u64) -> Result<u64, CostError> {
    let here = env::current_exe().map_err(|source| CostError::NotThere { program: "the simulator", source })?;
    let mut command = Command::new("valgrind");
    command.args(COUNTER).arg(here).args(["run", scenario, "--jobs", "1", "--runs", &runs.to_string()]);
    let (_, said) = output(&mut command, "valgrind")?;
    total(&said).ok_or(CostError::NoCount { program: "valgrind", said })
}

/// What it printed, on both streams.
fn output(command: &mut Command, program: &'static str) -> Result<(String, String), CostError> {
    let output = command.output().map_err(|source| CostError::NotThere { program, source })?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if !output.status.success() {
        return Err(CostError::NoCount { program, said });
    }
    Ok((String::from_utf8_lossy(&output.stdout).into_owned(), said))
}

/// The number of the line `==1== I refs: 2,393,856,295`.
fn total(said: &str) -> Option<u64> {
    let line = said.lines().find(|line| line.contains(" I ") && line.contains("refs:"))?;
    line.rsplit(' ').next()?.replace(',', "").parse().ok()
}

impl Costs {
    /// How these stand to what was recorded, scenario by scenario, in percent more; none where another compiler's were
    /// recorded.
    pub fn since<'a>(&'a self, recorded: &Costs) -> Option<BTreeMap<&'a str, f64>> {
        let percent = |(scenario, now): (&'a String, &u64)| {
            // Of nothing recorded, everything is infinitely more.
            let before = recorded.instructions_per_run.get(scenario).copied().unwrap_or(0);
            (scenario.as_str(), (*now as f64 / before as f64 - 1.0) * 100.0)
        };
        (self.compiler == recorded.compiler).then(|| self.instructions_per_run.iter().map(percent).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn costs(compiler: &str, count: u64) -> Costs {
        let instructions_per_run = BTreeMap::from([("frozen".to_owned(), count)]);
        Costs { compiler: compiler.to_owned(), instructions_per_run }
    }

    #[test]
    fn the_count_is_read_from_what_valgrind_prints() {
        let said = "==7== Cachegrind\n==7== \n==7== I   refs:      2,393,856,295\n";
        assert_eq!(total(said), Some(2_393_856_295));
        assert_eq!(total("==7== Cachegrind\n"), None);
    }

    #[test]
    fn five_percent_more_is_too_much_and_two_is_not() {
        let more = |now| costs("rustc 1", now).since(&costs("rustc 1", 100)).unwrap()["frozen"];
        assert!(more(105) > TOLERANCE_PERCENT && more(102) < TOLERANCE_PERCENT && more(90) < 0.0);
    }

    #[test]
    fn what_was_never_recorded_is_too_much_and_another_compiler_is_not_compared() {
        let unknown = Costs { compiler: "rustc 1".to_owned(), instructions_per_run: BTreeMap::new() };
        assert!(costs("rustc 1", 100).since(&unknown).unwrap()["frozen"] > TOLERANCE_PERCENT);
        assert_eq!(costs("rustc 2", 100).since(&unknown), None);
    }
}
