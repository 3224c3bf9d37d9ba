//! From a tarball's bytes to files in the store.
//!
//! A tarball comes from a stranger. Entries that would land outside their package, and links of any kind, are refused:
//! the whole tarball is, and what was stored of it before is only bytes under their own hash, which no index row names.

use crate::config::TarballLimits;
use crate::git;
use crate::gunzip::{self, GZIP_MAGIC};
use crate::package::BundledManifest;
use crate::packlist;
use crate::store::{CasWriter, PackageFiles, PackageRow, StoreDir};
use flate2::read::MultiGzDecoder;
use std::collections::BTreeMap;
use std::io::{self, Cursor, Read};
use std::path::PathBuf;
use tar::EntryType;

/// The longest name of a file or a directory, in bytes, that the usual disks take.
const NAME_BYTES_MAX: usize = 255;

/// The longest path in a tarball, in bytes: what is left of Linux's 4,096 once the project is taken off.
const PATH_BYTES_MAX: usize = 3072;

/// A tarball that cannot be unpacked, or a store that cannot take it.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum ExtractError {
    /// Cut short, or no archive at all.
    #[error("the tarball is damaged or cut short")]
    #[diagnostic(
        code(lockstep::tarball::damaged),
        help("run it again; if it stays so, the published tarball is at fault")
    )]
    Damaged(#[source] io::Error),
    /// An entry that would land outside the package.
    #[error("the tarball holds an entry with the unsafe path {path:?}")]
    #[diagnostic(
        code(lockstep::tarball::unsafe_path),
        help(
            "such a path is how a hostile package writes outside of its directory: report the package, do not install it"
        )
    )]
    UnsafePath {
        /// As the tarball has it.
        path: String,
    },
    /// An entry that is neither a file nor a directory.
    #[error("the tarball holds {path:?}, which is a link or a device and not a file")]
    #[diagnostic(
        code(lockstep::tarball::link),
        help("npm does not publish such entries: report the package, do not install it")
    )]
    NotAFile {
        /// As the tarball has it.
        path: String,
    },
    /// A path that no disk takes.
    #[error("the tarball holds an entry whose path is too long: {path:?}")]
    #[diagnostic(
        code(lockstep::tarball::long_path),
        help("a name has {NAME_BYTES_MAX} bytes at most, a path {PATH_BYTES_MAX}: report the package")
    )]
    LongPath {
        /// The beginning of it.
        path: String,
    },
    /// One path is a file and a directory.
    #[error("the tarball holds {path:?} both as a file and as a directory")]
    #[diagnostic(code(lockstep::tarball::two_kinds), help("no disk can have both: report the package"))]
    TwoKinds {
        /// The path inside the package.
        path: String,
    },
    /// More than any package needs.
    #[error("the tarball unpacks to more than {} bytes or {} files", .0.unpacked_bytes_max, .0.files_max)]
    #[diagnostic(
        code(lockstep::tarball::too_large),
        help("if this package is to be trusted, raise `tarball-unpacked-bytes-max` or `tarball-files-max` in .npmrc")
    )]
    TooLarge(TarballLimits),
    /// Deeper than any package needs.
    #[error("the tarball holds an entry that lies in more than {depth_max} directories: {path:?}")]
    #[diagnostic(
        code(lockstep::tarball::too_deep),
        help("if this package is to be trusted, raise `tarball-depth-max` in .npmrc")
    )]
    TooDeep {
        /// The beginning of its path.
        path: String,
        /// The limit.
        depth_max: usize,
    },
    /// The store's disk refuses.
    #[error("cannot write to the store at {}", path.display())]
    #[diagnostic(
        code(lockstep::store::write),
        help("free some space on the store's disk, or choose another store with --store-dir")
    )]
    Store {
        /// Where it is.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Unpacks `tarball` (gzipped or plain) into the store.
///
/// # Errors
/// [`ExtractError`]; no row results then, so nothing of it is trusted later.
pub fn extract(tarball: &[u8], store: &StoreDir, limits: TarballLimits) -> Result<PackageRow, ExtractError> {
    Ok(unpack(tarball, store, limits, false)?.row())
}

/// As [`extract`], for the archive of a repository: of its files, those that npm would pack. Links are left out, as npm
/// leaves them out.
///
/// # Errors
/// As [`extract`].
pub fn extract_archive(tarball: &[u8], store: &StoreDir, limits: TarballLimits) -> Result<PackageRow, ExtractError> {
    let mut unpacked = unpack(tarball, store, limits, true)?;
    let text = unpacked.package_json.as_deref().unwrap_or_default();
    let manifest: serde_json::Value = serde_json::from_slice(text).unwrap_or_default();
    let packed = packlist::packed(&unpacked.files.keys().cloned().collect(), &manifest, &unpacked.ignore_files);
    let made = git::script_that_makes_it(&manifest, |path| packed.contains(path));
    unpacked.files.retain(|path, _| packed.contains(path));
    let mut row = unpacked.row();
    row.manifest.made_by = made.map(str::to_owned);
    Ok(row)
}

/// What was in a tarball, once its files are in the store.
#[derive(Default)]
struct Unpacked {
    files: PackageFiles,
    package_json: Option<Vec<u8>>,
    /// Path → text.
    ignore_files: BTreeMap<String, Vec<u8>>,
}

impl Unpacked {
    fn row(self) -> PackageRow {
        let Unpacked { files, package_json, .. } = self;
        let manifest = package_json.map_or_else(BundledManifest::default, |text| BundledManifest::parse(&text, &files));
        PackageRow { manifest, files, integrity: None }
    }
}

fn unpack(tarball: &[u8], store: &StoreDir, limits: TarballLimits, is_archive: bool) -> Result<Unpacked, ExtractError> {
    let unpack_tar = |tar: &[u8]| {
        let mut archive = tar::Archive::new(Cursor::new(tar));
        let entries = archive.entries_with_seek().map_err(ExtractError::Damaged)?;
        unpack_entries(entries, Some(tar), store, limits, is_archive)
    };
    let unpacked = match tarball.starts_with(&GZIP_MAGIC) {
        true => gunzip::with_whole(tarball, unpack_tar),
        false => Some(unpack_tar(tarball)),
    };
    if let Some(unpacked) = unpacked {
        return unpacked;
    }
    let stream = MultiGzDecoder::new(tarball).take(limits.stream_bytes_max());
    let mut archive = tar::Archive::new(stream);
    let entries = archive.entries().map_err(ExtractError::Damaged)?;
    unpack_entries(entries, None, store, limits, is_archive)
}

/// `tar` is all of it, where that is in memory.
fn unpack_entries<R: Read>(
    entries: tar::Entries<'_, R>,
    tar: Option<&[u8]>,
    store: &StoreDir,
    limits: TarballLimits,
    is_archive: bool,
) -> Result<Unpacked, ExtractError> {
    let refused = |source| ExtractError::Store { path: store.root().to_owned(), source };
    let writer = CasWriter::open(store).map_err(refused)?;
    let mut contents = Unpacked::default();
    let mut buffer = Vec::new();
    let mut unpacked: u64 = 0;
    for (number, entry) in entries.enumerate() {
        let mut entry = entry.map_err(ExtractError::Damaged)?;
        let raw_path = entry.path_bytes();
        let raw_path = String::from_utf8_lossy(&raw_path);
        match entry.header().entry_type() {
            EntryType::Regular | EntryType::Continuous => {}
            EntryType::Directory | EntryType::XGlobalHeader => continue,
            EntryType::Symlink if is_archive => continue,
            _ => return Err(ExtractError::NotAFile { path: raw_path.into_owned() }),
        }
        let Some(path) = path_in_package(&raw_path)? else { continue };
        if path.matches('/').count() > limits.depth_max {
            return Err(ExtractError::TooDeep { path: beginning(&path), depth_max: limits.depth_max });
        }
        // Before it is read: what it says is what is read of it, at most.
        unpacked = unpacked.saturating_add(entry.size());
        if number >= limits.files_max || unpacked > limits.unpacked_bytes_max {
            return Err(ExtractError::TooLarge(limits));
        }
        let bytes = bytes_of(&mut entry, tar, &mut buffer).map_err(ExtractError::Damaged)?;
        let executable = entry.header().mode().is_ok_and(|mode| mode & 0o111 != 0);
        let file = writer.write(bytes, executable).map_err(refused)?;
        if path == "package.json" {
            contents.package_json = Some(bytes.to_vec());
        }
        if is_archive && packlist::is_ignore_file(&path) {
            contents.ignore_files.insert(path.clone(), bytes.to_vec());
        }
        contents.files.insert(path, file);
    }
    if let Some(path) = file_and_directory(&contents.files) {
        return Err(ExtractError::TwoKinds { path: path.to_owned() });
    }
    Ok(contents)
}

/// The bytes of a file: where they are, or read into the buffer.
fn bytes_of<'a, R: Read>(
    entry: &mut tar::Entry<'_, R>,
    tar: Option<&'a [u8]>,
    buffer: &'a mut Vec<u8>,
) -> io::Result<&'a [u8]> {
    let Some(tar) = tar else {
        buffer.clear();
        entry.read_to_end(buffer)?;
        return Ok(buffer);
    };
    let from = usize::try_from(entry.raw_file_position()).ok();
    let range =
        from.zip(usize::try_from(entry.size()).ok()).and_then(|(from, size)| Some(from..from.checked_add(size)?));
    range.and_then(|range| tar.get(range)).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

/// A path that is a file, and a directory of another one.
fn file_and_directory(files: &PackageFiles) -> Option<&str> {
    let mut directories = files.keys().flat_map(|path| path.match_indices('/').map(|(at, _)| &path[..at]));
    directories.find(|directory| files.contains_key(*directory))
}

/// The path below the package's directory: the first component (`package/`, whatever its name) is dropped. `None` for
/// an entry that has nothing below it.
fn path_in_package(raw: &str) -> Result<Option<String>, ExtractError> {
    let unsafe_path = || ExtractError::UnsafePath { path: raw.to_owned() };
    if raw.starts_with('/') || raw.contains(['\\', '\0']) {
        return Err(unsafe_path());
    }
    let mut components = Vec::new();
    for component in raw.split('/') {
        match component {
            "" | "." => {}
            ".." => return Err(unsafe_path()),
            drive if drive.len() == 2 && drive.ends_with(':') => return Err(unsafe_path()),
            component => components.push(component),
        }
    }
    if raw.len() > PATH_BYTES_MAX || components.iter().any(|component| component.len() > NAME_BYTES_MAX) {
        return Err(ExtractError::LongPath { path: beginning(raw) });
    }
    Ok((components.len() > 1).then(|| components[1..].join("/")))
}

/// As much of a long path as people read.
fn beginning(path: &str) -> String {
    path.chars().take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive(entries: &[(&str, EntryType, u32, &[u8])]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (path, entry_type, mode, bytes) in entries {
            let mut header = tar::Header::new_gnu();
            header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
            header.set_entry_type(*entry_type);
            header.set_mode(*mode);
            header.set_size(bytes.len() as u64);
            if matches!(entry_type, EntryType::Symlink | EntryType::Link) {
                header.set_link_name("/etc/passwd").unwrap();
            }
            header.set_cksum();
            builder.append(&header, *bytes).unwrap();
        }
        builder.into_inner().unwrap()
    }

    fn store() -> (tempfile::TempDir, StoreDir) {
        let dir = tempfile::tempdir().unwrap();
        let store = StoreDir::new(dir.path());
        store.create().unwrap();
        (dir, store)
    }

    const FILE: EntryType = EntryType::Regular;

    #[test]
    fn files_land_in_the_store_with_their_mode() {
        let (_dir, store) = store();
        let json = br#"{"name":"a","version":"1.0.0","bin":"cli.js"}"#;
        let tar = archive(&[("package/package.json", FILE, 0o644, json), ("package/cli.js", FILE, 0o755, b"x")]);
        let row = extract(&tar, &store, TarballLimits::default()).unwrap();
        assert_eq!(row.files.keys().collect::<Vec<_>>(), ["cli.js", "package.json"]);
        assert!(row.files["cli.js"].executable && !row.files["package.json"].executable);
        assert_eq!(row.manifest.bin["a"], "cli.js");
        assert_eq!(std::fs::read(store.file_path(&row.files["cli.js"])).unwrap(), b"x");
    }

    #[test]
    fn hostile_entries_are_refused() {
        let (_dir, store) = store();
        for path in ["package/../../x", "/etc/x", "package/..\\x", "package/a/../../../x", "C:/x"] {
            let error = extract(&archive(&[(path, FILE, 0o644, b"x")]), &store, TarballLimits::default()).unwrap_err();
            assert!(matches!(error, ExtractError::UnsafePath { .. }), "{path}: {error}");
        }
        for kind in [EntryType::Symlink, EntryType::Link, EntryType::Fifo] {
            let error =
                extract(&archive(&[("package/x", kind, 0o644, b"")]), &store, TarballLimits::default()).unwrap_err();
            assert!(matches!(error, ExtractError::NotAFile { .. }), "{kind:?}: {error}");
        }
    }

    #[test]
    fn a_tarball_cut_short_is_damaged() {
        let (_dir, store) = store();
        let tar = archive(&[("package/x", FILE, 0o644, &[7; 4000])]);
        assert!(matches!(extract(&tar[..2000], &store, TarballLimits::default()), Err(ExtractError::Damaged(_))));
        assert!(matches!(
            extract(&[0x1f, 0x8b, 8, 0, 1], &store, TarballLimits::default()),
            Err(ExtractError::Damaged(_))
        ));
    }
    #[test]
    fn what_unpacks_to_too_much_is_refused_before_it_is_read() {
        let (_dir, store) = store();
        let two = archive(&[("package/x", FILE, 0o644, &[0; 600]), ("package/y", FILE, 0o644, &[0; 600])]);
        let limited = |unpacked_bytes_max, files_max| {
            extract(&two, &store, TarballLimits { unpacked_bytes_max, files_max, ..TarballLimits::default() })
                .map(|row| row.files.len())
        };
        assert_eq!(limited(1_200, 2).unwrap(), 2);
        assert!(matches!(limited(1_199, 2), Err(ExtractError::TooLarge(_))));
        assert!(matches!(limited(1_200, 1), Err(ExtractError::TooLarge(_))));
        // A header alone, of a file with more bytes than there are.
        let mut header = tar::Header::new_gnu();
        header.set_path("package/bomb").unwrap();
        header.set_size(1 << 50);
        header.set_cksum();
        let error = extract(header.as_bytes(), &store, TarballLimits::default()).unwrap_err();
        assert!(matches!(error, ExtractError::TooLarge(_)), "{error}");
    }
}
