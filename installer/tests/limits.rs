//! What an install does where the machine gives little: a full disk, a store that may only be read, few file handles; and that it leaves
//! files as tight as the user wants them.
#![cfg(target_os = "linux")]

mod support;
mod tree;

use serde_json::json;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use support::{LocalRegistry, Package, command, failed, lockstep, project, run, says, succeeded};
use tempfile::TempDir;
use tree::assert_same_tree;

/// A user without rights of its own: nobody.
const NOBODY: u32 = 65534;

fn text(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
}

fn application() -> (LocalRegistry, TempDir) {
    let (registry, dir) = (LocalRegistry::start(), tempfile::tempdir().unwrap());
    registry.publish(&[
        Package::new("app", "1.0.0").with("dependencies", json!({ "tool": "1.0.0" })).file("big", vec![7; 300_000]),
        Package::new("tool", "1.0.0").with("bin", json!("tool.sh")).file("tool.sh", "#!/bin/sh\n"),
    ]);
    project(dir.path(), &json!({ "dependencies": { "app": "1.0.0" } }));
    (registry, dir)
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").unwrap().uid() == 0
}

/// A disk of this size, mounted until the value is dropped; none where this user may not mount.
struct SmallDisk(TempDir);

impl SmallDisk {
    fn mount(size: &str) -> Option<SmallDisk> {
        let dir = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={size}"), "lockstep-test"]).arg(dir.path());
        let mounted = is_root() && mount.output().is_ok_and(|output| output.status.success());
        if !mounted {
            println!("skipped: this user may not mount a disk");
        }
        mounted.then(|| SmallDisk(dir))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_disk_is_named_and_the_next_run_goes_on() {
    let (registry, dir) = application();
    succeeded(&lockstep(&registry, dir.path(), &[]));
    let Some(disk) = SmallDisk::mount("1m") else { return };
    for place in ["the store's disk", "the project's disk"] {
        let fresh = tempfile::tempdir().unwrap();
        let (project_dir, store) = match place {
            "the store's disk" => (fresh.path().to_owned(), disk.path().join("store")),
            _ => (disk.path().join("project"), fresh.path().join("store")),
        };
        std::fs::create_dir_all(&project_dir).unwrap();
        project(&project_dir, &json!({ "dependencies": { "app": "1.0.0" } }));
        let filler = disk.path().join("filler");
        std::fs::write(&filler, vec![0; 900_000]).unwrap();
        let install = |arguments: &[&str]| {
            let store = store.to_str().unwrap();
            lockstep(&registry, &project_dir, &[arguments, &["--store-dir", store]].concat())
        };
        let said = failed(&install(&[]));
        says(&said, &["No space left on device"]);
        assert!(said.contains("help:"), "{place}: {said}");
        std::fs::remove_file(&filler).unwrap();
        succeeded(&install(&[]));
        assert_same_tree(&project_dir.join("node_modules"), &dir.path().join("node_modules"));
        // Nothing of the attempt is left but what the store keeps for a day.
        assert!(!tree::tree(&project_dir.join("node_modules")).keys().any(|path| path.contains(".lockstep-tmp-")));
        std::fs::remove_dir_all(disk.path().join(if place == "the store's disk" { "store" } else { "project" }))
            .unwrap();
    }
}

/// Runs an install as somebody who is not the owner of the store.
fn as_nobody(registry: &LocalRegistry, dir: &Path, store: &Path, arguments: &[&str]) -> Output {
    let mut command = command(registry, dir, arguments);
    command.arg("--store-dir").arg(store).uid(NOBODY).gid(NOBODY);
    command.output().unwrap()
}

fn chmod(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_store_that_may_only_be_read_serves_what_it_has() {
    if !is_root() {
        return println!("skipped: only root can be somebody else");
    }
    let (registry, dir) = application();
    succeeded(&lockstep(&registry, dir.path(), &[]));
    let theirs = tempfile::tempdir().unwrap();
    for dir in [dir.path(), theirs.path()] {
        chmod(dir, 0o755);
    }
    let own = theirs.path().join("project");
    std::fs::create_dir(&own).unwrap();
    std::os::unix::fs::chown(&own, Some(NOBODY), Some(NOBODY)).unwrap();
    project(&own, &json!({ "dependencies": { "app": "1.0.0" } }));
    let said = succeeded(&as_nobody(&registry, &own, &dir.path().join("store"), &[]));
    assert_same_tree(&own.join("node_modules"), &dir.path().join("node_modules"));
    assert!(!said.contains("panicked"), "{said}");

    // What it does not have cannot be put there.
    registry.publish(&[Package::new("new", "1.0.0")]);
    project(&own, &json!({ "dependencies": { "new": "1.0.0" } }));
    says(&failed(&as_nobody(&registry, &own, &dir.path().join("store"), &[])), &["new@1.0.0", "store", "--store-dir"]);
}

fn every_file(dir: &Path, found: &mut Vec<(PathBuf, std::fs::Metadata)>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let metadata = std::fs::symlink_metadata(&path).unwrap();
        if metadata.is_dir() {
            every_file(&path, found);
        }
        if !metadata.is_symlink() {
            found.push((path, metadata));
        }
    }
}

#[test]
fn files_are_as_tight_as_the_user_wants_them() {
    for (umask, forbidden) in [("022", 0o022), ("077", 0o077)] {
        let (registry, dir) = application();
        let install = command(&registry, dir.path(), &[]);
        let mut shell = Command::new("/bin/sh");
        let words = [install.get_program()].into_iter().chain(install.get_args());
        shell.args(["-c", &format!("umask {umask}; exec \"$@\""), "sh"]).args(words);
        shell.envs(install.get_envs().filter_map(|(name, value)| Some((name, value?))));
        succeeded(&shell.output().unwrap());
        let mut files = Vec::new();
        every_file(&dir.path().join("node_modules"), &mut files);
        every_file(&dir.path().join("store"), &mut files);
        assert!(files.len() > 10);
        for (path, metadata) in &files {
            assert_eq!(metadata.mode() & forbidden, 0, "umask {umask}: {} is {:o}", path.display(), metadata.mode());
        }
        let tool =
            files.iter().find(|(path, _)| path.ends_with("node_modules/.bin/tool") || path.ends_with("tool/tool.sh"));
        assert_ne!(tool.unwrap().1.mode() & 0o100, 0, "the executable bit is kept");
    }
}

#[test]
fn few_file_handles_are_enough() {
    const PACKAGES: usize = 800;
    let (registry, dir) = (LocalRegistry::start(), tempfile::tempdir().unwrap());
    let name = |number: usize| text(format!("p{number:04}"));
    let packages: Vec<_> =
        (0..PACKAGES).map(|number| Package::new(name(number), "1.0.0").file("index.js", "x\n")).collect();
    registry.publish(&packages);
    let dependencies: serde_json::Map<_, _> =
        (0..PACKAGES).map(|number| (name(number).to_owned(), json!("1.0.0"))).collect();
    project(dir.path(), &json!({ "dependencies": dependencies }));
    for arguments in [&[][..], &["--frozen-lockfile"], &["--frozen-lockfile", "--network-concurrency", "64"]] {
        let install = command(&registry, dir.path(), arguments);
        let mut shell = Command::new("/bin/sh");
        let words = [install.get_program()].into_iter().chain(install.get_args());
        shell.args(["-c", "ulimit -n 256; exec \"$@\"", "sh"]).args(words);
        shell.envs(install.get_envs().filter_map(|(name, value)| Some((name, value?))));
        succeeded(&shell.output().unwrap());
        assert!(dir.path().join("node_modules/p0799/index.js").exists());
        std::fs::remove_dir_all(dir.path().join("node_modules")).unwrap();
        if arguments.len() == 1 {
            std::fs::remove_dir_all(dir.path().join("store")).unwrap();
        }
    }
    assert_eq!(registry.tarball_requests().into_values().max(), Some(2), "once for each store");
    succeeded(&run(&registry, dir.path(), "store", &["verify", "--check"]));
}
