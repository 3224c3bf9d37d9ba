//! Whether lockstep does what pnpm does, on real projects: `cargo run --release -p benches --bin compare-pnpm`.

use benches::compat::{Comparison, known, report};
use benches::project::Project;
use benches::recording::{Recording, Upstream};
use benches::replay::{Link, ReplayRegistry};
use benches::{lockstep, program};
use clap::Parser;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

/// Install projects with pnpm and with lockstep, and compare
///
/// What a registry answers is recorded once and replayed from then on. Exit code 1 when anything differs that
/// docs/pnpm-compat.md does not explain, or when that explains what no longer differs.
#[derive(Debug, Parser)]
struct Args {
    /// Names of directories in benches/projects, or paths [default: all in benches/projects]
    projects: Vec<String>,
    /// pnpm's executable [default: the one on PATH]
    #[arg(long, value_name = "FILE")]
    pnpm: Option<PathBuf>,
    /// lockstep's executable [default: built from these sources]
    #[arg(long, value_name = "FILE")]
    lockstep: Option<PathBuf>,
    /// Where answers of the registry are kept
    #[arg(long, value_name = "DIR", default_value = "target/recordings")]
    recordings: PathBuf,
    /// Answer from the recording alone
    #[arg(long)]
    offline: bool,
    /// Where projects are installed
    #[arg(long, value_name = "DIR", default_value = "target/compare-pnpm")]
    work: PathBuf,
    /// Run each project's own smoke command in our node_modules too
    #[arg(long)]
    smoke: bool,
    /// What node_modules consists of, for both
    #[arg(long, value_name = "KIND", default_value = "isolated", value_parser = ["isolated", "hoisted"])]
    node_linker: String,
    /// Print the table and all differences as JSON
    #[arg(long, conflicts_with = "markdown")]
    json: bool,
    /// Print the table alone, as Markdown
    #[arg(long)]
    markdown: bool,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(args: &Args) -> io::Result<bool> {
    let missing = || io::Error::new(io::ErrorKind::NotFound, "no pnpm on PATH; name one with --pnpm");
    let pnpm = args.pnpm.clone().or_else(|| program::find("pnpm")).ok_or_else(missing)?.canonicalize()?;
    let lockstep = lockstep::executable(args.lockstep.as_deref())?;
    let projects = match args.projects.is_empty() {
        true => Project::all()?,
        false => args.projects.iter().map(|name| Project::find(name)).collect::<Result<_, _>>()?,
    };
    std::fs::create_dir_all(&args.work)?;
    std::fs::create_dir_all(&args.recordings)?;
    let work = args.work.canonicalize()?;
    let known = known::parse(&std::fs::read_to_string(known::document())?)?;
    let mut compared = Vec::new();
    for project in &projects {
        eprintln!("{}…", project.name);
        let upstream = match args.offline {
            true => None,
            false => Some(Upstream::configured(&args.recordings.canonicalize()?, None)?),
        };
        let recording = Recording::open(&args.recordings, upstream);
        let registry = ReplayRegistry::start(recording, Link::default())?;
        let comparison = Comparison {
            pnpm: &pnpm,
            lockstep: &lockstep,
            registry: &registry,
            node_linker: &args.node_linker,
            work: work.clone(),
            smoke: args.smoke,
        };
        compared.push(comparison.compare(project)?);
        let failed = registry.take_counts().failed;
        if !failed.is_empty() {
            return Err(io::Error::other(format!("the recording is not complete: {}", failed.join("; "))));
        }
    }
    let judged = known::judge(&compared, &known);
    if args.json {
        println!("{}", serde_json::to_string_pretty(&compared)?);
    } else if args.markdown {
        print!("{}", report::markdown(&compared));
    } else {
        print!("{}\n{}", report::markdown(&compared), report::verdict(&judged));
    }
    Ok(judged.holds())
}
