//! Owns the fuzz target of schemas: one that is compiled, and values that are held against it. No panic, no more than the named limits.
//! Run with `cargo +nightly fuzz run schema -s none -- -rss_limit_mb=1024 -timeout=10` in `crates/helm`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use plumb_helm_fuzz::{CUT, file, rendered};

fuzz_target!(|text: &str| {
    let (schema, values) = text.split_once(CUT).unwrap_or((text, "a: {b: [1, x, null]}\nc: 1.5\n"));
    let files = vec![
        file("Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\n"),
        file("values.schema.json", schema),
        file("templates/a.yaml", "a: 1\n"),
    ];
    let _ = rendered(files, &[values], &[]);
});
