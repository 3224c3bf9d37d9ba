//! The registry: packuments and tarballs over HTTP, with auth, retries and a bounded number of sockets.

mod demand;

pub use demand::Demand;
