//! Owns the commands that need a cluster or a running operator. All of it is left out of a build without the feature `operator`.

mod apply;
mod args;
mod backend;
mod diff;
mod moment;
mod name;
mod oneshot;
mod place;
mod progress;
mod questions;
mod remote;
mod serve;
mod words;

use std::path::Path;

pub(crate) use args::OperatorCommand;

use crate::args::Global;
use crate::printer::Printer;
use crate::problem::{Done, Problem};

/// Carries out a command, on this machine or by asking the running operator.
pub(crate) fn run(printer: &Printer, global: &Global, command: &OperatorCommand) -> Done {
    match command {
        OperatorCommand::Serve(args) => with_runtime(Threads::Many, serve::run(printer, global, args)),
        OperatorCommand::Apply(args) if is_here(&args.path) => with_runtime(Threads::Many, apply::run(printer, global, args)),
        OperatorCommand::Diff(args) if is_here(&args.path) => with_runtime(Threads::Many, diff::run(printer, global, args)),
        asked => with_runtime(Threads::One, remote::run(printer, global, asked)),
    }
}

/// Prints the manifests of a unit of the running operator.
pub(crate) fn render(printer: &Printer, global: &Global, unit: &str) -> Done {
    with_runtime(Threads::One, remote::render(printer, global, unit))
}

/// Returns whether a path is meant: what lies here, and what nothing but a path can be written as.
pub(crate) fn is_here(path: &str) -> bool {
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
