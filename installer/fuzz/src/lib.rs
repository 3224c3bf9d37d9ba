//! What is fuzzed: each module has a `check` that takes any bytes, and panics where a property does not hold of them.
//!
//! `fuzz_targets/` gives them to libFuzzer. `installer/tests/fuzz_corpus.rs` and `sim/tests/fuzz_corpus.rs` include the same modules,
//! and give them the seeds and some thousand mutations in each ordinary test run.

#[cfg(not(madsim))]
pub mod lockfile;
#[cfg(not(madsim))]
pub mod npmrc;
#[cfg(not(madsim))]
pub mod packument;
#[cfg(madsim)]
pub mod scenario;
#[cfg(not(madsim))]
pub mod tarball;
