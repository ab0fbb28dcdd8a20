//! Owns the numbers that `/metrics` and the benchmarks read.

use std::sync::atomic::{AtomicU64, Ordering};

/// What happened since the process started.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    builds: AtomicU64,
    fetches: AtomicU64,
    syncs: AtomicU64,
    reverts: AtomicU64,
    voided: AtomicU64,
}

impl Counters {
    pub(crate) fn built(&self) {
        self.builds.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn fetched(&self) {
        self.fetches.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn synced(&self) {
        self.syncs.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn reverted(&self) {
        self.reverts.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn voided(&self, units: u64) {
        self.voided.fetch_add(units, Ordering::Relaxed);
    }

    /// Returns name, meaning and value of each number.
    pub(crate) fn list(&self) -> [(&'static str, &'static str, u64); 5] {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        [
            ("plumb_builds_total", "Units built", read(&self.builds)),
            ("plumb_fetches_total", "Sources asked for their revision", read(&self.fetches)),
            ("plumb_syncs_total", "Syncs ended", read(&self.syncs)),
            ("plumb_drift_reverts_total", "Syncs that put drift right", read(&self.reverts)),
            (
                "plumb_voided_total",
                "Units whose objects were to be settled anew because a definition or a webhook changed",
                read(&self.voided),
            ),
        ]
    }
}
