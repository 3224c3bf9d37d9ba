//! What the machine allows: an install's files and bytes at the measured cost of one.
//!
//! A limit is no install's time: it is what its system calls and its bytes alone would take, with every processor busy at
//! them and nothing else to do.

use super::Case;
use crate::replay::Link;
use serde::Serialize;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::time::Instant;

/// How many of each are made to measure one.
const SAMPLES: usize = 4_000;

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
}

/// What an install has to make.
#[derive(Debug, Clone, Copy, Default, Serialize)]
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
    /// Measures them in a directory of the disk in question, with one thread for each processor.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn measure(dir: &Path, work: &Work) -> io::Result<Costs> {
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
        };
        Ok(costs)
    }

    /// The least that an install can take in this case, in milliseconds.
    pub fn limit_ms(&self, case: Case, work: &Work, link: Link) -> f64 {
        let count = |n: usize| n as f64;
        let linking = count(work.directories) * self.mkdir_us
            + count(work.files) * self.hardlink_us
            + count(work.symlinks) * self.symlink_us;
        let (disk_us, bytes) = match case {
            Case::Cold => (linking + count(work.files) * self.create_us, work.bytes_cold),
            Case::FrozenCold => (linking + count(work.files) * self.create_us, work.bytes_frozen),
            Case::WarmStore | Case::FrozenWarm => (linking, 0),
            Case::UpToDate => (0.0, 0),
        };
        let line_ms = link.mbit_per_s.map_or(0.0, |mbit| bytes as f64 * 8.0 / 1000.0 / mbit as f64);
        let latency_ms = if bytes > 0 { link.latency_ms as f64 } else { 0.0 };
        (disk_us / 1000.0).max(line_ms + latency_ms)
    }
}

/// What one takes, in microseconds, when every processor does its share.
fn each(operation: &(dyn Fn(usize, usize) -> io::Result<()> + Sync)) -> io::Result<f64> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
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
        let costs = Costs { create_us: 50.0, hardlink_us: 10.0, symlink_us: 1.0, mkdir_us: 100.0 };
        let link = Link { latency_ms: 20, mbit_per_s: Some(200) };
        assert_eq!(costs.limit_ms(Case::Cold, &work, link), 120.0);
        assert_eq!(costs.limit_ms(Case::Cold, &work, Link::default()), 61.0);
        assert_eq!(costs.limit_ms(Case::FrozenWarm, &work, link), 11.0);
        assert_eq!(costs.limit_ms(Case::UpToDate, &work, link), 0.0);
    }

    #[test]
    fn operations_have_a_cost() {
        let dir = tempfile::tempdir().unwrap();
        let work = Work { files: 1, bytes: 1000, ..Work::default() };
        let costs = Costs::measure(dir.path(), &work).unwrap();
        assert!(costs.create_us > 0.0 && costs.hardlink_us > 0.0 && costs.symlink_us > 0.0 && costs.mkdir_us > 0.0);
    }
}
