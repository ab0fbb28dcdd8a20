//! Owns the fuzz target of paths: of field specs, replacements and vars, with and without making what is missing. No panic, within limits.
//! Run with `cargo +nightly fuzz run paths -s none -- -rss_limit_mb=1024 -timeout=10` in `crates/kustomize`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use plumb_kustomize_fuzz::{CUT, OBJECTS, block, built};

fuzz_target!(|text: &str| {
    let mut parts = text.split(CUT);
    let mut next = || block(parts.next().unwrap_or_default(), 8);
    let (spec, source, target) = (next(), next(), next());
    for create in ["true", "false"] {
        let own = format!(
            "resources: [a.yaml]\nlabels:\n- pairs: {{k: v}}\n  fields:\n  - create: {create}\n    path: {spec}\n\
             replacements:\n- source:\n    name: conf\n    fieldPath: {source}\n  targets:\n  - select: {{name: .*}}\n    options: {{create: {create}}}\n    fieldPaths:\n    - {target}\n"
        );
        built(&[("app/kustomization.yaml", &own), ("app/a.yaml", OBJECTS)]);
        let labels = own.split("replacements").next().unwrap_or_default();
        built(&[("app/kustomization.yaml", labels), ("app/a.yaml", OBJECTS)]);
    }
});
