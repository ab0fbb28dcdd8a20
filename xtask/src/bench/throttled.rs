//! Owns T28: an API server that lets 20 requests through in a second, and 10,000 Jobs to apply. It is watched for a while: all of it takes
//! nine minutes.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use plumb_plane::{FaultyProxy, Options, Request};

use super::{Size, figure};
use crate::stage::Stage;

/// Requests that the API server lets through in a second.
const RATE: u32 = 20;
/// How many Jobs there are to apply, and how many each unit has.
const JOBS: usize = 10_000;
const PER_UNIT: usize = 100;
/// How long progress is watched.
const WATCHED: Duration = Duration::from_secs(60);
/// The longest time in which nothing may be finished.
const GAP_MS: u64 = 3_000;
/// The part of what is let through that is to be used, in percent.
const USED_PERCENT: f64 = 80.0;

/// Runs the benchmark.
pub(crate) fn run() -> Result<()> {
    let size = Size::of(JOBS)?;
    let mut stage = Stage::new(size.profile, Options::default())?;
    let units = size.objects.div_ceil(PER_UNIT);
    for nth in 0..units {
        let (name, folder) = (format!("jobs-{nth:03}"), format!("apps/jobs-{nth:03}"));
        stage.repo.write(&format!("units/{name}.yaml"), unit(&name, &folder))?;
        stage.repo.write(&format!("{folder}/jobs.yaml"), (0..PER_UNIT).map(|job| manifest(&name, job)).collect::<String>())?;
    }
    stage.plane.kubectl(&["create", "namespace", "bench"])?;
    let proxy = FaultyProxy::start(&stage.plane, stage.folder())?;
    stage.connect_through(proxy.kubeconfig());
    stage.serve()?;
    proxy.limit(RATE)?;
    stage.push("Add the Jobs")?;
    stage.until("the first Job is applied", || Ok(!finished(&proxy.requests()?).is_empty()))?;
    let begun = Instant::now();
    let from = now_ms()?;
    while begun.elapsed() < WATCHED {
        std::thread::sleep(Duration::from_secs(1));
    }
    let requests = proxy.requests()?;
    // Fewer Jobs are done before the time is over.
    let to = finished(&requests).get(units * PER_UNIT - 1).copied().unwrap_or(now_ms()?);
    judge(&requests, from, to, units * PER_UNIT)
}

fn judge(requests: &[Request], from: u64, to: u64, all: usize) -> Result<()> {
    let within: Vec<&Request> = requests.iter().filter(|request| (from..=to).contains(&request.ms)).collect();
    let refused = within.iter().filter(|request| request.status == 429).count();
    let seconds = (to - from) as f64 / 1000.0;
    let used = (within.len() - refused) as f64 / seconds;
    let done: Vec<u64> = finished(requests).into_iter().filter(|at| (from..=to).contains(at)).collect();
    let ends = std::iter::once(from).chain(done.iter().copied()).chain([to]);
    let gap = ends.clone().zip(ends.skip(1)).map(|(one, next)| next - one).max().unwrap_or(to - from);
    let asked = f64::from(RATE) * USED_PERCENT / 100.0;
    figure(&format!("requests let through in a second, of {RATE}"), &format!("{used:.1}"), &format!("≥ {asked:.0}"));
    figure("requests refused, of those sent", &format!("{:.1} %", refused as f64 * 100.0 / within.len().max(1) as f64), "-");
    figure("longest time between two finished objects", &format!("{gap} ms"), &format!("< {GAP_MS} ms"));
    figure(&format!("Jobs applied in {seconds:.0} s, of {all}"), &done.len().to_string(), "-");
    ensure!(!done.is_empty(), "no Job was applied");
    ensure!(gap < GAP_MS, "nothing was finished for {gap} ms");
    ensure!(used >= asked, "only {used:.1} of {RATE} requests a second were used");
    Ok(())
}

/// When each Job was applied.
fn finished(requests: &[Request]) -> Vec<u64> {
    let is_job = |request: &&Request| request.method == "PATCH" && request.path.contains("/jobs/") && matches!(request.status, 200 | 201);
    requests.iter().filter(is_job).map(|request| request.ms).collect()
}

fn now_ms() -> Result<u64> {
    Ok(u64::try_from(std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_millis())?)
}

fn unit(name: &str, folder: &str) -> String {
    format!(
        "apiVersion: plumb.dev/v1alpha1\nkind: Unit\nmetadata: {{name: {name}, namespace: fleet}}\nspec:\n  source: {{path: {folder}}}\n  target: {{namespace: bench}}\n"
    )
}

fn manifest(unit: &str, nth: usize) -> String {
    let pod = "{restartPolicy: Never, containers: [{name: main, image: registry.example.com/hook:1}]}";
    format!(
        "---\napiVersion: batch/v1\nkind: Job\nmetadata: {{name: {unit}-{nth:03}}}\nspec: {{backoffLimit: 0, template: {{spec: {pod}}}}}\n"
    )
}
