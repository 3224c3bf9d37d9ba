//! `lockstep-sim`, behind `cargo sim`.

use std::process::ExitCode;

/// A run is mostly many small values; this allocator is the quicker one for them.
#[cfg(madsim)]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[cfg(madsim)]
fn main() -> ExitCode {
    sim::cli::main()
}

#[cfg(not(madsim))]
fn main() -> ExitCode {
    sim::launcher::main()
}
