//! Owns how often one remote may knock: a bucket of tokens per address, for a bounded number of addresses.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Tokens a remote has at first, and at most.
pub(crate) const BURST: f64 = 2000.0;
/// Tokens a remote gets back each second.
const PER_SECOND: f64 = 200.0;
/// How many remotes are remembered. Forgetting one gives it its tokens back.
const MAX_REMOTES: usize = 4096;

/// Who knocks: an IPv4 address, or an IPv6 network of 64 bits, which is what one customer has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Remote([u8; 16]);

impl Remote {
    pub(crate) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => Self(v4.to_ipv6_mapped().octets()),
            IpAddr::V6(v6) => {
                let mut octets = v6.octets();
                octets[8..].fill(0);
                Self(octets)
            }
        }
    }
}

#[derive(Clone, Copy)]
struct Bucket {
    tokens: f64,
    at: Instant,
}

/// The buckets.
#[derive(Default)]
pub(crate) struct Rates {
    buckets: Mutex<BTreeMap<Remote, Bucket>>,
}

impl Rates {
    /// Takes tokens; returns whether there were as many.
    pub(crate) fn take(&self, remote: Remote, tokens: f64, now: Instant) -> bool {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= MAX_REMOTES && !buckets.contains_key(&remote) {
            // Whoever has been silent for long enough to be full again loses nothing by being forgotten.
            let refilled = Duration::from_secs_f64(BURST / PER_SECOND);
            buckets.retain(|_, bucket| now.duration_since(bucket.at) < refilled);
            while buckets.len() >= MAX_REMOTES {
                buckets.pop_first();
            }
        }
        let bucket = buckets.entry(remote).or_insert(Bucket { tokens: BURST, at: now });
        bucket.tokens = (bucket.tokens + now.duration_since(bucket.at).as_secs_f64() * PER_SECOND).min(BURST);
        bucket.at = now;
        let enough = bucket.tokens >= tokens;
        bucket.tokens = (bucket.tokens - tokens).max(0.0);
        enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remote_has_a_burst_and_a_rate() {
        let (rates, remote, start) = (Rates::default(), Remote::of([10, 0, 0, 1].into()), Instant::now());
        assert_eq!((0..5000).filter(|_| rates.take(remote, 1.0, start)).count(), BURST as usize);
        assert!(rates.take(Remote::of([10, 0, 0, 2].into()), 1.0, start), "another remote has its own");
        let later = start + Duration::from_secs(1);
        assert_eq!((0..5000).filter(|_| rates.take(remote, 1.0, later)).count(), PER_SECOND as usize);
    }

    #[test]
    fn remotes_are_bounded_and_grouped() {
        let (rates, start) = (Rates::default(), Instant::now());
        for nth in 0..MAX_REMOTES as u32 + 500 {
            rates.take(Remote::of(std::net::Ipv4Addr::from(nth).into()), 1.0, start);
        }
        assert_eq!(rates.buckets.lock().expect("lock").len(), MAX_REMOTES);
        let of = |text: &str| Remote::of(text.parse().expect(text));
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:2"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:10.0.0.1"), of("10.0.0.1"));
    }
}
