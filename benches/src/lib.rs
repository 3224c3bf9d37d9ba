//! What the benches and comparisons share; `README.md` beside this crate says how to run and read them.
//!
//! [`recording`] keeps what a registry answered, [`replay`] answers it again on loopback. [`compat`] holds lockstep against
//! pnpm, [`speed`] against every installer that is there.

pub mod compat;
pub mod launcher;
pub mod lockstep;
pub mod program;
pub mod project;
pub mod recording;
pub mod replay;
pub mod speed;
