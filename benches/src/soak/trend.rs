//! Whether what was measured round after round stays where it was.
//!
//! The first rounds meet every version for the first time and do not count. Of the others the first third is compared with the
//! last, by their medians: one round that was disturbed changes nothing.

use super::{Series, VERSIONS};
use std::io;

/// How many rounds it takes to judge.
pub const ROUNDS_MIN: usize = VERSIONS + 6;

/// How much more the last third may take: a tenth, and what an allocator or a disk rounds up to.
const GROWTH_MAX: f64 = 1.1;
const SLACK_BYTES: u64 = 2 << 20;
const SLACK_FILES: u64 = 20;

/// One figure at both ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trend {
    /// The median of the first third.
    pub first: u64,
    /// The median of the last third.
    pub last: u64,
    /// The most.
    pub most: u64,
}

impl Trend {
    /// Of the rounds that count; `None` when there are too few to judge.
    pub fn of(figures: &[u64]) -> Option<Trend> {
        let counted = figures.get(VERSIONS..).filter(|_| figures.len() >= ROUNDS_MIN)?;
        let third = counted.len() / 3;
        let (first, last) = (median(&counted[..third]), median(&counted[counted.len() - third..]));
        Some(Trend { first, last, most: counted.iter().copied().max().unwrap_or_default() })
    }

    fn grows(self, slack: u64) -> bool {
        self.last as f64 > self.first as f64 * GROWTH_MAX + slack as f64
    }
}

/// Judges everything but times: those are the machine's as much as the program's.
///
/// # Errors
/// When something grows. Too few rounds are no error: nothing is known then.
pub fn check(series: &Series) -> io::Result<()> {
    for (what, figures) in series {
        let slack = match what.rsplit(' ').next() {
            Some("us") => continue,
            Some("files") => SLACK_FILES,
            _ => SLACK_BYTES,
        };
        if let Some(trend) = Trend::of(figures).filter(|trend| trend.grows(slack)) {
            let Trend { first, last, .. } = trend;
            return Err(io::Error::other(format!("{what} grows: from {first} to {last} in {} rounds", figures.len())));
        }
    }
    Ok(())
}

/// A table of all figures, in Markdown.
pub fn markdown(series: &Series) -> String {
    let rows = series.iter().filter_map(|(what, figures)| {
        let Trend { first, last, most } = Trend::of(figures)?;
        Some(format!("| {what} | {first} | {last} | {most} |\n"))
    });
    format!("| | first third | last third | most |\n|---|---|---|---|\n{}", rows.collect::<String>())
}

fn median(figures: &[u64]) -> u64 {
    let mut sorted = figures.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(what: &str, figures: impl Iterator<Item = u64>) -> Result<(), String> {
        check(&Series::from([(what.to_owned(), figures.collect())])).map_err(|error| error.to_string())
    }

    #[test]
    fn what_grows_is_named() {
        let grows = |step: u64| judged("frozen, bytes of memory", (0..60).map(|round| 30_000_000 + round * step));
        assert_eq!(grows(0), Ok(()));
        let error = grows(200_000).unwrap_err();
        assert!(error.starts_with("frozen, bytes of memory grows: from 32"), "{error}");
        let files = judged("store, files", (0..60).map(|round| 1_000 + 5 * round)).unwrap_err();
        assert!(files.starts_with("store, files grows"), "{files}");
    }

    #[test]
    fn a_start_and_a_disturbance_are_no_growth() {
        let figures = (0..60).map(|round| if round < 3 || round == 55 { 90_000_000 } else { 30_000_000 });
        assert_eq!(judged("frozen, bytes of memory", figures), Ok(()));
        assert_eq!(judged("frozen, us", (0..60).map(|round| round * 1_000_000)), Ok(()));
        assert_eq!(Trend::of(&[1; ROUNDS_MIN - 1]), None);
    }
}
