//! When a failed request is tried again. Pure: neither clock nor chance. (What chance adds to a wait is `rt`'s.)

use super::error::FetchErrorKind;
use crate::config::NetworkSettings;
use std::time::Duration;

/// How often to try, and how long to wait in between: exponential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// How many requests one fetch may cost, the first included; at least one. Redirects are not counted.
    pub attempts_max: u32,
    /// Each wait is this many times longer than the one before.
    pub factor: u32,
    /// The first wait.
    pub delay_min: Duration,
    /// The longest wait, also when the registry asks for a longer one.
    pub delay_max: Duration,
}

impl RetryPolicy {
    /// The policy that the `fetch-retr…` settings describe.
    pub fn new(network: &NetworkSettings) -> Self {
        RetryPolicy {
            attempts_max: network.fetch_retries.saturating_add(1),
            factor: network.fetch_retry_factor,
            delay_min: network.fetch_retry_mintimeout,
            delay_max: network.fetch_retry_maxtimeout,
        }
    }

    /// How long to wait before the next try when `attempts` have been made and the last one failed this way; none when
    /// it is final.
    pub fn delay_after(&self, attempts: u32, failure: &FetchErrorKind) -> Option<Duration> {
        assert!(attempts > 0, "a failure needs an attempt");
        if attempts >= self.attempts_max || failure.is_permanent() {
            return None;
        }
        let delay = failure.retry_after().unwrap_or_else(|| {
            let growth = self.factor.saturating_pow(attempts - 1);
            self.delay_min.saturating_mul(growth)
        });
        Some(delay.min(self.delay_max))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(status: u16, retry_after: Option<u64>) -> FetchErrorKind {
        FetchErrorKind::Status { status, retry_after: retry_after.map(Duration::from_secs) }
    }

    #[test]
    fn waits_grow_up_to_the_limit() {
        let network = NetworkSettings { fetch_retry_maxtimeout: Duration::from_secs(7), ..NetworkSettings::default() };
        let policy = RetryPolicy::new(&network);
        let delays: Vec<_> = (1..=4).map(|attempts| policy.delay_after(attempts, &status(503, None))).collect();
        let milliseconds = |milliseconds| Some(Duration::from_millis(milliseconds));
        assert_eq!(delays, [milliseconds(100), milliseconds(1_000), milliseconds(7_000), None]);
    }

    #[test]
    fn the_registry_may_ask_for_a_wait() {
        let policy = RetryPolicy::new(&NetworkSettings::default());
        assert_eq!(policy.delay_after(1, &status(429, Some(3))), Some(Duration::from_secs(3)));
        assert_eq!(policy.delay_after(1, &status(429, Some(3600))), Some(Duration::from_secs(60)));
    }

    #[test]
    fn what_is_final_is_not_tried_again() {
        let policy = RetryPolicy::new(&NetworkSettings::default());
        for code in [400, 405, 410, 416, 451] {
            assert_eq!(policy.delay_after(1, &status(code, None)), None, "{code}");
        }
        for code in [408, 429, 500, 502, 503, 504] {
            assert!(policy.delay_after(1, &status(code, None)).is_some(), "{code}");
        }
        assert_eq!(policy.delay_after(1, &FetchErrorKind::NotFound), None);
    }

    #[test]
    fn huge_numbers_do_not_overflow() {
        let network = NetworkSettings { fetch_retries: u32::MAX, fetch_retry_factor: u32::MAX, ..Default::default() };
        let policy = RetryPolicy::new(&network);
        assert_eq!(policy.delay_after(1000, &status(503, None)), Some(Duration::from_secs(60)));
    }
}
