//! The cluster crate against a real control plane, and against a scripted server where a real one does not fail on demand.

mod adopting;
mod applying;
mod faults;
mod identity;
mod owning;
mod removing;
mod support;
mod watching;
