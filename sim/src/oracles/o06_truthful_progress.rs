//! O6: each package is reported once, as fetched if and only if its bytes came over the network in this install.

use super::{Oracle, Violation};
use crate::observation::Observation;
use installer::lockfile::package_key;
use installer::reporter::ProgressEvent;
use std::collections::BTreeMap;

/// See the module.
pub struct TruthfulProgress;

impl Oracle for TruthfulProgress {
    fn id(&self) -> &'static str {
        "O6"
    }

    fn demand(&self) -> &'static str {
        "each package is reported once, and as fetched if and only if the registry served it in this install"
    }

    fn check(&self, run: &Observation) -> Result<(), Violation> {
        if !run.installed() {
            return Ok(());
        }
        let mut reports: BTreeMap<String, Vec<bool>> = BTreeMap::new();
        for event in &run.progress {
            let (package, fetched) = match event {
                ProgressEvent::Fetched { package } => (package, true),
                ProgressEvent::FoundInStore { package } => (package, false),
                _ => continue,
            };
            reports.entry(package.to_string()).or_default().push(fetched);
        }
        let imported = run.progress.iter().filter_map(|event| match event {
            ProgressEvent::Imported { dep_path } => Some(package_key(dep_path)),
            _ => None,
        });
        if let Some(package) = imported.into_iter().find(|package| !reports.contains_key(*package)) {
            return Err(Violation::of(
                package,
                format!("{package} was put in place, and its source was never reported"),
            ));
        }
        let gets = run.tarball_gets();
        let served = |package: &str| {
            gets.iter().any(|(id, gets)| id.to_string() == package && gets.iter().any(|get| get.completed))
        };
        for (package, reports) in reports {
            if reports.len() > 1 {
                let sentence = format!("{package} was reported {} times", reports.len());
                return Err(Violation::of(package, sentence));
            }
            // A download whose task the scenario struck may have left its files in the store for its successor.
            let struck = run.scenario.leaders.keys().any(|id| id.to_string() == package);
            // What is in the store may have been served to an install beside this one.
            let excused = struck || run.scenario.beside > 0 && !reports[0];
            if reports[0] != served(&package) && !excused {
                let (said, was) = if reports[0] { ("fetched", "not served") } else { ("found in the store", "served") };
                let sentence = format!("{package} was reported as {said}, and the registry's log says it was {was}");
                return Err(Violation::of(package, sentence));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracles::testing::{check, good_run};
    use installer::package::PackageId;

    #[test]
    fn never_is_wrong() {
        let mut run = good_run();
        run.progress.push(ProgressEvent::Imported { dep_path: "b@1.0.0(a@1.0.0)".to_owned() });
        assert!(check(&TruthfulProgress, &run).unwrap_err().sentence.contains("b@1.0.0 was put in place"));
    }

    #[test]
    fn twice_or_falsely_is_wrong() {
        let mut run = good_run();
        assert!(check(&TruthfulProgress, &run).is_ok());
        let found = ProgressEvent::FoundInStore { package: PackageId::new("a", "1.0.0") };
        run.progress.push(found.clone());
        assert!(check(&TruthfulProgress, &run).unwrap_err().sentence.contains("2 times"));
        run.progress = vec![found];
        assert!(check(&TruthfulProgress, &run).unwrap_err().sentence.contains("was served"));
    }
}
