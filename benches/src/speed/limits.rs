//! What the machine allows: an install's files and bytes at the measured cost of one.
//!
//! A limit is no install's time: it is what its system calls and its bytes alone would take, with every processor busy at
//! them and nothing else to do but to serve them.

use super::Case;
use crate::replay::Link;
use bytes::Bytes;
use libdeflater::Decompressor;
use serde::Serialize;
use sha2::{Digest, Sha512};
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// How many of each are made to measure one.
const SAMPLES: usize = 4_000;

/// How often everything is unpacked; the quickest counts.
const UNPACKINGS: usize = 3;

/// The largest contents that are believed, in bytes.
const UNPACKED_BYTES_MAX: usize = 256 << 20;

/// What one operation takes with all processors at work, in microseconds.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Costs {
    /// Creating a file and writing it, of the install's mean size.
    pub create_us: f64,
    /// Hard-linking a file.
    pub hardlink_us: f64,
    /// Making a symbolic link.
    pub symlink_us: f64,
    /// Making a directory.
    pub mkdir_us: f64,
    /// Decompressing and verifying all of the install's tarballs, in milliseconds.
    pub tarballs_ms: f64,
    /// Decompressing all of its packuments, in milliseconds.
    pub packuments_ms: f64,
}

/// The least that an install can take, in milliseconds, by what takes it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Limit {
    /// Making files, links and directories.
    pub files_ms: f64,
    /// Decompressing what arrives, and verifying tarballs.
    pub unpacking_ms: f64,
    /// The registry, where it runs on the same processors.
    pub registry_ms: f64,
    /// The line to the registry, which is waited for beside all that.
    pub line_ms: f64,
}

impl Limit {
    /// The processors' share, or the line's where that is more.
    pub fn total_ms(&self) -> f64 {
        (self.files_ms + self.unpacking_ms + self.registry_ms).max(self.line_ms)
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Limit { files_ms, unpacking_ms, registry_ms, line_ms } = self;
        write!(f, "{:.0} ms (files {files_ms:.0}", self.total_ms())?;
        for (what, ms) in [("unpacking", unpacking_ms), ("the registry itself", registry_ms), ("or the line", line_ms)]
        {
            if *ms > 0.0 {
                write!(f, ", {what} {ms:.0}")?;
            }
        }
        f.write_str(")")
    }
}

/// What an install has to make.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Work {
    /// Files under node_modules.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Symbolic links there.
    pub symlinks: usize,
    /// Directories there.
    pub directories: usize,
    /// Bytes that come over the line for a cold install with a lockfile.
    pub bytes_frozen: u64,
    /// Bytes that come over the line for a cold install without one.
    pub bytes_cold: u64,
    /// Paths of the tarballs that the registry is asked for.
    #[serde(skip)]
    pub tarballs: Vec<String>,
    /// Paths of the packuments, abbreviated, where there is no lockfile.
    #[serde(skip)]
    pub packuments: Vec<String>,
}

/// What an install has to unpack.
#[derive(Debug, Default)]
pub struct Gzipped {
    /// Its tarballs.
    pub tarballs: Vec<Bytes>,
    /// Its packuments.
    pub packuments: Vec<Bytes>,
}

impl Work {
    /// Counts what is under a project's node_modules.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn count(&mut self, dir: &Path) -> io::Result<()> {
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                self.directories += 1;
                self.count(&entry.path())?;
            } else if kind.is_symlink() {
                self.symlinks += 1;
            } else {
                self.files += 1;
                self.bytes += entry.metadata()?.len();
            }
        }
        Ok(())
    }
}

impl Costs {
    /// Measures them in a directory of the disk in question, and with what is unpacked, with one thread for each processor.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn measure(dir: &Path, work: &Work, gzipped: &Gzipped) -> io::Result<Costs> {
        let bytes = vec![b'x'; usize::try_from(work.bytes).unwrap_or(0) / work.files.max(1)];
        let dir = tempfile::tempdir_in(dir)?;
        let costs = Costs {
            mkdir_us: each(&|thread, n| fs::create_dir_all(dir.path().join(format!("{thread}/{}/{n}", n % 100))))?,
            create_us: each(&|thread, n| {
                let path = dir.path().join(format!("{thread}/{}/{n}/file", n % 100));
                File::create_new(path)?.write_all(&bytes)
            })?,
            hardlink_us: each(&|thread, n| {
                let of = dir.path().join(format!("{thread}/{}/{n}", n % 100));
                fs::hard_link(of.join("file"), of.join("link"))
            })?,
            symlink_us: each(&|thread, n| {
                let of = dir.path().join(format!("{thread}/{}/{n}", n % 100));
                std::os::unix::fs::symlink("file", of.join("symlink"))
            })?,
            tarballs_ms: unpacking_ms(&gzipped.tarballs, true),
            packuments_ms: unpacking_ms(&gzipped.packuments, false),
        };
        Ok(costs)
    }

    /// The least that an install can take in this case, with a registry that keeps all processors busy for so long.
    pub fn limit(&self, case: Case, work: &Work, link: Link, registry_ms: f64) -> Limit {
        let count = |n: usize| n as f64;
        let linking = count(work.directories) * self.mkdir_us
            + count(work.files) * self.hardlink_us
            + count(work.symlinks) * self.symlink_us;
        let creating = linking + count(work.files) * self.create_us;
        let (files_us, unpacking_ms, bytes) = match case {
            Case::Cold => (creating, self.tarballs_ms + self.packuments_ms, work.bytes_cold),
            Case::FrozenCold => (creating, self.tarballs_ms, work.bytes_frozen),
            Case::WarmStore | Case::FrozenWarm => (linking, 0.0, 0),
            Case::UpToDate => (0.0, 0.0, 0),
        };
        let line_ms = link.mbit_per_s.map_or(0.0, |mbit| bytes as f64 * 8.0 / 1000.0 / mbit as f64);
        let latency_ms = if bytes > 0 { link.latency_ms as f64 } else { 0.0 };
        Limit { files_ms: files_us / 1000.0, unpacking_ms, registry_ms, line_ms: line_ms + latency_ms }
    }
}

/// What it takes to decompress this, and to verify it, as quickly as is known, when every processor does its share: the least of a
/// few times.
fn unpacking_ms(gzipped: &[Bytes], verify: bool) -> f64 {
    (0..UNPACKINGS).map(|_| unpacking_once_ms(gzipped, verify)).fold(f64::INFINITY, f64::min)
}

fn unpacking_once_ms(gzipped: &[Bytes], verify: bool) -> f64 {
    let (next, started) = (AtomicUsize::new(0), Instant::now());
    std::thread::scope(|scope| {
        for _ in 0..processors() {
            scope.spawn(|| {
                let (mut decompressor, mut room) = (Decompressor::new(), Vec::new());
                while let Some(gzip) = gzipped.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if verify {
                        std::hint::black_box(Sha512::digest(gzip));
                    }
                    // The last four bytes say how much it is; what is not of the usual kind costs nothing here.
                    let length = gzip.last_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes)) as usize;
                    if length <= UNPACKED_BYTES_MAX {
                        room.resize(length.max(room.len()), 0);
                        let _ = std::hint::black_box(decompressor.gzip_decompress(gzip, &mut room));
                    }
                }
            });
        }
    });
    started.elapsed().as_secs_f64() * 1000.0
}

/// How many processors share the work.
pub(super) fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// What one takes, in microseconds, when every processor does its share.
fn each(operation: &(dyn Fn(usize, usize) -> io::Result<()> + Sync)) -> io::Result<f64> {
    let threads = processors();
    let share = SAMPLES / threads;
    let started = Instant::now();
    std::thread::scope(|scope| {
        let workers: Vec<_> =
            (0..threads).map(|thread| scope.spawn(move || (0..share).try_for_each(|n| operation(thread, n)))).collect();
        workers.into_iter().try_for_each(|worker| worker.join().expect("an operation does not panic"))
    })?;
    Ok(started.elapsed().as_secs_f64() * 1e6 / (share * threads) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slower_of_disk_and_line_is_the_limit() {
        let work = Work { files: 1000, directories: 10, bytes_cold: 2_500_000, ..Work::default() };
        let costs = Costs {
            create_us: 50.0,
            hardlink_us: 10.0,
            symlink_us: 1.0,
            mkdir_us: 100.0,
            tarballs_ms: 4.0,
            packuments_ms: 3.0,
        };
        let link = Link { latency_ms: 20, mbit_per_s: Some(200) };
        let limit_ms = |case, link| costs.limit(case, &work, link, 2.0).total_ms();
        assert_eq!(limit_ms(Case::Cold, link), 120.0);
        assert_eq!(limit_ms(Case::Cold, Link::default()), 70.0);
        assert_eq!(limit_ms(Case::FrozenWarm, link), 13.0);
        assert_eq!(limit_ms(Case::UpToDate, link), 2.0);
        let text = costs.limit(Case::Cold, &work, Link::default(), 2.0).to_string();
        assert_eq!(text, "70 ms (files 61, unpacking 7, the registry itself 2)");
    }

    #[test]
    fn operations_have_a_cost() {
        let dir = tempfile::tempdir().unwrap();
        let work = Work { files: 1, bytes: 1000, ..Work::default() };
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&[b'x'; 100_000]).unwrap();
        let gzip = vec![gzip.finish().unwrap().into()];
        let gzipped = Gzipped { tarballs: gzip.clone(), packuments: gzip };
        let costs = Costs::measure(dir.path(), &work, &gzipped).unwrap();
        assert!(costs.tarballs_ms > 0.0 && costs.packuments_ms > 0.0);
        assert!(costs.create_us > 0.0 && costs.hardlink_us > 0.0 && costs.symlink_us > 0.0 && costs.mkdir_us > 0.0);
    }
}
