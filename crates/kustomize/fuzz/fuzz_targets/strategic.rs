//! Owns the fuzz target of strategic merge patches: an object and a patch of it. No panic, within limits.
//! Run with `cargo +nightly fuzz run strategic -s none -- -rss_limit_mb=1024 -timeout=10` in `crates/kustomize`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use plumb_kustomize_fuzz::{CUT, OBJECTS, built};

fuzz_target!(|text: &str| {
    let (patch, object) = text.split_once(CUT).unwrap_or((text, ""));
    let own = "resources: [a.yaml, b.yaml]\npatches: [{path: p.yaml, target: {name: web}}, {path: p.yaml}]\n";
    built(&[("app/kustomization.yaml", own), ("app/a.yaml", OBJECTS), ("app/b.yaml", object), ("app/p.yaml", patch)]);
});
