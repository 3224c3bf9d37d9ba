//! What the benches and comparisons share; `README.md` beside this crate says how to run and read them.
//!
//! [`recording`] keeps what a registry answered, [`replay`] answers it again on loopback. [`compat`] holds lockstep against
//! pnpm, [`speed`] against every installer that is there. [`load`] installs very much, [`growth`] more and
//! more, [`soak`] very often; all of [`generated`] packages. [`cost_free`] downloads are for the benches of the cache.

pub mod compat;
pub mod cost_free;
pub mod generated;
pub mod growth;
pub mod handles;
pub mod launcher;
pub mod load;
pub mod lockstep;
pub mod program;
pub mod project;
pub mod recording;
pub mod replay;
pub mod soak;
pub mod speed;
