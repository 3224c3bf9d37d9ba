//! A pnpm-lock.yaml that a pull request brings.
//!
//! It is read as the YAML library reads it. What is read and written again reads the same, and is written the same. Where
//! all its names are accepted, every package of it has a place below node_modules/.pnpm, and so has every dependency; and
//! in a tree of real directories none leads out of node_modules.

use installer::lockfile::{IncludeKinds, Lockfile, LockfileError, Platform, dep_path_of, installable};
use installer::virtual_store::Layout;
use installer::virtual_store::hoisted::{HoistRequest, Locations};
use std::collections::BTreeSet;
use std::path::{Component, Path};

/// The reading, or one that is broken on purpose.
pub type Read = fn(&str, &Path) -> Result<Lockfile, LockfileError>;

/// The writing, or one that is broken on purpose.
pub type Write = fn(&Lockfile) -> String;

/// Any bytes; what is no text is refused before it is parsed.
pub fn check(data: &[u8]) {
    check_with(data, Lockfile::parse, Lockfile::to_yaml);
}

/// As [`check`], with this reading and this writing.
pub fn check_with(data: &[u8], read: Read, write: Write) {
    let Ok(text) = str::from_utf8(data) else { return };
    let path = Path::new("pnpm-lock.yaml");
    let read = read(text, path).ok();
    assert_eq!(read, Lockfile::parse_by_library(text, path).ok(), "the library reads it otherwise:\n{text}");
    let Some(lockfile) = read else { return };
    let written = write(&lockfile);
    match Lockfile::parse(&written, path) {
        Ok(again) => assert_eq!(again, lockfile, "it reads otherwise once it is written:\n{written}"),
        Err(error) => panic!("what was written cannot be read: {error}\n{written}"),
    }
    if lockfile.check_names().is_ok() {
        places_hold(&lockfile);
    }
}

fn places_hold(lockfile: &Lockfile) {
    let layout = Layout::new(Path::new("/project"));
    for dep_path in lockfile.snapshots.keys() {
        let directory = layout.package_dir(dep_path);
        let below = directory.strip_prefix(&layout.virtual_store_dir).unwrap_or(Path::new(".."));
        let is_inside = below.components().all(|component| matches!(component, Component::Normal(_)));
        assert!(is_inside, "{dep_path:?} is put at {}", directory.display());
        // One directory for the snapshot, its node_modules, and the package's name, which has one or two parts.
        assert!((3..=4).contains(&below.components().count()), "{dep_path:?} is put at {}", directory.display());
    }
    let platform = Platform::current();
    let root = BTreeSet::from([".".to_owned()]);
    let snapshots = installable(lockfile, &root, &platform, IncludeKinds::ALL);
    let request = HoistRequest { lockfile, importers: &root, snapshots: &snapshots, include: IncludeKinds::ALL };
    let locations = Locations::hoist(request, &layout).unwrap_or_default();
    for directory in locations.dirs().keys() {
        let is_inside = directory.starts_with(&layout.modules_dir) && *directory != layout.modules_dir;
        assert!(is_inside, "a package is put at {}", directory.display());
    }
    for dep_path in installable(lockfile, lockfile.importers.keys(), &platform, IncludeKinds::ALL) {
        let snapshot = lockfile.snapshots.get(&dep_path).expect("what is installed is in the lockfile");
        for (alias, reference) in snapshot.dependencies.iter().chain(&snapshot.optional_dependencies) {
            dep_path_of(alias, reference);
        }
    }
}
