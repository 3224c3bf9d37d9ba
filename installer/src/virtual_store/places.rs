//! Where the files of each snapshot go: into the virtual store, or to where hoisting wants them.

use super::Layout;
use super::hoisted::place::PlacePlan;
use super::hoisted::{Locations, Record};
use super::import::Importer;
use crate::lockfile::DepPath;
use crate::rt::{self, TEMPORARY_PREFIX};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where the files of each snapshot go.
#[derive(Debug)]
pub enum Places {
    /// `nodeLinker: isolated`: one directory in node_modules/.pnpm.
    VirtualStore(Arc<Layout>),
    /// `nodeLinker: hoisted`: any number of directories in the projects' node_modules.
    Hoisted(HoistedPlaces),
}

/// The directories of a hoisted tree, as they are and as they are to be.
#[derive(Debug)]
pub struct HoistedPlaces {
    /// Which directory is to hold which snapshot.
    pub locations: Locations,
    /// What the last install left.
    pub record: Record,
    /// Where directories are filled, each under the number of its place among all.
    staging_dir: PathBuf,
    /// Directory → its number.
    numbers: BTreeMap<PathBuf, usize>,
}

/// One directory of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// Where the files are to be in the end.
    pub dir: PathBuf,
    /// Where they are put until everything else is there, where that is not the same.
    pub staged: Option<PathBuf>,
    /// Whether the directory has the right files if it is there.
    pub is_known: bool,
}

impl Places {
    /// The directories of a snapshot, each to be filled by itself.
    pub fn slots(&self, dep_path: &str) -> Vec<Slot> {
        match self {
            Places::VirtualStore(layout) => {
                vec![Slot { dir: layout.package_dir(dep_path), staged: None, is_known: true }]
            }
            Places::Hoisted(places) => places.slots(dep_path),
        }
    }

    /// The layout, of a snapshot whose directory all projects share.
    pub fn shared(&self, dep_path: &str) -> Option<&Layout> {
        match self {
            Places::VirtualStore(layout) => layout.entry(dep_path).map(|_| &**layout),
            Places::Hoisted(_) => None,
        }
    }

    /// Whether all snapshots have to be known before one has its place.
    pub fn are_known_late(&self) -> bool {
        matches!(self, Places::Hoisted(_))
    }

    /// The directories that a snapshot is found in, in the end.
    pub fn dirs(&self, dep_path: &str) -> Vec<PathBuf> {
        match self {
            Places::VirtualStore(layout) => vec![layout.package_dir(dep_path)],
            Places::Hoisted(places) => places.locations.of(dep_path),
        }
    }
}

impl HoistedPlaces {
    /// Places in `layout`, of which `record` says what they hold now.
    pub fn new(locations: Locations, record: Record, layout: &Layout) -> Self {
        let staging_dir = layout.virtual_store_dir.join(format!("{TEMPORARY_PREFIX}{}", rt::unique()));
        let numbers = locations.dirs().keys().enumerate().map(|(number, dir)| (dir.clone(), number)).collect();
        HoistedPlaces { locations, record, staging_dir, numbers }
    }

    fn staged(&self, dir: &Path) -> PathBuf {
        self.staging_dir.join(self.numbers[dir].to_string())
    }

    fn slots(&self, dep_path: &str) -> Vec<Slot> {
        let slot = |dir: PathBuf| {
            let (staged, is_known) = (Some(self.staged(&dir)), self.record.holds(&dir, dep_path));
            Slot { dir, staged, is_known }
        };
        self.locations.of(dep_path).into_iter().map(slot).collect()
    }

    /// What is to happen once everything is there. Where an optional package is missing, so is what lies inside it.
    pub fn plan(&self, importer: &Importer, is_installed: impl Fn(&DepPath) -> bool) -> PlacePlan {
        let mut plan = PlacePlan::default();
        let mut missing: BTreeSet<&Path> = BTreeSet::new();
        for (dir, dep_path) in self.locations.dirs() {
            if !is_installed(dep_path) || dir.ancestors().skip(1).any(|above| missing.contains(above)) {
                missing.insert(dir);
            } else if importer.has_added(dir) {
                plan.staged.insert(dir.clone(), self.staged(dir));
            } else {
                plan.kept.insert(dir.clone());
            }
        }
        let stays = |dir: &PathBuf| plan.staged.contains_key(dir) || plan.kept.contains(dir);
        plan.gone = self.record.dirs().filter(|dir| !stays(dir)).cloned().collect();
        plan
    }
}
