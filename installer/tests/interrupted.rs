//! Installs that are stopped: by Ctrl-C, by SIGTERM, by SIGKILL. Whatever moment it was, the next run works and makes the
//! tree that an undisturbed install makes, and nothing temporary is left.
#![cfg(unix)]

use crate::support::{LocalRegistry, Package, command, in_store, lockstep, project, succeeded};
use crate::tree::{assert_same_tree, tree};
use serde_json::json;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long an install may take to stop.
const STOPS_WITHIN: Duration = Duration::from_secs(2);

const NAMES: [&str; 12] = ["p00", "p01", "p02", "p03", "p04", "p05", "p06", "p07", "p08", "p09", "p10", "p11"];

/// Packages that depend on one another in a row, with enough files for an import to take some time.
fn packages() -> Vec<Package> {
    let package = |(index, name): (usize, &&'static str)| {
        let next = NAMES.get(index + 1).map(|next| json!({ *next: "1.0.0" })).unwrap_or(json!({}));
        let files = ["a.js", "b.js", "lib/c.js", "lib/d.js", "lib/deep/e.js", "lib/deep/f.js", "README.md", "cli.sh"];
        let package = Package::new(name, "1.0.0").with("dependencies", next).with("bin", json!("cli.sh"));
        files.iter().fold(package, |package, file| package.file(file, format!("{file} of {name}\n").repeat(200)))
    };
    NAMES.iter().enumerate().map(package).collect()
}

fn application() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    project(dir.path(), &json!({ "dependencies": { "p00": "1.0.0", "p06": "1.0.0" } }));
    dir
}

/// The application as an install makes it that nobody disturbs.
fn undisturbed(registry: &LocalRegistry) -> TempDir {
    let dir = application();
    succeeded(&lockstep(registry, dir.path(), &[]));
    dir
}

fn start(registry: &LocalRegistry, dir: &Path) -> Child {
    command(registry, dir, &[]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[track_caller]
fn wait_until(what: &str, mut come: impl FnMut() -> bool) {
    let started = Instant::now();
    while !come() {
        assert!(started.elapsed() < PATIENCE, "{what} did not come");
        std::thread::sleep(Duration::from_micros(200));
    }
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").arg(format!("-{name}")).arg(child.id().to_string()).status().unwrap();
    assert!(sent.success());
}

/// What the child said, asserting that it ended soon.
#[track_caller]
fn ended(mut child: Child) -> Output {
    let started = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if started.elapsed() > STOPS_WITHIN {
            child.kill().unwrap();
            panic!("it still runs after {STOPS_WITHIN:?}");
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    child.wait_with_output().unwrap()
}

/// Asserts that the next install works, and that all is as if nothing had happened.
#[track_caller]
fn next_run_is_whole(registry: &LocalRegistry, dir: &Path, expected: &TempDir) {
    succeeded(&lockstep(registry, dir, &[]));
    assert_same_tree(&dir.join("node_modules"), &expected.path().join("node_modules"));
    let names = |dir: &Path| tree(dir).into_keys().filter(|path| !path.contains('/')).collect::<Vec<_>>();
    assert_eq!(names(dir), ["node_modules", "package.json", "pnpm-lock.yaml", "store"]);
    assert_same_tree(&in_store(dir, "files"), &in_store(expected.path(), "files"));
}

fn temporary_files(dir: &Path) -> Vec<String> {
    let in_modules = tree(&dir.join("node_modules")).into_keys().filter(|path| path.contains(".lockstep-tmp-"));
    in_modules.chain(tree(&in_store(dir, "tmp")).into_keys()).collect()
}

/// Stops an install that waits for the last package's tarball.
fn stopped_at_a_stalled_tarball(signal_name: &str) -> String {
    let registry = LocalRegistry::start();
    registry.publish(&packages());
    let expected = undisturbed(&registry);
    let (dir, last) = (application(), packages().pop().unwrap());
    registry.stall(&last.tarball_path());
    registry.forget_requests();

    let child = start(&registry, dir.path());
    wait_until("the request that stalls", || registry.tarball_requests().contains_key(&last.tarball_path()));
    wait_until("the import of the others", || dir.path().join("node_modules/.pnpm/p00@1.0.0").exists());
    signal(&child, signal_name);
    let output = ended(child);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let code = if signal_name == "INT" { 130 } else { 143 };
    assert_eq!(output.status.code(), Some(code), "{text}");

    registry.answer(&last.tarball_path(), 200, last.tarball());
    next_run_is_whole(&registry, dir.path(), &expected);
    assert_eq!(temporary_files(dir.path()), [""; 0]);
    assert_eq!(registry.tarball_requests()[&packages()[0].tarball_path()], 1, "what had arrived is not fetched again");
    text
}

#[test]
fn ctrl_c_ends_an_install_that_waits_and_the_next_one_goes_on() {
    let text = stopped_at_a_stalled_tarball("INT");
    assert!(text.contains("interrupted") && text.contains("run the same command again"), "{text}");
    assert!(text.lines().count() < 10, "{text}");
}

#[test]
fn sigterm_is_taken_like_ctrl_c() {
    let text = stopped_at_a_stalled_tarball("TERM");
    assert!(text.contains("told to stop"), "{text}");
}

#[test]
fn ctrl_c_ends_an_install_that_resolves() {
    let registry = LocalRegistry::start();
    registry.publish(&packages());
    let (dir, expected) = (application(), undisturbed(&registry));
    registry.stall("/p11");
    registry.forget_requests();
    let child = start(&registry, dir.path());
    wait_until("a request", || registry.requests() >= 11);
    signal(&child, "INT");
    assert_eq!(ended(child).status.code(), Some(130));
    assert!(!dir.path().join("pnpm-lock.yaml").exists() && !dir.path().join("node_modules").exists());
    registry.publish(&packages());
    next_run_is_whole(&registry, dir.path(), &expected);
}

#[test]
fn sigkill_at_any_moment_leaves_what_the_next_run_can_use() {
    let registry = LocalRegistry::start();
    registry.publish(&packages());
    let expected = undisturbed(&registry);
    type Moment = fn(&LocalRegistry, &Path) -> bool;
    let moments: [(&str, Moment); 9] = [
        ("the first request", |registry, _| registry.requests() > 0),
        ("the first tarball", |registry, _| !registry.tarball_requests().is_empty()),
        ("half of the tarballs", |registry, _| registry.tarball_requests().len() >= NAMES.len() / 2),
        ("the index", |_, dir| in_store(dir, "index.db").exists()),
        ("the lockfile", |_, dir| dir.join("pnpm-lock.yaml").exists()),
        ("the first directory", |_, dir| dir.join("node_modules/.pnpm").exists()),
        ("the last directory", |_, dir| dir.join("node_modules/.pnpm/p11@1.0.0").exists()),
        ("the first link", |_, dir| dir.join("node_modules/p00").exists()),
        ("the first command", |_, dir| dir.join("node_modules/.bin").exists()),
    ];
    for (what, moment) in moments {
        let dir = application();
        registry.forget_requests();
        let mut child = start(&registry, dir.path());
        wait_until(what, || moment(&registry, dir.path()));
        child.kill().unwrap();
        child.wait().unwrap();
        // Shown when the test fails.
        println!("killed at {what}");
        next_run_is_whole(&registry, dir.path(), &expected);
    }
}

#[test]
fn what_a_killed_install_left_in_the_store_goes_after_a_day() {
    let registry = LocalRegistry::start();
    registry.publish(&packages());
    let dir = undisturbed(&registry);
    let (old, young) = (in_store(dir.path(), "tmp/old"), in_store(dir.path(), "tmp/young"));
    for path in [&old, &young] {
        let day = Duration::from_secs(25 * 60 * 60);
        let file = std::fs::File::create(path).unwrap();
        if path == &old {
            file.set_modified(std::time::SystemTime::now() - day).unwrap();
        }
    }
    succeeded(&lockstep(&registry, dir.path(), &["--force"]));
    assert!(!old.exists() && young.exists());
}

#[cfg(target_os = "linux")]
#[test]
fn what_a_power_loss_emptied_is_made_anew() {
    let registry = LocalRegistry::start();
    registry.publish(&packages());
    let (dir, expected) = (undisturbed(&registry), undisturbed(&registry));
    // The same inode in the store and in node_modules, as after a crash that came before its bytes were on the disk.
    let emptied = dir.path().join("node_modules/.pnpm/p03@1.0.0/node_modules/p03/lib/c.js");
    std::fs::write(&emptied, "").unwrap();
    std::fs::write(dir.path().join("pnpm-lock.yaml"), "").unwrap();
    std::fs::write(dir.path().join("node_modules/.lockstep-boot"), "an earlier one").unwrap();
    registry.forget_requests();
    next_run_is_whole(&registry, dir.path(), &expected);
    assert_eq!(registry.tarball_requests().into_keys().collect::<Vec<_>>(), [packages()[3].tarball_path()]);

    // Looked into once per start of the machine, not once per install.
    std::fs::write(&emptied, "mine").unwrap();
    succeeded(&lockstep(&registry, dir.path(), &[]));
    assert_eq!(std::fs::read_to_string(&emptied).unwrap(), "mine");
}
