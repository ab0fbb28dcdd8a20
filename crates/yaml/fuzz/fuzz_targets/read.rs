//! Owns the fuzz target of reading: no panic, bounded nodes and JSON, and the same answers with and without the line reader.
//! Run with `cargo +nightly fuzz run read -- -rss_limit_mb=1024` in `crates/yaml`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use plumb_yaml::{Error, Options, Stream, parse, to_json};

/// So small that the fuzzer reaches it.
const MAX_NODES: usize = 20_000;

fn answers(stream: &Stream) -> Vec<Result<Vec<u8>, Vec<Error>>> {
    let read = |document: Result<plumb_yaml::Document<'_>, &[Error]>| {
        let document = document.map_err(<[Error]>::to_vec)?;
        let mut json = Vec::new();
        to_json(document.root(), &mut json).map_err(|error| vec![error])?;
        Ok(json)
    };
    stream.documents().map(read).collect()
}

fuzz_target!(|text: &[u8]| {
    let mut options = Options::default();
    options.max_nodes = MAX_NODES;
    let stream = parse(text, &options);
    let by_lines = answers(&stream);
    for error in stream.errors() {
        assert!(error.span.start <= error.span.end && error.span.end as usize <= stream.text().len());
        stream.position(error.span.start);
    }
    options.line_reader = false;
    assert_eq!(by_lines, answers(&parse(text, &options)));
});
