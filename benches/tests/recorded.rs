//! A recording made here, replayed to the real binary: what the comparisons stand on, without any network.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use benches::project::Project;
use benches::recording::{Asked, Recording};
use benches::replay::{Link, ReplayRegistry};
use benches::speed::{Bench, Case, Comparison, Kind, Peer, markdown, svg};
use benches::{lockstep, program};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use sha2::{Digest, Sha512};
use std::collections::BTreeSet;
use std::path::Path;

/// Records `a`, which needs `b` and could do with a package that does not exist.
fn record(dir: &Path) -> Recording {
    let recording = Recording::open(&dir.join("recording"), None);
    let a = json!({ "name": "a", "version": "1.0.0", "dependencies": { "b": "^1.0.0" }, "optionalDependencies": { "gone": "1" } });
    for (name, manifest) in [("a", a), ("b", json!({ "name": "b", "version": "1.0.0" }))] {
        let tarball = tarball(&manifest);
        let path = format!("{name}/-/{name}-1.0.0.tgz");
        let digest = BASE64_STANDARD.encode(Sha512::digest(&tarball));
        let mut version = manifest.clone();
        version["dist"] =
            json!({ "tarball": format!("https://recorded.test/{path}"), "integrity": format!("sha512-{digest}") });
        let packument = json!({ "name": name, "dist-tags": { "latest": "1.0.0" }, "versions": { "1.0.0": version } });
        recording.keep(&Asked::Packument(name.to_owned()), Some(packument.to_string().as_bytes())).unwrap();
        recording.keep(&Asked::Tarball(path), Some(&tarball)).unwrap();
    }
    recording.keep(&Asked::Packument("gone".to_owned()), None).unwrap();
    recording
}

fn tarball(manifest: &Value) -> Vec<u8> {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    let manifest = manifest.to_string();
    let mut header = tar::Header::new_gnu();
    header.set_size(manifest.len() as u64);
    header.set_mode(0o644);
    archive.append_data(&mut header, "package/package.json", manifest.as_bytes()).unwrap();
    archive.into_inner().unwrap().finish().unwrap()
}

fn project(dir: &Path) -> Project {
    let dir = dir.join("tiny");
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::write(dir.join("package.json"), json!({ "dependencies": { "a": "1" } }).to_string()).unwrap();
    Project::find(dir.to_str().unwrap()).unwrap()
}

#[test]
fn a_recording_is_all_that_an_install_needs() {
    let dir = tempfile::tempdir().unwrap();
    let registry = ReplayRegistry::start(record(dir.path()), Link { latency_ms: 1, mbit_per_s: Some(100) }).unwrap();
    let project = project(dir.path());
    let install = || {
        let mut command = program::isolated(&lockstep::executable(None).unwrap(), &project.dir, dir.path());
        command.args(["install", "--registry", registry.url(), "--store-dir"]).arg(dir.path().join("store"));
        program::run(&mut command).unwrap().succeeded("lockstep").unwrap();
        registry.take_counts()
    };
    let cold = install();
    assert_eq!(cold.failed, [""; 0]);
    assert_eq!(cold.tarballs.keys().collect::<Vec<_>>(), ["/a/-/a-1.0.0.tgz", "/b/-/b-1.0.0.tgz"]);
    let packuments: BTreeSet<_> = cold.abbreviated.keys().chain(cold.full.keys()).collect();
    assert_eq!(packuments.into_iter().collect::<Vec<_>>(), ["/a", "/b", "/gone"]);
    assert_eq!((cold.tarball_duplicates(), cold.packument_duplicates()), (0, 0));
    assert!(project.dir.join("node_modules/a/package.json").is_file());

    std::fs::remove_file(project.dir.join("pnpm-lock.yaml")).unwrap();
    let again = install();
    assert_eq!((again.tarball_requests(), again.packument_requests()), (0, 1), "what is fresh is not asked for");
    make_old(&dir.path().join("store"));
    std::fs::remove_file(project.dir.join("pnpm-lock.yaml")).unwrap();
    let again = install();
    assert_eq!((again.tarball_requests(), again.packument_requests()), (0, 3));
    assert!(again.bytes < 10, "unchanged packuments are not sent again: {} bytes", again.bytes);
}

/// Makes every file an hour old.
fn make_old(dir: &Path) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            make_old(&path);
        } else {
            let hour_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(3600);
            std::fs::File::options().append(true).open(path).unwrap().set_modified(hour_ago).unwrap();
        }
    }
}

#[test]
fn every_case_is_run_and_told() {
    let dir = tempfile::tempdir().unwrap();
    let registry = ReplayRegistry::start(record(dir.path()), Link::default()).unwrap();
    let project = project(dir.path());
    let executable = lockstep::executable(None).unwrap();
    let peers = [Peer::new(Kind::Lockstep, executable.clone()), Peer::new(Kind::LockstepUncoordinated, executable)];
    let bench = Bench {
        project: &project,
        peers: &peers,
        launch: &|command| program::run(command),
        registry: &registry,
        work: dir.path().join("work"),
        rounds: 2,
    };
    std::fs::create_dir_all(&bench.work).unwrap();
    let (series, work, costs) = bench.run(&Case::ALL).unwrap();
    assert_eq!(series.len(), Case::ALL.len() * peers.len());
    assert_eq!(
        (work.files, work.bytes_cold > work.bytes_frozen),
        (6, true),
        "two manifests, and four records of the install"
    );

    let of = |case: Case| series.iter().find(|series| series.case == case && series.peer == "lockstep").unwrap();
    assert!(of(Case::Cold).runs.iter().all(|run| run.tarball_requests == 2 && run.packument_requests == 3));
    assert!(of(Case::FrozenCold).runs.iter().all(|run| run.tarball_requests == 2 && run.packument_requests == 0));
    assert!(of(Case::FrozenWarm).runs.iter().all(|run| run.tarball_requests == 0));

    assert!(costs.tarball_requests_ms > 0.0 && costs.tarballs_ms > 0.0 && costs.packuments_ms > 0.0);
    let (project, disk) = ("tiny".to_owned(), "disk".to_owned());
    let comparison = Comparison { project, disk, link: Link::default(), work, costs, series };
    let table = markdown(&comparison);
    for case in Case::ALL {
        assert!(table.contains(&format!("\n{case}; the limit is")), "{table}");
    }
    assert!(svg(&comparison).contains("lockstep, coordination none"));
}
