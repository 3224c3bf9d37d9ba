//! Runs the builds of dependencies: as many at once as the limit allows, none before what it depends on.

use super::lifecycle::{BUILD, Package};
use super::unshare::unshare;
use super::{BuildPlan, BuildStep, Environment, ScriptError};
use crate::reporter::{ProgressEvent, Reporter};
use crate::rt;
use crate::virtual_store::Layout;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use std::collections::BTreeSet;
use std::sync::Arc;

/// How many packages build at once: pnpm's `childConcurrency`.
const BUILDS_AT_ONCE_MAX: usize = 5;

/// Runs all steps of a plan.
///
/// # Errors
/// The first failure of a package that is not optional; what runs beside it is ended then.
pub async fn run(
    plan: &BuildPlan,
    layout: &Arc<Layout>,
    environment: &Arc<Environment>,
    reporter: &Arc<dyn Reporter>,
) -> Result<(), ScriptError> {
    let mut waiting: Vec<usize> = (0..plan.steps.len()).collect();
    let mut ended = BTreeSet::new();
    let mut running = FuturesUnordered::new();
    loop {
        let is_ready = |index: &usize| plan.steps[*index].after.is_subset(&ended);
        while running.len() < BUILDS_AT_ONCE_MAX
            && let Some(position) = waiting.iter().position(is_ready)
        {
            let index = waiting.remove(position);
            let step = &plan.steps[index];
            running.push(async move { (index, build(step, layout, environment, reporter).await) });
        }
        let Some((index, built)) = running.next().await else {
            assert!(waiting.is_empty(), "what is left waits for nothing that runs");
            return Ok(());
        };
        match built {
            Err(error) if plan.steps[index].optional => {
                let message =
                    format!("the optional package {} does without its build: {error}", plan.steps[index].package);
                reporter.report(&ProgressEvent::Warning { code: "OPTIONAL_BUILD_FAILED", message });
            }
            built => built?,
        }
        ended.insert(index);
    }
}

async fn build(
    step: &BuildStep,
    layout: &Arc<Layout>,
    environment: &Arc<Environment>,
    reporter: &Arc<dyn Reporter>,
) -> Result<(), ScriptError> {
    let dir = layout.package_dir(&step.dep_path);
    let (read, prepared) = (dir.clone(), dir.clone());
    let package = rt::blocking("prepare a build", move || unshare(&prepared).map(|()| Package::read(&read))).await;
    let package = package.map_err(|source| ScriptError::Prepare { dir, source })?;
    package.run(&BUILD, environment, &**reporter).await
}
