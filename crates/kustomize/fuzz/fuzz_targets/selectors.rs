//! Owns the fuzz target of selectors: an expression for names and a selector of labels. No panic, within limits.
//! Run with `cargo +nightly fuzz run selectors -s none -- -rss_limit_mb=1024 -timeout=10` in `crates/kustomize`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use plumb_kustomize_fuzz::{CUT, OBJECTS, block, built};

fuzz_target!(|text: &str| {
    let (name, labels) = text.split_once(CUT).unwrap_or((text, ""));
    let (name, labels) = (block(name, 8), block(labels, 8));
    let own = format!(
        "resources: [a.yaml]\npatches:\n- target:\n    name: {name}\n    labelSelector: {labels}\n  patch: '[{{\"op\": \"add\", \"path\": \"/x\", \"value\": 1}}]'\n"
    );
    built(&[("app/kustomization.yaml", &own), ("app/a.yaml", OBJECTS)]);
});
