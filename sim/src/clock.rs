//! Virtual time, in microseconds since the run began.

use madsim::time::TimeHandle;

/// Now.
///
/// # Panics
/// Outside of a simulation.
pub fn now_us() -> u64 {
    TimeHandle::current().elapsed().as_micros() as u64
}

/// Now, or nothing outside of a simulation.
pub fn try_now_us() -> Option<u64> {
    TimeHandle::try_current().map(|handle| handle.elapsed().as_micros() as u64)
}
