//! Owns the roll-out of a whole fleet: time beside a raw client's, requests counted exactly, memory, idle cost, and work that follows change.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::figure;
use super::fleet::{self, app, name, objects};
use crate::stage::{Memory, Stage, anonymous_kib};

/// How many units of four objects.
const UNITS: usize = 1_000;
/// How long the idle fleet is watched.
const IDLE: Duration = Duration::from_secs(30);

/// Runs the benchmark.
pub(crate) fn run() -> Result<()> {
    let mut fleet = fleet::new(UNITS)?;
    let (raw, raw_ready) = raw_client(&fleet)?;
    fleet.plane.kubectl(&["delete", "namespace", "raw", "--wait=true", "--timeout=300s"])?;

    fleet.serve()?;
    let memory = Memory::watch(fleet.process()?);
    // Its own namespace, once for a cluster, is no part of a roll-out.
    fleet.until("the operator has its namespace", || Ok(fleet.metric("plumb_cluster_writes_total")? >= 1))?;
    let writes_before = fleet.metric("plumb_cluster_writes_total")?;
    let begun = fleet.push("Add the fleet")?;
    // Asked by its figures: a listing of a thousand units twenty times a second would be half of what is measured.
    let all = |figure: &str| Ok(fleet.metric(figure)? == UNITS as u64);
    fleet.until("every unit is synced", || all("plumb_units{sync=\"synced\"}"))?;
    fleet.until("every sync is recorded", || Ok(fleet.metric("plumb_history_queued")? == 0))?;
    let synced = begun.elapsed();
    fleet.until("every unit is healthy", || all("plumb_units_health{health=\"healthy\"}"))?;
    let ready = begun.elapsed();
    let writes = fleet.metric("plumb_cluster_writes_total")? - writes_before;
    let (peak, builds) = (memory.peak_mib(), fleet.metric("plumb_builds_total")?);
    drop(memory);

    let seconds = |time: Duration| format!("{:.1} s", time.as_secs_f64());
    figure("raw client, 32 connections, 4,000 applies", &seconds(raw), "-");
    figure("push of 1,000 units until accepted, settled and recorded", &seconds(synced), "-");
    figure("  as a multiple of the raw client", &format!("{:.2} ×", synced.as_secs_f64() / raw.as_secs_f64()), "≤ 1.5 ×");
    figure("raw client until all are Ready", &seconds(raw_ready), "-");
    figure("push until all are Ready", &seconds(ready), "-");
    figure("  as a multiple of the raw client", &format!("{:.2} ×", ready.as_secs_f64() / raw_ready.as_secs_f64()), "-");
    figure("writes for 4,000 objects and 1,000 inventories", &writes.to_string(), "≤ 5000");
    figure("peak anonymous memory of `plumb serve`", &format!("{peak:.1} MiB"), "≤ 100 MiB");
    ensure!(writes <= (UNITS * 5) as u64, "{writes} writes are more than one for each object and one for each inventory");

    one_file(&fleet, builds)?;
    idle(&fleet)?;
    foreign(&fleet, peak)
}

/// Makes the same writes with a client that does nothing else; returns the time until they are accepted, and until all are Ready.
fn raw_client(fleet: &Stage) -> Result<(Duration, Duration)> {
    fleet.plane.kubectl(&["create", "namespace", "raw"])?;
    let begun = Instant::now();
    let mut child = Command::new(fleet.tools.oracle()?)
        .args(["raw-apply", "--server", &fleet.plane.server(), "--token", fleet.plane.token(), "--authority"])
        .arg(fleet.plane.authority())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    {
        let mut input = child.stdin.take().context("no standard input")?;
        for nth in 0..UNITS {
            for (path, body) in objects(nth, "raw", "1") {
                writeln!(input, "{}", serde_json::json!({"path": path, "body": body}))?;
            }
        }
    }
    let output = child.wait_with_output()?;
    ensure!(output.status.success(), "the raw client failed");
    let told: Value = serde_json::from_slice(&output.stdout)?;
    let accepted = Duration::from_secs_f64(told["seconds"].as_f64().context("the raw client told no time")?);
    fleet.until("the raw client's Deployments are Ready", || {
        let list = fleet.plane.json(&["-n", "raw", "get", "deployments"])?;
        let items = list["items"].as_array().context("no list")?;
        Ok(items.len() == UNITS && items.iter().all(|item| item["status"]["observedGeneration"] == item["metadata"]["generation"]))
    })?;
    Ok((accepted, begun.elapsed()))
}

fn one_file(fleet: &Stage, builds_before: u64) -> Result<()> {
    fleet.repo.write(&format!("apps/{}/app.yaml", name(7)), app(7, "2"))?;
    let commit = fleet.repo.commit("Change one")?;
    fleet.repo.push()?;
    fleet.until("the fleet is at the commit", || {
        Ok(fleet.units()?.iter().all(|unit| unit["sync"] == "Synced" && unit["revisions"]["main"]["commit"] == commit.as_str()))
    })?;
    let builds = fleet.metric("plumb_builds_total")? - builds_before;
    figure("units built for a one-file commit among 1,000", &builds.to_string(), "1");
    if builds != 1 {
        bail!("{builds} units were built for a commit that touches one");
    }
    Ok(())
}

fn idle(fleet: &Stage) -> Result<()> {
    let before = fleet.processor_seconds()?;
    std::thread::sleep(IDLE);
    let share = (fleet.processor_seconds()? - before) / IDLE.as_secs_f64() * 100.0;
    figure("processor of an idle fleet of 1,000, of one core", &format!("{share:.2} %"), "< 1 %");
    Ok(())
}

/// Memory must not follow what others have in the cluster.
fn foreign(fleet: &Stage, peak: f64) -> Result<()> {
    const FOREIGN: usize = 50_000;
    let before = anonymous_kib(fleet.process()?);
    fleet.plane.kubectl(&["create", "namespace", "foreign"])?;
    let mut child = Command::new(fleet.tools.oracle()?)
        .args(["raw-apply", "--server", &fleet.plane.server(), "--token", fleet.plane.token(), "--authority"])
        .arg(fleet.plane.authority())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()?;
    {
        let mut input = child.stdin.take().context("no standard input")?;
        for nth in 0..FOREIGN {
            let body = serde_json::json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": format!("foreign-{nth}")}, "data": {"k": "v".repeat(200)}});
            writeln!(
                input,
                "{}",
                serde_json::json!({"path": format!("/api/v1/namespaces/foreign/configmaps/foreign-{nth}"), "body": body})
            )?;
        }
    }
    ensure!(child.wait()?.success(), "the foreign ConfigMaps could not be made");
    let after = anonymous_kib(fleet.process()?);
    let ratio = after as f64 / before.max(1) as f64;
    figure("memory with 50,000 foreign ConfigMaps, beside without", &format!("{ratio:.2} ×"), "≤ 1.2 ×");
    let _ = peak;
    Ok(())
}
