//! What each part of an install takes here when it is all that is done: the quickest of a few times, on one processor, shared by all.
//!
//! Two that make files beside each other wait for each other in the system, a fifth of the time on a tmpfs; but who does something else
//! meanwhile need not. So that is left out.
//!
//! Everything is done with as little as one knows how: files by the handles of their directories, tarballs by libdeflate into room
//! that a thread keeps, requests by nothing but a socket.

use super::arrivals::Arrivals;
use super::limits::Work;
use super::replica::{Files, Tree};
use super::requests;
use crate::program;
use crate::replay::ReplayRegistry;
use serde::Serialize;
use std::io;
use std::path::Path;
use std::time::Instant;

/// How often everything is measured; the quickest counts.
const TIMES: usize = 5;

/// Of so many bytes of a packument at least one is kept: what is not needed of each version can be left out, and the rest be put shorter.
const KEPT_OF_BYTES: u64 = 5;

/// See the module; in milliseconds.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Costs {
    /// Creating and writing each file once.
    pub write_ms: f64,
    /// Making the directories and the symbolic links, and giving each file its name there.
    pub link_ms: f64,
    /// Asking for the size of each file.
    pub look_ms: f64,
    /// Reading what is kept of all packuments.
    pub read_packuments_ms: f64,
    /// Decompressing and verifying all tarballs.
    pub tarballs_ms: f64,
    /// Working names out of what is in all tarballs.
    pub name_ms: f64,
    /// Decompressing all packuments.
    pub packuments_ms: f64,
    /// Reading through all packuments.
    pub parse_packuments_ms: f64,
    /// Writing what is kept of each.
    pub keep_packuments_ms: f64,
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
        let arrivals = |paths: &[String]| {
            let gzipped = paths.iter().map(|path| registry.gzipped(path));
            gzipped.collect::<io::Result<_>>().map(Arrivals::new)
        };
        let (tarballs, packuments) = (arrivals(&work.tarballs)?, arrivals(&work.packuments)?);
        let (files, documents) = (tarballs.contents(), packuments.contents());
        let sizes: Vec<u64> = work.sizes.values().copied().collect();
        let kept: Vec<u64> = documents.sizes().map(|bytes| bytes / KEPT_OF_BYTES).collect();
        let written = |sizes: &[u64]| {
            let dir = tempfile::tempdir_in(beside)?;
            Files::new(dir.path())?.write(sizes)
        };
        let dir = tempfile::tempdir_in(beside)?;
        let there = Files::new(dir.path())?;
        there.write(&kept)?;
        let linked = || {
            let dir = tempfile::tempdir_in(beside)?;
            tree.link(modules_dir, dir.path())
        };
        Ok(Costs {
            write_ms: quickest(|| written(&sizes))?,
            read_packuments_ms: quickest(|| there.read(kept.len()))?,
            link_ms: quickest(linked)?,
            look_ms: quickest(|| tree.look(modules_dir))?,
            tarballs_ms: quickest(|| tarballs.unpack(true))?,
            name_ms: quickest(|| files.name())?,
            packuments_ms: quickest(|| packuments.unpack(false))?,
            parse_packuments_ms: quickest(|| documents.parse())?,
            keep_packuments_ms: quickest(|| written(&kept))?,
            tarball_requests_ms: quickest(|| requests_ms(registry, &work.tarballs))?,
            packument_requests_ms: quickest(|| requests_ms(registry, &work.packuments))?,
        })
    }
}

fn quickest(measure: impl Fn() -> io::Result<f64>) -> io::Result<f64> {
    (0..TIMES).try_fold(f64::INFINITY, |least, _| measure().map(|ms| least.min(ms)))
}

/// Does something on one processor. Says how long it would take all of them if they shared it and never waited for one another, in
/// milliseconds.
pub(super) fn shared(work: impl FnOnce() -> io::Result<()>) -> io::Result<f64> {
    let started = Instant::now();
    work()?;
    Ok(started.elapsed().as_secs_f64() * 1000.0 / processors())
}

/// The processor time of asking for all of this, and of answering, which this process does: shared by all processors.
fn requests_ms(registry: &ReplayRegistry, paths: &[String]) -> io::Result<f64> {
    let before = program::own_time();
    requests::ask_for_all(registry.url(), paths)?;
    Ok((program::own_time() - before).as_secs_f64() * 1000.0 / processors())
}

/// How many processors share the work.
fn processors() -> f64 {
    std::thread::available_parallelism().map_or(1, usize::from) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::Recording;
    use crate::replay::Link;
    use std::time::Duration;

    #[test]
    fn work_is_done_once_and_shared_by_all_processors() {
        let mut done = 0;
        let work = || {
            done += 1;
            std::thread::sleep(Duration::from_millis(2));
            Ok(())
        };
        assert!(shared(work).unwrap() >= 2.0 / processors());
        assert_eq!(done, 1);
        assert!(shared(|| Err(io::Error::other("refused"))).is_err());
    }

    #[test]
    fn requests_take_time_and_a_refused_one_is_heard() {
        let dir = tempfile::tempdir().unwrap();
        let registry = ReplayRegistry::start(Recording::open(dir.path(), None), Link::default()).unwrap();
        assert!(requests_ms(&registry, &["/".to_owned()]).unwrap() > 0.0);
        assert!(requests_ms(&registry, &["/missing".to_owned()]).is_err());
    }
}
