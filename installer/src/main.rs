//! `lockstep`: an npm installer that never downloads a tarball twice.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
