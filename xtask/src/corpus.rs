//! Owns `corpus`: the real charts and manifests of the conformance corpus, one unit per chart and tree, pushed as one repository and synced into a real
//! control plane by the real `plumb serve`; then a restart, drift and a large deletion. The corpus stays outside the project.

mod pieces;
mod report;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::setup;
use crate::stage::{Memory, Stage, anonymous_kib};
use pieces::Piece;

/// How long nothing may change before what stands is taken as the result: longer than most retries are apart.
const QUIET: Duration = Duration::from_secs(45);
/// How long the fleet is watched for drift that nobody caused.
const WATCH: Duration = Duration::from_secs(30);
const LIMIT: Duration = Duration::from_secs(1_200);
const POLL: Duration = Duration::from_secs(1);

/// What `corpus` was asked for.
#[derive(Debug, Default)]
pub(crate) struct Options {
    limit: Option<usize>,
    charts: bool,
    stay: bool,
}

impl Options {
    /// Reads the words after `corpus`.
    pub(crate) fn parse(words: &[&str]) -> Result<Self> {
        let mut options = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match *word {
                "--limit" => options.limit = Some(words.next().context("`--limit` takes a number")?.parse()?),
                "--charts" => options.charts = true,
                "--stay" => options.stay = true,
                other => bail!("`corpus` has no option `{other}`; it takes --limit N, --charts and --stay"),
            }
        }
        Ok(options)
    }
}

/// Runs it.
pub(crate) fn run(options: Options) -> Result<()> {
    setup::ensure()?;
    let Some(folder) = pieces::unpack()? else {
        println!("skipped: no conformance corpus beside the repository");
        return Ok(());
    };
    let pieces = pieces::choose(&folder, options.limit, options.charts)?;
    // Nothing here answers a webhook: called, one that may not fail would refuse everybody's writes.
    let plane = plumb_plane::Options { webhooks: false, nodes: 10, ..plumb_plane::Options::default() };
    let mut stage = Stage::new("dev", plane)?;
    for piece in &pieces {
        stage.repo.write(&format!("units/{}.yaml", piece.name), unit(piece))?;
        piece.write(&stage.repo)?;
    }
    println!("{} units of real charts and trees; the operator's files are in {}", pieces.len(), stage.folder().display());
    let result = tell(&mut stage, &pieces);
    if options.stay {
        println!(
            "\n{result:?}\nleft running: export PLUMB_SOCKET={} KUBECONFIG={}",
            stage.socket().display(),
            stage.plane.kubeconfig().display()
        );
        println!("Enter or Ctrl-C ends it.");
        std::io::stdin().read_line(&mut String::new())?;
    }
    result
}

fn tell(stage: &mut Stage, pieces: &[Piece]) -> Result<()> {
    let first = roll_out(stage)?;
    no_drift(stage)?;
    restart(stage, &first)?;
    delete(stage, pieces, &first)
}

fn roll_out(stage: &mut Stage) -> Result<BTreeMap<String, Value>> {
    stage.serve()?;
    let memory = Memory::watch(stage.process()?);
    let begun = stage.push("Add the corpus")?;
    let (units, took) = settle(stage, begun, at_rest)?;
    report::table(&units);
    println!("\n  time until nothing changed any more: {:.0} s", took.as_secs_f64());
    println!("  writes: {}, reads: {}", stage.metric("plumb_cluster_writes_total")?, stage.metric("plumb_cluster_reads_total")?);
    println!(
        "  anonymous memory of `plumb serve`: peak {:.1} MiB, now {:.1} MiB",
        memory.peak_mib(),
        anonymous_kib(stage.process()?) as f64 / 1024.0
    );
    Ok(units)
}

/// Values that the server normalises must not be taken for somebody's change.
fn no_drift(stage: &Stage) -> Result<()> {
    let (reverts, writes) = (stage.metric("plumb_drift_reverts_total")?, stage.metric("plumb_cluster_writes_total")?);
    println!("\n  drift reverts until now: {reverts}");
    std::thread::sleep(WATCH);
    let more = stage.metric("plumb_drift_reverts_total")? - reverts;
    println!("  drift reverts in {} s of rest: {more}; writes: {}", WATCH.as_secs(), stage.metric("plumb_cluster_writes_total")? - writes);
    Ok(())
}

/// After a restart nothing needs writing, except what was refused before and is tried again.
fn restart(stage: &mut Stage, before: &BTreeMap<String, Value>) -> Result<()> {
    stage.stop()?;
    stage.serve()?;
    let (units, took) = settle(stage, Instant::now(), at_rest)?;
    let writes = stage.metric("plumb_cluster_writes_total")?;
    println!(
        "\n  restarted: {writes} writes, at rest after {:.0} s, {:.1} MiB",
        took.as_secs_f64(),
        anonymous_kib(stage.process()?) as f64 / 1024.0
    );
    for (name, unit) in &units {
        let was = before.get(name).map_or(&Value::Null, |unit| &unit["sync"]);
        if unit["sync"] != *was {
            println!("    {name}: was {was}, is {}", unit["sync"]);
        }
    }
    Ok(())
}

/// All units but one vanish from the root: deleting waits for approval, and goes once approved.
fn delete(stage: &Stage, pieces: &[Piece], units: &BTreeMap<String, Value>) -> Result<()> {
    let synced = |piece: &&Piece| units.get(&piece.name).is_some_and(|unit| unit["sync"] == "Synced");
    let kept = pieces.iter().find(synced).context("no unit was synced")?;
    for piece in pieces.iter().filter(|piece| piece.name != kept.name) {
        stage.repo.remove(&format!("units/{}.yaml", piece.name))?;
    }
    let begun = stage.push("Drop all but one")?;
    let (held, _) = settle(stage, begun, |unit| is_held(unit) || at_rest(unit))?;
    let waiting: Vec<&String> = held.iter().filter(|(_, unit)| is_held(unit)).map(|(name, _)| name).collect();
    println!("\n  all units but one dropped: {} wait for approval, {} units are left", waiting.len(), held.len());
    let begun = Instant::now();
    for name in &waiting {
        if let Err(error) = stage.plumb(&["approve", &format!("corpus/{name}"), "--no-wait", "--reason", "the corpus was tried"]) {
            println!("    {error:#}");
        }
    }
    let (left, took) = settle(stage, begun, |unit| unit["sync"] != "Deleting")?;
    println!("  approved: {} units left after {:.0} s", left.len(), took.as_secs_f64());
    for (name, unit) in left.iter().filter(|(name, _)| **name != kept.name) {
        println!("    {name}: {} {} {}", unit["sync"], unit["activity"], unit["error"]);
    }
    Ok(())
}

/// Waits until every unit is where it stays, and nothing has changed for a while.
fn settle(stage: &Stage, begun: Instant, done: impl Fn(&Value) -> bool) -> Result<(BTreeMap<String, Value>, Duration)> {
    let (mut seen, mut since) = (BTreeMap::new(), Instant::now());
    loop {
        let mut units = BTreeMap::new();
        for unit in stage.units()? {
            units.insert(unit["name"].as_str().unwrap_or_default().to_owned(), unit);
        }
        let brief: BTreeMap<String, String> =
            units.iter().map(|(name, unit)| (name.clone(), format!("{} {}", unit["sync"], unit["error"]))).collect();
        if brief != seen {
            (seen, since) = (brief, Instant::now());
        }
        let rest = !units.is_empty() && units.values().all(&done);
        if rest && since.elapsed() > QUIET || begun.elapsed() > LIMIT {
            if !rest {
                println!("  not all units came to rest in {} s:", LIMIT.as_secs());
                for (name, unit) in units.iter().filter(|(_, unit)| !done(unit)) {
                    println!("    {name}: {} {}", unit["sync"], unit["activity"]);
                }
            }
            return Ok((units, since.saturating_duration_since(begun)));
        }
        std::thread::sleep(POLL);
    }
}

fn at_rest(unit: &Value) -> bool {
    let busy = unit["activity"].as_str().is_some_and(|doing| doing.starts_with("working") || doing.starts_with("waits for a free place"));
    // What has failed is tried again: its error stays until that ends well.
    let failed = unit["error"].is_string() && !gated(unit, &["lease", "target", "source"]);
    is_held(unit) || failed || unit["sync"] == "Synced" && !busy
}

/// Whether somebody else has to do something: approve, or take an object out of one of two units.
fn is_held(unit: &Value) -> bool {
    gated(unit, &["approval", "evidence", "foreignOwner"])
}

fn gated(unit: &Value, kinds: &[&str]) -> bool {
    unit["gates"].as_array().is_some_and(|gates| gates.iter().any(|gate| gate["kind"].as_str().is_some_and(|kind| kinds.contains(&kind))))
}

fn unit(piece: &Piece) -> String {
    let (name, steps) = (&piece.name, piece.steps());
    format!(
        "apiVersion: plumb.dev/v1alpha1\nkind: Unit\nmetadata: {{name: {name}, namespace: corpus}}\nspec:\n  source: {{path: apps/{name}}}\n{steps}  target: {{namespace: {name}, createNamespace: true}}\n  policy: {{wait: false, timeout: 2m}}\n"
    )
}
