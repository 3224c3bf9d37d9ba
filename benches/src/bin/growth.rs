//! More and more packages: `cargo run --release -p benches --bin growth`.

use benches::growth;
use benches::launcher::{self, Launcher};
use benches::lockstep;
use clap::Parser;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

/// Install more and more generated packages, of several shapes, and fail where a package costs more among many than among some
#[derive(Debug, Parser)]
struct Args {
    /// How many packages, one number for each install
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "100,1000,5000,10000")]
    packages: Vec<usize>,
    /// How many times as much as among the first thousand a package may cost
    #[arg(long, value_name = "X", default_value_t = 1.5)]
    factor: f64,
    /// Draw it
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Where to install
    #[arg(long, value_name = "DIR", default_value = "target/growth")]
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
    let mut sizes = args.packages.clone();
    sizes.sort_unstable();
    let measured = growth::measure(&sizes, &executable, &launcher, &args.work.canonicalize()?)?;
    println!("{}", growth::markdown(&measured));
    if let Some(file) = &args.svg {
        std::fs::write(file, growth::svg(&measured))?;
    }
    let problems = growth::problems(&measured, args.factor);
    if problems.is_empty() { Ok(()) } else { Err(io::Error::other(problems.join("\n"))) }
}
