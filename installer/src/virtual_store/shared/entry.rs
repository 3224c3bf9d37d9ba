//! One directory of the global virtual store: made whole, and trusted once it says itself that it is complete.
//!
//! It is built elsewhere in the store and renamed, with the package's files and the links to its dependencies in it: whoever makes
//! the same one at the same time makes the same. What follows takes other packages: its commands, its build. Then comes a note
//! with what an install needs to know of it. Without that note nobody takes it for complete, whenever its maker was killed; and
//! since a note says under which start of the machine it was written, what a loss of power may have taken is looked for once.

use crate::lockfile::DepPath;
use crate::package::BundledManifest;
use crate::patch::Patch;
use crate::rt::{self, TEMPORARY_PREFIX};
use crate::store::{PackageRow, StoreDir};
use crate::virtual_store::import::is_whole;
use crate::virtual_store::link::relative_path;
use crate::virtual_store::{ImportError, Imported, Importer, InstalledPackages, Layout};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The file that says that a directory is complete.
pub const NOTE: &str = ".lockstep-complete.json";

/// The file that says that scripts run in a directory, or ran there and did not end well: whose they are.
const BUILDING: &str = ".lockstep-building";

/// A snapshot's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The directory that has its node_modules.
    pub dir: PathBuf,
    /// Name beside the package → snapshot.
    pub dependencies: BTreeMap<String, DepPath>,
    /// Whether its build scripts may run: then it is complete when they have.
    pub builds: bool,
    /// What is known of the package, if it was complete when the install began; without its files.
    pub complete: Option<Arc<PackageRow>>,
}

/// What an install needs to know of a package that is complete.
#[derive(Debug, Serialize, Deserialize)]
struct Note {
    /// The machine's start, see `rt::boot`.
    boot: Option<String>,
    manifest: BundledManifest,
}

/// What goes into a directory.
#[derive(Debug, Clone, Copy)]
pub struct Content<'a> {
    /// The package's files, and what it says of itself.
    pub row: &'a PackageRow,
    /// Where the files are.
    pub store: &'a StoreDir,
    /// What is changed in them.
    pub patch: Option<&'a Patch>,
    /// Whether all files have been looked at during this install.
    pub whole: bool,
}

impl Entry {
    /// What the directory says of the package; none where it is not complete, or was completed under an earlier start of the
    /// machine. Blocks.
    pub fn read_complete(dir: &Path) -> Option<Arc<PackageRow>> {
        let Note { boot, manifest } = note(dir)?;
        let is_of_this_boot = boot.is_some() && boot == rt::boot();
        is_of_this_boot.then(|| Arc::new(PackageRow { manifest, ..PackageRow::default() }))
    }

    /// Whether it was complete once, under whichever start of the machine. Blocks.
    pub fn was_complete(&self) -> bool {
        note(&self.dir).is_some()
    }

    /// Whether scripts run in it, or ran and did not end well. Blocks.
    pub(super) fn is_being_built(&self) -> bool {
        rt::fs::exists(&self.dir.join(BUILDING))
    }

    /// Says that scripts are about to run in it, and whose they are. Blocks.
    pub(super) fn begin_build(&self, builder: &str) -> io::Result<()> {
        rt::fs::write_new(&self.dir.join(BUILDING), builder.as_bytes(), false)
    }

    /// Takes back that it is complete: the next install makes it anew. Blocks.
    pub(super) fn distrust(dir: &Path) -> io::Result<()> {
        if !rt::fs::exists(&dir.join(BUILDING)) {
            rt::fs::write_new(&dir.join(BUILDING), b"", false)?;
        }
        match rt::fs::remove_file(&dir.join(NOTE)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Whether what is there can be left as it is.
    fn holds(&self, content: Content<'_>, package_dir: &Path) -> bool {
        if Entry::read_complete(&self.dir).is_some() {
            return true;
        }
        if self.is_being_built() {
            // Whoever builds makes it anew first.
            return self.builds && content.row.manifest.has_build_script;
        }
        // Files that are patched are not those of the row.
        content.patch.is_none() && is_whole(&content.row.files, package_dir)
    }
}

fn note(dir: &Path) -> Option<Note> {
    serde_json::from_slice(&rt::fs::read(&dir.join(NOTE)).ok()?).ok()
}

/// Makes the directory of a snapshot, with its files and its links, unless what is there will do. Blocks.
///
/// # Errors
/// As [`Importer::import_patched`].
///
/// # Panics
/// When the snapshot is none that all projects share.
pub fn import(
    dep_path: &str,
    layout: &Layout,
    importer: &Importer,
    content: Content<'_>,
) -> Result<Imported, ImportError> {
    let entry = layout.entry(dep_path).expect("the caller knows that it is shared");
    let is_there = rt::fs::exists(&entry.dir);
    if is_there && !importer.replaces() && entry.holds(content, &layout.package_dir(dep_path)) {
        return Ok(Imported::Present);
    }
    make(dep_path, layout, importer, content, is_there)
}

/// Makes the directory of a snapshot, in place of the one that is there if `replaces` says so. Blocks.
pub(super) fn make(
    dep_path: &str,
    layout: &Layout,
    importer: &Importer,
    content: Content<'_>,
    replaces: bool,
) -> Result<Imported, ImportError> {
    let entry = layout.entry(dep_path).expect("the caller knows that it is shared");
    let _owner = content.store.act_as_owner();
    let temporary = content.store.tmp_dir().join(format!("{TEMPORARY_PREFIX}{}", rt::unique()));
    let (package_dir, modules_dir) = (layout.package_dir(dep_path), layout.snapshot_modules_dir(dep_path));
    let in_temporary = |path: &Path| temporary.join(path.strip_prefix(&entry.dir).expect("it lies in the directory"));
    let filled = importer.fill_patched(
        &content.row.files,
        content.store,
        &in_temporary(&package_dir),
        content.patch,
        content.whole,
    );
    let made = filled.and_then(|()| {
        let io = |source| ImportError::Io { path: entry.dir.clone(), source };
        for (alias, dependency) in &entry.dependencies {
            let path = modules_dir.join(alias);
            // A package that depends on itself is there already.
            if path != package_dir {
                let parent = path.parent().expect("a link lies in a node_modules");
                rt::fs::create_dir_all(&in_temporary(parent)).map_err(io)?;
                let target = relative_path(&layout.package_dir(dependency), parent);
                rt::fs::symlink(&target, &in_temporary(&path)).map_err(io)?;
            }
        }
        publish(&temporary, &entry.dir, replaces).map_err(io)
    });
    match &made {
        Ok(Imported::Added) => importer.note_added(&package_dir),
        _ => drop(rt::fs::remove_dir_all(&temporary)),
    }
    made
}

/// Gives a whole directory its name. One that is there is another install's, and as good, unless it is to be replaced.
fn publish(temporary: &Path, dir: &Path, replaces: bool) -> io::Result<Imported> {
    let aside = temporary.with_extension("old");
    if replaces && rt::fs::rename(dir, &aside).is_ok() {
        // Who has a file of it open keeps it.
        let _ = rt::fs::remove_dir_all(&aside);
    }
    let rename = || rt::fs::rename(temporary, dir);
    let renamed = match rename() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            rt::fs::create_dir_all(dir.parent().expect("it lies below `links`")).and_then(|()| rename())
        }
        renamed => renamed,
    };
    match renamed {
        Ok(()) => Ok(Imported::Added),
        Err(_) if rt::fs::exists(dir) => Ok(Imported::Present),
        Err(error) => Err(error),
    }
}

/// Notes that the directories of this install are complete, but for those of `unbuilt`. To be called when their commands are
/// there and their builds have ended; `builder` is who built. Blocks.
///
/// # Errors
/// When the disk refuses.
pub fn mark_complete(
    layout: &Layout,
    installed: &InstalledPackages,
    unbuilt: &BTreeSet<DepPath>,
    (store, builder): (&StoreDir, &str),
) -> io::Result<()> {
    let (boot, _owner) = (rt::boot(), store.act_as_owner());
    for (dep_path, row) in installed.iter().filter(|(dep_path, _)| !unbuilt.contains(*dep_path)) {
        let Some(entry) = layout.entry(dep_path).filter(|entry| entry.complete.is_none()) else { continue };
        // One without an optional dependency may lack that one's commands.
        if !entry.dependencies.values().all(|dep_path| installed.contains_key(dep_path)) {
            continue;
        }
        let built = entry.builds && row.manifest.has_build_script;
        let building = entry.dir.join(BUILDING);
        if built && !entry.was_complete() && rt::fs::read(&building).ok().as_deref() != Some(builder.as_bytes()) {
            // Somebody has put another in its place.
            continue;
        }
        let note = serde_json::to_vec(&Note { boot: boot.clone(), manifest: row.manifest.clone() });
        rt::write_whole(&entry.dir.join(NOTE), &note.expect("it is plain data"), &store.tmp_dir())?;
        if built {
            let _ = rt::fs::remove_file(&building);
        }
    }
    Ok(())
}
