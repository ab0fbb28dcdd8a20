//! Owns the developer commands.
fn main() {}
