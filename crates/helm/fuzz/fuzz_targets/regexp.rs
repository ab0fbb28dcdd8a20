//! Owns the fuzz target of regular expressions: pattern, text and replacement on three lines, translated from Go's dialect. No panic, matches in order
//! and inside the text, a time that stays small.
//! Run with `cargo +nightly fuzz run regexp -s none -- -rss_limit_mb=1024 -timeout=10` in `crates/helm`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use plumb_go::regexp::Regexp;

fuzz_target!(|input: &[u8]| {
    let mut lines = input.splitn(3, |byte| *byte == b'\n');
    let mut next = || lines.next().unwrap_or_default();
    let (pattern, text, replacement) = (next(), next(), next());
    let regexp = match Regexp::compile(pattern) {
        Ok(regexp) => regexp,
        Err(error) => return assert!(!error.message().is_empty()),
    };
    let all = regexp.find_all(text, -1);
    assert_eq!(regexp.is_match(text), !all.is_empty());
    assert_eq!(regexp.find(text), all.first().cloned());
    assert!(all.iter().all(|found| found.start <= found.end && found.end <= text.len()));
    assert!(all.windows(2).all(|two| two[0].end <= two[1].start));
    assert!(regexp.split(text, -1).iter().all(|part| text.get(part.clone()).is_some()));
    for literal in [false, true] {
        let _ = regexp.replace_all(text, replacement, literal);
    }
});
