//! Owns how fast YAML is read and written, beside Go's library on the same file.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use plumb_plane::{Tools, YamlOracle};

use super::figure;
use super::fleet::app;
use crate::setup;

/// Bytes of documents to read.
const SIZE: usize = 5_000_000;

/// Runs the benchmark.
pub(crate) fn run() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("documents.yaml");
    std::fs::write(&path, documents()?)?;
    let mut told = measured("read_bench", &path)?;
    told.push_str(&measured("write_bench", &path)?);
    let rate = |name: &str| rate(&told, name);
    let tools = Tools::locate()?;
    let go = YamlOracle::megabytes_per_second(&tools, &path)?;
    let (parse, json) = (rate("parse ")?, rate("parse+to_json ")?);
    figure("sigs.k8s.io/yaml, YAMLToJSON", &format!("{go:.1} MB/s"), "-");
    figure("read with keys, duplicates and resolution", &format!("{parse:.0} MB/s, {:.0} ×", parse / go), "≥ 12 ×");
    figure("the same and JSON written", &format!("{json:.0} MB/s, {:.0} ×", json / go), "-");
    let go = YamlOracle::megabytes_written_per_second(&tools, &path)?;
    let (v2, v3) = (rate("v2 ")?, rate("v3 ")?);
    figure("sigs.k8s.io/yaml, Marshal", &format!("{go:.1} MB/s"), "-");
    figure("written as Marshal does", &format!("{v2:.0} MB/s, {:.0} ×", v2 / go), "≥ 15 ×");
    figure("written as go-yaml v3 does", &format!("{v3:.0} MB/s, {:.0} ×", v3 / go), "-");
    Ok(())
}

/// Returns how many megabytes of a file's documents are written in a second as `Marshal` does.
pub(super) fn written(file: &Path) -> Result<f64> {
    rate(&measured("write_bench", file)?, "v2 ")
}

fn rate(told: &str, name: &str) -> Result<f64> {
    let line =
        told.lines().find_map(|line| line.strip_prefix(name)?.strip_suffix(" MB/s")).with_context(|| format!("no `{name}` in: {told}"))?;
    Ok(line.trim().parse()?)
}

/// Runs one of the measurements of `plumb-yaml` on a file.
fn measured(example: &str, file: &Path) -> Result<String> {
    let output =
        setup::cargo(&["run", "--release", "--quiet", "--package", "plumb-yaml", "--example", example, "--"]).arg(file).output()?;
    ensure!(output.status.success(), "the measurement failed: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Real-looking documents: block YAML as people write it, made by the kubectl of the control plane from the fleet's objects.
fn documents() -> Result<String> {
    let kubectl = Tools::locate()?.kube()?;
    let folder = tempfile::tempdir()?;
    let list = folder.path().join("list.yaml");
    std::fs::write(&list, (0..50).map(|nth| app(nth, "1")).collect::<String>())?;
    let output = Command::new(kubectl)
        .args(["kubectl", "create", "--dry-run=client", "--validate=false", "-o", "yaml", "-f"])
        .arg(&list)
        .output()?;
    let block = setup::root().join("examples/hello/apps/hello/web.yaml");
    let once = if output.status.success() { String::from_utf8(output.stdout)? } else { std::fs::read_to_string(block)? };
    let mut text = String::with_capacity(SIZE + once.len());
    while text.len() < SIZE {
        text.push_str("---\n");
        text.push_str(&once);
    }
    Ok(text)
}
