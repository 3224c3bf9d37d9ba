//! The model registry: real HTTP on a simulated network, the scenario's packages, and a log of what was asked for.
//!
//! What the oracles say of downloads they read from this log, never from the installer.

mod package_factory;
mod server;

pub use package_factory::{Published, publish};
pub use server::{Get, GetLog, Latency, serve};

/// The registry's address in the simulated network.
pub const ADDRESS: &str = "10.0.0.1";

/// The registry's URL.
pub const URL: &str = "http://10.0.0.1/";
