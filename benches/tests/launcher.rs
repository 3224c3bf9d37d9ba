//! A program that a launcher starts is shown with its own peak memory, however large the one is that asks for it.

use benches::launcher::Launcher;
use benches::program;
use std::path::Path;

#[test]
fn a_program_has_its_own_peak_memory() {
    let dir = tempfile::tempdir().unwrap();
    let launcher = Launcher::start(Path::new(env!("CARGO_BIN_EXE_compare"))).unwrap();
    let shell = || {
        let mut command = program::isolated(Path::new("/bin/sh"), dir.path(), dir.path());
        command.args(["-c", "echo $HOME; pwd; exit 3"]);
        command
    };
    const LARGE: usize = 200 << 20;
    let large = vec![1_u8; LARGE];
    let launched = launcher.run(&shell()).unwrap();
    let place = dir.path().canonicalize().unwrap();
    assert_eq!(launched.output, format!("{}\n{}\n", dir.path().display(), place.display()));
    assert_eq!(launched.status.code(), Some(3));
    assert!(launched.peak_bytes < 50 << 20, "{}", launched.peak_bytes);
    // Why there is a launcher: a child begins as large as whoever started it.
    let ran = program::run(&mut shell()).unwrap();
    assert!(large.iter().all(|byte| *byte == 1) && ran.peak_bytes > LARGE as u64 / 2, "{}", ran.peak_bytes);
    assert!(launcher.run(&program::isolated(Path::new("/no/such/program"), dir.path(), dir.path())).is_err());
}
