//! `lockstep`: an npm installer that never downloads a tarball twice.

#![forbid(unsafe_code)]

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
