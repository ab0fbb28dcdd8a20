//! Owns `/healthz`, `/readyz` and `/metrics` (Prometheus's text format).

use std::fmt::Write;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::Hooks;

/// Says how the process does. Must answer at once.
pub trait Probe: Send + Sync + 'static {
    /// Returns why the process does not do its work yet or any more, if so.
    fn ready(&self) -> Result<(), String>;

    /// Returns the figures to show. Strangers may see them: no names of what is managed.
    fn metrics(&self) -> Vec<Metric>;
}

/// What a figure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// It only rises.
    Counter,
    /// It rises and falls.
    Gauge,
}

/// One figure, or one per set of labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    /// Its name, as Prometheus wants it: `plumb_units`.
    pub name: &'static str,
    /// What it says.
    pub help: &'static str,
    /// What it is.
    pub kind: MetricKind,
    /// Labels and value of each sample.
    pub samples: Vec<(Vec<(&'static str, String)>, f64)>,
}

impl Metric {
    /// Returns a figure that rises and falls, without labels.
    pub fn gauge(name: &'static str, help: &'static str, value: f64) -> Self {
        Self { name, help, kind: MetricKind::Gauge, samples: vec![(Vec::new(), value)] }
    }

    /// Returns a figure that only rises, without labels.
    pub fn counter(name: &'static str, help: &'static str, value: f64) -> Self {
        Self { kind: MetricKind::Counter, ..Self::gauge(name, help, value) }
    }

    /// Returns a figure with one label, one sample per value of it.
    pub fn by_label(name: &'static str, help: &'static str, kind: MetricKind, label: &'static str, values: Vec<(String, f64)>) -> Self {
        Self { name, help, kind, samples: values.into_iter().map(|(text, value)| (vec![(label, text)], value)).collect() }
    }
}

#[derive(Clone)]
struct Probes {
    probe: Arc<dyn Probe>,
    hooks: Option<Hooks>,
}

/// Returns the routes of the probes.
pub(crate) fn routes(probe: Arc<dyn Probe>, hooks: Option<Hooks>) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(Probes { probe, hooks })
}

async fn ready(State(probes): State<Probes>) -> Response {
    match probes.probe.ready() {
        Ok(()) => "ok\n".into_response(),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")).into_response(),
    }
}

async fn metrics(State(probes): State<Probes>) -> Response {
    let mut all = probes.probe.metrics();
    if let Some(hooks) = probes.hooks {
        let counts = hooks.counts();
        let results = [
            ("accepted", counts.accepted),
            ("ignored", counts.ignored),
            ("unauthorized", counts.unauthorized),
            ("malformed", counts.malformed),
            ("too_large", counts.too_large),
            ("too_slow", counts.too_slow),
            ("turned_away", counts.turned_away),
        ];
        let values = results.iter().map(|(result, count)| ((*result).to_owned(), *count as f64)).collect();
        all.push(Metric::by_label(
            "plumb_hooks_total",
            "Push notifications by what became of them.",
            MetricKind::Counter,
            "result",
            values,
        ));
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], render(&all)).into_response()
}

fn render(metrics: &[Metric]) -> String {
    let mut out = String::new();
    for metric in metrics {
        let kind = match metric.kind {
            MetricKind::Counter => "counter",
            MetricKind::Gauge => "gauge",
        };
        // Writing to a string cannot fail.
        let _ = writeln!(out, "# HELP {} {}\n# TYPE {} {kind}", metric.name, metric.help, metric.name);
        for (labels, value) in &metric.samples {
            let labels: Vec<String> = labels.iter().map(|(name, text)| format!("{name}=\"{}\"", escape(text))).collect();
            let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
            let _ = writeln!(out, "{}{labels} {value}", metric.name);
        }
    }
    out
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_prometheus_text() {
        let odd = vec![("a\"b\\c\nd".to_owned(), 1.5)];
        let metrics =
            [Metric::gauge("plumb_units", "Units known.", 3.0), Metric::by_label("plumb_x_total", "X.", MetricKind::Counter, "y", odd)];
        assert_eq!(
            render(&metrics),
            "# HELP plumb_units Units known.\n# TYPE plumb_units gauge\nplumb_units 3\n\
             # HELP plumb_x_total X.\n# TYPE plumb_x_total counter\nplumb_x_total{y=\"a\\\"b\\\\c\\nd\"} 1.5\n"
        );
    }
}
