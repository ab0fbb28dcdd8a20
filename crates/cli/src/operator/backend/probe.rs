//! Owns what `/readyz` and `/metrics` say of a running operator. Strangers may see it: numbers, and no names of what is managed.

use std::collections::BTreeMap;

use plumb_controller::Operator;
use plumb_controller::core::{Status, SyncWord, UnitStatus};
use plumb_server::{Metric, MetricKind, Probe};

/// The figures of a running operator.
pub(crate) struct Figures(pub(crate) Operator);

impl Probe for Figures {
    fn ready(&self) -> Result<(), String> {
        self.0.ready()
    }

    fn metrics(&self) -> Vec<Metric> {
        let mut metrics: Vec<Metric> =
            self.0.counters().into_iter().map(|(name, help, value)| Metric::counter(name, help, number(value))).collect();
        let statuses = self.0.statuses();
        let by = |word: &dyn Fn(&UnitStatus) -> String| {
            let mut counts: BTreeMap<String, u64> = BTreeMap::new();
            for (_, status) in &statuses {
                if let Status::Unit(unit) = &**status {
                    *counts.entry(word(unit)).or_default() += 1;
                }
            }
            counts.into_iter().map(|(word, count)| (word, number(count))).collect::<Vec<_>>()
        };
        let syncs = by(&|unit| sync(unit.sync).to_owned());
        metrics.push(Metric::by_label("plumb_units", "Units by whether they are at what is wanted", MetricKind::Gauge, "sync", syncs));
        let health = by(&|unit| format!("{:?}", unit.health).to_lowercase());
        metrics.push(Metric::by_label("plumb_units_health", "Units by how their objects do", MetricKind::Gauge, "health", health));
        let stale = statuses.iter().filter(|(_, status)| matches!(&**status, Status::Source(source) if source.stale.is_some())).count();
        metrics.push(Metric::gauge("plumb_sources_stale", "Sources and roots that cannot be read just now", number(stale as u64)));
        let history = self.0.store().health();
        metrics.push(Metric::gauge(
            "plumb_history_queued",
            "Records that wait to be written to the history",
            number(history.queued as u64),
        ));
        metrics.push(Metric::counter("plumb_history_written_total", "Records written to the history", number(history.written)));
        let lost = history.dropped_syncs.saturating_add(history.dropped_audits);
        metrics.push(Metric::counter("plumb_history_dropped_total", "Records lost because too much was waiting", number(lost)));
        metrics
    }
}

/// Prometheus has no other numbers.
fn number(value: u64) -> f64 {
    value as f64
}

fn sync(word: SyncWord) -> &'static str {
    match word {
        SyncWord::Synced => "synced",
        SyncWord::OutOfSync => "out_of_sync",
        SyncWord::New => "new",
        SyncWord::Deleting => "deleting",
    }
}
