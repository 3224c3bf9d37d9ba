//! `lockstep`: an npm installer that never downloads a tarball twice.

#![forbid(unsafe_code)]

mod cli;

use mimalloc::MiMalloc;
use std::process::ExitCode;
use std::sync::mpsc::sync_channel;
use std::thread;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// What Rust's own `main` gives its caller after a panic.
const EXIT_PANICKED: u8 = 101;

/// As much as the system gives a first thread.
const STACK_BYTES: usize = 8 << 20;

/// Runs the program on a thread that does not end, so that nobody gives its memory back piece by piece: the system takes all
/// of it at one go. What the first thread has allocated, mimalloc would go through once more.
fn main() -> ExitCode {
    let (ended, exit_code) = sync_channel(1);
    let program = move || {
        let _ = ended.send(cli::run());
        loop {
            thread::park();
        }
    };
    match thread::Builder::new().name("main".to_owned()).stack_size(STACK_BYTES).spawn(program) {
        Ok(_) => exit_code.recv().unwrap_or(ExitCode::from(EXIT_PANICKED)),
        // There is no thread left in the system, and so it will say.
        Err(_) => cli::run(),
    }
}
