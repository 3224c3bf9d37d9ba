//! The global virtual store: packages that are put in place once for all projects of a machine.
//!
//! A package is in `links/<scope>/<name>/<version>/<hash>/node_modules/<name>` in the store, with links to its dependencies beside
//! it, as pnpm has it under `enableGlobalVirtualStore`. The hash says what is in the directory and in all that it leads to ([`name`]),
//! so whoever needs the same thing finds it, and nobody changes it ([`Entry`]). [`builds`] keeps two installs from building
//! one package at the same time; [`usage`] and [`prune`] know which are in use.

pub mod builds;
mod entry;
mod found;
pub mod name;
pub mod prune;
pub mod usage;

pub use entry::{Content, Entry, NOTE, import, mark_complete};
pub use found::found;
pub use name::HASH_DIGITS;
