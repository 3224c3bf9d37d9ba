//! Every shape of generated packages installs, whole and from every beginning; `cargo run --release -p benches --bin growth` does it with
//! ten thousand of each.
#![cfg(unix)]

use benches::generated::Shape;
use benches::growth::{markdown, measure};
use benches::launcher::Launcher;
use benches::lockstep;
use std::path::Path;

#[test]
fn every_shape_installs() {
    let work = tempfile::tempdir().unwrap();
    let launcher = Launcher::start(Path::new(env!("CARGO_BIN_EXE_growth"))).unwrap();
    let growth = measure(&[30, 300], &lockstep::executable(None).unwrap(), &launcher, work.path()).unwrap();
    assert_eq!(growth.len(), Shape::ALL.len() * 3);
    assert!(growth.values().all(|costs| costs.len() == 2 && costs.iter().all(|cost| cost.peak_bytes > 0)));
    println!("{}", markdown(&growth));
}
