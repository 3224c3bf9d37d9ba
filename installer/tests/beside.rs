//! Installs beside each other, as real processes: on one store each tarball is downloaded by one of them; in one project one
//! works and the others find everything done.
#![cfg(target_os = "linux")]

use crate::support::{LocalRegistry, Package, command, project, succeeded};
use crate::tree::assert_same_tree;
use serde_json::json;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(20);

const NAMES: [&str; 20] = [
    "p00", "p01", "p02", "p03", "p04", "p05", "p06", "p07", "p08", "p09", "p10", "p11", "p12", "p13", "p14", "p15",
    "p16", "p17", "p18", "p19",
];

/// The tarball that the registry can be slow with.
const STALLED: &str = "/p07/-/p07-1.0.0.tgz";

/// A package with a few files.
fn leaf(name: &'static str) -> Package {
    let files = ["a.js", "lib/b.js", "README.md"];
    let content = |file| format!("{file} of {name}\n").repeat(300);
    files.iter().fold(Package::new(name, "1.0.0"), |package, file| package.file(file, content(file)))
}

/// Leaves, and a package that depends on all of them.
fn registry() -> LocalRegistry {
    let registry = LocalRegistry::start();
    let mut packages: Vec<_> = NAMES.into_iter().map(leaf).collect();
    let all: serde_json::Map<_, _> = NAMES.iter().map(|name| ((*name).to_owned(), json!("1.0.0"))).collect();
    packages.push(Package::new("app", "1.0.0").with("dependencies", json!(all)));
    registry.publish(&packages);
    registry
}

fn application() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    project(dir.path(), &json!({ "dependencies": { "app": "1.0.0" } }));
    dir
}

/// Starts an install with its store there, and with rows that are committed late.
fn start(registry: &LocalRegistry, dir: &Path, store: &Path) -> Child {
    let mut command = command(registry, dir, &["--index-commit-lag", "30"]);
    command.env("npm_config_store_dir", store).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn every_tarball_once(registry: &LocalRegistry) {
    let requests = registry.tarball_requests();
    assert_eq!(requests.len(), NAMES.len() + 1);
    let twice: Vec<_> = requests.iter().filter(|(_, times)| **times != 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
}

#[test]
fn installs_on_one_store_share_their_downloads() {
    for installs in [2, 3, 8] {
        let (registry, store) = (registry(), tempfile::tempdir().unwrap());
        let projects: Vec<_> = (0..installs).map(|_| application()).collect();
        let running: Vec<_> = projects.iter().map(|dir| start(&registry, dir.path(), store.path())).collect();
        for child in running {
            succeeded(&child.wait_with_output().unwrap());
        }
        every_tarball_once(&registry);
        for other in &projects[1..] {
            assert_same_tree(&other.path().join("node_modules"), &projects[0].path().join("node_modules"));
        }
    }
}

#[test]
fn without_coordination_they_do_not() {
    let (registry, store) = (registry(), tempfile::tempdir().unwrap());
    let projects = [application(), application()];
    // Each waits for the other's first requests: the first one alone would be faster than a process starts.
    registry.stall(STALLED);
    let begin = |dir: &TempDir| {
        let mut command = command(&registry, dir.path(), &["--coordination", "none", "--no-prefetch"]);
        command.env("npm_config_store_dir", store.path()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    };
    let mut running: Vec<_> = projects.iter().map(begin).collect();
    let asked = || registry.tarball_requests().get(STALLED).copied().unwrap_or_default();
    wait_until("two requests for one tarball", || asked() == 2);
    for child in &mut running {
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

#[test]
fn what_a_killed_install_was_downloading_is_downloaded_by_the_next() {
    let (registry, store) = (registry(), tempfile::tempdir().unwrap());
    let (first, second) = (application(), application());
    registry.stall(STALLED);
    let mut killed = start(&registry, first.path(), store.path());
    wait_until("the request that stalls", || registry.tarball_requests().contains_key(STALLED));
    let mut waiting = start(&registry, second.path(), store.path());
    wait_until("the import of the others", || second.path().join("node_modules/.pnpm/p00@1.0.0").exists());
    assert_eq!(registry.tarball_requests()[STALLED], 1, "the second install waits for the first");
    let mut said = BufReader::new(waiting.stderr.take().unwrap()).lines().map(Result::unwrap);
    let says = said.find(|line| line.contains("waiting for another install"));
    assert!(says.expect("it says so").contains("p07@1.0.0"));
    registry.answer(STALLED, 200, leaf("p07").tarball());
    killed.kill().unwrap();
    killed.wait().unwrap();
    wait_until("the end of an install that waits for nobody", || waiting.try_wait().unwrap().is_some());
    succeeded(&waiting.wait_with_output().unwrap());
    assert_eq!(registry.tarball_requests()[STALLED], 2);
}

#[test]
fn installs_in_one_project_take_turns() {
    let (registry, store, dir) = (registry(), tempfile::tempdir().unwrap(), application());
    registry.stall(STALLED);
    let mut first = start(&registry, dir.path(), store.path());
    wait_until("the request that stalls", || registry.tarball_requests().contains_key(STALLED));
    let mut others: Vec<_> = (0..3).map(|_| start(&registry, dir.path(), store.path())).collect();
    for child in &mut others {
        let mut said = [0; 32];
        child.stderr.as_mut().unwrap().read_exact(&mut said).unwrap();
        assert!(said.starts_with(b"Waiting for another install"), "{}", String::from_utf8_lossy(&said));
    }
    assert_eq!(registry.tarball_requests()[STALLED], 1);
    // The request of the first one stays without an answer; those that come after it get one.
    registry.answer(STALLED, 200, leaf("p07").tarball());
    first.kill().unwrap();
    first.wait().unwrap();
    for child in others {
        succeeded(&child.wait_with_output().unwrap());
    }
    assert_eq!(registry.tarball_requests()[STALLED], 2, "one of those that waited downloaded it, for all");
    let undisturbed = application();
    succeeded(&start(&registry, undisturbed.path(), store.path()).wait_with_output().unwrap());
    assert_same_tree(&dir.path().join("node_modules"), &undisturbed.path().join("node_modules"));
}

#[track_caller]
fn wait_until(what: &str, mut come: impl FnMut() -> bool) {
    let started = Instant::now();
    while !come() {
        assert!(started.elapsed() < PATIENCE, "{what} did not come");
        std::thread::sleep(Duration::from_millis(1));
    }
}
