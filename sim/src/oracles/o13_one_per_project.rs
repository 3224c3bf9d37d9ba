//! O13: in one project one install works at a time.

use super::{Oracle, Violation};
use crate::observation::Observation;
use crate::scenario::Crash;
use crate::scheduler::install_of;
use crate::trace::What;
use installer::rt::Point;
use std::collections::BTreeSet;

/// See the module.
pub struct OnePerProject;

impl Oracle for OnePerProject {
    fn id(&self) -> &'static str {
        "O13"
    }

    fn demand(&self) -> &'static str {
        "in one project one install works at a time"
    }

    fn check(&self, run: &Observation) -> Result<(), Violation> {
        let mut working = BTreeSet::new();
        for entry in run.trace.iter().filter(|_| run.scenario.one_project) {
            let install = install_of(&entry.task);
            match entry.what {
                What::At(Point::PartitionRead) => drop(working.insert(install)),
                What::At(Point::InstallFinish) | What::Crashed(Crash::Kill | Crash::PowerLoss) => {
                    working.remove(&install);
                }
                _ => {}
            }
            if working.len() > 1 {
                let installs: Vec<_> = working.iter().map(|install| (install + 1).to_string()).collect();
                let sentence = format!("installs {} work in one project at the same time", installs.join(" and "));
                return Err(Violation::new(sentence));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracles::testing::{check, good_run, scenario};
    use crate::trace::TraceEntry;
    use serde_json::json;

    #[test]
    fn two_that_work_at_once_are_noticed() {
        let at = |task: &str, point| TraceEntry { at_us: 0, task: task.into(), what: What::At(point) };
        let mut run = good_run();
        run.trace = vec![
            at("install", Point::PartitionRead),
            at("install", Point::InstallFinish),
            at("2: install", Point::PartitionRead),
            at("2: install", Point::InstallFinish),
        ];
        run.scenario = scenario(json!({ "beside": 1, "one_project": true }));
        assert!(check(&OnePerProject, &run).is_ok());
        run.trace.swap(1, 2);
        assert!(check(&OnePerProject, &run).unwrap_err().sentence.contains("installs 1 and 2"));
        run.trace.insert(1, TraceEntry { at_us: 0, task: "claim".into(), what: What::Crashed(Crash::Kill) });
        assert!(check(&OnePerProject, &run).is_ok(), "the first is dead when the second begins");
        run.trace.remove(1);
        run.scenario = scenario(json!({ "beside": 1 }));
        assert!(check(&OnePerProject, &run).is_ok(), "each in a project of its own");
    }
}
