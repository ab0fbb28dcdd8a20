//! Owns the `plumb` command line.
fn main() {}
