//! Does again what a record says. Where the record does not fit the run, it says so and goes on in the default order.

use super::Strategy;
use crate::schedule::{Branch, Decision};
use installer::rt::Point;

/// The first decision of a record that does not fit the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Divergence {
    /// Its place in the record, from 0.
    pub index: usize,
    /// What the record says; `None` where it has ended.
    pub recorded: Option<Decision>,
    /// What the run came to instead.
    pub found: String,
}

/// See the module.
pub struct Replay {
    decisions: Vec<Decision>,
    next: usize,
    divergence: Option<Divergence>,
}

impl Replay {
    /// Replays these decisions.
    pub fn new(decisions: Vec<Decision>) -> Self {
        Replay { decisions, next: 0, divergence: None }
    }

    fn diverge(&mut self, found: String) {
        let (index, recorded) = (self.next, self.decisions.get(self.next).cloned());
        self.divergence.get_or_insert(Divergence { index, recorded, found });
    }
}

impl Strategy for Replay {
    fn pick(&mut self, ready: &[&str]) -> usize {
        if let Some(Decision::Run(task)) = self.decisions.get(self.next)
            && let Some(index) = ready.iter().position(|name| name == task)
        {
            self.next += 1;
            return index;
        }
        self.diverge(format!("a choice between {}", ready.join(", ")));
        0
    }

    fn branch(&mut self, task: &str, point: Point) -> Branch {
        if let Some(Decision::At { task: recorded, point: label, branch }) = self.decisions.get(self.next)
            && recorded == task
            && label == point.label()
        {
            self.next += 1;
            return *branch;
        }
        self.diverge(format!("{task} at {}", point.label()));
        Branch::Continue
    }

    fn divergence(&self) -> Option<Divergence> {
        self.divergence.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_that_does_not_fit_names_its_first_decision() {
        let mut replay = Replay::new(vec![Decision::Run("b".into()), Decision::Run("c".into())]);
        assert_eq!(replay.pick(&["a", "b"]), 1);
        assert_eq!(replay.pick(&["a", "b"]), 0);
        let divergence = replay.divergence().unwrap();
        assert_eq!((divergence.index, divergence.recorded), (1, Some(Decision::Run("c".into()))));
    }
}
