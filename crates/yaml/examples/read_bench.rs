//! Owns the measurement of reading: prints how many megabytes (10^6 bytes) of a file are read in a second on one thread,
//! the best of the rounds, first as parse with keys, duplicates and resolution, then with JSON made of every document.
#![expect(clippy::disallowed_methods, reason = "a measurement reads its file and the clock")]
#![expect(clippy::print_stdout, reason = "its result is its output")]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use plumb_yaml::{Options, parse, to_json};

/// The allocator of the `plumb` binary: what is measured is reading as it happens there.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ROUNDS: usize = 20;

fn main() -> ExitCode {
    let Some(content) = std::env::args_os().nth(1).and_then(|file| std::fs::read(file).ok()) else {
        println!("usage: read_bench FILE");
        return ExitCode::from(2);
    };
    let documents = parse(&content, &Options::default()).documents().len();
    let parsed = best(|| parse(&content, &Options::default()).documents().filter(Result::is_ok).count());
    let mut json = Vec::new();
    let converted = best(|| {
        json.clear();
        let stream = parse(&content, &Options::default());
        stream.documents().flatten().filter(|document| to_json(document.root(), &mut json).is_ok()).count()
    });
    let rate = |time: Duration| content.len() as f64 / 1e6 / time.as_secs_f64();
    println!("parse {:.3} MB/s", rate(parsed));
    println!("parse+to_json {:.3} MB/s", rate(converted));
    println!("{documents} documents, {} bytes", content.len());
    ExitCode::SUCCESS
}

fn best(mut run: impl FnMut() -> usize) -> Duration {
    let mut best = Duration::MAX;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        std::hint::black_box(run());
        best = best.min(start.elapsed());
    }
    best
}
