//! The cluster crate against a real control plane, and against a scripted server where a real one does not fail on demand.
#![expect(clippy::disallowed_methods, reason = "a test writes files for kubectl")]

mod adopting;
mod applying;
mod faults;
mod identity;
mod owning;
mod removing;
mod support;
mod watching;
