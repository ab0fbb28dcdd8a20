//! Owns the fuzz target of layers: Chart.yaml's dependencies, the values of a chart, of one in it, and of two files. No panic, the same with origins.
//! Run with `cargo +nightly fuzz run layers -s none -- -rss_limit_mb=1024 -timeout=10` in `crates/helm`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use plumb_helm_fuzz::{CUT, file, rendered};

fuzz_target!(|text: &str| {
    let mut parts = text.split(CUT);
    let mut next = || parts.next().unwrap_or_default();
    let (dependencies, own, inner, first, second) = (next(), next(), next(), next(), next());
    let files = vec![
        file("Chart.yaml", &format!("apiVersion: v2\nname: c\nversion: 1.0.0\ndependencies: {dependencies}\n")),
        file("values.yaml", own),
        file("templates/a.yaml", "v: {{ .Values | toJson | quote }}\n"),
        file("charts/sub/Chart.yaml", "apiVersion: v2\nname: sub\nversion: 1.0.0\n"),
        file("charts/sub/values.yaml", inner),
        file("charts/sub/templates/a.yaml", "v: {{ .Values | toJson | quote }}\n"),
    ];
    let _ = rendered(files, &[first, second], &[]);
});
