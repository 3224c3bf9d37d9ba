//! Install after install, for as long as one likes, in one project and on one store: memory stays flat, the store too, and nothing is
//! left behind.
//!
//! A round is an install that is killed, and those that come after it: of other versions, from the store alone, frozen, of what is there
//! already; then what nobody uses is pruned, and a project beside it is installed from nothing. After each of them [`leftovers`] are looked
//! for. At the end [`trend`] judges what every round took. What a killed install leaves in the store goes after a day, so a day
//! passes: what is there is made older.

pub mod leftovers;
pub mod trend;

use crate::generated::{Generated, Shape};
use crate::launcher::Launcher;
use crate::program;
use crate::replay::{Link, ReplayRegistry};
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

/// How many versions of everything there are: in each round the next, and then the first again.
pub const VERSIONS: usize = 3;

/// Longer than what is temporary stays in a store.
const DAY: Duration = Duration::from_secs(25 * 60 * 60);

/// What is done.
#[derive(Debug, Clone, Copy)]
pub struct Soak {
    /// How many packages the project has.
    pub packages: usize,
    /// How long rounds are begun.
    pub duration: Duration,
    /// How many rounds there are at most.
    pub rounds_max: usize,
}

/// Who does it, and what it is done with.
pub struct Bench<'a> {
    /// lockstep's executable.
    pub executable: &'a Path,
    /// Starts it.
    pub launcher: &'a Launcher,
    /// Where to install.
    pub work: &'a Path,
    /// Is called at the end of each round: for people who watch, and for tests that break something.
    pub after_round: &'a dyn Fn(usize, &Place) -> io::Result<()>,
}

/// Where everything is.
#[derive(Debug, Clone)]
pub struct Place {
    /// The project of all rounds.
    pub project: PathBuf,
    /// The store of all rounds.
    pub store: PathBuf,
    /// The home directory, and the directory for temporary files: nothing has any business there.
    pub home: PathBuf,
    /// What a round begins and ends with: a project and a store of its own.
    cold: PathBuf,
}

/// What was measured: its name → a figure for each round.
pub type Series = BTreeMap<String, Vec<u64>>;

impl Soak {
    /// Does it, and gives what was measured.
    ///
    /// # Errors
    /// When an install fails, something is left behind, or something grows.
    pub fn run(self, bench: &Bench<'_>) -> io::Result<Series> {
        let work = tempfile::tempdir_in(bench.work)?;
        let generated = Generated { shape: Shape::Tree, packages: self.packages, versions: VERSIONS };
        let registry = ReplayRegistry::start(generated.record(&work.path().join("recording"))?, Link::default())?;
        let place = Place::make(work.path())?;
        let mut rounds = Rounds { bench, generated, registry: &registry, place: &place, series: Series::new() };
        let started = Instant::now();
        for round in 0..self.rounds_max {
            if started.elapsed() >= self.duration {
                break;
            }
            rounds.round(round)?;
            (bench.after_round)(round, &place)?;
            leftovers::check(&place)?;
        }
        trend::check(&rounds.series)?;
        Ok(rounds.series)
    }
}

impl Place {
    fn make(root: &Path) -> io::Result<Place> {
        let [project, store, home, cold] = ["project", "store", "home", "cold"].map(|name| root.join(name));
        std::fs::create_dir_all(&project)?;
        std::fs::create_dir_all(&home)?;
        Ok(Place { project, store, home, cold })
    }
}

struct Rounds<'a> {
    bench: &'a Bench<'a>,
    generated: Generated,
    registry: &'a ReplayRegistry,
    place: &'a Place,
    series: Series,
}

impl Rounds<'_> {
    fn round(&mut self, round: usize) -> io::Result<()> {
        let Place { project, store, cold, .. } = self.place;
        let version = round % VERSIONS;
        std::fs::write(project.join("package.json"), self.generated.project(version))?;
        self.killed(round)?;
        self.install("other versions", &["install", "--no-frozen-lockfile"])?;
        std::fs::remove_dir_all(project.join("node_modules"))?;
        self.install("from the store", &["install", "--no-frozen-lockfile"])?;
        std::fs::remove_dir_all(project.join("node_modules"))?;
        self.install("frozen", &["install", "--frozen-lockfile"])?;
        self.install("nothing to do", &["install"])?;
        self.install("prune", &["store", "prune"])?;
        self.figure("store, files", leftovers::files_in(store)?.len() as u64);
        let bytes = leftovers::files_in(store)?.iter().map(|file| file.metadata().map_or(0, |file| file.len())).sum();
        self.figure("store, bytes", bytes);

        let beside = Place { project: cold.join("project"), store: cold.join("store"), ..self.place.clone() };
        std::fs::create_dir_all(&beside.project)?;
        std::fs::write(beside.project.join("package.json"), self.generated.project(version))?;
        self.install_in(&beside, "from nothing", &["install"])?;
        leftovers::check(&beside)?;
        std::fs::remove_dir_all(cold)
    }

    /// Kills an install at another moment than in the rounds before, and lets a day pass.
    fn killed(&self, round: usize) -> io::Result<()> {
        let usual_us = self.series.get("other versions, us").and_then(|us| us.last()).copied().unwrap_or(100_000);
        // Multiples of the golden ratio: however many there are, they lie evenly between 0 and 1.
        let part = (round as f64 * 0.618_034).fract();
        let mut command = self.command(self.place, &["install", "--no-frozen-lockfile"]);
        let mut install = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        std::thread::sleep(Duration::from_micros(usual_us).mul_f64(part));
        install.kill()?;
        install.wait()?;
        let temporary = leftovers::temporary_dir(&self.place.store);
        let left = if temporary.exists() { leftovers::files_in(&temporary)? } else { Vec::new() };
        for file in left {
            File::options().append(true).open(file)?.set_modified(SystemTime::now() - DAY)?;
        }
        Ok(())
    }

    fn install(&mut self, what: &str, arguments: &[&str]) -> io::Result<()> {
        self.install_in(self.place, what, arguments)?;
        leftovers::check(self.place)
    }

    fn install_in(&mut self, place: &Place, what: &str, arguments: &[&str]) -> io::Result<()> {
        let ran = self.bench.launcher.run(&self.command(place, arguments))?.succeeded(what)?;
        self.figure(&format!("{what}, bytes of memory"), ran.peak_bytes);
        self.figure(&format!("{what}, us"), u64::try_from(ran.wall.as_micros()).unwrap_or(u64::MAX));
        Ok(())
    }

    fn command(&self, place: &Place, arguments: &[&str]) -> Command {
        let mut command = program::isolated(self.bench.executable, &place.project, &place.home);
        command.env("TMPDIR", &place.home).args(arguments).arg("--store-dir").arg(&place.store);
        if arguments.first() == Some(&"install") {
            command.args(["--reporter", "silent", "--registry", self.registry.url()]);
        }
        command
    }

    fn figure(&mut self, what: &str, figure: u64) {
        self.series.entry(what.to_owned()).or_default().push(figure);
    }
}
