//! How long lockstep and its peers take: `cargo run --release -p benches --bin compare`.

use benches::launcher::{self, Launcher};
use benches::program;
use benches::project::Project;
use benches::recording::{Recording, Upstream};
use benches::replay::{Link, ReplayRegistry};
use benches::speed::{Bench, Case, Comparison, Kind, Peer, markdown, svg};
use clap::Parser;
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// Time installs of recorded projects with lockstep and with every other installer that is there
///
/// The registry's answers are recorded once and replayed from memory. Every install is checked for what it left behind;
/// requests are counted.
#[derive(Debug, Parser)]
struct Args {
    /// Names of directories in benches/projects, or paths
    #[arg(default_values = ["express-api", "vite-react", "webpack-babel"])]
    projects: Vec<String>,
    /// How often each program installs in each case
    #[arg(long, value_name = "N", default_value_t = 10)]
    rounds: usize,
    /// What is there already when an install starts [default: each in turn]
    #[arg(long = "case", value_name = "CASE", value_enum)]
    cases: Vec<Case>,
    /// How long every answer of the registry takes, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 0)]
    latency: u64,
    /// What goes over the line to the registry [default: no limit]
    #[arg(long, value_name = "MBIT/S")]
    bandwidth: Option<u64>,
    /// A program that takes part: pnpm, aube, bun or npm, and its executable [default: those on PATH]; or lockstep, and another
    /// build of it
    #[arg(long = "peer", value_name = "KIND=FILE")]
    peers: Vec<String>,
    /// Let no program take part that is not named with --peer
    #[arg(long)]
    only_named: bool,
    /// Only what the fix costs: let lockstep and lockstep without coordination take part, and who is named with --peer
    #[arg(long)]
    fix: bool,
    /// Where to install: what it is called, and a directory there
    #[arg(long = "disk", value_name = "NAME=DIR", default_values = ["tmpfs=/dev/shm/lockstep-compare", "disk=target/compare"])]
    disks: Vec<String>,
    /// lockstep's executable [default: built from these sources]
    #[arg(long, value_name = "FILE")]
    lockstep: Option<PathBuf>,
    /// Where answers of the registry are kept
    #[arg(long, value_name = "DIR", default_value = "target/recordings")]
    recordings: PathBuf,
    /// Write all runs there, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Draw there, a file for each table
    #[arg(long, value_name = "DIR")]
    svg: Option<PathBuf>,
}

fn main() -> ExitCode {
    launcher::main(|| run(&Args::parse()))
}

fn run(args: &Args) -> io::Result<()> {
    // First of all, while this process is small.
    let launcher = Launcher::start(&std::env::current_exe()?)?;
    let peers = peers(args)?;
    let link = Link { latency_ms: args.latency, mbit_per_s: args.bandwidth };
    let mut comparisons = Vec::new();
    for project in &args.projects {
        let project = Project::find(project)?;
        for disk in &args.disks {
            let (name, dir) = pair(disk)?;
            eprintln!("{}, {name}…", project.name);
            let comparison = compare(args, &project, (&peers, &launcher), link, name, Path::new(dir))?;
            println!("{}", markdown(&comparison));
            comparisons.push(comparison);
        }
    }
    if let Some(path) = &args.json {
        std::fs::write(path, serde_json::to_vec_pretty(&comparisons)?)?;
    }
    if let Some(dir) = &args.svg {
        std::fs::create_dir_all(dir)?;
        for comparison in &comparisons {
            std::fs::write(dir.join(format!("{}-{}.svg", comparison.project, comparison.disk)), svg(comparison))?;
        }
    }
    Ok(())
}

/// What the other installers are called, and how each takes part.
const KINDS: &[(&str, &[Kind])] = &[
    ("pnpm", &[Kind::PnpmShared, Kind::Pnpm]),
    ("aube", &[Kind::AubeShared, Kind::Aube]),
    ("bun", &[Kind::Bun]),
    ("npm", &[Kind::Npm]),
];

/// lockstep as it is, without coordination, with a global virtual store and with a tree as bun's; then other builds of it; then
/// everyone else.
fn peers(args: &Args) -> io::Result<Vec<Peer>> {
    let lockstep = benches::lockstep::executable(args.lockstep.as_deref())?;
    let others = if args.fix { &[][..] } else { &[Kind::LockstepShared, Kind::LockstepHoisted] };
    let kinds = [Kind::Lockstep, Kind::LockstepUncoordinated].iter().chain(others);
    let mut peers: Vec<_> = kinds.map(|kind| Peer::new(*kind, lockstep.clone())).collect();
    let mut named = Vec::new();
    for peer in &args.peers {
        let (kind, path) = pair(peer)?;
        named.push((kind.to_owned(), PathBuf::from(path).canonicalize()?));
    }
    let builds = named.extract_if(.., |(name, _)| name == "lockstep");
    peers.extend(builds.map(|(_, executable)| Peer::build(executable)));
    for (name, kinds) in KINDS {
        let by_name = named.iter().find(|(named, _)| named == name).map(|(_, path)| path.clone());
        let found = by_name.or_else(|| if args.only_named || args.fix { None } else { program::find(name) });
        if let Some(executable) = found {
            for kind in *kinds {
                peers.push(Peer::new(*kind, executable.clone()).with_version()?);
            }
        }
    }
    let names: BTreeSet<&String> = peers.iter().map(|peer| &peer.name).collect();
    if names.len() < peers.len() {
        return Err(io::Error::other("two builds of lockstep have the same file name: give one another"));
    }
    match named.iter().find(|(name, _)| !KINDS.iter().any(|(known, _)| known == name)) {
        Some((name, _)) => {
            Err(io::Error::other(format!("there is no peer {name}: it is lockstep, pnpm, aube, bun or npm")))
        }
        None => Ok(peers),
    }
}

fn compare(
    args: &Args,
    project: &Project,
    (peers, launcher): (&[Peer], &Launcher),
    link: Link,
    disk: &str,
    work_dir: &Path,
) -> io::Result<Comparison> {
    std::fs::create_dir_all(&args.recordings)?;
    std::fs::create_dir_all(work_dir)?;
    let work_dir = tempfile::tempdir_in(work_dir.canonicalize()?)?;
    let upstream = Upstream::configured(&args.recordings.canonicalize()?, None)?;
    let registry = ReplayRegistry::start(Recording::open(&args.recordings, Some(upstream)), link)?;
    let launch = |command: &mut Command| launcher.run(command);
    let bench = Bench {
        project,
        peers,
        launch: &launch,
        registry: &registry,
        work: work_dir.path().to_owned(),
        rounds: args.rounds,
    };
    let cases = if args.cases.is_empty() { &Case::ALL[..] } else { &args.cases };
    let (series, work, costs) = bench.run(cases)?;
    Ok(Comparison { project: project.name.clone(), disk: disk.to_owned(), link, work, costs, series })
}

fn pair(text: &str) -> io::Result<(&str, &str)> {
    text.split_once('=').ok_or_else(|| io::Error::other(format!("{text} is not of the form NAME=VALUE")))
}
