//! Work for each of many numbers, on several threads.

use std::any::Any;
use std::ops::Range;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicU64, Ordering};

/// What panics on a thread of this name is not printed.
pub const QUIET: &str = "simulation";

/// Does `work` on a thread of its own, on which planted panics are not printed.
///
/// # Panics
/// As `work` does.
pub fn quietly<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name(QUIET.to_owned());
        let thread = thread.spawn_scoped(scope, work).expect("the system has a thread left");
        // Whoever plants a panic catches it: this one is a fault of our own, and nobody has read of it yet.
        thread.join().unwrap_or_else(|panic| panic!("{}", panic_text(&*panic)))
    })
}

/// The text of a panic's payload.
pub fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default()
}

/// Does `work` for each number; gives what each thread has gathered. Which thread does which number is left to chance.
///
/// # Panics
/// As `work` does.
pub fn gather<T: Default + Send>(jobs: usize, numbers: Range<u64>, work: impl Fn(u64, &mut T) + Sync) -> Vec<T> {
    let next = AtomicU64::new(numbers.start);
    let one = || {
        let mut gathered = T::default();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= numbers.end {
                return gathered;
            }
            work(number, &mut gathered);
        }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..jobs.max(1)).map(|_| scope.spawn(one)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
    })
}

/// The results of `work` for each number, in their order.
///
/// # Panics
/// As `work` does.
pub fn map<T: Send>(jobs: usize, numbers: Range<u64>, work: impl Fn(u64) -> T + Sync) -> Vec<T> {
    let each = |number, results: &mut Vec<_>| results.push((number, work(number)));
    let mut results: Vec<_> = gather(jobs, numbers, each).into_iter().flatten().collect();
    results.sort_by_key(|(number, _)| *number);
    results.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_the_order_of_their_numbers() {
        for jobs in [0, 1, 3] {
            assert_eq!(map(jobs, 3..40, |number| number * 2), (3..40).map(|number| number * 2).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_panic_comes_through_with_its_words() {
        let one = |number| quietly(|| assert!(number != 5, "five"));
        let panic = std::panic::catch_unwind(|| map(2, 0..9, one)).unwrap_err();
        assert_eq!(panic_text(&*panic), "five");
    }
}
