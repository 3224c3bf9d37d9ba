//! Whether pnpm and lockstep do the same for a project: lockfiles exchanged, versions, peer variants, links and commands.
//!
//! Both install the project from the same [`ReplayRegistry`], then each installs it from the other's lockfile. What differs
//! comes out as [`Difference`]s; which of them are known, and why, is in docs/pnpm-compat.md ([`known`]).

pub mod known;
pub mod lockfiles;
pub mod report;
pub mod tree;

use crate::program::{self, Ran};
use crate::project::Project;
use crate::replay::ReplayRegistry;
use serde::Serialize;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

const LOCKFILE: &str = "pnpm-lock.yaml";

/// In which respect the two differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Respect {
    /// The versions of a package in the lockfile.
    Version,
    /// The peer variants of a package in the lockfile, its versions being the same.
    Variant,
    /// Anything else in the lockfile.
    Lockfile,
    /// Whether pnpm installs from lockstep's lockfile, and leaves it as it is.
    PnpmFrozen,
    /// Whether lockstep installs from pnpm's lockfile, and leaves it as it is.
    LockstepFrozen,
    /// A link under node_modules, made from the same lockfile.
    Link,
    /// A command in a .bin directory.
    Command,
    /// A file of a package.
    File,
    /// What the project's own smoke command says.
    Smoke,
}

impl Respect {
    /// All of them.
    pub const ALL: [Respect; 9] = [
        Respect::Version,
        Respect::Variant,
        Respect::Lockfile,
        Respect::PnpmFrozen,
        Respect::LockstepFrozen,
        Respect::Link,
        Respect::Command,
        Respect::File,
        Respect::Smoke,
    ];

    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Respect::Version => "version",
            Respect::Variant => "variant",
            Respect::Lockfile => "lockfile",
            Respect::PnpmFrozen => "pnpm-frozen",
            Respect::LockstepFrozen => "lockstep-frozen",
            Respect::Link => "link",
            Respect::Command => "command",
            Respect::File => "file",
            Respect::Smoke => "smoke",
        }
    }
}

/// One thing that is not the same.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Difference {
    /// The project's name.
    pub project: String,
    /// In which respect.
    pub respect: Respect,
    /// What differs: a package, a path, a command.
    pub subject: String,
    /// How.
    pub detail: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} of {}: {}", self.project, self.respect.name(), self.subject, self.detail)
    }
}

/// What a comparison of one project came to.
#[derive(Debug, Clone, Serialize)]
pub struct Compared {
    /// The project's name.
    pub project: String,
    /// Packages in pnpm's lockfile.
    pub packages: usize,
    /// Snapshots in pnpm's lockfile: packages with their peers.
    pub snapshots: usize,
    /// Entries under node_modules that were compared.
    pub entries: usize,
    /// What differs.
    pub differences: Vec<Difference>,
    /// Whether the smoke command was run.
    pub smoked: bool,
}

/// The two programs and where they work.
pub struct Comparison<'a> {
    /// pnpm's executable.
    pub pnpm: &'a Path,
    /// lockstep's executable.
    pub lockstep: &'a Path,
    /// Where both install from.
    pub registry: &'a ReplayRegistry,
    /// `nodeLinker` of both.
    pub node_linker: &'a str,
    /// A directory to work in.
    pub work: PathBuf,
    /// Whether the project's smoke command is run too.
    pub smoke: bool,
}

impl Comparison<'_> {
    /// Compares the two on one project.
    ///
    /// # Errors
    /// When one of them cannot install the project from its own resolution, or the disk refuses.
    pub fn compare(&self, project: &Project) -> io::Result<Compared> {
        let work = self.work.join(&project.name);
        if work.exists() {
            std::fs::remove_dir_all(&work)?;
        }
        let dir = |name: &str| work.join(name);
        let mut found = Found { project: &project.name, differences: Vec::new() };
        for (name, install) in [("pnpm", Self::pnpm as Install<Self>), ("lockstep", Self::lockstep)] {
            project.copy_to(&dir(name))?;
            install(self, &dir(name), &work, false)?.succeeded(&format!("{name} install of {}", project.name))?;
        }
        let theirs = std::fs::read_to_string(dir("pnpm").join(LOCKFILE))?;
        let ours = std::fs::read_to_string(dir("lockstep").join(LOCKFILE))?;
        let theirs_read = lockfiles::read(&theirs)?;
        lockfiles::compare(&theirs_read, &lockfiles::read(&ours)?, &theirs, &ours, &mut found);

        let frozen: [(&str, Install<Self>, &String, Respect); 2] = [
            ("pnpm-frozen", Self::pnpm, &ours, Respect::PnpmFrozen),
            ("lockstep-frozen", Self::lockstep, &theirs, Respect::LockstepFrozen),
        ];
        for (name, install, lockfile, respect) in frozen {
            project.copy_to(&dir(name))?;
            std::fs::write(dir(name).join(LOCKFILE), lockfile)?;
            let ran = install(self, &dir(name), &work, true)?;
            if !ran.status.success() {
                found.add(respect, LOCKFILE, format!("refused ({}): {}", ran.status, ran.last_words()));
            } else if std::fs::read_to_string(dir(name).join(LOCKFILE))? != *lockfile {
                found.add(respect, LOCKFILE, "changed".to_owned());
            }
        }
        let (expected, actual) = (tree::read(&dir("pnpm"))?, tree::read(&dir("lockstep-frozen"))?);
        tree::compare(&expected, &actual, &mut found);
        let smoked = self.smoke && self.smoke(project, &dir("lockstep"), &work, &mut found)?;
        Ok(Compared {
            project: project.name.clone(),
            packages: theirs_read.packages.len(),
            snapshots: theirs_read.snapshots.len(),
            entries: expected.len(),
            differences: found.differences,
            smoked,
        })
    }

    fn pnpm(&self, dir: &Path, work: &Path, frozen: bool) -> io::Result<Ran> {
        let mut command = program::isolated(self.pnpm, dir, &work.join("home"));
        command.args(["install", "--ignore-scripts", "--reporter", "append-only", "--registry", self.registry.url()]);
        command.arg(if frozen { "--frozen-lockfile" } else { "--no-frozen-lockfile" });
        command.args(["--node-linker", self.node_linker]);
        command.arg("--store-dir").arg(work.join("pnpm-store"));
        program::run(&mut command)
    }

    fn lockstep(&self, dir: &Path, work: &Path, frozen: bool) -> io::Result<Ran> {
        let mut command = program::isolated(self.lockstep, dir, &work.join("home"));
        command.args(["install", "--ignore-scripts", "--reporter", "append-only", "--registry", self.registry.url()]);
        command.arg(if frozen { "--frozen-lockfile" } else { "--no-frozen-lockfile" });
        command.args(["--node-linker", self.node_linker]);
        command.arg("--store-dir").arg(work.join("lockstep-store"));
        program::run(&mut command)
    }

    fn smoke(&self, project: &Project, dir: &Path, work: &Path, found: &mut Found<'_>) -> io::Result<bool> {
        let Some(script) = project.smoke() else { return Ok(false) };
        let mut command = program::isolated(Path::new("/bin/sh"), dir, &work.join("home"));
        let mut path = dir.join("node_modules/.bin").into_os_string();
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap_or_default());
        let ran = program::run(command.arg("-c").arg(&script).env("PATH", path))?;
        if !ran.status.success() {
            found.add(Respect::Smoke, &script, ran.last_words());
        }
        Ok(true)
    }
}

type Install<C> = fn(&C, &Path, &Path, bool) -> io::Result<Ran>;

/// Collects the differences of one project.
pub struct Found<'a> {
    project: &'a str,
    differences: Vec<Difference>,
}

impl Found<'_> {
    fn add(&mut self, respect: Respect, subject: &str, detail: String) {
        let project = self.project.to_owned();
        self.differences.push(Difference { project, respect, subject: subject.to_owned(), detail });
    }
}
