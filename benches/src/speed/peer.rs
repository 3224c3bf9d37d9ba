//! The installers that are compared: how each is told the same thing.

use crate::program;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Which installer it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// lockstep as it is.
    Lockstep,
    /// lockstep as pnpm was before pnpm#12241 was fixed.
    LockstepUncoordinated,
    /// lockstep with `enableGlobalVirtualStore`.
    LockstepShared,
    /// lockstep with `nodeLinker: hoisted`: the tree of directories that bun and npm make.
    LockstepHoisted,
    /// pnpm 12.
    Pnpm,
    /// pnpm 12 with `enableGlobalVirtualStore`.
    PnpmShared,
    /// aube, told to have no global virtual store.
    Aube,
    /// aube as it is, with a global virtual store.
    AubeShared,
    /// bun.
    Bun,
    /// npm.
    Npm,
}

/// An installer that takes part.
#[derive(Debug, Clone)]
pub struct Peer {
    /// Its name in tables.
    pub name: String,
    /// Which one it is.
    pub kind: Kind,
    /// Its executable.
    pub executable: PathBuf,
}

/// The directories of one installer.
pub(super) struct Place {
    root: PathBuf,
    pub project: PathBuf,
    pub store: PathBuf,
    pub home: PathBuf,
    saved: PathBuf,
}

impl Peer {
    /// An installer at a path of its own.
    pub fn new(kind: Kind, executable: PathBuf) -> Peer {
        let name = match kind {
            Kind::Lockstep => "lockstep",
            Kind::LockstepUncoordinated => "lockstep, coordination none",
            Kind::LockstepShared => "lockstep, global virtual store",
            Kind::LockstepHoisted => "lockstep, hoisted",
            Kind::Pnpm => "pnpm",
            Kind::PnpmShared => "pnpm, global virtual store, version",
            Kind::Aube => "aube",
            Kind::AubeShared => "aube, global virtual store, version",
            Kind::Bun => "bun",
            Kind::Npm => "npm",
        };
        Peer { name: name.to_owned(), kind, executable }
    }

    /// Another build of lockstep, called by its file.
    pub fn build(executable: PathBuf) -> Peer {
        let name = format!("lockstep, {}", executable.file_name().unwrap_or_default().to_string_lossy());
        Peer { name, ..Peer::new(Kind::Lockstep, executable) }
    }

    /// Adds its version to its name, as it tells it.
    ///
    /// # Errors
    /// When it does not start.
    pub fn with_version(mut self) -> io::Result<Peer> {
        let dir = std::env::temp_dir();
        let ran = program::run(program::isolated(&self.executable, &dir, &dir).arg("--version"))?;
        let version = ran.output.split_whitespace().rfind(|word| word.starts_with(|c: char| c.is_ascii_digit()));
        self.name = format!("{} {}", self.name, version.unwrap_or("of unknown version"));
        Ok(self)
    }

    pub(super) fn command(&self, place: &Place, registry: &str, frozen: bool) -> Command {
        let mut command = program::isolated(&self.executable, &place.project, &place.home);
        match self.kind {
            Kind::Lockstep | Kind::LockstepUncoordinated | Kind::LockstepShared | Kind::LockstepHoisted => {
                command.args(["install", "--ignore-scripts", "--reporter", "silent", "--registry", registry]);
                command.arg("--store-dir").arg(&place.store);
                command.arg(if frozen { "--frozen-lockfile" } else { "--no-frozen-lockfile" });
                match self.kind {
                    Kind::LockstepUncoordinated => command.args(["--coordination", "none"]),
                    Kind::LockstepShared => command.env("npm_config_enable_global_virtual_store", "true"),
                    Kind::LockstepHoisted => command.env("npm_config_node_linker", "hoisted"),
                    _ => &mut command,
                };
            }
            Kind::Pnpm | Kind::PnpmShared => {
                command.args(["install", "--ignore-scripts", "--reporter", "silent", "--registry", registry]);
                command.arg("--store-dir").arg(&place.store);
                command.arg(if frozen { "--frozen-lockfile" } else { "--no-frozen-lockfile" });
                if self.kind == Kind::PnpmShared {
                    command.env("pnpm_config_enable_global_virtual_store", "true");
                }
            }
            Kind::Aube | Kind::AubeShared => {
                command.args(["install", "--ignore-scripts", "--silent", "--registry", registry]);
                command.arg(if frozen { "--frozen-lockfile" } else { "--no-frozen-lockfile" });
                let shared = if self.kind == Kind::AubeShared { "enable" } else { "disable" };
                command.arg(format!("--{shared}-global-virtual-store"));
                command.env("npm_config_store_dir", &place.store).env("AUBE_NO_UPDATE_CHECK", "1");
            }
            Kind::Bun => {
                command.args(["install", "--ignore-scripts", "--silent", "--registry", registry]);
                command.env("BUN_INSTALL_CACHE_DIR", &place.store).env("NPM_CONFIG_REGISTRY", registry);
                if frozen {
                    command.arg("--frozen-lockfile");
                }
            }
            Kind::Npm => {
                command.arg(if frozen { "ci" } else { "install" });
                command.args(["--ignore-scripts", "--no-audit", "--no-fund", "--silent", "--registry", registry]);
                command.arg("--cache").arg(&place.store);
            }
        }
        command
    }

    fn lockfile(&self) -> &'static str {
        match self.kind {
            Kind::Aube | Kind::AubeShared => "aube-lock.yaml",
            Kind::Bun => "bun.lock",
            Kind::Npm => "package-lock.json",
            _ => "pnpm-lock.yaml",
        }
    }
}

impl Place {
    pub fn new(work: &Path, peer: &Peer) -> Place {
        let root = work.join(peer.name.replace([' ', ','], "-"));
        let saved = work.join(format!("{}.lock", peer.name.replace([' ', ','], "-")));
        Place { project: root.join("project"), store: root.join("store"), home: root.join("home"), root, saved }
    }

    /// Leaves nothing behind: no project, no store, no cache.
    pub fn clear(&self) -> io::Result<()> {
        if self.root.exists() {
            std::fs::remove_dir_all(&self.root)?;
        }
        std::fs::create_dir_all(&self.home)
    }

    pub fn is_installed(&self, peer: &Peer) -> bool {
        self.project.join("node_modules").is_dir() && self.project.join(peer.lockfile()).is_file()
    }

    pub fn save_lockfile(&self, peer: &Peer) -> io::Result<()> {
        std::fs::copy(self.project.join(peer.lockfile()), &self.saved).map(drop)
    }

    pub fn restore_lockfile(&self, peer: &Peer) -> io::Result<()> {
        std::fs::copy(&self.saved, self.project.join(peer.lockfile())).map(drop)
    }
}
