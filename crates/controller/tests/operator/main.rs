//! The operator on a real control plane and real Git: what users do, and what it does about it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod adoption;
mod bench;
mod chain;
mod mistakes;
mod moves;
mod onepass;
mod outage;
mod prunes;
mod restart;
mod story;

pub(crate) use bench::Bench;
