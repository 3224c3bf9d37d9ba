//! O11: the lockfile and node_modules are a function of the input alone: the same under every schedule.

use super::{Oracle, Violation};
use crate::observation::{Observation, Outcome};
use std::collections::BTreeSet;

/// See the module.
pub struct SameResult;

impl Oracle for SameResult {
    fn id(&self) -> &'static str {
        "O11"
    }

    fn demand(&self) -> &'static str {
        "the lockfile and node_modules are the same under every schedule"
    }

    fn check(&self, run: &Observation) -> Result<(), Violation> {
        let Some(expected) = run.expected_tree.as_deref().filter(|_| run.installed()) else { return Ok(()) };
        let beside = run.beside.iter().filter(|beside| matches!(beside.outcome, Outcome::Installed(_)));
        let mut trees = [&run.tree].into_iter().chain(beside.map(|beside| &beside.tree));
        let Some(tree) = trees.find(|tree| *tree != expected) else { return Ok(()) };
        let paths: BTreeSet<_> = expected.keys().chain(tree.keys()).collect();
        let differs = paths.into_iter().find(|path| expected.get(*path) != tree.get(*path));
        let path = differs.expect("trees that are not equal differ somewhere");
        let how = match (expected.get(path), tree.get(path)) {
            (None, _) => "is there under this schedule only",
            (_, None) => "is missing under this schedule",
            _ => "differs from what other schedules give",
        };
        Err(Violation::new(format!("{path} {how}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::Entry;
    use crate::observation::Beside;
    use crate::oracles::testing::{check, good_run};
    use std::sync::Arc;

    #[test]
    fn a_tree_that_depends_on_the_schedule_is_wrong() {
        let mut run = good_run();
        run.tree.insert("pnpm-lock.yaml".to_owned(), Entry::File(Arc::new(b"1".to_vec())));
        run.expected_tree = Some(Arc::new(run.tree.clone()));
        assert!(check(&SameResult, &run).is_ok());
        run.tree.insert("pnpm-lock.yaml".to_owned(), Entry::File(Arc::new(b"2".to_vec())));
        assert!(check(&SameResult, &run).unwrap_err().sentence.contains("pnpm-lock.yaml differs"));
        run.tree.clear();
        assert!(check(&SameResult, &run).unwrap_err().sentence.contains("is missing"));
    }

    #[test]
    fn the_tree_of_an_install_beside_it_counts_too() {
        let mut run = good_run();
        run.expected_tree = Some(Arc::default());
        run.beside = vec![Beside { outcome: run.outcome.clone(), returned_us: 0, tree: run.tree.clone() }];
        assert!(check(&SameResult, &run).is_ok());
        run.beside[0].tree.insert("pnpm-lock.yaml".to_owned(), Entry::File(Arc::default()));
        assert!(check(&SameResult, &run).unwrap_err().sentence.contains("pnpm-lock.yaml is there"));
    }
}
