//! Owns latencies: a manual edit until it is put right, and a commit until it is applied.

use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::figure;
use super::fleet::{self, app, name};
use crate::stage::Stage;

/// How many units the fleet has.
const UNITS: usize = 250;
/// How many edits and commits are timed.
const EDITS: usize = 200;
const COMMITS: usize = 30;

/// Runs the benchmark.
pub(crate) fn run() -> Result<()> {
    let mut fleet = fleet::new(UNITS)?;
    fleet.serve()?;
    fleet.push("Add the fleet")?;
    fleet.until("every unit is synced and healthy", || {
        Ok(fleet.units()?.iter().filter(|unit| unit["sync"] == "Synced" && unit["health"] == "Healthy").count() == UNITS)
    })?;
    drift(&fleet)?;
    commits(&fleet)
}

fn drift(fleet: &Stage) -> Result<()> {
    let output = Command::new(fleet.tools.oracle()?)
        .args(["drift-probe", "--server", &fleet.plane.server(), "--token", fleet.plane.token(), "--namespace", "bench"])
        .args(["--count", &EDITS.to_string(), "--authority"])
        .arg(fleet.plane.authority())
        .output()?;
    ensure!(output.status.success(), "the probe failed: {}", String::from_utf8_lossy(&output.stderr));
    let told: Value = serde_json::from_slice(&output.stdout)?;
    figure("manual edit of a managed field until it is reverted, p50", &format!("{} ms", told["p50_ms"]), "-");
    figure("manual edit of a managed field until it is reverted, p99", &format!("{} ms", told["p99_ms"]), "< 250 ms");
    Ok(())
}

/// From before `git push` until the end of the sync, by the machine's one clock.
fn commits(fleet: &Stage) -> Result<()> {
    let mut took = Vec::new();
    for nth in 0..COMMITS {
        fleet.repo.write(&format!("apps/{}/app.yaml", name(nth)), app(nth, "2"))?;
        let commit = fleet.repo.commit("Change one")?;
        let begun = SystemTime::now().duration_since(UNIX_EPOCH)?;
        fleet.repo.push()?;
        let unit = format!("fleet/{}", name(nth));
        fleet.until("the commit is applied", || {
            let status: Value = serde_json::from_str(&fleet.plumb(&["status", &unit, "-o", "json"])?)?;
            Ok(status["sync"] == "Synced" && status["revisions"]["main"]["commit"] == commit.as_str())
        })?;
        let history: Value = serde_json::from_str(&fleet.plumb(&["history", &unit, "--limit", "1", "-o", "json"])?)?;
        let ended = history[0]["endedMs"].as_u64().context("the history has no sync")?;
        took.push(Duration::from_millis(ended).saturating_sub(begun));
    }
    took.sort();
    figure("commit with push notification until applied, one unit, p50", &format!("{} ms", took[COMMITS / 2].as_millis()), "< 500 ms");
    figure("commit with push notification until applied, one unit, max", &format!("{} ms", took[COMMITS - 1].as_millis()), "-");
    Ok(())
}
