//! Install after install: `cargo run --release -p benches --bin soak -- --minutes 60`.

use benches::launcher::{self, Launcher};
use benches::lockstep;
use benches::soak::{Bench, Soak, trend};
use clap::Parser;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Install again and again, killed ones among them, and fail where something is left behind or grows
#[derive(Debug, Parser)]
struct Args {
    /// How long
    #[arg(long, value_name = "N", default_value_t = 60)]
    minutes: u64,
    /// How many packages the project has
    #[arg(long, value_name = "N", default_value_t = 200)]
    packages: usize,
    /// Where to install
    #[arg(long, value_name = "DIR", default_value = "target/soak")]
    work: PathBuf,
    /// lockstep's executable [default: built from these sources]
    #[arg(long, value_name = "FILE")]
    lockstep: Option<PathBuf>,
}

/// How many rounds pass between two lines that say so.
const ROUNDS_PER_LINE: usize = 50;

fn main() -> ExitCode {
    launcher::main(|| run(&Args::parse()))
}

fn run(args: &Args) -> io::Result<()> {
    let launcher = Launcher::start(&std::env::current_exe()?)?;
    let executable = lockstep::executable(args.lockstep.as_deref())?;
    std::fs::create_dir_all(&args.work)?;
    let work = args.work.canonicalize()?;
    let bench = Bench {
        executable: &executable,
        launcher: &launcher,
        work: &work,
        after_round: &|round, _| {
            if (round + 1).is_multiple_of(ROUNDS_PER_LINE) {
                eprintln!("{} rounds", round + 1);
            }
            Ok(())
        },
    };
    let soak =
        Soak { packages: args.packages, duration: Duration::from_secs(60 * args.minutes), rounds_max: usize::MAX };
    let series = soak.run(&bench)?;
    let rounds = series.values().map(Vec::len).max().unwrap_or_default();
    println!("{rounds} rounds of {} packages:\n\n{}", args.packages, trend::markdown(&series));
    if rounds < trend::ROUNDS_MIN {
        return Err(io::Error::other(format!("{rounds} rounds are too few to judge, give it more time")));
    }
    Ok(())
}
