//! Owns how fast Helm charts are rendered, beside the real `helm`: whole processes, one render in process, an umbrella chart that grows, YAML written, and
//! what origins cost. Outputs are compared before anything is timed.

mod umbrella;

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use plumb_plane::{Tools, YamlOracle};

use super::figure;
use super::peers::{Figures, Peers, in_turn, ms, program, words};
use crate::setup;

/// How often whole processes are run in turn.
const ROUNDS: usize = 21;
/// How often a chart is rendered in process.
const RENDERS: usize = 61;
/// How often Helm's library renders.
const LIBRARY_ROUNDS: &str = "11";
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

/// Runs the benchmark.
pub(crate) fn run() -> Result<()> {
    setup::ensure_package("time", &["/usr/bin/time"])?;
    let tools = setup::tools()?;
    let peers = Peers {
        name: "helm",
        programs: [program(&tools.helm()?, &[]), program(&setup::plumb("release")?, &["helm"])],
        before: words(&["template", "rel"]),
        after: words(&["-n", "ns", "--kube-version", "1.34.0", "--include-crds"]),
    };
    let folder = tempfile::tempdir()?;
    let mut figures = Figures::default();
    let charts = plumb_suite::corpus().map(|corpus| corpus.join("helm/charts"));
    let mut written = String::new();
    if let Some(charts) = &charts {
        let podinfo = charts.join("stefanprodan-podinfo/chart");
        peers.whole_process("podinfo", &podinfo, ROUNDS, (Some(10.0), Some(4.0)), &mut figures)?;
        for name in LARGEST {
            peers.whole_process(name, &charts.join(name).join("chart"), ROUNDS, (Some(15.0), Some(3.0)), &mut figures)?;
        }
        for name in WITH_KEYS {
            peers.whole_process(name, &charts.join(name).join("chart"), ROUNDS, (None, Some(3.0)), &mut figures)?;
        }
        let stack = charts.join("prometheus-community-kube-prometheus-stack/chart");
        in_process(&tools, &peers, "kube-prometheus-stack", &stack, Some(30.0), &mut figures)?;
        in_process(&tools, &peers, "opentelemetry-demo", &charts.join("open-telemetry-opentelemetry-demo/chart"), None, &mut figures)?;
        written = peers.printed(&stack)?;
    } else {
        println!("  without the conformance corpus there are no real charts: only what is generated is measured");
    }
    umbrellas(&tools, &peers, folder.path(), charts.is_none(), &mut figures)?;
    if written.is_empty() {
        written = peers.printed(&folder.path().join("120"))?;
    }
    yaml(&tools, folder.path(), &written, &mut figures)?;
    figures.finish()
}

/// One render of a chart that is loaded, beside the process and beside Helm's library; and the same with origins.
fn in_process(tools: &Tools, peers: &Peers, name: &str, chart: &Path, asked: Option<f64>, figures: &mut Figures) -> Result<()> {
    peers.agree(chart).with_context(|| name.to_owned())?;
    let [helm, _] = peers.times(chart, ROUNDS / 3)?;
    let [prepared, plain, traced] = renders(chart)?;
    let library = library_ms(tools, chart)?;
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

/// Returns the median time in milliseconds of one render with Helm's library, the chart loaded.
fn library_ms(tools: &Tools, chart: &Path) -> Result<f64> {
    let output = Command::new(tools.helm_oracle()?).args(["render-bench", "--rounds", LIBRARY_ROUNDS]).arg(chart).output()?;
    ensure!(output.status.success(), "Helm's library failed: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).trim().parse()?)
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
