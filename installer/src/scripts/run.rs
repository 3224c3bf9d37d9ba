//! Runs the builds of dependencies, none before what it depends on.

use super::in_order::in_order;
use super::lifecycle::{BUILD, Package};
use super::unshare::unshare;
use super::{BuildPlan, BuildStep, Environment, ScriptError};
use crate::lockfile::DepPath;
use crate::reporter::{ProgressEvent, Reporter};
use crate::rt;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Runs all steps of a plan, each in the directories that its snapshot has among `dirs`; gives the optional packages whose builds
/// failed.
///
/// # Errors
/// The first failure of a package that is not optional; what runs beside it is ended then.
pub async fn run(
    plan: &BuildPlan,
    dirs: &BTreeMap<DepPath, Vec<PathBuf>>,
    environment: &Arc<Environment>,
    reporter: &Arc<dyn Reporter>,
) -> Result<BTreeSet<DepPath>, ScriptError> {
    let failed = RefCell::new(BTreeSet::new());
    let after: Vec<_> = plan.steps.iter().map(|step| &step.after).collect();
    let build_all = async |step: &BuildStep| {
        for dir in dirs.get(&step.dep_path).into_iter().flatten() {
            build(dir, environment, reporter).await?;
        }
        Ok(())
    };
    let run = async |step: &BuildStep| match build_all(step).await {
        Err(error) if step.optional => {
            let message = format!("the optional package {} does without its build: {error}", step.package);
            reporter.report(&ProgressEvent::Warning { code: "OPTIONAL_BUILD_FAILED", message });
            failed.borrow_mut().insert(step.dep_path.clone());
            Ok(())
        }
        built => built,
    };
    in_order(&after, |index| run(&plan.steps[index])).await?;
    Ok(failed.into_inner())
}

async fn build(dir: &Path, environment: &Arc<Environment>, reporter: &Arc<dyn Reporter>) -> Result<(), ScriptError> {
    let (read, prepared) = (dir.to_owned(), dir.to_owned());
    let package = rt::blocking("prepare a build", move || unshare(&prepared).map(|()| Package::read(&read))).await;
    let package = package.map_err(|source| ScriptError::Prepare { dir: dir.to_owned(), source })?;
    package.run(&BUILD, environment, &**reporter).await
}
