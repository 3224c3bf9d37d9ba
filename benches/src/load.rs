//! Very many packages in one lockfile: what an install of them holds at once, which must not grow with their number.
//!
//! Open files are limited by the system itself (`ulimit -n`), so that whoever needs more fails. Sockets and memory are measured, and
//! more than was allowed is an error.

use crate::generated::{Generated, Shape};
use crate::launcher::Launcher;
use crate::program::{self, Ran};
use crate::replay::{Link, ReplayRegistry};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Sockets that are none of the network's: through these the runtime hears of signals.
const SOCKETS_BESIDE: usize = 4;

/// What is installed, and what that may take.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// Who needs whom.
    pub shape: Shape,
    /// How many packages.
    pub packages: usize,
    /// How many files may be open at once, sockets included.
    pub open_files_max: usize,
    /// How many requests may be in flight. Each has a socket; and where a connection became free while another was opened for the
    /// request, that other waits for the next one.
    pub network_concurrency: usize,
    /// How much memory the program may hold at once, in bytes.
    pub memory_bytes_max: u64,
}

/// One install of all of it.
#[derive(Debug)]
pub struct Installed {
    /// From what.
    pub case: &'static str,
    /// What it took.
    pub ran: Ran,
    /// How many tarballs were asked for.
    pub tarballs: usize,
}

/// From what an install begins: what it is called, what is removed before, and how lockstep is told.
const CASES: [(&str, &[&str], &str); 3] = [
    ("nothing there", &[], "--no-frozen-lockfile"),
    ("a lockfile", &["project/node_modules", "store"], "--frozen-lockfile"),
    ("a lockfile and a store", &["project/node_modules"], "--frozen-lockfile"),
];

impl Load {
    /// Installs in every case, in a directory below `work`.
    ///
    /// # Errors
    /// When an install fails, leaves packages out, asks for something twice, or takes more than it may.
    pub fn run(self, executable: &Path, launcher: &Launcher, work: &Path) -> io::Result<Vec<Installed>> {
        let work = tempfile::tempdir_in(work)?;
        let generated = Generated { shape: self.shape, packages: self.packages, versions: 1 };
        let registry = ReplayRegistry::start(generated.record(&work.path().join("recording"))?, Link::default())?;
        let place = Place { root: work.path().to_owned() };
        std::fs::create_dir_all(place.project())?;
        std::fs::write(place.project().join("package.json"), generated.project(0))?;
        let installs = CASES.map(|(case, removed, lockfile)| {
            removed.iter().try_for_each(|dir| std::fs::remove_dir_all(place.root.join(dir)))?;
            registry.take_counts();
            let ran =
                launcher.run_watched(&self.command(executable, &place, registry.url(), lockfile))?.succeeded(case)?;
            let counts = registry.take_counts();
            let installed = Installed { case, ran, tarballs: counts.tarball_requests() };
            let problem = self.problem(&installed, place.packages()?, counts.tarball_duplicates());
            problem.map_or(Ok(installed), |problem| Err(io::Error::other(format!("{case}: {problem}"))))
        });
        installs.into_iter().collect()
    }

    fn command(self, executable: &Path, place: &Place, registry: &str, lockfile: &str) -> Command {
        let mut command = program::isolated(Path::new("/bin/sh"), &place.project(), &place.root);
        command.arg("-c").arg(format!("ulimit -n {}; exec \"$@\"", self.open_files_max)).arg("sh").arg(executable);
        command.args(["install", lockfile, "--reporter", "silent", "--registry", registry, "--store-dir"]);
        command.arg(place.root.join("store")).arg("--network-concurrency").arg(self.network_concurrency.to_string());
        command
    }

    /// What is not as it should be.
    fn problem(self, installed: &Installed, packages: usize, duplicates: usize) -> Option<String> {
        let handles = installed.ran.handles.unwrap_or_default();
        let (peak_bytes, memory_bytes_max) = (installed.ran.peak_bytes, self.memory_bytes_max);
        let sockets_max = 2 * self.network_concurrency + SOCKETS_BESIDE;
        if packages != self.packages {
            return Some(format!("{packages} packages are in place, of {}", self.packages));
        }
        if duplicates > 0 {
            return Some(format!("{duplicates} tarballs were asked for again"));
        }
        if handles.sockets > sockets_max {
            return Some(format!("{} sockets were open, more than {sockets_max}", handles.sockets));
        }
        let too_much = peak_bytes > memory_bytes_max;
        too_much.then(|| format!("it held {peak_bytes} bytes of memory, more than {memory_bytes_max}"))
    }
}

struct Place {
    root: PathBuf,
}

impl Place {
    fn project(&self) -> PathBuf {
        self.root.join("project")
    }

    /// How many packages are in place.
    fn packages(&self) -> io::Result<usize> {
        let entries = std::fs::read_dir(self.project().join("node_modules/.pnpm"))?;
        let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
        let names = names.collect::<io::Result<Vec<_>>>()?;
        Ok(names.iter().filter(|name| name.starts_with("generated-")).count())
    }
}

/// A table of what each install took, in Markdown.
pub fn markdown(installs: &[Installed]) -> String {
    let row = |installed: &Installed| {
        let Installed { case, ran, tarballs } = installed;
        let handles = ran.handles.unwrap_or_default();
        let (wall_s, peak_mb) = (ran.wall.as_secs_f64(), ran.peak_bytes as f64 / 1e6);
        format!("| {case} | {wall_s:.1} s | {peak_mb:.0} MB | {} | {} | {tarballs} |\n", handles.open, handles.sockets)
    };
    let head =
        "| before | took | memory at most | open at most | sockets of them | tarballs |\n|---|---|---|---|---|---|\n";
    head.to_owned() + &installs.iter().map(row).collect::<String>()
}
