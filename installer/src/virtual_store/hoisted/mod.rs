//! `nodeLinker: hoisted`: packages as real directories, each as near to the root as its name is free, the rest below whoever
//! needs them.
//!
//! [`Locations`] says which directory holds which snapshot: `graph` is what the lockfile says, `hoist` (with `preferences`)
//! turns it into a tree, and that is read off. [`Places`](super::Places) hands directories out to be filled beside the tree;
//! [`place`] swaps them in when all of them are there. [`Record`] is what the last install left.

mod graph;
mod hoist;
mod locations;
pub mod place;
mod preferences;
mod record;

pub use graph::HoistRequest;
pub use hoist::TooManyCopies;
pub use locations::Locations;
pub use record::Record;
