//! A short soak in an ordinary test, and one for each thing that makes it fail;
//! `cargo run --release -p benches --bin soak -- --minutes 60` is the long one.
#![cfg(unix)]

use benches::launcher::Launcher;
use benches::lockstep;
use benches::soak::trend::ROUNDS_MIN;
use benches::soak::{Bench, Place, Series, Soak};
use installer::store::StoreDir;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

fn soak(executable: &Path, after_round: &dyn Fn(usize, &Place) -> io::Result<()>) -> Result<Series, String> {
    let work = tempfile::tempdir().unwrap();
    let launcher = Launcher::start(Path::new(env!("CARGO_BIN_EXE_soak"))).unwrap();
    let soak = Soak { packages: 10, duration: Duration::MAX, rounds_max: ROUNDS_MIN };
    let bench = Bench { executable, launcher: &launcher, work: work.path(), after_round };
    soak.run(&bench).map_err(|error| error.to_string())
}

#[test]
fn nothing_grows_and_nothing_is_left_behind() {
    let series = soak(&lockstep::executable(None).unwrap(), &|_, _| Ok(())).unwrap();
    assert!(series.values().all(|figures| figures.len() == ROUNDS_MIN), "{series:?}");
    assert!(series["store, files"].iter().all(|files| *files > 10), "{series:?}");
}

#[test]
fn a_file_that_is_left_behind_is_noticed() {
    let executable = lockstep::executable(None).unwrap();
    let places: [fn(&Place) -> std::path::PathBuf; 4] = [
        |place| StoreDir::new(&place.store).tmp_dir().join("planted"),
        |place| place.project.join("node_modules/.pnpm/.lockstep-tmp-planted"),
        |place| place.project.join("planted"),
        |place| place.home.join("planted"),
    ];
    for planted in places {
        let error = soak(&executable, &|_, place| std::fs::write(planted(place), "")).unwrap_err();
        assert!(error.starts_with("left behind: ") && error.contains("planted"), "{error}");
    }
}

#[test]
fn a_store_that_grows_is_noticed() {
    let executable = lockstep::executable(None).unwrap();
    let more = |round: usize, place: &Place| {
        let packuments = StoreDir::new(&place.store).packuments_dir();
        (0..20).try_for_each(|file| std::fs::write(packuments.join(format!("planted-{round}-{file}")), ""))
    };
    let error = soak(&executable, &more).unwrap_err();
    assert!(error.starts_with("store, files grows"), "{error}");
}

/// The program is a shell script that holds one more megabyte each time before it becomes the installer.
#[test]
fn memory_that_grows_is_noticed() {
    let (dir, executable) = (tempfile::tempdir().unwrap(), lockstep::executable(None).unwrap());
    let (script, times) = (dir.path().join("lockstep"), dir.path().join("times"));
    let text = format!(
        "#!/bin/sh\nprintf x >> '{times}'\nn=$(wc -c < '{times}')\nheld=$(head -c ${{n}}000000 /dev/zero | tr '\\0' x)\n\
         exec '{executable}' \"$@\"\n",
        times = times.display(),
        executable = executable.display(),
    );
    std::fs::write(&script, text).unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    let error = soak(&script, &|_, _| Ok(())).unwrap_err();
    assert!(error.contains("bytes of memory grows"), "{error}");
}
