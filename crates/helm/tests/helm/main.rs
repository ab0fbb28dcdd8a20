//! Owns the tests of whole charts against what Helm printed. The conformance corpus lies outside the project: where it is not, there is nothing to run here.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a test ends where it finds something else than it expects, reads its cases from disk and counts them"
)]

mod charts;
mod explain;
mod folder;
mod hermetic;
mod host;
mod hostile;
mod matrix;
mod mistakes;
mod mutation;
mod random;
mod random_charts;
mod recorded;
mod rules;
