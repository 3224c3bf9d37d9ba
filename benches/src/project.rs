//! The projects that are installed in comparisons: a directory each in `benches/projects`, or anywhere else.

use std::io;
use std::path::{Path, PathBuf};

/// What an install makes, and a copy does not take along.
const MADE_BY_INSTALLS: [&str; 3] = ["node_modules", "pnpm-lock.yaml", "package-lock.json"];

/// A project as it is before it is installed.
#[derive(Debug, Clone)]
pub struct Project {
    /// Its directory's name.
    pub name: String,
    /// Where it is.
    pub dir: PathBuf,
}

impl Project {
    /// A project by the name of its directory in `benches/projects`, or by its path.
    ///
    /// # Errors
    /// When there is no such directory with a package.json.
    pub fn find(name_or_path: &str) -> io::Result<Project> {
        let kept = Self::kept_in().join(name_or_path);
        let dir = if kept.is_dir() { kept } else { PathBuf::from(name_or_path) };
        if !dir.join("package.json").is_file() {
            let message = format!("there is no project {name_or_path}: neither in benches/projects nor as a path");
            return Err(io::Error::new(io::ErrorKind::NotFound, message));
        }
        let dir = dir.canonicalize()?;
        let name = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Project { name, dir })
    }

    /// All projects in `benches/projects`, by name.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn all() -> io::Result<Vec<Project>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(Self::kept_in())? {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        names.iter().map(|name| Project::find(name)).collect()
    }

    /// Copies it to `to`, which is made anew.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn copy_to(&self, to: &Path) -> io::Result<()> {
        if to.exists() {
            std::fs::remove_dir_all(to)?;
        }
        copy(&self.dir, to)
    }

    /// What it says that shows whether it works: `scripts.smoke` of its package.json.
    pub fn smoke(&self) -> Option<String> {
        let manifest = std::fs::read(self.dir.join("package.json")).ok()?;
        let manifest: serde_json::Value = serde_json::from_slice(&manifest).ok()?;
        Some(manifest["scripts"]["smoke"].as_str()?.to_owned())
    }

    fn kept_in() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("projects")
    }
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let (name, target) = (entry.file_name(), to.join(entry.file_name()));
        if MADE_BY_INSTALLS.iter().any(|made| name == *made) {
            continue;
        }
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}
