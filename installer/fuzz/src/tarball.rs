//! A tarball from a stranger, extracted and put in place in a cage.
//!
//! Nothing is written outside of the store and of the package's directory, what is too much is refused, the store has what
//! the row says, and a tarball that is refused leaves no temporary file.

use installer::config::TarballLimits;
use installer::store::{PackageRow, StoreDir, digest};
use installer::tarball::extract::{ExtractError, extract};
use installer::virtual_store::Importer;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path};

/// So little that an input of a few bytes can be too much.
const LIMITS: TarballLimits = TarballLimits { unpacked_bytes_max: 16 << 10, files_max: 12, depth_max: 4 };

/// What a block of a tar archive has, in bytes.
const BLOCK_BYTES: usize = 512;

/// Where a header has its checksum.
const CHECKSUM: std::ops::Range<usize> = 148..156;

/// Where a header has the size of what follows it.
const SIZE: std::ops::Range<usize> = 124..136;

/// The extraction, or one that is broken on purpose.
pub type Extract = fn(&[u8], &StoreDir, TarballLimits) -> Result<PackageRow, ExtractError>;

/// Any bytes, as they are and with the checksums of a tar archive put right: by chance no mutation keeps those.
pub fn check(data: &[u8]) {
    check_with(data, extract);
}

/// As [`check`], with this extraction.
pub fn check_with(data: &[u8], extract: Extract) {
    holds(data, extract);
    let mended = with_checksums(data);
    if mended != data {
        holds(&mended, extract);
    }
}

fn holds(tarball: &[u8], extract: Extract) {
    let cage = tempfile::tempdir().expect("the disk has room for a cage");
    let store = StoreDir::new(&cage.path().join("store"));
    store.create().expect("a store can be made");
    let extracted = extract(tarball, &store, LIMITS);
    assert_eq!(names_in(cage.path()), ["store"], "extraction writes beside the store");
    assert_eq!(names_in(&cage.path().join("store")), [StoreDir::VERSION], "extraction writes beside the store");
    assert_eq!(names_in(store.root()), ["files", "tmp"], "extraction writes files, and nothing else");
    assert_eq!(names_in(&store.tmp_dir()), [""; 0], "a temporary file is left");
    let Ok(row) = extracted else { return };
    row_holds(&row, &store);

    let package = cage.path().join("project/node_modules/a");
    let imported = Importer::default().import(&row.files, &store, &package);
    assert!(imported.is_ok() || row.files.is_empty(), "what was extracted can be put in place: {imported:?}");
    assert_eq!(names_in(cage.path()), ["project", "store"], "an import leads out of the project");
    assert_eq!(names_in(&cage.path().join("project")), ["node_modules"], "an import leads out of node_modules");
    assert_eq!(names_in(&cage.path().join("project/node_modules")), ["a"], "an import leads out of the package");
    let sizes: BTreeMap<String, u64> = row.files.iter().map(|(path, file)| (path.clone(), file.size)).collect();
    assert_eq!(files_below(&package), sizes, "a package has the files that its row says");
}

/// What a row says is true, and within the limits.
fn row_holds(row: &PackageRow, store: &StoreDir) {
    assert!(row.files.len() <= LIMITS.files_max, "{} files are too many", row.files.len());
    let unpacked: u64 = row.files.values().map(|file| file.size).sum();
    assert!(unpacked <= LIMITS.unpacked_bytes_max, "{unpacked} bytes are too many");
    for (path, file) in &row.files {
        assert!(path.matches('/').count() <= LIMITS.depth_max, "{path:?} is too deep");
        assert!(stays_inside(path), "{path:?} leads out of its package");
        let bytes = std::fs::read(store.file_path(file)).expect("what a row names is in the store");
        assert_eq!(digest(&bytes), file.digest, "{path:?} has other bytes than its name says");
    }
    for (command, path) in &row.manifest.bin {
        assert!(stays_inside(path), "the command {command:?} is at {path:?}, outside of its package");
        let is_name = stays_inside(command) && !command.contains('/') && !command.starts_with('.');
        assert!(is_name, "{command:?} is not the name of a command");
    }
}

/// Whether a path is relative, with names alone in it.
fn stays_inside(path: &str) -> bool {
    let is_plain = |component| matches!(component, Component::Normal(_));
    !path.is_empty() && !path.contains(['\\', '\0']) && Path::new(path).components().all(is_plain)
}

fn names_in(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).expect("it is a directory");
    let names = entries.map(|entry| entry.expect("it can be read").file_name().to_string_lossy().into_owned());
    names.collect::<BTreeSet<_>>().into_iter().collect()
}

/// Path → size in bytes. What is neither a file nor a directory has no place there.
fn files_below(dir: &Path) -> BTreeMap<String, u64> {
    let mut files = BTreeMap::new();
    let mut pending = vec![String::new()];
    while let Some(below) = pending.pop() {
        for name in names_in(&dir.join(&below)) {
            let path = if below.is_empty() { name } else { format!("{below}/{name}") };
            let metadata = dir.join(&path).symlink_metadata().expect("it was listed");
            if metadata.is_dir() {
                pending.push(path);
            } else {
                assert!(metadata.is_file(), "{path:?} is no file");
                files.insert(path, metadata.len());
            }
        }
    }
    files
}

/// The archive with the checksum that each of its headers should have.
fn with_checksums(archive: &[u8]) -> Vec<u8> {
    let mut mended = archive.to_vec();
    let mut at = 0;
    while let Some(header) = mended.get_mut(at..at + BLOCK_BYTES) {
        header[CHECKSUM].fill(b' ');
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[CHECKSUM].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        let octal = String::from_utf8_lossy(&header[SIZE]).into_owned();
        let size = usize::from_str_radix(octal.trim_matches(['\0', ' ']), 8).unwrap_or(0);
        // Within an input of this size no sum overflows.
        at += BLOCK_BYTES + size.min(mended.len()).next_multiple_of(BLOCK_BYTES);
    }
    mended
}
