//! The operator on a real control plane and real Git: what users do, and what it does about it.

#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test that cannot go on fails, and measures time")]

mod accounts;
mod adoption;
mod apiserver;
mod bench;
mod chain;
mod chart_sources;
mod charts;
mod endings;
mod faults;
mod ground;
mod kustomize;
mod mistakes;
mod moves;
mod onepass;
mod outage;
mod pair;
mod prunes;
mod restart;
mod rollback;
mod sharing;
mod story;
mod throttled;

pub(crate) use bench::Bench;
