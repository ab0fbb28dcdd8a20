//! Owns the measurement of rendering alone: a chart is read once and rendered again and again on one thread, in turn with its templates parsed
//! before, all at once, and with origins. Prints the median time of each in milliseconds; with `--print` what the chart comes to instead.
#![expect(clippy::disallowed_methods, reason = "a measurement reads its chart and the clock")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "its result is its output")]

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use plumb_helm::{Chart, File, Named, Options, Prepared, render};
use plumb_world::FileId;

#[path = "../tests/helm/folder.rs"]
mod folder;
#[path = "../tests/helm/host.rs"]
mod host;

/// The allocator of the `plumb` binary: what is measured is rendering as it happens there.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (["--print", place] | [place, _]) = words.as_slice() else {
        println!("usage: render_bench CHART ROUNDS | render_bench --print CHART");
        return ExitCode::from(2);
    };
    let rounds = words.get(1).and_then(|rounds| rounds.parse().ok());
    let measured = folder::load(Path::new(place)).and_then(|chart| measure(&chart, rounds));
    match measured {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Renders so many times, or once to print it.
fn measure(chart: &Chart, rounds: Option<usize>) -> Result<(), String> {
    let Some(rounds) = rounds else {
        print!("{}", once(chart, None, None)?.1);
        return Ok(());
    };
    // Each file has a name of its own: how many there are does not matter here.
    let number = std::cell::Cell::new(0);
    let named = |_: &str, _: &File| {
        number.set(number.get() + 1);
        Some(FileId(number.get()))
    };
    let parsed = Prepared::new(chart, &Options::default().limits);
    let (mut prepared, mut plain, mut traced) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        prepared.push(once(chart, Some(&parsed), None)?.0);
        plain.push(once(chart, None, None)?.0);
        number.set(0);
        traced.push(once(chart, None, Some(&named))?.0);
    }
    println!("prepared {:.3}", middle(prepared));
    println!("plain {:.3}", middle(plain));
    println!("traced {:.3}", middle(traced));
    Ok(())
}

/// One render up to the text that is printed.
fn once(chart: &Chart, prepared: Option<&Prepared>, trace: Option<&Named<'_>>) -> Result<(Duration, String), String> {
    let mut options = Options { release: "rel", namespace: "ns", prepared, trace, ..Options::default() };
    options.capabilities.set_kube_version("1.34.0")?;
    let begun = Instant::now();
    let rendered = render(chart, &options, &mut host::NoHost).map_err(|error| error.to_string())?;
    let text = rendered.text(true);
    drop(rendered);
    Ok((begun.elapsed(), text))
}

fn middle(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times.get(times.len() / 2).map_or(0.0, |time| time.as_secs_f64() * 1e3)
}
