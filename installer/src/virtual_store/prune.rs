//! Removes what an earlier install put into node_modules and this one does not want. Touches nothing that is not ours.

use super::bins::Bin;
use super::link::{LinkError, LinkPlan};
use super::{InstalledPackages, Layout, dep_path_to_filename};
use crate::rt::{self, FileKind, TEMPORARY_PREFIX};
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

/// Compares node_modules with what is wanted. Reads directories, changes nothing.
pub fn plan(layout: &Layout, links: &LinkPlan, bins: &[Bin], installed: &InstalledPackages) -> PrunePlan {
    let links = links.links.iter().map(|link| link.path.as_path());
    let wanted = links.chain(bins.iter().map(|bin| bin.path.as_path())).collect();
    let mut sweep = Sweep { layout, wanted, plan: PrunePlan::default() };
    sweep.modules(&layout.modules_dir);
    let hoisted_modules_dir = layout.hoisted_modules_dir();
    if sweep.modules(&hoisted_modules_dir) == Left::Nothing {
        sweep.plan.directories.push(hoisted_modules_dir);
    }
    sweep.snapshots(installed);
    installed.keys().for_each(|dep_path| sweep.own_commands(&layout.own_modules_dir(dep_path).join(".bin")));
    sweep.plan
}

/// Walks through what is there.
struct Sweep<'a> {
    layout: &'a Layout,
    /// Every link and command that is wanted.
    wanted: BTreeSet<&'a Path>,
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
            } else if self.is_unwanted_link(&path) {
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

    fn snapshots(&mut self, installed: &InstalledPackages) {
        let kept: BTreeSet<String> = installed.keys().map(|dep_path| dep_path_to_filename(dep_path)).collect();
        for name in names_in(&self.layout.virtual_store_dir) {
            let dir = self.layout.virtual_store_dir.join(&name);
            if name == "node_modules" || !is(&dir, FileKind::Directory) {
                continue;
            }
            if kept.contains(&name) {
                self.modules(&dir.join("node_modules"));
            } else {
                self.plan.directories.push(dir);
                self.plan.snapshots += 1;
            }
        }
    }

    /// A link that nobody wants, and that an installer made: it is in the virtual store or leads there.
    fn is_unwanted_link(&self, path: &Path) -> bool {
        let leads_there = || {
            let target = rt::fs::read_link(path).unwrap_or_default();
            target.components().any(|component| component.as_os_str() == ".pnpm")
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
        let links = LinkPlan { links: vec![link], ..LinkPlan::default() };
        let installed = [("a@1.0.0".to_owned(), Arc::default())].into();
        let pruned = plan(&layout, &links, &[], &installed);
        assert_eq!(pruned.snapshots, 1);
        apply(&pruned).unwrap();

        let left = names_in(&layout.modules_dir);
        assert_eq!(left, [".pnpm", "a", "linked-by-hand", "mine"]);
        assert_eq!(names_in(&layout.virtual_store_dir), ["a@1.0.0"]);
        assert_eq!(names_in(&layout.snapshot_modules_dir("a@1.0.0")), ["a"]);
        assert_eq!(names_in(&own_bin), ["bundled"]);
    }
}
