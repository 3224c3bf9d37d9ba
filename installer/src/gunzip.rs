//! Decompression at one go: quicker than as a stream, where all of a tarball or a packument fits into memory.

use libdeflater::Decompressor;
use memmap2::MmapMut;
use std::cell::LazyCell;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The magic number that gzip begins with, and its only method of compression; a tarball that begins otherwise is taken as
/// plain tar, as npm does.
pub(crate) const GZIP_MAGIC: [u8; 3] = [0x1f, 0x8b, 8];

/// The largest contents that are decompressed at one go, in bytes. Of npm's tarballs all but a few in a thousand are smaller.
const WHOLE_BYTES_MAX: usize = 32 << 20;

/// How much room is kept for the next ones, in bytes: to be given new room for each takes a fifth as long as decompressing into it.
const KEPT_BYTES_MAX: usize = 16 << 20;

/// Room of that many bytes and more comes from the system in pages of that many: 4 KiB at a time, to be given it was 6 % of the processor
/// time of a cold install with a few large tarballs.
const PAGE_BYTES: usize = 2 << 20;

/// The least room there is, in bytes: so that the first few tarballs do not each need more.
const ROOM_BYTES_MIN: usize = 256 << 10;

/// What decompresses, and room for what comes out.
struct Tools {
    decompressor: Decompressor,
    room: MmapMut,
}

/// Those that nobody uses just now, the one with the least room first.
static KEPT: Mutex<Vec<Tools>> = Mutex::new(Vec::new());

/// How many bytes at the end say how long the contents are.
const LENGTH_BYTES: usize = 4;

/// How many bytes a part ends with: the checksum of its contents, and their length.
const TRAILER_BYTES: usize = 8;

/// Does something with the contents, where they can be had at one go: they are not too long, they are what their checksum and their
/// length say, and they are all. Whatever is wrong otherwise, whoever reads the stream finds out.
pub(crate) fn with_whole<T>(gzip: &[u8], then: impl FnOnce(&[u8]) -> T) -> Option<T> {
    let length = u32::from_le_bytes(*gzip.last_chunk::<LENGTH_BYTES>()?);
    let length = usize::try_from(length).ok().filter(|length| *length <= WHOLE_BYTES_MAX)?;
    if !gzip.starts_with(&GZIP_MAGIC) {
        return None;
    }
    let mut tools = take(length).ok()?;
    let contents = &mut tools.room[..length];
    let written = tools.decompressor.gzip_decompress(gzip, contents).ok();
    let whole = written == Some(length) && !ends_before_the_end(gzip, contents);
    let done = whole.then(|| then(contents));
    keep(tools);
    done
}

/// The least room that is enough, or more than there is.
fn take(length: usize) -> io::Result<Tools> {
    let mut kept = kept();
    let enough = kept.partition_point(|tools| tools.room.len() < length);
    if enough < kept.len() {
        return Ok(kept.remove(enough));
    }
    let largest = kept.pop();
    drop(kept);
    let decompressor = largest.map_or_else(Decompressor::new, |tools| tools.decompressor);
    room(length).map(|room| Tools { decompressor, room })
}

/// New room for that much.
fn room(length: usize) -> io::Result<MmapMut> {
    if length < PAGE_BYTES {
        return MmapMut::map_anon(length.next_power_of_two().max(ROOM_BYTES_MIN));
    }
    let room = MmapMut::map_anon(length.next_multiple_of(PAGE_BYTES))?;
    // A system that has no such pages gives small ones.
    #[cfg(target_os = "linux")]
    let _ = room.advise(memmap2::Advice::HugePage);
    Ok(room)
}

/// Keeps it for the next ones, in place of the least where all that would be too much.
fn keep(tools: Tools) {
    if tools.room.len() > KEPT_BYTES_MAX {
        return;
    }
    let mut kept = kept();
    let place = kept.partition_point(|other| other.room.len() < tools.room.len());
    kept.insert(place, tools);
    while kept.iter().map(|tools| tools.room.len()).sum::<usize>() > KEPT_BYTES_MAX {
        kept.remove(0);
    }
}

fn kept() -> MutexGuard<'static, Vec<Tools>> {
    KEPT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether the part with these contents is followed by another. Its magic number alone says little: in a few megabytes, those
/// three bytes are there by chance; not so after what this part ends with.
fn ends_before_the_end(gzip: &[u8], contents: &[u8]) -> bool {
    let trailer = LazyCell::new(|| {
        let mut trailer = [0; TRAILER_BYTES];
        trailer[..LENGTH_BYTES].copy_from_slice(&libdeflater::crc32(contents).to_le_bytes());
        trailer[LENGTH_BYTES..].copy_from_slice(&(contents.len() as u32).to_le_bytes());
        trailer
    });
    memchr::memmem::find_iter(gzip, &GZIP_MAGIC).any(|at| at > 0 && gzip[..at].ends_with(&*trailer))
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use std::io::Write as _;

    fn whole(gzip: &[u8]) -> Option<Vec<u8>> {
        with_whole(gzip, <[u8]>::to_vec)
    }

    fn gzip(contents: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(contents).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn what_fits_comes_at_one_go() {
        let contents = b"contents ".repeat(1000);
        assert_eq!(whole(&gzip(&contents)).unwrap(), contents);
        assert_eq!(whole(&gzip(b"")).unwrap(), b"");
        assert_eq!(whole(&gzip(b"short")).unwrap(), b"short", "nothing is left of what was longer");
        let long = vec![b'x'; KEPT_BYTES_MAX + 1];
        assert_eq!(whole(&gzip(&long)).unwrap(), long);
        let mut stored = GzEncoder::new(Vec::new(), Compression::none());
        stored.write_all(&GZIP_MAGIC).unwrap();
        assert_eq!(whole(&stored.finish().unwrap()).unwrap(), GZIP_MAGIC, "it looks like another part, and is none");
    }

    #[test]
    fn what_is_damaged_or_of_several_parts_is_left_to_the_stream() {
        let one = gzip(b"contents");
        assert_eq!(whole(&[one.clone(), one.clone()].concat()), None, "the first part alone would look right");
        assert_eq!(whole(&one[..one.len() - 1]), None);
        assert_eq!(whole(&[&one[..], &[0; 8]].concat()), None, "what follows says that the contents are empty");
        assert_eq!(whole(b"plain tar"), None);
        assert_eq!(whole(b""), None);
        let mut other_length = one;
        *other_length.last_mut().unwrap() = 0xff;
        assert_eq!(whole(&other_length), None, "nothing is reserved for what nobody believes");
    }
}
