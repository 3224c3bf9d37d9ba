//! Removes what an earlier install put into node_modules and this one does not want. Touches nothing that is not ours.

use super::bins::Bin;
use super::import::TEMPORARY_PREFIX;
use super::link::{LinkError, LinkPlan};
use super::{InstalledPackages, Layout, dep_path_to_filename};
use crate::rt::{self, FileKind};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What is to be removed: links and commands first, then directories.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PrunePlan {
    /// Links and commands.
    pub files: Vec<PathBuf>,
    /// Directories of snapshots that are gone, and temporary ones that an interrupted install left.
    pub directories: Vec<PathBuf>,
}

/// Compares node_modules with what is wanted. Reads directories, changes nothing.
pub fn plan(layout: &Layout, links: &LinkPlan, bins: &[Bin], installed: &InstalledPackages) -> PrunePlan {
    let mut plan = PrunePlan::default();
    let direct = links.direct.keys().map(String::as_str).collect();
    plan.unwanted_links(&layout.modules_dir, &direct);
    let hoisted = links.hoisted.keys().map(String::as_str).collect();
    plan.unwanted_links(&layout.hoisted_modules_dir(), &hoisted);
    plan.unwanted_bins(&layout.modules_dir.join(".bin"), bins);
    plan.unwanted_snapshots(layout, installed);
    plan
}

impl PrunePlan {
    /// Links into the virtual store under names that nobody asked for.
    fn unwanted_links(&mut self, modules_dir: &Path, wanted: &BTreeSet<&str>) {
        for name in names_in(modules_dir) {
            let path = modules_dir.join(&name);
            if name.starts_with('@') {
                for inner in names_in(&path) {
                    self.unwanted_link(path.join(&inner), &format!("{name}/{inner}"), wanted);
                }
            } else {
                self.unwanted_link(path, &name, wanted);
            }
        }
    }

    fn unwanted_link(&mut self, path: PathBuf, name: &str, wanted: &BTreeSet<&str>) {
        let is_ours = || {
            let target = rt::fs::read_link(&path).unwrap_or_default();
            let mut parents = target.components().map(|component| component.as_os_str());
            parents.any(|component| component == ".pnpm") || target.starts_with("..")
        };
        if !wanted.contains(name) && rt::fs::kind(&path).is_ok_and(|kind| kind == FileKind::Symlink) && is_ours() {
            self.files.push(path);
        }
    }

    fn unwanted_bins(&mut self, dir: &Path, bins: &[Bin]) {
        let wanted: BTreeSet<&Path> = bins.iter().map(|bin| bin.path.as_path()).collect();
        let there = names_in(dir).into_iter().map(|name| dir.join(name));
        self.files.extend(there.filter(|path| !wanted.contains(path.as_path())));
    }

    fn unwanted_snapshots(&mut self, layout: &Layout, installed: &InstalledPackages) {
        let wanted: BTreeSet<String> = installed.keys().map(|dep_path| dep_path_to_filename(dep_path)).collect();
        for name in names_in(&layout.virtual_store_dir) {
            let dir = layout.virtual_store_dir.join(&name);
            if name == "node_modules" || !rt::fs::kind(&dir).is_ok_and(|kind| kind == FileKind::Directory) {
                continue;
            }
            if !wanted.contains(&name) {
                self.directories.push(dir);
                continue;
            }
            let modules = dir.join("node_modules");
            for name in names_in(&modules) {
                let inner = modules.join(&name);
                let scoped = if name.starts_with('@') { names_in(&inner) } else { Vec::new() };
                let places = scoped.into_iter().map(|name| (inner.join(&name), name));
                for (path, name) in places.chain([(inner.clone(), name.clone())]) {
                    if name.starts_with(TEMPORARY_PREFIX) {
                        self.directories.push(path);
                    }
                }
            }
        }
    }
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
        rt::fs::symlink(Path::new("/elsewhere"), &layout.modules_dir.join("linked-by-hand")).unwrap();

        let links = LinkPlan { direct: [("a".to_owned(), "a@1.0.0".to_owned())].into(), ..LinkPlan::default() };
        let installed = [("a@1.0.0".to_owned(), Arc::default())].into();
        let pruned = plan(&layout, &links, &[], &installed);
        apply(&pruned).unwrap();

        let left = names_in(&layout.modules_dir);
        assert_eq!(left, [".bin", ".pnpm", "a", "linked-by-hand", "mine"]);
        assert_eq!(names_in(&layout.virtual_store_dir), ["a@1.0.0"]);
        assert_eq!(names_in(&layout.snapshot_modules_dir("a@1.0.0")), ["a"]);
        assert!(names_in(&layout.modules_dir.join(".bin")).is_empty());
    }
}
