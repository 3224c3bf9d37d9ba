//! Cargo with the flag that makes a simulation build, and where such a build is.
//!
//! The flag has to reach madsim itself, so it has to be a rustc flag; and it has to be added to the flags that the user
//! may have set, which `--config build.rustflags=…` does not do. `CARGO_ENCODED_RUSTFLAGS` goes before every other source.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, io};

/// What separates flags in `CARGO_ENCODED_RUSTFLAGS`.
const SEPARATOR: &str = "\x1f";

/// What makes a build a simulation.
const FLAG: [&str; 2] = ["--cfg", "madsim"];

/// The target directory of simulation builds, from the workspace's root.
const TARGET_DIR: &str = "target/sim";

/// Variables that cargo sets for the crate that it builds or runs.
const OF_ONE_CRATE: [&str; 3] = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"];

/// The directory that all crates lie in.
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the workspace")
}

/// Cargo with the simulation's flag added to the user's, in a target directory of its own.
pub fn cargo(arguments: &[&str]) -> Command {
    let mut command = flagged(arguments);
    command.arg("--target-dir").arg(workspace().join(TARGET_DIR));
    command
}

/// The same for what builds nothing.
pub fn flagged(arguments: &[&str]) -> Command {
    let mut command = plain(arguments);
    command.env_remove("RUSTFLAGS").env("CARGO_ENCODED_RUSTFLAGS", flags());
    command
}

/// Cargo as the user would call it.
pub fn plain(arguments: &[&str]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(workspace());
    // What the cargo around us says of this crate: build scripts that watch these variables would run again.
    let of_this_crate = |name: &str| OF_ONE_CRATE.iter().any(|prefix| name.starts_with(prefix));
    for (name, _) in env::vars_os().filter(|(name, _)| name.to_str().is_some_and(of_this_crate)) {
        command.env_remove(name);
    }
    command
}

/// Builds one of the simulator's programs from the workspace in `dir`; where it is, or none where it does not build.
///
/// # Errors
/// Cargo cannot be run.
pub fn build(dir: &Path, program: &str) -> io::Result<Option<PathBuf>> {
    let arguments = ["build", "--quiet", "--profile", "sim", "--package", "sim", "--bin", program];
    let status = cargo(&arguments).current_dir(dir).status()?;
    let path = workspace().join(TARGET_DIR).join("sim").join(format!("{program}{}", env::consts::EXE_SUFFIX));
    Ok(status.success().then_some(path))
}

fn flags() -> String {
    let encoded = env::var("CARGO_ENCODED_RUSTFLAGS").ok();
    let plain = || env::var("RUSTFLAGS").unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(SEPARATOR);
    with_flag(encoded.unwrap_or_else(plain))
}

/// Adds the flag once: other flags would be another build, of all dependencies too.
fn with_flag(flags: String) -> String {
    let mut flags: Vec<_> = flags.split(SEPARATOR).filter(|flag| !flag.is_empty()).collect();
    if !flags.windows(FLAG.len()).any(|there| there == FLAG) {
        flags.extend(FLAG);
    }
    flags.join(SEPARATOR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_is_added_once_to_those_of_the_user() {
        let once = with_flag("-C\x1ftarget-cpu=native".to_owned());
        assert_eq!(once, "-C\x1ftarget-cpu=native\x1f--cfg\x1fmadsim");
        assert_eq!(with_flag(once.clone()), once);
        assert_eq!(with_flag(String::new()), "--cfg\x1fmadsim");
    }
}
