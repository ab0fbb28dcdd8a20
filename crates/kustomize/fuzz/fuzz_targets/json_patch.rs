//! Owns the fuzz target of JSON patches: operations on one object. No panic, within limits.
//! Run with `cargo +nightly fuzz run json_patch -s none -- -rss_limit_mb=1024 -timeout=10` in `crates/kustomize`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use plumb_kustomize_fuzz::{OBJECTS, built};

fuzz_target!(|patch: &str| {
    let own = "resources: [a.yaml]\npatches: [{path: p.yaml, target: {kind: .*}}]\n";
    built(&[("app/kustomization.yaml", own), ("app/a.yaml", OBJECTS), ("app/p.yaml", patch)]);
});
