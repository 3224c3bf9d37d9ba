//! `lockstep`: an npm installer that never downloads a tarball twice.

#![forbid(unsafe_code)]

mod cli;

use mimalloc::MiMalloc;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    cli::run()
}
