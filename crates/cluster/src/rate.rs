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

/// The slowest pace that refusals lead to.
const SLOWEST: f64 = 1.0;
/// The fastest that is kept to when there is no limit of our own: from there on the server has enough.
const FASTEST: f64 = 1000.0;
/// How much of what went through is kept to after a refusal.
const KEPT: f64 = 0.92;
/// How much faster it gets in a second without a refusal, while the server's limit is known about, and while it is sought.
const CAREFUL: f64 = 1.03;
const BOLD: f64 = 2.0;
/// How long a limit counts as known after a refusal.
const KNOWN_FOR: Duration = Duration::from_secs(15);
/// The time over which it is counted what goes through. Refusals within it tell the same thing.
const WINDOW: Duration = Duration::from_secs(1);
/// Less than a whole token by so little is one: sums of parts are not exact.
const WHOLE: f64 = 1.0 - 1e-6;

/// A token bucket. Waiters are served in the order in which they came; a caller with priority never waits, but is counted. When the server
/// refuses for load, the pace goes down to what it let through and comes back as it allows, for all who wait already: else each of them would
/// ask again, be refused again, and keep the others from getting through.
#[derive(Debug)]
pub(crate) struct Limiter {
    rate: Rate,
    /// Held by the first of those who wait.
    turn: tokio::sync::Mutex<()>,
    state: Mutex<Bucket>,
}

#[derive(Debug)]
struct Bucket {
    tokens: f64,
    at: Instant,
    /// The server's pace, while it refuses now and then.
    pace: Option<Pace>,
    /// Requests that went through in this window, and in a second of the one before.
    passed: f64,
    since: Instant,
    before: f64,
}

#[derive(Clone, Copy, Debug)]
struct Pace {
    per_second: f64,
    /// Whether it was this pace that the server refused: only then its limit is known about.
    known: bool,
    refused_at: Instant,
    grown_at: Instant,
}

impl Limiter {
    pub(crate) fn new(rate: Rate) -> Self {
        let now = Instant::now();
        let tokens = f64::from(rate.burst.max(1));
        let state = Bucket { tokens, at: now, pace: None, passed: 0.0, since: now, before: 0.0 };
        Self { rate, turn: tokio::sync::Mutex::default(), state: Mutex::new(state) }
    }

    /// Waits for a token. With priority, takes one without waiting.
    pub(crate) async fn take(&self, priority: bool) {
        if priority {
            crate::locked(&self.state).tokens -= 1.0;
            return;
        }
        let _turn = self.turn.lock().await;
        while let Err(wait) = self.try_take(Instant::now()) {
            tokio::time::sleep(wait).await;
        }
    }

    /// Takes a token, or returns how long it takes until there is one at the present pace.
    fn try_take(&self, now: Instant) -> Result<(), Duration> {
        let mut bucket = crate::locked(&self.state);
        let (per_second, burst) = match bucket.pace {
            Some(pace) => (pace.per_second, 1.0),
            None if self.rate.per_second <= 0.0 => return Ok(()),
            None => (self.rate.per_second, f64::from(self.rate.burst.max(1))),
        };
        let gained = now.saturating_duration_since(bucket.at).as_secs_f64() * per_second;
        bucket.tokens = (bucket.tokens + gained).min(burst);
        bucket.at = now;
        if bucket.tokens < WHOLE {
            return Err(Duration::from_secs_f64((1.0 - bucket.tokens) / per_second));
        }
        bucket.tokens -= 1.0;
        Ok(())
    }

    /// Notes that the server refused a request for load.
    pub(crate) fn refused(&self, now: Instant) {
        let mut bucket = crate::locked(&self.state);
        if bucket.pace.is_some_and(|pace| now.saturating_duration_since(pace.refused_at) < WINDOW) {
            return;
        }
        let in_this = bucket.passed / now.saturating_duration_since(bucket.since).max(WINDOW).as_secs_f64();
        let through = in_this.max(bucket.before);
        let most = bucket.pace.map_or(through, |pace| pace.per_second.min(through));
        let per_second = (most * KEPT).max(SLOWEST);
        bucket.pace = Some(Pace { per_second, known: bucket.pace.is_some(), refused_at: now, grown_at: now });
        bucket.tokens = bucket.tokens.min(0.0);
    }

    /// Notes that a request went through.
    pub(crate) fn passed(&self, now: Instant) {
        let mut bucket = crate::locked(&self.state);
        bucket.passed += 1.0;
        let counted = now.saturating_duration_since(bucket.since);
        if counted >= WINDOW {
            bucket.before = bucket.passed / counted.as_secs_f64();
            (bucket.passed, bucket.since) = (0.0, now);
        }
        let Some(pace) = &mut bucket.pace else { return };
        let careful = pace.known && now.saturating_duration_since(pace.refused_at) < KNOWN_FOR;
        let growth = if careful { CAREFUL } else { BOLD };
        pace.per_second *= growth.powf(now.saturating_duration_since(pace.grown_at).as_secs_f64());
        pace.grown_at = now;
        let own = if self.rate.per_second > 0.0 { self.rate.per_second } else { FASTEST };
        if pace.per_second >= own.min(FASTEST) {
            bucket.pace = None;
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
    fn tokens_come_at_their_rate_and_priority_takes_them_from_the_others() {
        let limiter = Limiter::new(Rate { per_second: 10.0, burst: 2 });
        let now = Instant::now();
        let wait = |after_ms| limiter.try_take(now + Duration::from_millis(after_ms)).err().map(|wait| wait.as_millis());
        assert_eq!([wait(0), wait(0), wait(0), wait(50), wait(100)], [None, None, Some(100), Some(50), None]);
        crate::locked(&limiter.state).tokens -= 1.0;
        assert_eq!([wait(200), wait(300), wait(60_000)], [Some(100), None, None]);
    }

    #[test]
    fn no_limit_never_waits() {
        let limiter = Limiter::new(Rate { per_second: 0.0, burst: 0 });
        let now = Instant::now();
        assert!((0..10_000).all(|_| limiter.try_take(now).is_ok()));
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_is_served_in_order_and_at_the_pace_of_now() {
        let limiter = std::sync::Arc::new(Limiter::new(Rate { per_second: 1000.0, burst: 1 }));
        let begin = Instant::now();
        (0..20).for_each(|nth| limiter.passed(begin + Duration::from_millis(nth)));
        limiter.refused(begin);
        let served = std::sync::Arc::new(Mutex::new(Vec::new()));
        let asking = (0..5).map(|nth| {
            let (limiter, served) = (limiter.clone(), served.clone());
            async move {
                limiter.take(false).await;
                crate::locked(&served).push((nth, begin.elapsed().as_millis()));
            }
        });
        futures::future::join_all(asking).await;
        let served = crate::locked(&served).clone();
        assert_eq!(served.iter().map(|(nth, _)| *nth).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
        // 92 % of the 20 that went through: one each 54 ms.
        assert!(served[4].1 >= 5 * 54, "{served:?}");
    }

    /// Lets a server take so many in a second, with a burst, and asks it for a time with 48 at once; returns what went through, what was refused
    /// and the longest time without success.
    fn ask(limiter: &Limiter, begin: Instant, seconds: u64, server: f64, burst: f64) -> (u32, u32, Duration) {
        let (mut tokens, mut at) = (burst, begin);
        let (mut passed, mut refused, mut last, mut gap) = (0, 0, begin, Duration::ZERO);
        let mut now = begin;
        // When each of those who ask wants to go on.
        let mut askers = vec![begin; 48];
        while now < begin + Duration::from_secs(seconds) {
            let Some(next) = askers.iter().copied().enumerate().min_by_key(|(_, at)| *at) else { break };
            now = now.max(next.1);
            if let Err(wait) = limiter.try_take(now) {
                now += wait;
                continue;
            }
            tokens = (tokens + now.saturating_duration_since(at).as_secs_f64() * server).min(burst);
            at = now;
            askers[next.0] = if tokens >= 1.0 {
                (tokens, passed) = (tokens - 1.0, passed + 1);
                (gap, last) = (gap.max(now.saturating_duration_since(last)), now);
                limiter.passed(now);
                now + Duration::from_millis(10)
            } else {
                refused += 1;
                limiter.refused(now);
                now + Duration::from_millis(1_000 + 4 * next.0 as u64)
            };
        }
        (passed, refused, gap)
    }

    #[test]
    fn a_server_that_refuses_is_asked_as_often_as_it_answers() {
        for (server, burst) in [(20.0, 20.0), (20.0, 3.0), (5.0, 5.0), (200.0, 200.0)] {
            let limiter = Limiter::new(Rate { per_second: 2000.0, burst: 4000 });
            let begin = Instant::now();
            let (passed, refused, gap) = ask(&limiter, begin, 60, server, burst);
            assert!(f64::from(passed) >= server * 60.0 * 0.8, "{server}, {burst}: {passed} went through");
            assert!(
                f64::from(refused) <= 48.0 + f64::from(passed) * 0.1,
                "{server}, {burst}: {refused} were refused, {passed} went through"
            );
            assert!(gap < Duration::from_secs(1), "{server}, {burst}: nothing for {gap:?}");
            // When it has recovered it is used as before, half a minute later at the latest.
            let (passed, refused, _) = ask(&limiter, begin + Duration::from_secs(60), 30, 100_000.0, 100_000.0);
            assert!(refused == 0 && passed > 5_000, "{server}, {burst}: {passed} went through, {refused} were refused");
            assert!(crate::locked(&limiter.state).pace.is_none());
        }
    }

    #[test]
    fn one_refusal_of_a_fast_server_does_not_stop_it() {
        let limiter = Limiter::new(Rate { per_second: 0.0, burst: 0 });
        let begin = Instant::now();
        for nth in 0..2_000 {
            limiter.passed(begin + Duration::from_millis(nth));
        }
        limiter.refused(begin + Duration::from_secs(2));
        let pace = crate::locked(&limiter.state).pace.expect("a pace").per_second;
        assert!((900.0..=1_000.0).contains(&pace), "{pace}");
        assert!(limiter.try_take(begin + Duration::from_millis(2_002)).is_ok());
        let idle = Limiter::new(Rate { per_second: 0.0, burst: 0 });
        idle.refused(begin + Duration::from_secs(5));
        let pace = crate::locked(&idle.state).pace.expect("a pace").per_second;
        assert!((pace - SLOWEST).abs() < f64::EPSILON, "{pace}");
    }

    #[test]
    fn backs_off_to_its_cap() {
        assert!(backoff(0) >= BACKOFF_START.mul_f64(0.75) && backoff(0) <= BACKOFF_START.mul_f64(1.25));
        assert!(backoff(u32::MAX) <= BACKOFF_MAX.mul_f64(1.25));
    }
}
