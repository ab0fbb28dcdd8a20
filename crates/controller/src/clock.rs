//! Owns reading the clock: the core gets its time from here and nowhere else.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::core::Ms;

/// Returns milliseconds since 1970; 0 on a machine whose clock stands before that.
pub(crate) fn now_ms() -> Ms {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
