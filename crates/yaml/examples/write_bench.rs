//! Owns the measurement of writing: prints how many megabytes (10^6 bytes) of YAML are written in a second on one thread from a
//! file's documents, the best of the rounds: as go-yaml v2 writes values and as v3 does.
#![expect(clippy::disallowed_methods, reason = "a measurement reads its file and the clock")]
#![expect(clippy::print_stdout, reason = "its result is its output")]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use plumb_yaml::{Dialect, Emitter, Options, parse, write_node};

/// The allocator of the `plumb` binary: what is measured is writing as it happens there.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ROUNDS: usize = 20;

fn main() -> ExitCode {
    let Some(content) = std::env::args_os().nth(1).and_then(|file| std::fs::read(file).ok()) else {
        println!("usage: write_bench FILE");
        return ExitCode::from(2);
    };
    let stream = parse(&content, &Options::default());
    for (name, dialect) in [("v2", Dialect::V2), ("v3", Dialect::PRETTY)] {
        let (mut best, mut size) = (Duration::MAX, 0);
        for _ in 0..ROUNDS {
            let start = Instant::now();
            size = 0;
            let mut buffer = Vec::new();
            for document in stream.documents().flatten() {
                let mut out = Emitter::with(dialect, buffer);
                write_node(document.root(), &mut out);
                buffer = out.finish();
                size += buffer.len();
            }
            best = best.min(start.elapsed());
        }
        println!("{name} {:.3} MB/s", size as f64 / 1e6 / best.as_secs_f64());
    }
    ExitCode::SUCCESS
}
