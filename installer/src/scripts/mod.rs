//! Lifecycle scripts: those of dependencies, where the project allows them, and the project's own.
//!
//! `config::BuildPolicy` says which dependencies may build, [`plan`] which of them have to and in which order, [`run`] does
//! it. A dependency's script is somebody else's program on the user's machine: without a word of the project's none runs.

mod environment;
mod error;
mod in_order;
pub mod lifecycle;
pub mod plan;
pub mod run;
mod unshare;

pub use environment::Environment;
pub use error::ScriptError;
pub use in_order::in_order;
pub use plan::{BuildPlan, BuildStep};
