//! What the machine allows: an install's files, bytes and requests at their measured [`Costs`].
//!
//! A limit is no install's time: it is what its system calls and its bytes alone would take, with every processor busy at
//! them and nothing else to do but to serve them.

use super::Case;
use super::costs::Costs;
use crate::replay::Link;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// The least that an install can take, in milliseconds, by what takes it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Limit {
    /// Making files, links and directories.
    pub files_ms: f64,
    /// Decompressing what arrives, and verifying tarballs.
    pub unpacking_ms: f64,
    /// Asking for everything and answering, where the registry runs on the same processors.
    pub requests_ms: f64,
    /// Reading through the packuments that arrive, and keeping what is needed of them; or reading what was kept.
    pub packuments_ms: f64,
    /// What a store that names files by their contents adds: working the names out of what arrives, or asking whether what is linked is
    /// still as long as it was.
    pub naming_ms: f64,
    /// The line to the registry, which is waited for beside all that.
    pub line_ms: f64,
}

impl Limit {
    /// The processors' share, or the line's where that is more.
    pub fn total_ms(&self) -> f64 {
        let Limit { files_ms, unpacking_ms, requests_ms, packuments_ms, naming_ms, line_ms } = self;
        (files_ms + unpacking_ms + requests_ms + packuments_ms + naming_ms).max(*line_ms)
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Limit { files_ms, unpacking_ms, requests_ms, packuments_ms, naming_ms, line_ms } = self;
        write!(f, "{:.0} ms (files {files_ms:.0}", self.total_ms())?;
        for (what, ms) in [
            ("unpacking", unpacking_ms),
            ("requests", requests_ms),
            ("packuments", packuments_ms),
            ("names", naming_ms),
            ("or the line", line_ms),
        ] {
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
    /// Inode → size in bytes of those files: one that has several names is one.
    #[serde(skip)]
    pub sizes: BTreeMap<u64, u64>,
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

impl Costs {
    /// The least that an install can take in this case.
    pub fn limit(&self, case: Case, work: &Work, link: Link) -> Limit {
        let mut limit = Limit::default();
        let bytes = match case {
            Case::Cold => {
                limit.files_ms = self.write_ms + self.link_ms;
                limit.unpacking_ms = self.tarballs_ms + self.packuments_ms;
                limit.requests_ms = self.tarball_requests_ms + self.packument_requests_ms;
                limit.packuments_ms = self.parse_packuments_ms + self.keep_packuments_ms;
                limit.naming_ms = self.name_ms;
                work.bytes_cold
            }
            Case::FrozenCold => {
                limit.files_ms = self.write_ms + self.link_ms;
                limit.unpacking_ms = self.tarballs_ms;
                limit.requests_ms = self.tarball_requests_ms;
                limit.naming_ms = self.name_ms;
                work.bytes_frozen
            }
            Case::WarmStore => {
                limit.files_ms = self.link_ms;
                limit.packuments_ms = self.read_packuments_ms;
                limit.naming_ms = self.look_ms;
                0
            }
            Case::FrozenWarm => {
                limit.files_ms = self.link_ms;
                limit.naming_ms = self.look_ms;
                0
            }
            Case::UpToDate => 0,
        };
        let line_ms = link.mbit_per_s.map_or(0.0, |mbit| bytes as f64 * 8.0 / 1000.0 / mbit as f64);
        let latency_ms = if bytes > 0 { link.latency_ms as f64 } else { 0.0 };
        Limit { line_ms: line_ms + latency_ms, ..limit }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slower_of_disk_and_line_is_the_limit() {
        let work = Work { bytes_cold: 2_500_000, ..Work::default() };
        let costs = Costs {
            write_ms: 50.0,
            link_ms: 11.0,
            look_ms: 1.0,
            read_packuments_ms: 2.0,
            tarballs_ms: 4.0,
            name_ms: 0.25,
            packuments_ms: 3.0,
            parse_packuments_ms: 2.5,
            keep_packuments_ms: 0.25,
            tarball_requests_ms: 1.5,
            packument_requests_ms: 0.5,
        };
        let link = Link { latency_ms: 20, mbit_per_s: Some(200) };
        let limit_ms = |case, link| costs.limit(case, &work, link).total_ms();
        assert_eq!(limit_ms(Case::Cold, link), 120.0);
        assert_eq!(limit_ms(Case::Cold, Link::default()), 73.0);
        assert_eq!(limit_ms(Case::FrozenCold, Link::default()), 66.75);
        assert_eq!(limit_ms(Case::WarmStore, link), 14.0);
        assert_eq!(limit_ms(Case::FrozenWarm, link), 12.0);
        assert_eq!(limit_ms(Case::UpToDate, link), 0.0);
        let text = costs.limit(Case::Cold, &work, Link::default()).to_string();
        assert_eq!(text, "73 ms (files 61, unpacking 7, requests 2, packuments 3, names 0)");
        let text = costs.limit(Case::WarmStore, &work, link).to_string();
        assert_eq!(text, "14 ms (files 11, packuments 2, names 1)");
    }
}
