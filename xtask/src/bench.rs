//! Owns `bench`: the figures of docs/benchmarks.md, each beside its peer in the same run.

mod coldstart;
mod fleet;
mod helm;
mod kustomize;
mod latency;
mod peers;
mod rollout;
mod throttled;
mod yaml;

use anyhow::{Context, Result, bail};

use crate::setup;

/// Measures and prints.
type Bench = fn() -> Result<()>;

/// Runs the named benchmarks, or all.
pub(crate) fn run(names: &[&str]) -> Result<()> {
    const ALL: [(&str, Bench); 7] = [
        ("yaml", yaml::run),
        ("helm", helm::run),
        ("kustomize", kustomize::run),
        ("rollout", rollout::run),
        ("latency", latency::run),
        ("throttled", throttled::run),
        ("coldstart", coldstart::run),
    ];
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

/// How many objects a benchmark has that can be made small, to see that it works: its own number, or what `PLUMB_BENCH_OBJECTS` says. A small one is
/// not built for speed.
struct Size {
    objects: usize,
    profile: &'static str,
}

impl Size {
    fn of(whole: usize) -> Result<Self> {
        match std::env::var("PLUMB_BENCH_OBJECTS") {
            Ok(text) => Ok(Self { objects: text.parse().context("PLUMB_BENCH_OBJECTS is no number")?, profile: "dev" }),
            Err(_) => Ok(Self { objects: whole, profile: "release" }),
        }
    }

    fn is_whole(&self) -> bool {
        self.profile == "release"
    }
}

/// Prints one figure: what was measured, what it came to, what is asked.
fn figure(what: &str, value: &str, asked: &str) {
    println!("  {what:<64} {value:>16}   asked: {asked}");
}
