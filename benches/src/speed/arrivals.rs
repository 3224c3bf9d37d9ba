//! What arrives over the line, and what it takes to do with it what cannot be left out.

use super::costs::shared;
use bytes::Bytes;
use libdeflater::Decompressor;
use serde::de::IgnoredAny;
use sha2::{Digest, Sha512};
use std::hint::black_box;
use std::io;

/// The largest contents that are believed, in bytes.
const UNPACKED_BYTES_MAX: usize = 256 << 20;

/// Tarballs or packuments, as they arrive: compressed, but for a small packument here and there.
pub(super) struct Arrivals {
    gzipped: Vec<Bytes>,
}

/// What is in them.
pub(super) struct Contents(Vec<Vec<u8>>);

impl Arrivals {
    pub fn new(gzipped: Vec<Bytes>) -> Self {
        Arrivals { gzipped }
    }

    /// How long it takes to decompress them, and to verify them, as quickly as is known; in milliseconds.
    pub fn unpack(&self, verify: bool) -> io::Result<f64> {
        let (mut decompressor, mut room) = (Decompressor::new(), Vec::new());
        shared(|| {
            for gzip in &self.gzipped {
                if verify {
                    black_box(Sha512::digest(gzip));
                }
                black_box(unpack(&mut decompressor, gzip, &mut room));
            }
            Ok(())
        })
    }

    /// What is in them.
    pub fn contents(&self) -> Contents {
        let mut decompressor = Decompressor::new();
        let contents = |arrived: &Bytes| {
            let mut room = Vec::new();
            match unpack(&mut decompressor, arrived, &mut room) {
                0 => arrived.to_vec(),
                length => {
                    room.truncate(length);
                    room
                }
            }
        };
        Contents(self.gzipped.iter().map(contents).collect())
    }
}

impl Contents {
    /// How long it takes to work names out of them, for a store that names files by what is in them, by the quickest hash that is
    /// known: each tarball is taken for one file, which is quicker than for many. In milliseconds.
    pub fn name(&self) -> io::Result<f64> {
        shared(|| {
            for contents in &self.0 {
                black_box(blake3::hash(contents));
            }
            Ok(())
        })
    }

    /// How long it takes to read through them as JSON, without a use for any of it; in milliseconds.
    ///
    /// # Errors
    /// When they are none.
    pub fn parse(&self) -> io::Result<f64> {
        shared(|| self.0.iter().try_for_each(|json| Ok(serde_json::from_slice(json).map(|IgnoredAny| ())?)))
    }

    /// The size of each, in bytes.
    pub fn sizes(&self) -> impl Iterator<Item = u64> {
        self.0.iter().map(|contents| contents.len() as u64)
    }
}

/// Decompresses into this room, which grows. Says how much that was; nothing for what is not of the usual kind.
fn unpack(decompressor: &mut Decompressor, gzip: &[u8], room: &mut Vec<u8>) -> usize {
    // The last four bytes say how much it is.
    let length = gzip.last_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes)) as usize;
    if length > UNPACKED_BYTES_MAX {
        return 0;
    }
    room.resize(length.max(room.len()), 0);
    decompressor.gzip_decompress(gzip, room).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn arrivals(contents: &[u8]) -> Arrivals {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(contents).unwrap();
        Arrivals::new(vec![gzip.finish().unwrap().into()])
    }

    #[test]
    fn what_is_unpacked_takes_time_and_is_what_was_packed() {
        let arrivals = arrivals(&[b'x'; 100_000]);
        assert!(arrivals.unpack(true).unwrap() > 0.0 && arrivals.unpack(false).unwrap() > 0.0);
        let contents = arrivals.contents();
        assert_eq!(contents.0, [[b'x'; 100_000]]);
        assert_eq!(contents.sizes().collect::<Vec<_>>(), [100_000]);
        assert!(contents.name().unwrap() > 0.0);
    }

    #[test]
    fn what_is_no_json_is_heard() {
        assert!(arrivals(b"{\"versions\":{}}").contents().parse().unwrap() > 0.0);
        assert!(arrivals(b"{\"versions\":{").contents().parse().is_err());
    }

    #[test]
    fn what_is_no_gzip_is_taken_as_it_is() {
        let arrivals = Arrivals::new(vec![Bytes::from_static(b"{}"), Bytes::new()]);
        assert_eq!(arrivals.contents().0, [b"{}".as_slice(), b""]);
        assert!(arrivals.unpack(true).unwrap() > 0.0);
    }
}
