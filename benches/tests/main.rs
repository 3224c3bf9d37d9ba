//! The tests of the benches, as one program.

mod growth;
mod launcher;
mod load;
mod recorded;
mod soak;
