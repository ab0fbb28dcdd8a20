//! Owns the loop: a pure core that decides, and the shell that carries out and reports back.
//!
//! [`core`] is a deterministic state machine: events in, actions out. The shell fetches, builds, applies and watches; it decides nothing.
//! An [`Operator`] is both, running.

#![cfg_attr(test, expect(clippy::unwrap_used, reason = "a test that cannot go on fails"))]
#![expect(clippy::disallowed_methods, reason = "the shell is an edge: it reads files, the clock and randomness for the core")]

pub mod answers;
mod ask;
mod board;
mod clock;
mod config;
pub mod core;
mod counters;
mod crashes;
pub mod credentials;
mod operator;
pub mod releases;
mod shell;

pub use ask::{Change, Changes, Counter, SourceState, UnitState};
pub use operator::{Operator, OperatorError, OperatorOptions, Running};
pub use shell::ClusterOptions;
