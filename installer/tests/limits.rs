//! Less than an install would like: a store that it may only read, few open files, a strict umask. What can work works, and
//! what cannot says what is missing.
#![cfg(unix)]

use crate::support::{LocalRegistry, Package, command, failed, in_store, lockstep, project, says, succeeded};
use crate::tree::{assert_same_tree, tree};
use serde_json::json;
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Instant;

/// Somebody who is not root, to whom no file belongs.
const NOBODY: u32 = 65534;

/// Who runs the test: as root, modes mean nothing.
fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().unwrap();
    id.stdout.starts_with(b"0\n")
}

/// What this command runs, in a shell that first does something to itself.
fn in_shell(command: &Command, first: &str) -> Command {
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(format!("{first}; exec \"$@\"")).arg("sh").arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    shell
}

/// Changes the mode of everything below, with `chmod`'s words.
fn chmod(mode: &str, dir: &Path) {
    assert!(Command::new("chmod").args(["-R", mode]).arg(dir).status().unwrap().success());
}

fn registry() -> LocalRegistry {
    let registry = LocalRegistry::start();
    registry.publish(&[
        Package::new("a", "1.0.0")
            .with("dependencies", json!({ "b": "1" }))
            .with("bin", json!("cli.js"))
            .file("cli.js", "1"),
        Package::new("b", "1.0.0").file("lib/b.js", "b"),
        Package::new("c", "1.0.0"),
    ]);
    registry
}

/// Runs an install as somebody who may only read the store; the project is that user's own.
fn as_somebody_else(registry: &LocalRegistry, root: &Path, dir: &Path, arguments: &[&str]) -> Output {
    // The binary's own directory may be closed to others.
    let binary = root.join("lockstep");
    std::fs::copy(env!("CARGO_BIN_EXE_lockstep"), &binary).unwrap();
    let store = root.join("first #1?%41/store");
    let mut arguments = arguments.to_vec();
    arguments.extend(["--store-dir", store.to_str().unwrap()]);
    let plain = command(registry, dir, &arguments);
    let mut other = Command::new(&binary);
    other.args(plain.get_args()).current_dir(dir);
    for (name, value) in plain.get_envs() {
        match value {
            Some(value) => other.env(name, value),
            None => other.env_remove(name),
        };
    }
    if is_root() {
        assert!(Command::new("chown").args(["-R", &NOBODY.to_string()]).arg(dir).status().unwrap().success());
        other.uid(NOBODY).gid(NOBODY);
    }
    loop {
        match other.output() {
            // A program that another test starts at this moment still has the copy open, for as long as it takes to start.
            Err(error) if error.kind() == ErrorKind::ExecutableFileBusy => {}
            output => return output.unwrap(),
        }
    }
}

#[test]
fn a_store_that_may_only_be_read_is_enough_when_it_has_everything() {
    let (registry, root) = (registry(), tempfile::tempdir().unwrap());
    let [first, second, third] = ["first #1?%41", "second", "third"].map(|name| root.path().join(name));
    for dir in [&first, &second, &third] {
        std::fs::create_dir_all(dir).unwrap();
        project(dir, &json!({ "dependencies": { "a": "1" } }));
    }
    succeeded(&lockstep(&registry, &first, &[]));
    for dir in [&second, &third] {
        std::fs::copy(first.join("pnpm-lock.yaml"), dir.join("pnpm-lock.yaml")).unwrap();
    }
    // A store that came from elsewhere has no log beside its index: SQLite takes it away with the last writer.
    drop(rusqlite::Connection::open(in_store(&first, "index.db")).unwrap().execute_batch("PRAGMA user_version"));
    assert!(!in_store(&first, "index.db-wal").exists());
    chmod("a+rX", root.path());
    chmod("a-w", &first.join("store"));
    let before = tree(&first.join("store"));
    registry.forget_requests();
    for arguments in [["--frozen-lockfile"].as_slice(), &["--frozen-lockfile", "--force"], &["--offline"]] {
        let text = succeeded(&as_somebody_else(&registry, root.path(), &second, arguments));
        assert!(!text.contains("WARN"), "{text}");
        let names = |dir: &Path| tree(&dir.join("node_modules")).into_keys().collect::<Vec<_>>();
        assert_eq!(names(&second), names(&first));
    }
    assert_eq!(registry.tarball_requests().len(), 0);

    // What it does not have it cannot get, and that is said.
    project(&third, &json!({ "dependencies": { "a": "1", "c": "1" } }));
    let text = failed(&as_somebody_else(&registry, root.path(), &third, &["--no-frozen-lockfile"]));
    says(&text, &["c@1.0.0", "cannot write to the store at", "ermission denied", "--store-dir"]);
    assert!(!third.join("node_modules/c").exists());
    assert_eq!(tree(&first.join("store")), before);
    chmod("u+w", root.path());
}

/// What belongs to root in a directory, with itself.
fn of_root(dir: &Path) -> Vec<String> {
    let below = tree(dir).into_keys().map(|path| dir.join(path)).chain([dir.to_owned()]);
    let of_root = below.filter(|path| std::fs::symlink_metadata(path).unwrap().uid() == 0);
    of_root.map(|path| path.display().to_string()).collect()
}

/// With `sudo`, or in a container into which a cache is mounted.
#[cfg(target_os = "linux")]
#[test]
fn what_root_puts_into_somebodys_store_is_that_users() {
    if !is_root() {
        eprintln!("only root can do what root must not: skipped");
        return;
    }
    let (registry, root) = (registry(), tempfile::tempdir().unwrap());
    let [first, second] = ["first #1?%41", "second"].map(|name| root.path().join(name));
    for (dir, dependencies) in [(&first, json!({ "a": "1" })), (&second, json!({ "a": "1", "c": "1" }))] {
        std::fs::create_dir_all(dir).unwrap();
        project(dir, &json!({ "dependencies": dependencies }));
    }
    let store = first.join("store");
    std::fs::create_dir(&store).unwrap();
    assert!(Command::new("chown").arg(NOBODY.to_string()).arg(&store).status().unwrap().success());
    chmod("a+rX", root.path());
    succeeded(&lockstep(&registry, &first, &[]));
    assert!(store.join("v3/locks-0").exists() && store.join("v3/packuments").exists());
    assert_eq!(of_root(&store), [""; 0]);

    // That user goes on with it: new files beside those that are there, and new rows.
    registry.forget_requests();
    succeeded(&as_somebody_else(&registry, root.path(), &second, &["--no-frozen-lockfile"]));
    assert_eq!(registry.tarball_requests(), [("/c/-/c-1.0.0.tgz".to_owned(), 1)].into());

    // Where nobody else's directory is, what root makes is root's: so the question above can be answered with no.
    project(&second, &json!({ "dependencies": { "a": "1" } }));
    let own = root.path().join("own");
    succeeded(&lockstep(&registry, &second, &["--no-frozen-lockfile", "--store-dir", own.to_str().unwrap()]));
    assert!(of_root(&own).len() > 10);
}

/// The modes of everything below that is no link, as path and octal digits.
fn modes(dir: &Path, found: &mut Vec<(String, u32)>) {
    for entry in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
        let metadata = std::fs::symlink_metadata(entry.path()).unwrap();
        if !metadata.is_symlink() {
            found.push((entry.path().display().to_string(), metadata.permissions().mode() & 0o777));
        }
        if metadata.is_dir() {
            modes(&entry.path(), found);
        }
    }
}

#[test]
fn files_have_the_modes_that_the_umask_leaves() {
    for (umask, forbidden) in [("022", 0o022), ("077", 0o077), ("002", 0o002)] {
        let (registry, dir) = (LocalRegistry::start(), tempfile::tempdir().unwrap());
        publish_executable(&registry);
        project(dir.path(), &json!({ "dependencies": { "a": "1" } }));
        // A second install with nothing to download, and one that makes everything anew, make files too.
        for arguments in [[].as_slice(), &["--force"], &["--no-lockfile"]] {
            let output = in_shell(&command(&registry, dir.path(), arguments), &format!("umask {umask}")).output();
            succeeded(&output.unwrap());
            let mut found = Vec::new();
            for made in ["node_modules", "store"] {
                modes(&dir.path().join(made), &mut found);
            }
            found.push(("pnpm-lock.yaml".to_owned(), mode_of(&dir.path().join("pnpm-lock.yaml"))));
            assert!(found.len() > 15, "{found:?}");
            let loose: Vec<_> = found.iter().filter(|(_, mode)| mode & forbidden != 0).collect();
            assert!(loose.is_empty(), "with umask {umask}: {loose:?}");
        }
        let in_package = |path: &str| mode_of(&dir.path().join("node_modules/a").join(path)) & 0o100;
        assert_eq!([in_package("run.sh"), in_package("plain.txt"), in_package("package.json")], [0o100, 0, 0]);
        assert_eq!(mode_of(&dir.path().join("node_modules/.bin/a")) & 0o100, 0o100);
    }
}

fn mode_of(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// a@1.0.0 with an executable, and with files that everybody may write, as far as its tarball has a say.
fn publish_executable(registry: &LocalRegistry) {
    let mut archive = tar::Builder::new(Vec::new());
    let manifest = br#"{"name":"a","version":"1.0.0","bin":"run.sh"}"#;
    for (path, mode, bytes) in [
        ("package/package.json", 0o666, manifest.as_slice()),
        ("package/run.sh", 0o6777, b"#!/bin/sh\n"),
        ("package/plain.txt", 0o666, b"x"),
    ] {
        let mut header = tar::Header::new_gnu();
        header.set_mode(mode);
        header.set_size(bytes.len() as u64);
        archive.append_data(&mut header, path, bytes).unwrap();
    }
    let tarball = archive.into_inner().unwrap();
    let integrity = ssri::Integrity::from(&tarball).to_string();
    let dist = json!({ "tarball": format!("{}a/-/a-1.0.0.tgz", registry.url), "integrity": integrity });
    let version = json!({ "name": "a", "version": "1.0.0", "bin": "run.sh", "dist": dist });
    let packument = json!({ "name": "a", "dist-tags": { "latest": "1.0.0" }, "versions": { "1.0.0": version } });
    registry.answer("/a", 200, packument.to_string());
    registry.answer("/a/-/a-1.0.0.tgz", 200, tarball);
}

/// How many packages the crowded project has.
const CROWD: usize = 2000;

#[test]
fn two_thousand_packages_install_with_256_open_files() {
    let (registry, dir) = (LocalRegistry::start(), tempfile::tempdir().unwrap());
    let names: Vec<&'static str> = (0..CROWD).map(|number| &*format!("crowd-{number}").leak()).collect();
    let packages: Vec<_> = names.iter().map(|name| Package::new(name, "1.0.0").file("index.js", *name)).collect();
    registry.publish(&packages);
    let all: serde_json::Map<_, _> = names.iter().map(|name| ((*name).to_owned(), json!("1.0.0"))).collect();
    project(dir.path(), &json!({ "dependencies": all }));
    let few_files = "ulimit -n 256";
    for arguments in
        [["--network-concurrency", "64"].as_slice(), &["--frozen-lockfile", "--network-concurrency", "1000"]]
    {
        let started = Instant::now();
        let text = succeeded(&in_shell(&command(&registry, dir.path(), arguments), few_files).output().unwrap());
        println!("{CROWD} packages with {few_files} and {arguments:?}: {:?}", started.elapsed());
        assert!(!text.contains("WARN"), "{text}");
        let installed = std::fs::read_dir(dir.path().join("node_modules")).unwrap().map(Result::unwrap);
        let installed = installed.filter(|entry| entry.file_name().to_string_lossy().starts_with("crowd-"));
        assert_eq!(installed.filter(|entry| entry.path().join("index.js").exists()).count(), CROWD);
        assert_eq!(registry.tarball_requests().values().max(), Some(&1));
        for made in ["node_modules", "store"] {
            std::fs::remove_dir_all(dir.path().join(made)).unwrap();
        }
        registry.forget_requests();
    }
}

/// The limit bites: with fewer files than the program needs to begin, it says so.
#[test]
fn too_few_open_files_are_an_error_with_its_reason() {
    let (registry, dir) = (registry(), tempfile::tempdir().unwrap());
    project(dir.path(), &json!({ "dependencies": { "a": "1" } }));
    let output = in_shell(&command(&registry, dir.path(), &[]), "ulimit -n 8").output().unwrap();
    says(&failed(&output), &["Too many open files"]);
    succeeded(&lockstep(&registry, dir.path(), &[]));
    let whole = tempfile::tempdir().unwrap();
    project(whole.path(), &json!({ "dependencies": { "a": "1" } }));
    succeeded(&lockstep(&registry, whole.path(), &[]));
    assert_same_tree(&dir.path().join("node_modules"), &whole.path().join("node_modules"));
}

/// The system ends a program that writes more into one file than it may (SIGXFSZ), as abruptly as any kill.
#[test]
fn an_install_that_ends_at_a_file_size_limit_leaves_what_the_next_run_can_use() {
    let (registry, dir, whole) = (registry(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let large = Package::new("large", "1.0.0").file("large.js", "x".repeat(200_000));
    registry.publish(&[large]);
    for dir in [&dir, &whole] {
        project(dir.path(), &json!({ "dependencies": { "a": "1", "large": "1" } }));
    }
    let output = in_shell(&command(&registry, dir.path(), &[]), "ulimit -f 100").output().unwrap();
    assert!(!output.status.success());
    assert!(!dir.path().join("node_modules/large").exists());
    succeeded(&lockstep(&registry, dir.path(), &[]));
    succeeded(&lockstep(&registry, whole.path(), &[]));
    assert_same_tree(&dir.path().join("node_modules"), &whole.path().join("node_modules"));
    assert_same_tree(&in_store(dir.path(), "files"), &in_store(whole.path(), "files"));
}
