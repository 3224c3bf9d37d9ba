//! A disk with no room left: the error says which disk it is and what to do, nothing half-written is trusted, and the next
//! run works once there is room.
//!
//! The disks are small ones in memory, which only root may mount: elsewhere these tests say that they are skipped.
#![cfg(target_os = "linux")]

use crate::support::{LocalRegistry, Package, failed, in_store, lockstep, project, says, succeeded};
use crate::tree::{assert_same_tree, tree};
use installer::store::StoreDir;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// A small disk; it is gone with the value.
struct SmallDisk {
    dir: TempDir,
}

impl SmallDisk {
    /// Mounts one with these options; none where that is not allowed.
    fn mount(options: &str) -> Option<SmallDisk> {
        let disk = SmallDisk { dir: tempfile::tempdir().unwrap() };
        if disk.mounted(options) {
            return Some(disk);
        }
        println!("skipped: only root may mount a small disk");
        None
    }

    fn mounted(&self, options: &str) -> bool {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", options, "lockstep-test"]).arg(self.dir.path());
        mount.output().is_ok_and(|output| output.status.success())
    }

    fn enlarge(&self) {
        assert!(self.mounted("remount,size=64m,nr_inodes=100k"));
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.dir.path()).output();
    }
}

/// About four megabytes in 60 files, small and large ones, none like another.
fn registry() -> LocalRegistry {
    let registry = LocalRegistry::start();
    let package = |name: &'static str| {
        let text = |number: usize| format!("{name} {number} ").repeat(8000 * (1 + number % 2));
        let files = (0..20).map(|number| (&*format!("lib/{number}.js").leak(), text(number)));
        files.fold(Package::new(name, "1.0.0"), |package, (path, text)| package.file(path, text))
    };
    registry.publish(&["a", "b", "c"].map(package));
    registry
}

fn application(dir: &Path) {
    std::fs::create_dir_all(dir).unwrap();
    project(dir, &json!({ "dependencies": { "a": "1", "b": "1", "c": "1" } }));
}

#[test]
fn a_full_store_is_named_and_the_next_run_works() {
    for options in ["size=1m", "size=64m,nr_inodes=20"] {
        let Some(disk) = SmallDisk::mount(options) else { return };
        let (registry, dir, expected) = (registry(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        application(dir.path());
        application(expected.path());
        succeeded(&lockstep(&registry, expected.path(), &[]));
        let store = disk.path("store");
        let arguments = ["--store-dir", store.to_str().unwrap()];
        for _ in 0..2 {
            let text = failed(&lockstep(&registry, dir.path(), &arguments));
            says(&text, &["No space left on device", "--store-dir", "free some space"]);
            assert!(text.replace(['\n', '│', ' '], "").contains(store.to_str().unwrap()), "{text}");
            assert!(
                std::fs::read_dir(StoreDir::new(&store).tmp_dir()).unwrap().next().is_none(),
                "a temporary file takes room"
            );
        }
        disk.enlarge();
        succeeded(&lockstep(&registry, dir.path(), &arguments));
        assert_same_tree(&dir.path().join("node_modules"), &expected.path().join("node_modules"));
        assert_same_tree(&StoreDir::new(&store).files_dir(), &in_store(expected.path(), "files"));
    }
}

#[test]
fn a_full_project_is_named_and_the_next_run_works() {
    for options in ["size=1m", "size=64m,nr_inodes=30"] {
        let Some(disk) = SmallDisk::mount(options) else { return };
        let (registry, elsewhere) = (registry(), tempfile::tempdir().unwrap());
        let (dir, store) = (disk.path("project"), elsewhere.path().join("store"));
        application(&dir);
        application(elsewhere.path());
        succeeded(&lockstep(&registry, elsewhere.path(), &[]));
        let arguments = ["--store-dir", store.to_str().unwrap()];
        let text = failed(&lockstep(&registry, &dir, &arguments));
        says(&text, &["No space left on device", "free space on its disk"]);
        assert!(text.replace(['\n', '│', ' '], "").contains("project/node_modules/.pnpm/"), "{text}");
        assert!(!dir.join("node_modules/a").exists());
        let left = tree(&dir).into_keys().filter(|path| path.contains(".lockstep-tmp-"));
        assert_eq!(left.collect::<Vec<_>>(), [""; 0]);
        disk.enlarge();
        succeeded(&lockstep(&registry, &dir, &arguments));
        assert_same_tree(&dir.join("node_modules"), &elsewhere.path().join("node_modules"));
    }
}
