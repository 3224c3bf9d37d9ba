//! Removes what an earlier install put into node_modules and this one does not want. Touches nothing that is not ours.

use super::bins::Bin;
use super::direct::package_at;
use super::hoisted::Locations;
use super::layout::normal;
use super::link::{LinkError, LinkPlan};
use super::{InstalledPackages, Layout, dep_path_to_filename};
use crate::lockfile::DepPath;
use crate::rt::{self, FileKind, TEMPORARY_PREFIX};
use crate::workspace::ROOT;
use std::cell::LazyCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What is to be removed: links and commands first, then directories.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PrunePlan {
    /// Links and commands.
    pub files: Vec<PathBuf>,
    /// Directories of snapshots that are gone, and temporary ones that an interrupted install left.
    pub directories: Vec<PathBuf>,
    /// How many of the directories are snapshots.
    pub snapshots: usize,
}

/// What is to stay.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// Every link; the projects that it has direct dependencies of are the ones that are looked into.
    pub links: &'a LinkPlan,
    /// Every command.
    pub bins: &'a [Bin],
    /// Every package of this install.
    pub installed: &'a InstalledPackages,
    /// Snapshots that other projects of the workspace need, when some are left alone; `None` where none is.
    pub of_others: Option<&'a BTreeSet<DepPath>>,
    /// The directories of the workspace's projects: a link to one was made by an installer.
    pub projects: &'a BTreeSet<PathBuf>,
    /// Whether this install made the virtual store: then nothing in it is old.
    pub is_new: bool,
}

/// Compares node_modules with what is wanted. Reads directories, changes nothing.
pub fn plan(layout: &Layout, wanted: Wanted<'_>) -> PrunePlan {
    let paths = move || {
        let links = wanted.links.links.iter().map(|link| link.path.as_path());
        links.chain(wanted.bins.iter().map(|bin| bin.path.as_path())).collect()
    };
    let paths = LazyCell::new(Box::new(paths) as Box<dyn FnOnce() -> _>);
    let mut sweep = Sweep { layout, wanted: paths, projects: wanted.projects, plan: PrunePlan::default() };
    for importer in wanted.links.direct.keys() {
        sweep.modules(&layout.importer_modules_dir(importer));
    }
    // It has hoisted packages also where the root is no project.
    if wanted.of_others.is_none() && !wanted.links.direct.contains_key(ROOT) {
        sweep.modules(&layout.modules_dir);
    }
    let hoisted_modules_dir = layout.hoisted_modules_dir();
    // What is hoisted for the other projects cannot be told from what is old.
    if wanted.of_others.is_none() && sweep.modules(&hoisted_modules_dir) == Left::Nothing {
        sweep.plan.directories.push(hoisted_modules_dir);
    }
    if !wanted.is_new {
        sweep.snapshots(wanted.installed, wanted.of_others);
        let here = wanted.installed.keys().filter(|dep_path| layout.entry(dep_path).is_none());
        here.for_each(|dep_path| sweep.own_commands(&layout.own_modules_dir(dep_path).join(".bin")));
    }
    sweep.plan
}

impl PrunePlan {
    /// Adds the commands inside the packages of a hoisted tree that nobody wants: links, for nothing else was made there.
    pub fn add_inner_commands(&mut self, locations: &Locations, bins: &[Bin]) {
        let wanted: BTreeSet<&Path> = bins.iter().map(|bin| bin.path.as_path()).collect();
        for modules_dir in locations.dirs().keys().map(|dir| dir.join("node_modules")) {
            let bin_dir = modules_dir.join(".bin");
            let there: Vec<PathBuf> = names_in(&bin_dir).into_iter().map(|name| bin_dir.join(name)).collect();
            let is_old = |path: &&PathBuf| !wanted.contains(path.as_path()) && is(path, FileKind::Symlink);
            let old: Vec<PathBuf> = there.iter().filter(is_old).cloned().collect();
            if old.is_empty() || old.len() < there.len() {
                self.files.extend(old);
            } else if names_in(&modules_dir) == [".bin"] {
                self.directories.push(modules_dir);
            } else {
                self.directories.push(bin_dir);
            }
        }
    }
}

/// Walks through what is there.
struct Sweep<'a> {
    layout: &'a Layout,
    /// Every link and command that is wanted; in a new node_modules nobody asks.
    wanted: LazyCell<BTreeSet<&'a Path>, Box<dyn FnOnce() -> BTreeSet<&'a Path> + 'a>>,
    projects: &'a BTreeSet<PathBuf>,
    plan: PrunePlan,
}

/// What a directory holds once the plan is carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    Nothing,
    Something,
}

impl Sweep<'_> {
    /// A node_modules: links and commands nobody wants, and what an interrupted import left behind.
    fn modules(&mut self, modules_dir: &Path) -> Left {
        let mut left = Left::Nothing;
        for name in names_in(modules_dir) {
            let path = modules_dir.join(&name);
            let is_empty_directory = if name == ".bin" {
                self.commands(&path) == Left::Nothing
            } else if name.starts_with('@') && is(&path, FileKind::Directory) {
                self.modules(&path) == Left::Nothing
            } else {
                name.starts_with(TEMPORARY_PREFIX) && is(&path, FileKind::Directory)
            };
            if name.starts_with(TEMPORARY_PREFIX) && is(&path, FileKind::File) {
                self.plan.files.push(path);
            } else if is_empty_directory {
                self.plan.directories.push(path);
            } else if path != self.layout.virtual_store_dir && self.is_unwanted_link(&path) {
                self.plan.files.push(path);
            } else {
                left = Left::Something;
            }
        }
        left
    }

    /// A `.bin`, all of which is ours.
    fn commands(&mut self, dir: &Path) -> Left {
        let mut left = Left::Nothing;
        for path in names_in(dir).into_iter().map(|name| dir.join(name)) {
            if self.wanted.contains(path.as_path()) {
                left = Left::Something;
            } else {
                self.plan.files.push(path);
            }
        }
        left
    }

    /// The `.bin` inside a package's own files, which may have come with it: only what an interrupted install left.
    fn own_commands(&mut self, dir: &Path) {
        let temporary = names_in(dir).into_iter().filter(|name| name.starts_with(TEMPORARY_PREFIX));
        self.plan.files.extend(temporary.map(|name| dir.join(name)));
    }

    fn snapshots(&mut self, installed: &InstalledPackages, of_others: Option<&BTreeSet<DepPath>>) {
        let left_alone: BTreeSet<String> =
            of_others.into_iter().flatten().map(|dep_path| dep_path_to_filename(dep_path)).collect();
        let here = installed.keys().filter(|dep_path| self.layout.entry(dep_path).is_none());
        let kept: BTreeSet<String> = here.map(|dep_path| dep_path_to_filename(dep_path)).collect();
        for name in names_in(&self.layout.virtual_store_dir) {
            let dir = self.layout.virtual_store_dir.join(&name);
            if name == "node_modules" || !is(&dir, FileKind::Directory) {
                continue;
            }
            if kept.contains(&name) {
                self.modules(&dir.join("node_modules"));
            } else if !left_alone.contains(&name) {
                self.plan.directories.push(dir);
                self.plan.snapshots += usize::from(!name.starts_with(TEMPORARY_PREFIX));
            }
        }
    }

    /// A link that nobody wants, and that an installer made: it is in the virtual store, or leads there or to a project.
    fn is_unwanted_link(&self, path: &Path) -> bool {
        let leads_there = || {
            let target = rt::fs::read_link(path).unwrap_or_default();
            let whole = || normal(&path.parent().unwrap_or(path).join(&target));
            target.components().any(|component| component.as_os_str() == ".pnpm")
                || package_at(&target).is_some()
                || self.projects.contains(&whole())
        };
        !self.wanted.contains(path)
            && is(path, FileKind::Symlink)
            && (path.starts_with(&self.layout.virtual_store_dir) || leads_there())
    }
}

fn is(path: &Path, kind: FileKind) -> bool {
    rt::fs::kind(path).is_ok_and(|there| there == kind)
}

/// Removes what the plan names. What is gone already is no error.
///
/// # Errors
/// When the disk refuses.
pub fn apply(plan: &PrunePlan) -> Result<(), LinkError> {
    let removed = |path: &Path, result: std::io::Result<()>| match result {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(LinkError { action: "remove", path: path.to_owned(), source })
        }
        _ => Ok(()),
    };
    for path in &plan.files {
        removed(path, rt::fs::remove_file(path))?;
    }
    for path in &plan.directories {
        removed(path, rt::fs::remove_dir_all(path))?;
    }
    Ok(())
}

fn names_in(dir: &Path) -> Vec<String> {
    rt::fs::read_dir(dir).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::virtual_store::link::Link;
    use std::fs;
    use std::sync::Arc;

    #[test]
    fn what_is_ours_and_unwanted_goes_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path());
        for name in ["a@1.0.0", "old@1.0.0"] {
            let package = layout.package_dir(name);
            fs::create_dir_all(&package).unwrap();
            fs::create_dir_all(package.parent().unwrap().join(format!("{TEMPORARY_PREFIX}1"))).unwrap();
        }
        fs::create_dir_all(layout.modules_dir.join("mine")).unwrap();
        fs::create_dir_all(layout.modules_dir.join(".bin")).unwrap();
        fs::write(layout.modules_dir.join(".bin/old"), "").unwrap();
        rt::fs::symlink(Path::new(".pnpm/a@1.0.0/node_modules/a"), &layout.modules_dir.join("a")).unwrap();
        rt::fs::symlink(Path::new(".pnpm/old@1.0.0/node_modules/old"), &layout.modules_dir.join("old")).unwrap();
        rt::fs::symlink(Path::new("../elsewhere"), &layout.modules_dir.join("linked-by-hand")).unwrap();
        fs::create_dir_all(layout.modules_dir.join("@old")).unwrap();
        let scoped = layout.modules_dir.join("@old/scoped");
        rt::fs::symlink(Path::new("../.pnpm/@old+scoped@1.0.0/node_modules/@old/scoped"), &scoped).unwrap();
        rt::fs::symlink(
            Path::new("../../old@1.0.0/node_modules/old"),
            &layout.snapshot_modules_dir("a@1.0.0").join("old"),
        )
        .unwrap();

        let own_bin = layout.own_modules_dir("a@1.0.0").join(".bin");
        fs::create_dir_all(&own_bin).unwrap();
        fs::write(own_bin.join("bundled"), "").unwrap();
        fs::write(own_bin.join(format!("{TEMPORARY_PREFIX}2")), "").unwrap();

        let link = Link { path: layout.modules_dir.join("a"), target: layout.package_dir("a@1.0.0") };
        rt::fs::symlink(Path::new("../packages/w"), &layout.modules_dir.join("old-project")).unwrap();
        let projects = [layout.project_dir.join("packages/w")].into();
        let links = LinkPlan {
            links: vec![link],
            direct: [(".".to_owned(), Default::default())].into(),
            ..LinkPlan::default()
        };
        let installed = [("a@1.0.0".to_owned(), Arc::default())].into();
        let wanted = Wanted {
            links: &links,
            bins: &[],
            installed: &installed,
            of_others: None,
            projects: &projects,
            is_new: false,
        };
        let others = ["old@1.0.0".to_owned()].into();
        assert_eq!(plan(&layout, Wanted { of_others: Some(&others), ..wanted }).snapshots, 0);
        let pruned = plan(&layout, wanted);
        assert_eq!(pruned.snapshots, 1);
        apply(&pruned).unwrap();

        let left = names_in(&layout.modules_dir);
        assert_eq!(left, [".pnpm", "a", "linked-by-hand", "mine"]);
        assert_eq!(names_in(&layout.virtual_store_dir), ["a@1.0.0"]);
        assert_eq!(names_in(&layout.snapshot_modules_dir("a@1.0.0")), ["a"]);
        assert_eq!(names_in(&own_bin), ["bundled"]);
    }
}
