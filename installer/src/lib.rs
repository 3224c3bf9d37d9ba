//! An npm installer that never downloads a tarball twice.
//!
//! [`install::install`] is the pipeline. ARCHITECTURE.md in the repository says where everything lives.

#![forbid(unsafe_code)]

mod batches;
pub mod config;
pub mod git;
mod gunzip;
pub mod inspect;
pub mod install;
pub mod lockfile;
pub mod manifest;
pub mod package;
pub mod package_name;
pub mod packlist;
pub mod patch;
pub mod range;
pub mod registry;
pub mod reporter;
pub mod resolve;
pub mod rt;
pub mod scripts;
pub mod store;
pub mod tarball;
pub mod virtual_store;
pub mod workspace;
