//! What each part of an install takes here when it is all that is done: the quickest of a few times, on all processors.
//!
//! Everything is done with as little as one knows how: files by the handles of their directories, tarballs by libdeflate into room
//! that a thread keeps, requests by nothing but a socket.

use super::limits::Work;
use super::replica::{Contents, Files, Tree};
use super::requests;
use crate::program;
use crate::replay::ReplayRegistry;
use bytes::Bytes;
use libdeflater::Decompressor;
use serde::Serialize;
use sha2::{Digest, Sha512};
use std::cell::RefCell;
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
        let mut contents = Contents::default();
        let tree = Tree::read(modules_dir, &mut contents)?;
        let beside = modules_dir.parent().unwrap_or(modules_dir);
        let sizes: Vec<u64> = contents.sizes.into_values().collect();
        let (files, bytes, symlinks, directories) =
            (contents.files, contents.bytes, contents.symlinks, contents.directories);
        *work = Work { files, bytes, symlinks, directories, ..std::mem::take(work) };
        let gzipped =
            |paths: &[String]| paths.iter().map(|path| registry.gzipped(path)).collect::<io::Result<Vec<_>>>();
        let (tarballs, packuments) = (gzipped(&work.tarballs)?, gzipped(&work.packuments)?);
        let written = || {
            let dir = tempfile::tempdir_in(beside)?;
            let files = Files::new(dir.path())?;
            Ok((files.write(&sizes)?, files.read(packuments.len().min(sizes.len()))?))
        };
        let linked = || {
            let dir = tempfile::tempdir_in(beside)?;
            tree.link(modules_dir, dir.path())
        };
        Ok(Costs {
            write_ms: quickest(|| written().map(|(write_ms, _)| write_ms))?,
            read_packuments_ms: quickest(|| written().map(|(_, read_ms)| read_ms))?,
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
pub(super) fn share_out(count: usize, work: &(dyn Fn(usize) -> io::Result<()> + Sync)) -> io::Result<f64> {
    let (next, started) = (AtomicUsize::new(0), Instant::now());
    std::thread::scope(|scope| {
        let share = || {
            let mut numbers = std::iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed));
            numbers.by_ref().take_while(|number| *number < count).try_for_each(work)
        };
        let workers: Vec<_> = (0..processors()).map(|_| scope.spawn(share)).collect();
        workers.into_iter().try_for_each(|worker| worker.join().expect("what is shared out does not panic"))
    })?;
    Ok(started.elapsed().as_secs_f64() * 1000.0)
}

/// What it takes to decompress this, and to verify it, as quickly as is known.
fn unpacking_ms(gzipped: &[Bytes], verify: bool) -> io::Result<f64> {
    thread_local! {
        static ROOM: RefCell<(Decompressor, Vec<u8>)> = RefCell::new((Decompressor::new(), Vec::new()));
    }
    share_out(gzipped.len(), &|index| {
        let gzip = &gzipped[index];
        if verify {
            std::hint::black_box(Sha512::digest(gzip));
        }
        // The last four bytes say how much it is; what is not of the usual kind costs nothing here.
        let length = gzip.last_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes)) as usize;
        if length <= UNPACKED_BYTES_MAX {
            ROOM.with_borrow_mut(|(decompressor, room)| {
                room.resize(length.max(room.len()), 0);
                let _ = std::hint::black_box(decompressor.gzip_decompress(gzip, room));
            });
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
        assert!(share_out(100, &work).is_ok());
        assert_eq!(done.load(Ordering::Relaxed), 99 * 100 / 2);
        assert!(share_out(101, &work).is_err());
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
