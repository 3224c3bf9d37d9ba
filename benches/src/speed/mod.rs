//! How long installs take, against other installers, on one recorded registry.
//!
//! Every [`Peer`] installs the same project in every [`Case`], interleaved: round after round, each round in another order.
//! What a case needs is put in place before the clock starts, and what was installed is counted after it has stopped.

mod arrivals;
mod case;
mod costs;
mod limits;
mod peer;
mod plot;
mod replica;
mod report;
mod requests;
mod statistics;
mod tree;

pub use self::case::Case;
pub use self::costs::Costs;
pub use self::limits::{Limit, Work};
pub use self::peer::{Kind, Peer};
pub use self::plot::svg;
pub use self::report::{Comparison, Series, markdown};
pub use self::statistics::Spread;

use self::peer::Place;
use crate::program::{self, Ran};
use crate::project::Project;
use crate::replay::{ReplayRegistry, RequestCounts};
use serde::Serialize;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// One measured install.
#[derive(Debug, Clone, Serialize)]
pub struct Run {
    /// From start to end, in milliseconds.
    pub wall_ms: f64,
    /// Processor time in the program's own code, in milliseconds.
    pub user_ms: f64,
    /// Processor time in the system's code, in milliseconds.
    pub system_ms: f64,
    /// Processor time that the registry took meanwhile, in milliseconds.
    pub registry_ms: f64,
    /// The most memory held at once, in bytes.
    pub peak_bytes: u64,
    /// Requests for tarballs.
    pub tarball_requests: usize,
    /// Those beyond the first of each URL.
    pub tarball_duplicates: usize,
    /// Requests for packuments.
    pub packument_requests: usize,
    /// Those beyond the first of each package.
    pub packument_duplicates: usize,
}

/// What is measured, and where.
pub struct Bench<'a> {
    /// The project that is installed.
    pub project: &'a Project,
    /// Who installs it. The first is the one that the others are compared with.
    pub peers: &'a [Peer],
    /// Runs a program to its end: [`program::run`], or a [`Launcher`](crate::launcher::Launcher)'s.
    pub launch: &'a dyn Fn(&mut Command) -> io::Result<Ran>,
    /// Where all of them install from.
    pub registry: &'a ReplayRegistry,
    /// A directory to work in, on the disk that is measured.
    pub work: PathBuf,
    /// How often each installs in each case.
    pub rounds: usize,
}

impl Bench<'_> {
    /// Runs it all, and says what the first program's install is made of, and what of that costs what.
    ///
    /// # Errors
    /// When an install fails, or leaves fewer packages behind than it should; or when the disk refuses.
    pub fn run(&self, cases: &[Case]) -> io::Result<(Vec<Series>, Work, Costs)> {
        let places: Vec<Place> = self.peers.iter().map(|peer| Place::new(&self.work, peer)).collect();
        let (expected, mut work) = self.rehearse(&places)?;
        let mut series = Vec::new();
        for case in cases {
            let mut runs: Vec<Vec<Run>> = vec![Vec::new(); self.peers.len()];
            for round in 0..self.rounds {
                for index in turns(round, self.peers.len()) {
                    let (peer, place) = (&self.peers[index], &places[index]);
                    runs[index].push(self.measure(peer, place, *case, expected[index])?);
                }
            }
            for (peer, runs) in self.peers.iter().zip(runs) {
                series.push(Series { peer: peer.name.clone(), case: *case, runs });
            }
        }
        let (peer, place) = (&self.peers[0], &places[0]);
        Case::FrozenWarm.set_up(peer, place, self.project)?;
        self.install(peer, place, true)?;
        let costs = Costs::measure(&place.project.join("node_modules"), &mut work, self.registry)?;
        Ok((series, work, costs))
    }

    /// Every program installs twice, without a lockfile and with one, so that stores are warm, lockfiles there and the
    /// registry's answers in memory. Returns how many packages each leaves behind, and what the first one's are made of.
    fn rehearse(&self, places: &[Place]) -> io::Result<(Vec<usize>, Work)> {
        let mut counts = Vec::new();
        let mut work = Work::default();
        for (peer, place) in self.peers.iter().zip(places) {
            place.clear()?;
            self.project.copy_to(&place.project)?;
            let (_, cold, _) = self.install(peer, place, false)?;
            place.save_lockfile(peer)?;
            Case::FrozenCold.set_up(peer, place, self.project)?;
            let (_, frozen, _) = self.install(peer, place, true)?;
            counts.push(tree::packages(&place.project)?.len());
            if counts.len() == 1 {
                work = Work {
                    bytes_cold: cold.bytes,
                    bytes_frozen: frozen.bytes,
                    tarballs: frozen.tarballs.into_keys().collect(),
                    packuments: cold.abbreviated.into_keys().collect(),
                    ..Work::default()
                };
            }
        }
        let (least, most) = (counts.iter().min(), counts.iter().max());
        let alike = least.zip(most).is_some_and(|(least, most)| *least > 0 && least * 100 >= most * WORK_PERCENT_MIN);
        if alike {
            return Ok((counts, work));
        }
        let counts: Vec<_> =
            self.peers.iter().zip(&counts).map(|(peer, count)| format!("{} {count}", peer.name)).collect();
        Err(io::Error::other(format!("the programs do not install the same: {} packages", counts.join(", "))))
    }

    fn measure(&self, peer: &Peer, place: &Place, case: Case, expected: usize) -> io::Result<Run> {
        case.set_up(peer, place, self.project)?;
        settle(&self.work)?;
        self.registry.take_counts();
        let (ran, counts, registry) = self.install(peer, place, case.is_frozen())?;
        let installed = tree::packages(&place.project)?.len();
        if installed.abs_diff(expected) * 100 > expected * RUNS_DIFFER_PERCENT_MAX {
            let message = format!("{} left {installed} packages behind in {case}, not {expected}", peer.name);
            return Err(io::Error::other(message));
        }
        Ok(run_of(&ran, &counts, registry))
    }

    /// Also says how much processor time the registry, which is this process, took meanwhile.
    fn install(&self, peer: &Peer, place: &Place, frozen: bool) -> io::Result<(Ran, RequestCounts, Duration)> {
        let before = program::own_time();
        let ran = (self.launch)(&mut peer.command(place, self.registry.url(), frozen))?.succeeded(&peer.name)?;
        let counts = self.registry.take_counts();
        match counts.failed.first() {
            Some(failed) => Err(io::Error::other(format!("the recording is not complete: {failed}"))),
            None => Ok((ran, counts, program::own_time() - before)),
        }
    }
}

/// The least that one program may install of what another does, in per cent: they resolve a little differently.
const WORK_PERCENT_MIN: usize = 90;

/// By how much one program's installs of the same may differ: aube resolves 1,488 packages one time and 1,491 another.
const RUNS_DIFFER_PERCENT_MAX: usize = 1;

/// Who goes when in this round. Whoever comes before leaves something behind, in the caches of the processor, on the disk: so another
/// one goes first each time, and who came after somebody before comes before him next.
fn turns(round: usize, count: usize) -> impl Iterator<Item = usize> {
    (0..count).map(move |turn| {
        let turn = if round.is_multiple_of(2) { turn } else { count - 1 - turn };
        (turn + round / 2) % count
    })
}

fn run_of(ran: &Ran, counts: &RequestCounts, registry: Duration) -> Run {
    let ms = |duration: Duration| duration.as_secs_f64() * 1000.0;
    Run {
        wall_ms: ms(ran.wall),
        user_ms: ms(ran.user),
        system_ms: ms(ran.system),
        registry_ms: ms(registry),
        peak_bytes: ran.peak_bytes,
        tarball_requests: counts.tarball_requests(),
        tarball_duplicates: counts.tarball_duplicates(),
        packument_requests: counts.packument_requests(),
        packument_duplicates: counts.packument_duplicates(),
    }
}

/// Waits until the disk has written what was changed so far: it is nobody's install.
fn settle(dir: &Path) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    let dir = std::fs::File::open(dir)?;
    // SAFETY: the descriptor is open for as long as the call.
    if unsafe { libc::syncfs(dir.as_raw_fd()) } == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn everybody_goes_first_as_often_and_before_another_as_often_as_after_him() {
        let (mut first, mut pairs) = (BTreeMap::new(), BTreeMap::new());
        for round in 0..10 {
            let order: Vec<_> = turns(round, 5).collect();
            *first.entry(order[0]).or_insert(0) += 1;
            for pair in order.windows(2) {
                *pairs.entry((pair[0], pair[1])).or_insert(0) += 1;
            }
        }
        assert_eq!(first, (0..5).map(|index| (index, 2)).collect());
        assert!(pairs.iter().all(|((one, other), times)| pairs[&(*other, *one)] == *times), "{pairs:?}");
    }
}
