//! What a scenario needs before its runs: published packages, and a disk with its package.json, store and lockfile.
//!
//! A warm store and a lockfile are made by the real installer, in a run of its own under a plain schedule.

use crate::bugs::Coordination;
use crate::disk::{Entry, Image, ModelDisk};
use crate::observation::Outcome;
use crate::registry::{Published, publish};
use crate::run::{Run, RunPlan, project_dir, run};
use crate::scenario::{Install, Scenario, ScenarioError, Store};
use crate::strategy::{Fifo, Trial};
use installer::lockfile;
use installer::rt::simulated::Disk;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A scenario that is ready to run.
#[derive(Clone)]
pub struct Prepared {
    /// The scenario.
    pub scenario: Arc<Scenario>,
    /// What its registry serves.
    pub published: Arc<Published>,
    /// The disk that each run begins with.
    pub image: Image,
    /// What an undisturbed run of it is like.
    pub trial: Trial,
    /// The lockfile and node_modules after that run, where it succeeds: what every other run must come to.
    pub expected_tree: Option<Arc<BTreeMap<String, Entry>>>,
}

/// Prepares a scenario.
///
/// # Errors
/// When its own packages cannot be installed even with nothing going wrong.
pub fn prepare(scenario: Scenario) -> Result<Arc<Prepared>, ScenarioError> {
    let scenario = Arc::new(scenario);
    let published = Arc::new(publish(&scenario));
    let mut disk = Image::default();
    let warm = match &scenario.store {
        Store::Cold => None,
        Store::Warm => Some(scenario.as_ref().clone()),
        Store::WarmFor(dependencies) => {
            let dependencies = dependencies.clone();
            Some(Scenario { dependencies, members: BTreeMap::new(), ..scenario.as_ref().clone() })
        }
    };
    if let Some(warm) = warm {
        disk = install_plainly(warm, &published, &disk)?.0;
    }
    let mut lockfile = None;
    if scenario.install == Install::Frozen {
        lockfile = install_plainly(scenario.as_ref().clone(), &published, &Image::default())?.1;
    }
    let disk = projects_on(&disk, &scenario, lockfile.as_deref());
    let untried = Prepared { scenario, published, image: disk, trial: Trial::default(), expected_tree: None };
    let plan = RunPlan { prepares: true, ..RunPlan::new(Arc::new(untried.clone()), Coordination::Shared) };
    let Run { trial, observation, .. } = run(plan, || Box::new(Fifo));
    let trial = trial.unwrap_or_default();
    let expected_tree = observation.installed().then(|| Arc::new(observation.tree));
    Ok(Arc::new(Prepared { trial, expected_tree, ..untried }))
}

/// A disk whose projects are as new: package.json, perhaps a lockfile, and no node_modules.
fn projects_on(image: &Image, scenario: &Scenario, lockfile: Option<&[u8]>) -> Image {
    let disk = ModelDisk::new(image);
    for dir in (0..scenario.installs()).map(project_dir) {
        let _ = disk.remove_dir_all(&dir);
        let manifest = json!({ "dependencies": scenario.dependencies });
        disk.put(&dir.join("package.json"), manifest.to_string().as_bytes());
        for (name, dependencies) in &scenario.members {
            let manifest = json!({ "name": name, "version": "1.0.0", "dependencies": dependencies });
            disk.put(&dir.join(name).join("package.json"), manifest.to_string().as_bytes());
        }
        if let Some(lockfile) = lockfile {
            disk.put(&dir.join(lockfile::FILE_NAME), lockfile);
        }
    }
    disk.image()
}

/// The disk, and the lockfile on it, after an install in which nothing goes wrong.
fn install_plainly(
    scenario: Scenario,
    published: &Arc<Published>,
    image: &Image,
) -> Result<(Image, Option<Vec<u8>>), ScenarioError> {
    let mut plain = scenario;
    plain.install = Install::Fresh;
    plain.commit_lag_ms = 0;
    plain.network = Default::default();
    plain.leaders.clear();
    plain.unpolled_prefetches.clear();
    plain.beside = 0;
    plain.one_project = false;
    let name = plain.name.clone();
    let prepared = Prepared {
        image: projects_on(image, &plain, None),
        scenario: Arc::new(plain),
        published: published.clone(),
        trial: Trial::default(),
        expected_tree: None,
    };
    let plan = RunPlan { prepares: true, ..RunPlan::new(Arc::new(prepared), Coordination::Shared) };
    let run = run(plan, || Box::new(Fifo));
    if let (Outcome::Installed(_), Some(image)) = (&run.observation.outcome, run.image) {
        let lockfile = ModelDisk::new(&image).read(&project_dir(0).join(lockfile::FILE_NAME)).ok();
        return Ok((image, lockfile));
    }
    let message = format!("its packages cannot be installed: {:?}", run.observation.outcome);
    Err(ScenarioError::Inconsistent { name, message })
}
