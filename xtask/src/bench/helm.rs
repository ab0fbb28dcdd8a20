//! Owns how fast Helm charts are rendered, beside the real `helm`: whole processes, one render in process, an umbrella chart that grows, YAML written, and
//! what origins cost. Outputs are compared before anything is timed.

mod peers;
mod umbrella;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use plumb_plane::{Tools, YamlOracle};

use self::peers::{Peers, in_turn};
use super::figure;
use crate::setup;

/// How far a limit must be missed for the benchmark to fail: other work on the machine must not make it fail.
const CLEARLY: f64 = 1.2;
/// How often whole processes are run in turn.
const ROUNDS: usize = 21;
/// How often a chart is rendered in process.
const RENDERS: usize = 61;
/// The charts of the corpus that take Helm longest, of those that make no keys.
const LARGEST: [&str; 5] = [
    "prometheus-community-kube-prometheus-stack",
    "open-telemetry-opentelemetry-demo",
    "kyverno-kyverno",
    "DataDog-datadog",
    "kubernetes-sigs-kueue",
];
/// Charts as large that make RSA keys, which takes both programs longer than all the rest, and never the same time twice: nothing is asked of their time.
const WITH_KEYS: [&str; 2] = ["apache-pulsar", "VictoriaMetrics-victoria-metrics-k8s-stack"];
/// How often Helm renders an umbrella chart: it needs many seconds.
const UMBRELLA_ROUNDS: usize = 3;
/// Subcharts of the umbrella charts; the last one has the limit.
const SUBCHARTS: [usize; 3] = [30, 60, 120];
/// Bytes of YAML to write.
const YAML_BYTES: usize = 5_000_000;

/// Figures that are printed, and what was missed.
struct Figures {
    missed: Vec<String>,
}

impl Figures {
    /// Prints a ratio that must not be smaller than what is asked.
    fn at_least(&mut self, what: &str, ratio: f64, asked: f64) {
        figure(what, &format!("{ratio:.1} ×"), &format!("≥ {asked} ×"));
        if ratio * CLEARLY < asked {
            self.missed.push(format!("{what}: {ratio:.1} × and not {asked} ×"));
        }
    }

    /// Prints a number that must not be larger than what is asked.
    fn at_most(&mut self, what: &str, number: f64, asked: f64, unit: &str) {
        figure(what, &format!("{number:.2} {unit}"), &format!("≤ {asked:.2} {unit}"));
        if number > asked * CLEARLY {
            self.missed.push(format!("{what}: {number:.2} {unit} and not {asked:.2} {unit}"));
        }
    }
}

/// Runs the benchmark.
pub(crate) fn run() -> Result<()> {
    setup::ensure_package("time", &["/usr/bin/time"])?;
    let tools = setup::tools()?;
    let peers = Peers { helm: tools.helm()?, plumb: setup::plumb("release")? };
    let folder = tempfile::tempdir()?;
    let mut figures = Figures { missed: Vec::new() };
    let charts = plumb_suite::corpus().map(|corpus| corpus.join("helm/charts"));
    let mut written = String::new();
    if let Some(charts) = &charts {
        let podinfo = charts.join("stefanprodan-podinfo/chart");
        whole_process(&peers, "podinfo", &podinfo, (Some(10.0), 4.0), &mut figures)?;
        for name in LARGEST {
            whole_process(&peers, name, &charts.join(name).join("chart"), (Some(15.0), 3.0), &mut figures)?;
        }
        for name in WITH_KEYS {
            whole_process(&peers, name, &charts.join(name).join("chart"), (None, 3.0), &mut figures)?;
        }
        let stack = charts.join("prometheus-community-kube-prometheus-stack/chart");
        in_process(&tools, &peers, "kube-prometheus-stack", &stack, Some(30.0), &mut figures)?;
        in_process(&tools, &peers, "opentelemetry-demo", &charts.join("open-telemetry-opentelemetry-demo/chart"), None, &mut figures)?;
        written = peers.output(&peers.plumb_command(&stack))?;
    } else {
        println!("  without the conformance corpus there are no real charts: only what is generated is measured");
    }
    umbrellas(&tools, &peers, folder.path(), charts.is_none(), &mut figures)?;
    if written.is_empty() {
        written = peers.output(&peers.plumb_command(&folder.path().join("120")))?;
    }
    yaml(&tools, folder.path(), &written, &mut figures)?;
    if !figures.missed.is_empty() {
        bail!("limits that were clearly missed:\n  {}", figures.missed.join("\n  "));
    }
    Ok(())
}

/// Time and memory of both processes on a chart.
fn whole_process(peers: &Peers, name: &str, chart: &Path, (faster, smaller): (Option<f64>, f64), figures: &mut Figures) -> Result<()> {
    peers.agree(chart).with_context(|| name.to_owned())?;
    let [helm, plumb] = peers.times(chart, ROUNDS)?;
    let [helm_memory, plumb_memory] = peers.memory(chart)?;
    let told = format!("{name}: helm {:.1} ms, {helm_memory:.1} MiB; plumb {:.2} ms, {plumb_memory:.1} MiB", ms(helm), ms(plumb));
    println!("  {told}");
    let ratio = helm.as_secs_f64() / plumb.as_secs_f64();
    match faster {
        Some(faster) => figures.at_least(&format!("{name}, whole process, time"), ratio, faster),
        None => figure(&format!("{name}, whole process, time"), &format!("{ratio:.1} ×"), "-"),
    }
    figures.at_least(&format!("{name}, whole process, memory"), helm_memory / plumb_memory, smaller);
    Ok(())
}

/// One render of a chart that is loaded, beside the process and beside Helm's library; and the same with origins.
fn in_process(tools: &Tools, peers: &Peers, name: &str, chart: &Path, asked: Option<f64>, figures: &mut Figures) -> Result<()> {
    peers.agree(chart).with_context(|| name.to_owned())?;
    let [helm, _] = peers.times(chart, ROUNDS / 3)?;
    let [prepared, plain, traced] = renders(chart)?;
    let library = peers::library_ms(tools, chart)?;
    println!(
        "  {name}: one render {prepared:.2} ms, templates parsed again {plain:.2} ms, with origins {traced:.2} ms; Helm's library {library:.1} ms"
    );
    let ratio = ms(helm) / prepared;
    match asked {
        Some(asked) => figures.at_least(&format!("{name}, one render, beside the helm process"), ratio, asked),
        None => figure(&format!("{name}, one render, beside the helm process"), &format!("{ratio:.1} ×"), "-"),
    }
    figure(
        &format!("{name}, one render, beside Helm's library"),
        &format!("{:.1} ×, {:.1} × parsed again", library / prepared, library / plain),
        "-",
    );
    figures.at_most(&format!("{name}, origins on against off"), traced / plain, 1.6, "×");
    Ok(())
}

/// Time of one render in milliseconds: templates parsed before, parsed again, and with origins.
fn renders(chart: &Path) -> Result<[f64; 3]> {
    let mut command = setup::cargo(&["run", "--release", "--quiet", "--package", "plumb-helm", "--example", "render_bench", "--"]);
    let output = command.arg(chart).arg(RENDERS.to_string()).output()?;
    let told = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "the measurement failed: {}", String::from_utf8_lossy(&output.stderr));
    let number = |name: &str| -> Result<f64> {
        let line = told.lines().find_map(|line| line.strip_prefix(name)).with_context(|| format!("no `{name}` in: {told}"))?;
        Ok(line.trim().parse()?)
    };
    Ok([number("prepared")?, number("plain")?, number("traced")?])
}

/// Charts that grow.
fn umbrellas(tools: &Tools, peers: &Peers, folder: &Path, alone: bool, figures: &mut Figures) -> Result<()> {
    let mut times = Vec::new();
    for count in SUBCHARTS {
        let chart = folder.join(count.to_string());
        umbrella::write(&chart, count)?;
        peers.agree(&chart).with_context(|| format!("an umbrella chart of {count}"))?;
        let [helm, plumb] = peers.times(&chart, UMBRELLA_ROUNDS)?;
        println!("  umbrella chart of {count} subcharts: helm {:.1} ms, plumb {:.1} ms", ms(helm), ms(plumb));
        times.push(plumb);
    }
    let (Some(first), Some(last)) = (times.first().copied(), times.last().copied()) else { return Ok(()) };
    let [few, .., many] = SUBCHARTS;
    figures.at_most(&format!("umbrella chart of {many} subcharts with deep tpl"), ms(last), 200.0, "ms");
    let growth = last.as_secs_f64() / first.as_secs_f64();
    figures.at_most(&format!("its time beside that of {few} subcharts"), growth, many as f64 / few as f64, "×");
    if alone {
        in_process(tools, peers, "umbrella chart", &folder.join(many.to_string()), Some(30.0), figures)?;
    }
    Ok(())
}

/// Writing documents.
fn yaml(tools: &Tools, folder: &Path, documents: &str, figures: &mut Figures) -> Result<()> {
    let path = folder.join("documents.yaml");
    let mut text = String::with_capacity(YAML_BYTES + documents.len());
    while text.len() < YAML_BYTES {
        text.push_str(documents);
    }
    fs::write(&path, text)?;
    let (plumb, go) = in_turn(3, || super::yaml::written(&path), || Ok(YamlOracle::megabytes_written_per_second(tools, &path)?))?;
    println!("  YAML written as sigs.k8s.io/yaml does: Go {go:.1} MB/s, plumb {plumb:.0} MB/s");
    figures.at_least("YAML written, 5 MB", plumb / go, 15.0);
    Ok(())
}

fn ms(time: std::time::Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
