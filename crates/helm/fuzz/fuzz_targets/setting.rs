//! Owns the fuzz target of `--set` and its kin: the first byte says which, the rest is the argument. No panic, no memory for items that nobody wrote.
//! Run with `cargo +nightly fuzz run setting -s none -- -rss_limit_mb=1024 -timeout=10` in `crates/helm`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use plumb_helm::Form;
use plumb_helm_fuzz::{file, rendered};

const FORMS: [Form; 5] = [Form::Typed, Form::Text, Form::Json, Form::File, Form::Literal];

fuzz_target!(|input: (u8, &str)| {
    let form = FORMS[input.0 as usize % FORMS.len()];
    let files = vec![
        file("Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\n"),
        file("values.yaml", "a: {b: [1, {c: 2}], d: x}\ne: [[1], [2]]\n"),
        file("templates/a.yaml", "v: {{ .Values | toJson | quote }}\n"),
    ];
    let _ = rendered(files, &["a: {b: [3]}\n"], &[(form, input.1.to_owned()), (Form::Typed, "a.b[1]=4".to_owned())]);
});
