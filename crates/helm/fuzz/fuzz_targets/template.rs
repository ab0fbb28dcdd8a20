//! Owns the fuzz target of templates: parsed and executed with low limits, with origins and without, and diagnosed where they fail. No panic, no
//! more memory or time than the limits allow, the same bytes both times.
//! Run with `cargo +nightly fuzz run template -s none -- -rss_limit_mb=1024 -timeout=10` in `crates/helm`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use plumb_helm_fuzz::{CUT, file, rendered};

const DEFINITION: &str = "apiVersion: v2\nname: c\nversion: 1.0.0\n";
const VALUES: &str = "s: text\nn: 3\nf: 1.5\nt: true\nnothing: null\nl: [a, 2, {k: v}]\nm: {a: {b: {c: 1}}, d: [x]}\n";

fuzz_target!(|text: &str| {
    let (main, helpers) = text.split_once(CUT).unwrap_or((text, ""));
    let files = [("Chart.yaml", DEFINITION), ("values.yaml", VALUES), ("templates/a.yaml", main), ("templates/_h.tpl", helpers)];
    let _ = rendered(files.iter().map(|(name, text)| file(name, text)).collect(), &[], &[]);
});
