//! The tests of the simulator from outside, as one program.

mod browser;
mod cli;
mod documents;
mod fuzz_corpus;
mod html_page;
mod own_coordinator;
mod shards;
mod simulation;
