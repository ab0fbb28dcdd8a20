//! Owns the fuzz target of `.helmignore`: rules, and on the last line a path. No panic, and time that stays small however many stars there are.
//! Run with `cargo +nightly fuzz run ignore -s none -- -rss_limit_mb=512 -timeout=5` in `crates/helm`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use plumb_helm::Ignore;

fuzz_target!(|text: &str| {
    let (rules, path) = text.rsplit_once('\n').unwrap_or((text, "templates/.a/b.yaml"));
    let Ok(ignore) = Ignore::parse(rules) else { return };
    // A rule for folders alone says nothing of a file, unless it is turned round.
    if !rules.contains('!') && ignore.ignores(path, false) {
        assert!(ignore.ignores(path, true), "a file is left out and a folder of that name is not");
    }
});
