//! `lockstep-sim`, behind `cargo sim`.

use std::process::ExitCode;

#[cfg(madsim)]
fn main() -> ExitCode {
    sim::cli::main()
}

#[cfg(not(madsim))]
fn main() -> ExitCode {
    sim::launcher::main()
}
