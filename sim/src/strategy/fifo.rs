//! The default order: first come, first served, and nobody waits. A schedule says where a run departs from it.

use super::{Ready, Strategy};
use crate::schedule::Moment;

/// See the module.
#[derive(Debug)]
pub struct Fifo;

impl Strategy for Fifo {
    fn pick(&mut self, _ready: &[&Ready]) -> usize {
        0
    }

    fn hold(&mut self, _moment: &Moment) -> Option<u64> {
        None
    }

    fn latency(&mut self, _request: &Moment, from_ms: u64, _to_ms: u64) -> u64 {
        from_ms
    }
}
