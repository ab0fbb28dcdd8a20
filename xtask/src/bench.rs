//! Owns `bench`: the figures of docs/benchmarks.md, each beside its peer in the same run.

mod fleet;
mod latency;
mod rollout;
mod yaml;

use anyhow::{Result, bail};

use crate::setup;

/// Measures and prints.
type Bench = fn() -> Result<()>;

/// Runs the named benchmarks, or all.
pub(crate) fn run(names: &[&str]) -> Result<()> {
    const ALL: [(&str, Bench); 3] = [("yaml", yaml::run), ("rollout", rollout::run), ("latency", latency::run)];
    if let Some(unknown) = names.iter().find(|name| ALL.iter().all(|(known, _)| known != *name)) {
        bail!("no benchmark `{unknown}`; there are: {}", ALL.map(|(name, _)| name).join(", "));
    }
    setup::ensure()?;
    setup::ensure_package("curl", &["curl"])?;
    for (name, bench) in ALL {
        if names.is_empty() || names.contains(&name) {
            println!("\n{name}");
            bench()?;
        }
    }
    Ok(())
}

/// Prints one figure: what was measured, what it came to, what is asked.
fn figure(what: &str, value: &str, asked: &str) {
    println!("  {what:<64} {value:>16}   asked: {asked}");
}
