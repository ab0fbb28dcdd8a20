//! Owns the name of a sync: made without asking the database, ordered by time, short enough to type.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicI64, Ordering};

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const SEQUENCE_BITS: u32 = 10;
const LENGTH: usize = 11;

static LAST: AtomicI64 = AtomicI64::new(0);

/// Names one sync. Shown as eleven characters whose order is the order of time; upper case reads the same.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SyncId(i64);

/// Why a text is not a sync's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the id of a sync; `plumb history` lists them")]
pub struct BadSyncId(String);

impl SyncId {
    /// Returns a name for a sync that starts now; within this process never the same one twice.
    pub fn new(now_ms: u64) -> Self {
        let clock = i64::try_from(now_ms).unwrap_or(0).min(i64::MAX >> SEQUENCE_BITS) << SEQUENCE_BITS;
        let next = |last: i64| Some(clock.max(last + 1));
        let before = LAST.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).unwrap_or(0);
        Self(clock.max(before + 1))
    }

    pub(crate) fn from_row(value: i64) -> Self {
        Self(value)
    }

    pub(crate) fn as_row(self) -> i64 {
        self.0
    }
}

impl fmt::Display for SyncId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for at in (0..LENGTH).rev() {
            let digit = (self.0 >> (at * 5)) & 31;
            write!(f, "{}", char::from(ALPHABET[digit as usize]))?;
        }
        Ok(())
    }
}

impl fmt::Debug for SyncId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for SyncId {
    type Err = BadSyncId;

    fn from_str(text: &str) -> Result<Self, BadSyncId> {
        if text.len() != LENGTH {
            return Err(BadSyncId(text.to_owned()));
        }
        let mut value = 0i64;
        for byte in text.bytes() {
            let digit = ALPHABET.iter().position(|c| *c == byte.to_ascii_lowercase()).ok_or_else(|| BadSyncId(text.to_owned()))?;
            value = (value << 5) | digit as i64;
        }
        Ok(Self(value))
    }
}

impl serde::Serialize for SyncId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for SyncId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_ordered_and_read_back() {
        let ids: Vec<SyncId> = (0..3000).map(|_| SyncId::new(1_790_000_000_000)).collect();
        assert!(ids.is_sorted_by(|a, b| a < b && a.to_string() < b.to_string()));
        for id in ids {
            assert_eq!(id.to_string().parse(), Ok(id));
            assert_eq!(id.to_string().to_uppercase().parse(), Ok(id));
        }
    }

    #[test]
    fn a_clock_set_back_does_not_repeat_a_name() {
        let (late, early) = (SyncId::new(1_800_000_000_000), SyncId::new(1_700_000_000_000));
        assert!(early > late);
    }

    #[test]
    fn refuses_what_is_no_name() {
        for text in ["", "x", "0123456789", "0123456789ab", "il0uo000000", "…………"] {
            assert!(text.parse::<SyncId>().is_err(), "{text}");
        }
    }
}
