//! Owns the fuzz target of versions and their ranges: a range on the first line, versions on the others. No panic; a version that is printed is read
//! as the same; a range holds what it says nothing against.
//! Run with `cargo +nightly fuzz run versions -s none -- -rss_limit_mb=512 -timeout=5` in `crates/helm`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use plumb_go::semver::{Constraints, Version};

fuzz_target!(|text: &str| {
    let mut lines = text.split('\n');
    let range = Constraints::parse(lines.next().unwrap_or_default());
    for line in lines {
        let Ok(version) = Version::parse(line) else { continue };
        let again = Version::parse(&version.to_string());
        assert!(again.is_ok_and(|again| again.compare(&version).is_eq()), "{version}");
        for next in [version.next_major(), version.next_minor(), version.next_patch()].into_iter().flatten() {
            assert!(next.compare(&version).is_ge(), "{next} after {version}");
        }
        if let Ok(range) = &range {
            assert_eq!(range.check(&version), range.validate(&version).is_empty(), "{version}");
        }
    }
});
