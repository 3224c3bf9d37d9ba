//! Builds the simulator with `--cfg madsim` and runs it.
//!
//! The flag has to reach madsim itself, so it has to be a rustc flag; and it has to be added to the flags that the user
//! may have set, which `--config build.rustflags=…` does not do. `CARGO_ENCODED_RUSTFLAGS` goes before every other source.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// What separates flags in `CARGO_ENCODED_RUSTFLAGS`.
const SEPARATOR: &str = "\x1f";

/// The simulator could not be built or started: bad input, not a failed oracle.
const EXIT_NOT_STARTED: u8 = 2;

/// Variables that cargo sets for the crate that it builds or runs.
const OF_ONE_CRATE: [&str; 3] = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"];

/// Builds the simulator, then runs it with this program's arguments.
pub fn main() -> ExitCode {
    let target_dir = workspace().join("target/sim");
    let build = cargo(&["build", "--quiet", "--profile", "sim", "--package", "sim", "--bin", "lockstep-sim"]).status();
    match build {
        Ok(status) if status.success() => {}
        Ok(_) => {
            eprintln!("error: the simulator does not build");
            return ExitCode::from(EXIT_NOT_STARTED);
        }
        Err(error) => {
            eprintln!("error: cannot run cargo: {error}");
            return ExitCode::from(EXIT_NOT_STARTED);
        }
    }
    let program = target_dir.join("sim").join(format!("lockstep-sim{}", env::consts::EXE_SUFFIX));
    let arguments: Vec<OsString> = env::args_os().skip(1).collect();
    match Command::new(&program).args(arguments).status() {
        // Ended by a signal: as a shell reports it.
        Ok(status) => ExitCode::from(status.code().map_or(130, |code| code as u8)),
        Err(error) => {
            eprintln!("error: cannot run {}: {error}", program.display());
            ExitCode::from(EXIT_NOT_STARTED)
        }
    }
}

/// Cargo with the simulation's flag added to the user's, in a target directory of its own.
pub fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).arg("--target-dir").arg(workspace().join("target/sim"));
    command.current_dir(workspace());
    command.env_remove("RUSTFLAGS").env("CARGO_ENCODED_RUSTFLAGS", flags());
    // What the cargo around us says of this crate: build scripts that watch these variables would run again.
    let of_this_crate = |name: &str| OF_ONE_CRATE.iter().any(|prefix| name.starts_with(prefix));
    for (name, _) in env::vars_os().filter(|(name, _)| name.to_str().is_some_and(of_this_crate)) {
        command.env_remove(name);
    }
    command
}

fn workspace() -> PathBuf {
    let crate_dir = Path::new(env!("CARGO_MANIFEST_DIR"));
    crate_dir.parent().expect("the crate lies in the workspace").to_owned()
}

fn flags() -> String {
    let encoded = env::var("CARGO_ENCODED_RUSTFLAGS").ok();
    let plain = || env::var("RUSTFLAGS").unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(SEPARATOR);
    let mut flags = encoded.unwrap_or_else(plain);
    if !flags.is_empty() {
        flags.push_str(SEPARATOR);
    }
    flags + "--cfg" + SEPARATOR + "madsim"
}
