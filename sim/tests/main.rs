//! The tests of the simulator from outside, as one program.

mod browser;
mod cli;
mod documents;
mod fuzz_corpus;
mod html_page;
mod one_build;
mod own_coordinator;
mod schema;
mod shards;
mod simulation;
