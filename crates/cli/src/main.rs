//! Owns the `plumb` binary: reads the command line and hands it to one file per family of commands.
//!
//! What needs neither a cluster nor a running operator is done before a runtime, TLS or a connection exists.

#![expect(clippy::disallowed_methods, reason = "an edge: it reads the command line's files and environment, and the clock")]
#![cfg_attr(test, expect(clippy::unwrap_used, reason = "a test that cannot go on fails"))]

#[cfg(any(test, not(feature = "operator")))]
mod absent;
mod args;
mod explain;
mod folder;
mod helm;
mod kustomize;
#[cfg(feature = "operator")]
mod operator;
mod printer;
mod problem;
mod render;
#[cfg(feature = "operator")]
mod table;
mod tour;

use std::process::ExitCode;

use args::{Cli, Command};
use clap::Parser;
use printer::Printer;
use problem::Done;
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
        #[cfg(feature = "operator")]
        Command::Render(args) if !operator::is_here(&args.path) => operator::render(printer, global, &args.path),
        Command::Render(args) => render::run(printer, global, args),
        Command::Explain(args) => explain::run(printer, global, args),
        Command::Helm(command) => helm::run(printer, global, command),
        Command::Kustomize(args) => kustomize::run(printer, &args.words),
        Command::Tour(args) => tour::run(printer, args),
        #[cfg(feature = "operator")]
        Command::Operator(command) => operator::run(printer, global, command),
        #[cfg(not(feature = "operator"))]
        Command::Operator(command) => absent::run(command),
    }
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
