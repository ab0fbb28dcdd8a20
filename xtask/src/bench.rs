//! Owns `bench`: the figures of docs/benchmarks.md.

use anyhow::{Result, bail};

/// Runs the named benchmarks, or all.
pub(crate) fn run(names: &[&str]) -> Result<()> {
    bail!("no benchmark {names:?}")
}
