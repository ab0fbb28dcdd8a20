//! Owns the measurement of building alone: a kustomization is built again and again from disk, on one thread. Prints the median time in milliseconds;
//! with `--print` what it comes to instead, once, so that a whole process can be looked at.
#![expect(clippy::disallowed_methods, reason = "a measurement reads its kustomization and the clock")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "its result is its output")]

use std::io::Write;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use plumb_kustomize::{Options, Request, print};
use plumb_world::{FileTable, RelPath};

/// What is measured is what `plumb kustomize build` does.
#[path = "../../cli/src/kustomize/disk.rs"]
pub(crate) mod disk;

/// The allocator of the `plumb` binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["--print", place] => once(place, &mut std::io::stdout().lock()).map(drop),
        [place, rounds] => rounds.parse().map_err(|_| format!("`{rounds}` is no number")).and_then(|rounds| measure(place, rounds)),
        _ => Err("usage: build_bench FOLDER ROUNDS | build_bench --print FOLDER".to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(place: &str, rounds: usize) -> Result<(), String> {
    let mut times = (0..rounds).map(|_| once(place, &mut std::io::sink())).collect::<Result<Vec<Duration>, _>>()?;
    times.sort_unstable();
    println!("{:.3}", times.get(rounds / 2).map_or(0.0, |time| time.as_secs_f64() * 1e3));
    Ok(())
}

/// One build, written part by part.
fn once(place: &str, out: &mut dyn Write) -> Result<Duration, String> {
    let place = std::fs::canonicalize(place).map_err(|error| error.to_string())?;
    let path = RelPath::parse(place.to_string_lossy().trim_start_matches('/')).map_err(|error| error.to_string())?;
    let begun = Instant::now();
    let request = Request::new(disk::Disk::TREE, path, Options::default());
    let mut written = Ok(());
    let built = print(&disk::Disk::default(), &request, None, FileTable::default(), &mut |part| {
        if written.is_ok() {
            written = out.write_all(part);
        }
    });
    built.map_err(|error| error.to_string())?.result.map_err(|mistakes| format!("{mistakes:?}"))?;
    written.map_err(|error| error.to_string())?;
    Ok(begun.elapsed())
}
