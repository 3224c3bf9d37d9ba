//! A failure as people read it: the verdict, one sentence, what happened, what decides, and how to see it again.

mod flip;
mod hang;
mod story;
mod text;

pub use flip::{Flip, flip};
pub use story::{Line, Source, abridged, story};

use crate::bugs::Coordination;
use crate::scenario::Crash;
use crate::shrink::Shrunk;
use std::path::Path;

/// How many lines of what happened are shown.
pub const LINES_MAX: usize = 12;

/// How often a failure was seen.
#[derive(Debug, Clone, Copy)]
pub struct Rate {
    /// So many runs failed,
    pub failures: u64,
    /// of so many.
    pub runs: u64,
}

/// A failure explained, for every output that shows it.
#[derive(Debug, Clone)]
pub struct Explanation {
    /// `prefetch-cold-race: O2 FAILED with seed 7`
    pub verdict: String,
    /// What the oracle demands, as a sentence.
    pub demand: String,
    /// What is wrong, as a sentence.
    pub sentence: String,
    /// What it is about, where that is one package.
    pub subject: Option<String>,
    /// What happened to it, in order: the lines that say most.
    pub lines: Vec<Line>,
    /// How many lines say less, and are left out.
    pub hidden: usize,
    /// Who is blocked for ever, and who should have woken it.
    pub blocked: Vec<String>,
    /// What it takes against the default order; empty where the default order fails.
    pub takes: Vec<String>,
    /// Where the program ends before its time.
    pub crash: Option<String>,
    /// What decides.
    pub flip: Option<Flip>,
    /// The commands that do it again.
    pub commands: Vec<String>,
    /// How often it was seen.
    pub rate: Option<String>,
}

/// Explains a shrunk failure, whose replay file is `file`.
pub fn explanation(
    name: &str,
    coordination: Coordination,
    shrunk: &Shrunk,
    rate: Option<Rate>,
    file: &Path,
) -> Explanation {
    let Shrunk { failure, schedule, prepared, .. } = shrunk;
    let oracle = failure.oracle;
    let seed = failure.seed.map_or(String::new(), |seed| format!(" with seed {seed}"));
    let told = story(&failure.run.observation, failure.violation.subject.as_deref(), &schedule.holds);
    let mut takes: Vec<String> = schedule.holds.iter().map(ToString::to_string).collect();
    takes.extend(schedule.preemptions.iter().map(ToString::to_string));
    let crash = schedule.crash.as_ref().map(|moment| {
        let how = prepared.scenario.crash.map_or("ends", Crash::words);
        format!("The program {how} before this change of the disk: {moment}.")
    });
    let mut commands = vec![format!("cargo sim replay {}", file.display())];
    commands.extend(failure.seed.map(|seed| format!("cargo sim run {name} --seed {seed}{}", coordination.option())));
    Explanation {
        verdict: format!("{name}: {} FAILED{seed}", oracle.id()),
        demand: format!("{} holds when {}.", oracle.id(), oracle.demand()),
        sentence: format!("Here {}.", failure.violation.sentence),
        subject: failure.violation.subject.clone(),
        hidden: told.len().saturating_sub(LINES_MAX),
        lines: abridged(&told, LINES_MAX),
        blocked: hang::blocked_tasks(&failure.run.observation),
        takes,
        crash,
        flip: flip(shrunk, coordination),
        commands,
        rate: rate
            .filter(|rate| rate.runs > 1)
            .map(|Rate { failures, runs }| format!("{failures} of {runs} runs failed.")),
    }
}
