//! 200 installs, each killed at a moment of its own, on a store that a hundred share or that one of them makes anew. Every tenth is left
//! alone: it succeeds, makes the tree that an undisturbed install on another store makes, and downloads only what is missing. Trees of
//! links and of real directories take turns.
//!
//! The moments are drawn from a seed, which a failure shows; `LOCKSTEP_KILL_SEED` sets it. (Time is real here: the same seed kills
//! at about the same moments.)
#![cfg(unix)]

use crate::support::{LocalRegistry, Package, command, project, run, succeeded};
use crate::tree::{assert_same_tree, tree};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde_json::json;
use std::hash::{BuildHasher as _, RandomState};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// How many installs are killed, by each of two tests that run beside each other.
const KILLS: u32 = 100;

/// How many are killed before one is left alone; then there are new versions of everything.
const KILLS_PER_VERSION: u32 = 10;

/// How many packages a project has.
const PACKAGES: usize = 12;

/// How many files a package has.
const FILES: usize = 60;

fn text(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
}

/// Packages in a row, each of which needs the next.
fn packages(version: &'static str) -> Vec<Package> {
    let name = |index: usize| text(format!("p{index:02}"));
    let package = |index: usize| {
        let mut next = if index + 1 < PACKAGES { json!({ name(index + 1): version }) } else { json!({}) };
        if index == 3 {
            // Another package under the last one's name: of real directories, one lies inside another.
            next[name(PACKAGES - 1)] = json!(format!("npm:{}@{version}", name(PACKAGES - 2)));
        }
        let package = Package::new(name(index), version).with("dependencies", next).with("bin", json!("cli.sh"));
        // Enough files for a kill to come between two of them.
        let file = |file: usize| (text(format!("lib/{file}.js")), format!("{file} of {index} {version}\n").repeat(20));
        let package = package.file("cli.sh", "#!/bin/sh\n");
        (0..FILES).map(file).fold(package, |package, (path, bytes)| package.file(path, bytes))
    };
    (0..PACKAGES).map(package).collect()
}

fn start(registry: &LocalRegistry, dir: &Path, arguments: &[&str]) -> Child {
    command(registry, dir, arguments).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn killed_at_any_moment_and_none_the_worse() {
    kill_installs();
}

#[test]
fn killed_at_other_moments_and_none_the_worse() {
    kill_installs();
}

fn kill_installs() {
    let random = || RandomState::new().hash_one(0);
    let seed = std::env::var("LOCKSTEP_KILL_SEED").map_or_else(|_| random(), |seed| seed.parse().unwrap());
    println!("LOCKSTEP_KILL_SEED={seed}");
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let registry = LocalRegistry::start();
    let (dir, undisturbed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (mut killed, mut usual) = (0, Duration::from_millis(100));
    while killed < KILLS {
        let version = text(format!("1.0.{killed}"));
        let packages = packages(version);
        registry.publish(&packages);
        let linker = if random.random_bool(0.5) { "hoisted" } else { "isolated" };
        for dir in [&dir, &undisturbed] {
            std::fs::write(dir.path().join("pnpm-workspace.yaml"), format!("nodeLinker: {linker}\n")).unwrap();
            project(dir.path(), &json!({ "dependencies": { "p00": version, "p07": version } }));
        }
        registry.forget_requests();
        // Half of the time there is no store either: what makes one is killed too.
        if random.random_bool(0.5) {
            let _ = std::fs::remove_dir_all(dir.path().join("store"));
        }
        let mut disturbed = 0;
        while disturbed < KILLS_PER_VERSION {
            // From nothing, from a part of a tree or from all of one; with a lockfile or without.
            let modules = dir.path().join("node_modules");
            let _ = match random.random_bool(0.05) {
                true => std::fs::remove_dir_all(&modules),
                false => std::fs::remove_file(modules.join(".lockstep-state.json")),
            };
            if random.random_bool(0.3) {
                let _ = std::fs::remove_file(dir.path().join("pnpm-lock.yaml"));
            }
            let virtual_store = modules.join(".pnpm");
            let names = |dir: &Path| std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
            let is_staging = |path: &Path| path.to_string_lossy().contains(".lockstep-tmp-");
            let is_new = |path: &Path| path.to_string_lossy().ends_with(version);
            let placed = || names(&virtual_store).filter(|path| is_new(path)).count();
            let staged = || names(&virtual_store).filter(|path| is_staging(path)).flat_map(|path| names(&path)).count();
            let before = placed() + staged();
            let mut child = start(&registry, dir.path(), &[]);
            // At any moment, or while packages are put in place.
            if before >= PACKAGES || random.random_bool(0.5) {
                std::thread::sleep(usual.mul_f64(random.random_range(0.0..0.8)));
            } else {
                let wanted = random.random_range(before + 1..=PACKAGES);
                while placed() + staged() < wanted && child.try_wait().unwrap().is_none() {}
                std::thread::sleep(Duration::from_micros(random.random_range(0..1_000)));
            }
            disturbed += u32::from(child.try_wait().unwrap().is_none());
            child.kill().unwrap();
            let output = child.wait_with_output().unwrap();
            let (said, code) = (String::from_utf8_lossy(&output.stderr), output.status.code());
            assert!(matches!(code, None | Some(0)), "it failed by itself: {said}");
        }
        killed += disturbed;
        let left = start(&registry, dir.path(), &[]).wait_with_output().unwrap();
        succeeded(&left);
        // A kill may come between a download and its row: that one is fetched again, once for each kill at most.
        let most = registry.tarball_requests().into_values().max().unwrap();
        assert!(most <= disturbed as usize + 1, "a tarball was asked for {most} times");

        let started = Instant::now();
        succeeded(&command(&registry, undisturbed.path(), &[]).output().unwrap());
        usual = started.elapsed();
        assert_same_tree(&dir.path().join("node_modules"), &undisturbed.path().join("node_modules"));
        let lockfile = |dir: &Path| std::fs::read_to_string(dir.join("pnpm-lock.yaml")).unwrap();
        assert_eq!(lockfile(dir.path()), lockfile(undisturbed.path()));
        let temporary: Vec<_> = tree(&dir.path().join("node_modules")).into_keys().collect();
        assert!(!temporary.iter().any(|path| path.contains(".lockstep-tmp-")), "{temporary:?}");
    }
    succeeded(&run(&registry, dir.path(), "store", &["verify", "--check"]));
    let names: Vec<_> = tree(dir.path()).into_keys().filter(|path| !path.contains('/')).collect();
    assert_eq!(names, ["node_modules", "package.json", "pnpm-lock.yaml", "pnpm-workspace.yaml", "store"]);
    println!("{killed} killed; an install takes {usual:?}");
}
