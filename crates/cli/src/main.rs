//! Owns the `plumb` binary: reads the command line and hands it to one file per family of commands.
//!
//! What needs neither a cluster nor a running operator is done before a runtime, TLS or a connection exists.

#![expect(clippy::disallowed_methods, reason = "an edge: it reads the command line's files and environment, and the clock")]
#![cfg_attr(test, expect(clippy::unwrap_used, reason = "a test that cannot go on fails"))]

mod apply;
mod args;
mod backend;
mod diff;
mod explain;
mod folder;
mod helm;
mod kustomize;
mod moment;
mod name;
mod oneshot;
mod place;
mod printer;
mod problem;
mod progress;
mod questions;
mod remote;
mod render;
mod serve;
mod table;
mod tour;
mod words;

use std::path::Path;
use std::process::ExitCode;

use args::{Cli, Command};
use clap::Parser;
use printer::Printer;
use problem::{Done, Problem};
use serde_json::Value;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The version of the JSON that commands print (docs/cli-output.md). Fields are added within a version, never renamed or removed.
const VERSION: u32 = 1;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let printer = Printer::new();
    match run(&cli, &printer) {
        Ok(code) => problem::exit(code),
        Err(problem) => {
            printer.problem(&problem);
            problem::exit(problem.code)
        }
    }
}

fn run(cli: &Cli, printer: &Printer) -> Done {
    let global = &cli.global;
    match &cli.command {
        Command::Render(args) if is_here(&args.path) => render::run(printer, global, args),
        Command::Explain(args) => explain::run(printer, global, args),
        Command::Helm(command) => helm::run(printer, global, command),
        Command::Kustomize(args) => kustomize::run(printer, &args.words),
        Command::Tour(args) => tour::run(printer, args),
        Command::Serve(args) => with_runtime(Threads::Many, serve::run(printer, global, args)),
        Command::Apply(args) if is_here(&args.path) => with_runtime(Threads::Many, apply::run(printer, global, args)),
        Command::Diff(args) if is_here(&args.path) => with_runtime(Threads::Many, diff::run(printer, global, args)),
        asked => with_runtime(Threads::One, remote::run(printer, global, asked)),
    }
}

/// Returns whether a path is meant: what lies here, and what nothing but a path can be written as.
fn is_here(path: &str) -> bool {
    Path::new(path).exists()
        || path.starts_with(['.', '/'])
        || path.matches('/').count() > 1
        || path.ends_with(".yaml")
        || path.ends_with(".yml")
}

/// Threads that work at once: what is fast enough is limited by the other side, and each thread costs memory.
const MOST_WORKERS: usize = 4;
/// Threads for what blocks: files, Git, builds. Nothing that blocks waits for another that does, and each thread keeps memory of its own.
const MOST_BLOCKING: usize = 12;

enum Threads {
    One,
    Many,
}

fn with_runtime(threads: Threads, work: impl Future<Output = Done>) -> Done {
    let mut builder = match threads {
        Threads::One => tokio::runtime::Builder::new_current_thread(),
        Threads::Many => tokio::runtime::Builder::new_multi_thread(),
    };
    if let Threads::Many = threads {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        builder.worker_threads(cores.min(MOST_WORKERS)).max_blocking_threads(MOST_BLOCKING);
    }
    let runtime = builder.enable_all().build().map_err(|error| Problem::new(format!("no threads can be started: {error}")))?;
    let done = runtime.block_on(work);
    // A watch or a connection that is still open must not keep a command from ending.
    runtime.shutdown_background();
    done
}

/// Returns a value as JSON.
fn json(value: &(impl serde::Serialize + ?Sized)) -> Value {
    serde_json::to_value(value).unwrap_or(Value::Null)
}

/// Returns an object with the version of its shape.
fn with_version(value: Value) -> Value {
    let Value::Object(fields) = value else { return value };
    let mut versioned = serde_json::Map::from_iter([("version".to_owned(), Value::from(VERSION))]);
    versioned.extend(fields);
    Value::Object(versioned)
}

/// Returns values as JSON objects, each with the version of its shape.
fn versioned(values: Vec<impl serde::Serialize>) -> Vec<Value> {
    values.iter().map(|value| with_version(json(value))).collect()
}
