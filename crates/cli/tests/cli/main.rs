//! The program as people run it: transcripts of its commands, and `plumb serve` on a real control plane and real Git, killed, doubled and starved.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and these run the real program on real files"
)]

mod charts;
mod diffs;
mod ends;
mod helm;
mod history;
mod kills;
mod kustomize;
mod live;
mod mistakes;
mod moments;
mod pair;
mod serve;
mod shop;
mod transcripts;
mod world;
