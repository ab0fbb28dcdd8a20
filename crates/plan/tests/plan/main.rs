//! Owns the tests of the plan crate's public API: recorded answers of a real API server, tables, and invariants over random inputs.
#![expect(clippy::unwrap_used, reason = "tests")]

mod drift;
mod endings;
mod health;
mod holds;
mod hooks;
mod invariants;
mod phases;
mod rules;
mod set;
