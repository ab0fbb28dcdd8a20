//! The operator on a real control plane and real Git: what users do, and what it does about it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod bench;
mod mistakes;
mod outage;
mod restart;
mod story;

pub(crate) use bench::Bench;
