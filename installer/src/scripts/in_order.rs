//! Runs steps of which some wait for others: as many at once as the limit allows.

use super::ScriptError;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use std::collections::BTreeSet;

/// How many packages or projects run scripts at once: pnpm's `childConcurrency`.
const SCRIPTS_AT_ONCE_MAX: usize = 5;

/// Runs every step, none before those whose places are in its `after`.
///
/// # Errors
/// The first failure; what runs beside it is ended then.
///
/// # Panics
/// When steps wait for one another in a circle.
pub async fn in_order<Running: Future<Output = Result<(), ScriptError>>>(
    after: &[&BTreeSet<usize>],
    run: impl Fn(usize) -> Running,
) -> Result<(), ScriptError> {
    let mut waiting: Vec<usize> = (0..after.len()).collect();
    let mut ended = BTreeSet::new();
    let mut running = FuturesUnordered::new();
    loop {
        let is_ready = |index: &usize| after[*index].is_subset(&ended);
        while running.len() < SCRIPTS_AT_ONCE_MAX
            && let Some(position) = waiting.iter().position(is_ready)
        {
            let index = waiting.remove(position);
            let step = run(index);
            running.push(async move { (index, step.await) });
        }
        let Some((index, result)) = running.next().await else {
            assert!(waiting.is_empty(), "what is left waits for nothing that runs");
            return Ok(());
        };
        result?;
        ended.insert(index);
    }
}
