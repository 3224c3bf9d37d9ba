//! Runs the builds of dependencies, none before what it depends on.

use super::in_order::in_order;
use super::lifecycle::{BUILD, Package};
use super::unshare::unshare;
use super::{BuildPlan, BuildStep, Environment, ScriptError};
use crate::reporter::{ProgressEvent, Reporter};
use crate::rt;
use crate::virtual_store::Layout;
use std::sync::Arc;

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
    let after: Vec<_> = plan.steps.iter().map(|step| &step.after).collect();
    let run = async |step: &BuildStep| match build(step, layout, environment, reporter).await {
        Err(error) if step.optional => {
            let message = format!("the optional package {} does without its build: {error}", step.package);
            reporter.report(&ProgressEvent::Warning { code: "OPTIONAL_BUILD_FAILED", message });
            Ok(())
        }
        built => built,
    };
    in_order(&after, |index| run(&plan.steps[index])).await
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
