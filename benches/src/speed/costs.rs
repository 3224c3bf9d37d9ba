//! What each part of an install takes here when it is all that is done: the quickest of a few times, on all processors.
//!
//! Everything is done with as little as one knows how: files by the handles of their directories, tarballs by libdeflate into room
//! that a thread keeps, requests by nothing but a socket.

use super::limits::Work;
use super::replica::{Files, Tree};
use super::requests;
use crate::program;
use crate::replay::ReplayRegistry;
use bytes::Bytes;
use libdeflater::Decompressor;
use serde::Serialize;
use sha2::{Digest, Sha512};
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// How often everything is measured; the quickest counts.
const TIMES: usize = 5;

/// The largest contents that are believed, in bytes.
const UNPACKED_BYTES_MAX: usize = 256 << 20;

/// See the module; in milliseconds.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Costs {
    /// Creating and writing each file once.
    pub write_ms: f64,
    /// Making the directories and the symbolic links, and giving each file its name there.
    pub link_ms: f64,
    /// Asking for the size of each file.
    pub look_ms: f64,
    /// Reading as many files as there are packuments.
    pub read_packuments_ms: f64,
    /// Decompressing and verifying all tarballs.
    pub tarballs_ms: f64,
    /// Decompressing all packuments.
    pub packuments_ms: f64,
    /// Asking for all tarballs, and answering.
    pub tarball_requests_ms: f64,
    /// Asking for all packuments, and answering.
    pub packument_requests_ms: f64,
}

impl Costs {
    /// Measures them with the node_modules of an install, beside it on its disk, and with what this registry has for it. Counts what
    /// is in there, too.
    ///
    /// # Errors
    /// When the disk or the registry refuses.
    pub(super) fn measure(modules_dir: &Path, work: &mut Work, registry: &ReplayRegistry) -> io::Result<Costs> {
        let tree = Tree::read(modules_dir, work)?;
        let beside = modules_dir.parent().unwrap_or(modules_dir);
        let gzipped =
            |paths: &[String]| paths.iter().map(|path| registry.gzipped(path)).collect::<io::Result<Vec<_>>>();
        let (tarballs, packuments) = (gzipped(&work.tarballs)?, gzipped(&work.packuments)?);
        let sizes: Vec<u64> = work.sizes.values().copied().collect();
        let written = || {
            let dir = tempfile::tempdir_in(beside)?;
            Files::new(dir.path())?.write(&sizes)
        };
        let dir = tempfile::tempdir_in(beside)?;
        let there = Files::new(dir.path())?;
        there.write(&sizes)?;
        let linked = || {
            let dir = tempfile::tempdir_in(beside)?;
            tree.link(modules_dir, dir.path())
        };
        Ok(Costs {
            write_ms: quickest(written)?,
            read_packuments_ms: quickest(|| there.read(packuments.len().min(sizes.len())))?,
            link_ms: quickest(linked)?,
            look_ms: quickest(|| tree.look(modules_dir))?,
            tarballs_ms: quickest(|| unpacking_ms(&tarballs, true))?,
            packuments_ms: quickest(|| unpacking_ms(&packuments, false))?,
            tarball_requests_ms: quickest(|| requests_ms(registry, &work.tarballs))?,
            packument_requests_ms: quickest(|| requests_ms(registry, &work.packuments))?,
        })
    }
}

fn quickest(measure: impl Fn() -> io::Result<f64>) -> io::Result<f64> {
    (0..TIMES).try_fold(f64::INFINITY, |least, _| measure().map(|ms| least.min(ms)))
}

/// Does something so many times, each processor as many of them as it can. Says how long that took, in milliseconds.
pub(super) fn on_all_processors(count: usize, work: impl Fn(usize) -> io::Result<()> + Sync) -> io::Result<f64> {
    share_out(processors(), count, || Ok(()), |(), number| work(number))
}

/// The same, by so many threads, each with something of its own to do it with.
pub(super) fn share_out<T>(
    threads: usize,
    count: usize,
    begin: impl Fn() -> io::Result<T> + Sync,
    work: impl Fn(&mut T, usize) -> io::Result<()> + Sync,
) -> io::Result<f64> {
    let (next, started) = (AtomicUsize::new(0), Instant::now());
    std::thread::scope(|scope| {
        let share = || {
            let mut own = begin()?;
            loop {
                match next.fetch_add(1, Ordering::Relaxed) {
                    number if number < count => work(&mut own, number)?,
                    _ => return io::Result::Ok(()),
                }
            }
        };
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(share)).collect();
        threads.into_iter().try_for_each(|thread| thread.join().expect("what is shared out does not panic"))
    })?;
    Ok(started.elapsed().as_secs_f64() * 1000.0)
}

/// What it takes to decompress this, and to verify it, as quickly as is known.
fn unpacking_ms(gzipped: &[Bytes], verify: bool) -> io::Result<f64> {
    let begin = || Ok((Decompressor::new(), Vec::new()));
    share_out(processors(), gzipped.len(), begin, |(decompressor, room), number| {
        let gzip = &gzipped[number];
        if verify {
            std::hint::black_box(Sha512::digest(gzip));
        }
        // The last four bytes say how much it is; what is not of the usual kind costs nothing here.
        let length = gzip.last_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes)) as usize;
        if length <= UNPACKED_BYTES_MAX {
            room.resize(length.max(room.len()), 0);
            let _ = std::hint::black_box(decompressor.gzip_decompress(gzip, room));
        }
        Ok(())
    })
}

/// The processor time of asking for all of this, and of answering, which this process does: shared by all processors.
fn requests_ms(registry: &ReplayRegistry, paths: &[String]) -> io::Result<f64> {
    let before = program::own_time();
    requests::ask_for_all(registry.url(), paths)?;
    Ok((program::own_time() - before).as_secs_f64() * 1000.0 / processors() as f64)
}

/// How many processors share the work.
fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::Recording;
    use crate::replay::Link;
    use std::io::Write;

    #[test]
    fn everything_is_done_once_and_an_error_is_heard() {
        let done = AtomicUsize::new(0);
        let work = |index: usize| {
            done.fetch_add(index, Ordering::Relaxed);
            if index < 100 { Ok(()) } else { Err(io::Error::other("too many")) }
        };
        assert!(on_all_processors(100, work).is_ok());
        assert_eq!(done.load(Ordering::Relaxed), 99 * 100 / 2);
        assert!(on_all_processors(101, work).is_err());
    }

    #[test]
    fn requests_take_time_and_a_refused_one_is_heard() {
        let dir = tempfile::tempdir().unwrap();
        let registry = ReplayRegistry::start(Recording::open(dir.path(), None), Link::default()).unwrap();
        assert!(requests_ms(&registry, &["/".to_owned()]).unwrap() > 0.0);
        assert!(requests_ms(&registry, &["/missing".to_owned()]).is_err());
    }

    #[test]
    fn what_is_unpacked_takes_time() {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&[b'x'; 100_000]).unwrap();
        let gzip = [gzip.finish().unwrap().into()];
        assert!(unpacking_ms(&gzip, true).unwrap() > 0.0 && unpacking_ms(&gzip, false).unwrap() > 0.0);
    }
}
