//! The registry: packuments and tarballs over HTTP, with auth, retries and a bounded number of requests in flight.
//!
//! [`RegistryClient`] is all that other modules use. It stands on [`rt::lookup`](crate::rt::lookup) and
//! [`rt::connect`](crate::rt::connect) alone, so the simulation runs the same client. Whether bytes are the right ones (integrity)
//! is left to `tarball`; that a tarball is asked for once, to `tarball::mem_cache`.

mod client;
mod connector;
mod demand;
mod document;
mod error;
mod names;
mod packument_cache;
mod packument_request;
mod partial;
mod permits;
mod retry;
mod tls;
mod transport;
mod tunnel;

pub use client::{RegistryClient, TarballFetch};
pub use connector::ConnectError;
pub use demand::Demand;
pub use document::Document;
pub use error::{Cause, FetchError, FetchErrorKind, Phase};
pub use packument_cache::is_whole_packument;
pub use packument_request::Detail;
pub use permits::{Permit, Permits, Purpose};
pub use retry::RetryPolicy;
