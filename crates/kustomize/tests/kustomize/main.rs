//! Owns the tests of kustomizations: conformance with what the real kustomize printed, and with what people get wrong.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "tests read recorded cases from disk and count them"
)]

mod corpus;
mod disk;
mod hostile;
mod origins;
mod random;
mod recorded;
