//! Owns the fuzz target of chart archives: unpacked, and what comes of it loaded. What is no gzip is packed first, so that the tar inside is reached.
//! No panic, no file above the named limit, no name that leads outside.
//! Run with `cargo +nightly fuzz run archive -s none -- -rss_limit_mb=1024 -timeout=10 -max_len=65536` in `crates/helm`.
#![no_main]

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use libfuzzer_sys::fuzz_target;
use plumb_helm::{Chart, MAX_FILE_BYTES, unpack};

const GZIP: &[u8] = &[0x1f, 0x8b];

fuzz_target!(|bytes: &[u8]| {
    let packed = if bytes.starts_with(GZIP) {
        bytes.to_vec()
    } else {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::none());
        encoder.write_all(bytes).and_then(|()| encoder.finish()).unwrap_or_default()
    };
    let Ok(files) = unpack(&packed) else { return };
    for file in &files {
        assert!(file.data.len() as u64 <= MAX_FILE_BYTES);
        assert!(!file.name.starts_with('/') && file.name.split('/').all(|part| part != ".."), "{}", file.name);
    }
    let _ = Chart::load(files);
});
