//! Owns T27: the memory of `plumb serve` while it starts with many Secrets to manage, beside what it needs when it has started.

use std::time::Duration;

use anyhow::{Result, ensure};
use plumb_plane::Options;
use serde_json::Value;

use super::{Size, figure};
use crate::stage::{Memory, Stage, anonymous_kib};

/// How many Secrets there are, and how many each unit has.
const SECRETS: usize = 30_000;
const PER_UNIT: usize = 500;
/// How many characters each Secret holds: as many as a certificate with its key.
const HOLDS: usize = 3_000;
/// How long after the start the memory is taken for what it stays at.
const STEADY: Duration = Duration::from_secs(20);
/// How much more than that it may be during the start.
const LIMIT: f64 = 1.3;

/// Runs the benchmark.
pub(crate) fn run() -> Result<()> {
    let size = Size::of(SECRETS)?;
    let units = size.objects.div_ceil(PER_UNIT);
    let mut stage = Stage::new(size.profile, Options::default())?;
    for nth in 0..units {
        let name = format!("secrets-{nth:03}");
        stage.repo.write(&format!("units/{name}.yaml"), unit(&name))?;
        stage.repo.write(&format!("apps/{name}/all.yaml"), (0..PER_UNIT).map(|secret| manifest(&name, secret)).collect::<String>())?;
    }
    stage.plane.kubectl(&["create", "namespace", "bench"])?;
    stage.serve()?;
    let begun = stage.push("Add the Secrets")?;
    stage.until("every unit is synced", || stands(&stage, units))?;
    figure(&format!("set-up: {} Secrets applied", units * PER_UNIT), &format!("{:.1} s", begun.elapsed().as_secs_f64()), "-");
    stage.stop()?;

    stage.spawn()?;
    let memory = Memory::watch(stage.process()?);
    stage.until_answers()?;
    stage.until("every unit is synced again", || stands(&stage, units))?;
    let peak = memory.peak_mib();
    std::thread::sleep(STEADY);
    let steady = anonymous_kib(stage.process()?) as f64 / 1024.0;
    // What comes after the start, as a reread does, is no part of it, but no excuse either.
    let later = memory.peak_mib();
    let ratio = later / steady;
    figure(&format!("anonymous memory with {} Secrets, at rest", units * PER_UNIT), &format!("{steady:.1} MiB"), "-");
    figure("  of each Secret", &format!("{:.0} bytes", steady * 1024.0 * 1024.0 / (units * PER_UNIT) as f64), "-");
    figure("peak until all is synced again", &format!("{peak:.1} MiB"), "-");
    figure("  beside the memory at rest", &format!("{ratio:.2} ×"), &format!("≤ {LIMIT} ×"));
    // A small one is mostly what every process needs, and says nothing.
    ensure!(!size.is_whole() || ratio <= LIMIT, "the start takes {ratio:.2} times what stays");
    Ok(())
}

/// Whether all units were built and synced since the start, and are well.
fn stands(stage: &Stage, units: usize) -> Result<bool> {
    let stands = |unit: &&Value| unit["sync"] == "Synced" && unit["health"] == "Healthy";
    Ok(stage.metric("plumb_syncs_total")? >= units as u64 && stage.units()?.iter().filter(stands).count() == units)
}

fn unit(name: &str) -> String {
    format!(
        "apiVersion: plumb.dev/v1alpha1\nkind: Unit\nmetadata: {{name: {name}, namespace: fleet}}\nspec:\n  source: {{path: apps/{name}}}\n  target: {{namespace: bench}}\n"
    )
}

fn manifest(unit: &str, nth: usize) -> String {
    let value: String = (0..HOLDS).map(|at| char::from(b'a' + u8::try_from((at * 7 + nth) % 26).unwrap_or(0))).collect();
    format!("---\napiVersion: v1\nkind: Secret\nmetadata: {{name: {unit}-{nth:03}}}\nstringData: {{value: {value}}}\n")
}
