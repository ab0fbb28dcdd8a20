//! Owns time's arithmetic: back-off with jitter, the generator behind the jitter, and the limits of the core.

use super::event::{Class, Ms};

/// How much of everything there may be at once, and how long things take. One value for the process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Concurrent fetches.
    pub fetches: usize,
    /// Concurrent builds.
    pub builds: usize,
    /// Concurrent builds for one target.
    pub builds_per_target: usize,
    /// Concurrent syncs that write (those that wait for health do not count).
    pub syncs: usize,
    /// The same for one target.
    pub syncs_per_target: usize,
    /// How often a source is asked for news that sets no interval of its own.
    pub poll_ms: Ms,
    /// First back-off.
    pub retry_ms: Ms,
    /// Longest back-off of a unit or root whose own work fails.
    pub retry_cap_ms: Ms,
    /// Longest back-off towards something that others wait for too: a cluster that does not answer, a source. It is asked by one, and comes
    /// back for all, so waiting longer would save nothing worth the delay. A source is asked at least as often as without failures.
    pub reach_cap_ms: Ms,
    /// How many shares the units are dealt to.
    pub shards: u32,
}

impl Limits {
    /// Returns the limits of `plumb serve`.
    pub fn standard() -> Self {
        Self {
            fetches: 16,
            builds: 4,
            builds_per_target: 4,
            syncs: 64,
            syncs_per_target: 48,
            poll_ms: 60_000,
            retry_ms: 1_000,
            retry_cap_ms: 300_000,
            reach_cap_ms: 60_000,
            shards: 1,
        }
    }
}

/// Steele, Lea and Flood's SplitMix64: small, seeded, good enough to spread timers.
#[derive(Clone, Debug)]
pub(super) struct SplitMix64(u64);

impl SplitMix64 {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Returns a number below `bound`; 0 for 0.
    fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.next() % bound }
    }

    /// Returns the duration give or take a tenth of it, so that what began together does not stay together.
    pub(super) fn around(&mut self, ms: Ms) -> Ms {
        let tenth = ms / 10;
        (ms - tenth).saturating_add(self.below(tenth * 2 + 1))
    }
}

/// When something that failed is tried again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Retry {
    failures: u32,
    at: Option<Ms>,
}

impl Retry {
    /// Notes a failure of a node's own work. `interval` is when input that is wrong is looked at again.
    pub(super) fn fail(&mut self, now: Ms, class: Class, interval: Ms, limits: &Limits, rng: &mut SplitMix64) {
        match class {
            Class::Input => self.wait(now, interval.max(limits.retry_cap_ms), rng),
            Class::Transient | Class::Denied | Class::Unreachable | Class::Conflict | Class::Unhealthy => {
                self.double(now, limits.retry_cap_ms, limits, rng);
            }
        }
    }

    /// Notes that something others wait for too could not be reached, whatever the reason: outside, wrong input is put right without a word.
    pub(super) fn fail_to_reach(&mut self, now: Ms, interval: Ms, limits: &Limits, rng: &mut SplitMix64) {
        self.double(now, interval.min(limits.reach_cap_ms), limits, rng);
    }

    fn double(&mut self, now: Ms, cap: Ms, limits: &Limits, rng: &mut SplitMix64) {
        let doubled = limits.retry_ms.saturating_mul(1 << self.failures.min(32));
        self.wait(now, doubled.min(cap.max(limits.retry_ms)), rng);
    }

    fn wait(&mut self, now: Ms, delay: Ms, rng: &mut SplitMix64) {
        self.failures = self.failures.saturating_add(1);
        self.at = Some(now + delay / 2 + rng.below(delay / 2 + 1));
    }

    /// Forgets all failures: there is new input, or it went well.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }

    /// Returns the time before which nothing is tried, if it is not over.
    pub(super) fn until(&self, now: Ms) -> Option<Ms> {
        self.at.filter(|at| *at > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn back_off_doubles_up_to_its_cap_and_starts_over() {
        let limits = Limits::standard();
        let mut rng = SplitMix64::new(7);
        let mut retry = Retry::default();
        for nth in 0..40 {
            retry.fail(1_000_000, Class::Transient, 600_000, &limits, &mut rng);
            let delay = retry.until(1_000_000).expect("it waits") - 1_000_000;
            let full = (limits.retry_ms << nth.min(20)).min(limits.retry_cap_ms);
            assert!(delay >= full / 2 && delay <= full, "failure {nth} waits {delay} of {full}");
        }
        retry.reset();
        assert_eq!(retry.until(0), None);
        retry.fail(0, Class::Input, 600_000, &limits, &mut rng);
        assert!(retry.until(0).is_some_and(|at| at >= 300_000));
    }

    #[test]
    fn jitter_stays_within_a_tenth() {
        let mut rng = SplitMix64::new(1);
        for _ in 0..1000 {
            assert!((900..=1100).contains(&rng.around(1000)));
        }
    }
}
