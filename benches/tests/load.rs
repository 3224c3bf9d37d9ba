//! A thousand packages in one lockfile, in an ordinary test; `cargo run --release -p benches --bin load` does it with ten thousand.
#![cfg(unix)]

use benches::generated::Shape;
use benches::launcher::Launcher;
use benches::load::{Load, markdown};
use benches::lockstep;
use std::path::Path;

const LOAD: Load = Load {
    shape: Shape::Tree,
    packages: 1_000,
    open_files_max: 256,
    network_concurrency: 64,
    memory_bytes_max: 200_000_000,
};

fn run(load: Load) -> Result<String, String> {
    let work = tempfile::tempdir().unwrap();
    let launcher = Launcher::start(Path::new(env!("CARGO_BIN_EXE_load"))).unwrap();
    let installs = load.run(&lockstep::executable(None).unwrap(), &launcher, work.path());
    installs.map(|installs| markdown(&installs)).map_err(|error| error.to_string())
}

#[test]
fn a_thousand_packages_install_with_256_open_files_and_bounded_memory() {
    println!("{}", run(LOAD).unwrap());
}

/// Every bound bites.
#[test]
fn more_than_an_install_may_take_is_noticed() {
    let little = Load { packages: 100, ..LOAD };
    let memory = run(Load { memory_bytes_max: 1_000_000, ..little }).unwrap_err();
    assert!(memory.contains("bytes of memory, more than 1000000"), "{memory}");
    let files = run(Load { open_files_max: 8, ..little }).unwrap_err();
    assert!(files.contains("Too many open files"), "{files}");
}
