//! Owns the fuzz target of kustomizations: the file, a base's file, and one more file that either may name. No panic, within limits.
//! Run with `cargo +nightly fuzz run kustomization -s none -- -rss_limit_mb=1024 -timeout=10` in `crates/kustomize`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use plumb_kustomize_fuzz::{CUT, OBJECTS, built};

fuzz_target!(|text: &str| {
    let mut parts = text.split(CUT);
    let mut next = || parts.next().unwrap_or_default();
    let (own, base, file) = (next(), next(), next());
    built(&[
        ("app/kustomization.yaml", own),
        ("app/a.yaml", OBJECTS),
        ("app/f", file),
        ("base/kustomization.yaml", base),
        ("base/a.yaml", OBJECTS),
        ("base/f", file),
    ]);
});
