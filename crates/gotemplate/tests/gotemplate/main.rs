//! Owns the tests of the template engine that run whole templates: recorded answers of Go, Sprig and Helm, limits, origins.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a test ends where it finds something else than it expects, reads its cases from disk and counts them"
)]

mod codecs;
mod corpus;
mod exceptions;
mod origins;
mod render;
mod rules;
