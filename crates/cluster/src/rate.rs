//! Owns the pace at which one cluster is asked: a token bucket, and how long to wait before a retry.
//! Must not know what is asked.

use std::hash::{BuildHasher, Hasher};
use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

/// How often a cluster is asked at most.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// Requests per second in the long run; zero for no limit.
    pub per_second: f64,
    /// Requests that may go out at once after a pause.
    pub burst: u32,
}

/// A token bucket. Waiters are served in the order in which they came; a caller with priority never waits, but is counted.
#[derive(Debug)]
pub(crate) struct Limiter {
    rate: Rate,
    state: Mutex<Bucket>,
}

#[derive(Debug)]
struct Bucket {
    tokens: f64,
    at: Instant,
}

impl Limiter {
    pub(crate) fn new(rate: Rate) -> Self {
        Self { rate, state: Mutex::new(Bucket { tokens: f64::from(rate.burst.max(1)), at: Instant::now() }) }
    }

    /// Takes a token and returns how long its holder has to wait: tokens are lent, so that nobody is passed over.
    fn reserve(&self, now: Instant) -> Duration {
        if self.rate.per_second <= 0.0 {
            return Duration::ZERO;
        }
        let mut bucket = crate::locked(&self.state);
        let gained = now.saturating_duration_since(bucket.at).as_secs_f64() * self.rate.per_second;
        bucket.tokens = (bucket.tokens + gained).min(f64::from(self.rate.burst.max(1)));
        bucket.at = now;
        bucket.tokens -= 1.0;
        if bucket.tokens >= 0.0 { Duration::ZERO } else { Duration::from_secs_f64(-bucket.tokens / self.rate.per_second) }
    }

    /// Waits for a token. With priority, takes one without waiting.
    pub(crate) async fn take(&self, priority: bool) {
        let wait = self.reserve(Instant::now());
        if !priority && !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
    }
}

/// First wait of a back-off.
const BACKOFF_START: Duration = Duration::from_millis(100);
/// Longest wait of a back-off.
pub(crate) const BACKOFF_MAX: Duration = Duration::from_secs(15);

/// Returns how long to wait before the next attempt: doubled each time, capped, and spread by ±25 %.
pub(crate) fn backoff(attempt: u32) -> Duration {
    let plain = BACKOFF_START.saturating_mul(1 << attempt.min(10)).min(BACKOFF_MAX);
    plain.mul_f64(0.75 + 0.5 * fraction())
}

/// Returns a number in 0..1 that differs from call to call and between processes.
pub(crate) fn fraction() -> f64 {
    let bits = std::collections::hash_map::RandomState::new().build_hasher().finish();
    (bits >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lends_tokens_in_order() {
        let limiter = Limiter::new(Rate { per_second: 10.0, burst: 2 });
        let now = Instant::now();
        let waits: Vec<u128> = (0..4).map(|_| limiter.reserve(now).as_millis()).collect();
        assert_eq!(waits, [0, 0, 100, 200]);
        assert_eq!(limiter.reserve(now + Duration::from_secs(60)).as_millis(), 0);
    }

    #[test]
    fn no_limit_never_waits() {
        let limiter = Limiter::new(Rate { per_second: 0.0, burst: 0 });
        let now = Instant::now();
        assert!((0..10_000).all(|_| limiter.reserve(now).is_zero()));
    }

    #[test]
    fn backs_off_to_its_cap() {
        assert!(backoff(0) >= BACKOFF_START.mul_f64(0.75) && backoff(0) <= BACKOFF_START.mul_f64(1.25));
        assert!(backoff(u32::MAX) <= BACKOFF_MAX.mul_f64(1.25));
    }
}
