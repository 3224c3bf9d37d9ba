//! The seeds and some mutations of them, in an ordinary test: what libFuzzer does, without its eyes and in a few seconds.
//!
//! The mutations are a function of a number, so a failure is the same on every machine and in every run.

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// What the mutations are drawn from.
const SEED: u64 = 12241;

/// How many changes one mutation makes at most.
const CHANGES_MAX: usize = 6;

/// How long a piece is that is moved, repeated or left out, in bytes at most.
const PIECE_BYTES_MAX: usize = 40;

/// Values at which lengths, numbers and texts go wrong.
const ODD: [&[u8]; 14] = [
    b"",
    b"\0",
    b"\xff",
    b"-1",
    b"0",
    b"99999999999999999999",
    b"../",
    b"/",
    b"\\",
    b"\n",
    b"\"",
    b"'",
    b"${SECRET}",
    b"\xe2\x80\xa8",
];

/// An input that a target does not bear.
#[derive(Debug)]
pub struct Failure {
    /// The seed that it comes from.
    pub seed: String,
    /// The input.
    pub input: Vec<u8>,
}

/// The inputs that the repository keeps for a target: name and bytes, in the order of their names.
pub fn seeds(target: &str) -> Vec<(String, Vec<u8>)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../installer/fuzz/seeds").join(target);
    let entries = std::fs::read_dir(&dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
    let mut seeds: Vec<_> = entries
        .map(|entry| entry.expect("a directory can be read"))
        .map(|entry| {
            (entry.file_name().to_string_lossy().into_owned(), std::fs::read(entry.path()).expect("so can a file"))
        })
        .collect();
    seeds.sort();
    seeds
}

/// Gives every seed to `check`, and then so many mutations. The first input that makes it panic.
pub fn first_failure(target: &str, mutations: usize, check: impl Fn(&[u8])) -> Option<Failure> {
    let (seeds, mut random) = (seeds(target), ChaCha8Rng::seed_from_u64(SEED));
    let mutated = (0..mutations).map(|number| {
        let (name, bytes) = &seeds[number % seeds.len()];
        let other = &seeds[random.random_range(0..seeds.len())].1;
        (name, mutation(bytes, other, &mut random))
    });
    let plain: Vec<_> = seeds.iter().map(|(name, bytes)| (name, bytes.clone())).collect();
    let mut inputs = plain.into_iter().chain(mutated);
    let fails = |input: &[u8]| catch_unwind(AssertUnwindSafe(|| check(input))).is_err();
    let failing = inputs.find(|(_, input)| fails(input));
    failing.map(|(name, input)| Failure { seed: name.clone(), input })
}

/// The bytes, changed in a few places.
fn mutation(bytes: &[u8], other: &[u8], random: &mut ChaCha8Rng) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..random.random_range(1..=CHANGES_MAX) {
        let at = random.random_range(0..=bytes.len());
        let end = bytes.len().min(at + random.random_range(0..=PIECE_BYTES_MAX));
        match random.random_range(0..6) {
            0 => drop(bytes.drain(at..end)),
            1 => drop(bytes.splice(at..at, piece(other, random))),
            2 => drop(bytes.splice(at..end, piece(other, random))),
            3 => drop(bytes.splice(at..end, ODD[random.random_range(0..ODD.len())].iter().copied())),
            4 => drop(bytes.splice(at..at, bytes[at..end].to_vec())),
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << random.random_range(0..8);
                }
            }
        }
    }
    bytes
}

/// Some bytes of it.
fn piece(bytes: &[u8], random: &mut ChaCha8Rng) -> Vec<u8> {
    let at = random.random_range(0..=bytes.len());
    bytes[at..bytes.len().min(at + random.random_range(0..=PIECE_BYTES_MAX))].to_vec()
}
