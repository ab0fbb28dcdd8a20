//! Owns the menu of developer commands: `demo`, `test`, `check`, `bench`, `corpus`, `record`.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "xtask is a program for developers: it runs tools and talks to a terminal"
)]

mod bench;
mod corpus;
mod demo;
mod record;
mod setup;
mod stage;
mod test;
mod tidy;

use std::process::ExitCode;

const USAGE: &str = "cargo xtask COMMAND

  demo [--check] [--kubeconfig FILE --context NAME]
                      watch a commit become a running, self-healing system; --check asserts each step and ends
  test [--long]       everything CI runs: check, then every test on a real control plane
  check               formatting, lints, the tidy rules
  bench [NAME…]       the figures of docs/benchmarks.md, side by side with their peers
  corpus [--limit N] [--stay]
                      the real manifests of the conformance corpus, pushed as one repository and synced into a real control plane
  record schema       ask the real API server again what it says of its kinds
  record helm [FAMILY…]
                      ask the real helm again what the recorded charts and templates come to
  record kustomize [FAMILY…]
                      ask the real kustomize again what the recorded kustomizations come to";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        ["demo", options @ ..] => demo::Options::parse(options).and_then(demo::run),
        ["test"] => test::run_tests(false),
        ["test", "--long"] => test::run_tests(true),
        ["check"] => test::check(),
        ["bench", names @ ..] => bench::run(names),
        ["corpus", options @ ..] => corpus::Options::parse(options).and_then(corpus::run),
        ["record", "schema"] => record::schema(),
        ["record", "helm", names @ ..] => record::helm(names),
        ["record", "kustomize", names @ ..] => record::kustomize(names),
        ["tidy"] => test::tidy_only(),
        _ => {
            println!("{USAGE}");
            return ExitCode::from(if matches!(words.as_slice(), [] | ["help" | "--help" | "-h"]) { 0 } else { 2 });
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
