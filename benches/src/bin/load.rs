//! Very many packages in one lockfile: `cargo run --release -p benches --bin load`.

use benches::generated::Shape;
use benches::launcher::{self, Launcher};
use benches::load::{Load, markdown};
use benches::lockstep;
use clap::Parser;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

/// Install very many generated packages with few open files, and fail where that takes more than it may
#[derive(Debug, Parser)]
struct Args {
    /// How many packages the lockfile has
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    packages: usize,
    /// How many files may be open at once, sockets included (ulimit -n)
    #[arg(long, value_name = "N", default_value_t = 256)]
    open_files: usize,
    /// How many requests may be in flight
    #[arg(long, value_name = "N", default_value_t = 64)]
    network_concurrency: usize,
    /// How much memory an install may hold at once, in millions of bytes
    #[arg(long, value_name = "MB", default_value_t = 400)]
    memory: u64,
    /// Where to install
    #[arg(long, value_name = "DIR", default_value = "target/load")]
    work: PathBuf,
    /// lockstep's executable [default: built from these sources]
    #[arg(long, value_name = "FILE")]
    lockstep: Option<PathBuf>,
}

fn main() -> ExitCode {
    launcher::main(|| run(&Args::parse()))
}

fn run(args: &Args) -> io::Result<()> {
    let launcher = Launcher::start(&std::env::current_exe()?)?;
    let executable = lockstep::executable(args.lockstep.as_deref())?;
    std::fs::create_dir_all(&args.work)?;
    let load = Load {
        shape: Shape::Tree,
        packages: args.packages,
        open_files_max: args.open_files,
        network_concurrency: args.network_concurrency,
        memory_bytes_max: args.memory * 1_000_000,
    };
    let installs = load.run(&executable, &launcher, &args.work.canonicalize()?)?;
    println!("{} packages with {} open files:\n\n{}", args.packages, args.open_files, markdown(&installs));
    Ok(())
}
