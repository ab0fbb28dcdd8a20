//! Owns the comparison of real charts with `helm template`: byte by byte, and document by document where two runs of Helm differ.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use plumb_helm::{Options, ValuesFile, render};
use serde_json::Value;

use crate::folder::load;
use crate::host::NoHost;

fn rendered(folder: &Path, variant: &Value) -> Result<String, String> {
    let chart = load(&folder.join("chart"))?;
    let file = |name: &str| ValuesFile { name: name.to_owned(), content: fs::read(folder.join(name)).unwrap().into(), secret: false };
    let values: Vec<ValuesFile> = variant["values"].as_str().map(file).into_iter().collect();
    let mut options = Options { release: "rel", namespace: "ns", values: &values, ..Options::default() };
    options.capabilities.set_kube_version("1.34.0")?;
    let rendered = render(&chart, &options, &mut NoHost).map_err(|error| error.to_string())?;
    Ok(rendered.text(variant["include_crds"] == true))
}

/// The documents of a text, without blank lines; lines that differ from run to run are not there.
fn documents(text: &str, differing: &BTreeSet<u64>) -> Vec<Vec<Option<String>>> {
    let mut documents = Vec::new();
    let mut current: Vec<Option<String>> = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        if line == "---" {
            documents.push(std::mem::take(&mut current));
        } else if !line.trim().is_empty() {
            current.push((!differing.contains(&number)).then(|| line.to_owned()));
        }
    }
    documents.push(current);
    documents.retain(|document| !document.is_empty());
    documents
}

fn same(expected: &[Option<String>], ours: &[Option<String>]) -> bool {
    expected.len() == ours.len() && expected.iter().zip(ours).all(|(expected, ours)| expected.is_none() || expected == ours)
}

/// Compares one variant; the answer is what is wrong.
fn compare(folder: &Path, variant: &Value) -> Option<String> {
    let ours = rendered(folder, variant);
    if variant["rc"] != 0 {
        return ours.is_ok().then(|| "Helm refuses this".to_owned());
    }
    let ours = match ours {
        Ok(ours) => ours,
        Err(error) => return Some(format!("failed: {error}")),
    };
    let expected = variant["helm4"]["expected"].as_str().or(variant["expected"].as_str()).unwrap();
    let expected = fs::read_to_string(folder.join(expected)).unwrap();
    let differing: BTreeSet<u64> = variant["differing_lines"].as_array().into_iter().flatten().filter_map(Value::as_u64).collect();
    if differing.is_empty() && !variant["nondeterministic"].as_bool().unwrap_or_default() {
        if expected == ours {
            return None;
        }
        let at = expected.lines().zip(ours.lines()).position(|(expected, ours)| expected != ours);
        let at = at.unwrap_or_else(|| expected.lines().count().min(ours.lines().count()));
        let line = |text: &str| text.lines().nth(at).unwrap_or("(end)").to_owned();
        return Some(format!("line {}: Helm {:?}, Plumb {:?}", at + 1, line(&expected), line(&ours)));
    }
    let mut left = documents(&ours, &BTreeSet::new());
    for document in documents(&expected, &differing) {
        let Some(at) = left.iter().position(|ours| same(&document, ours)) else {
            let head: Vec<_> = document.iter().flatten().take(6).collect();
            return Some(format!("a document is not there: {head:?}"));
        };
        left.remove(at);
    }
    left.first().map(|document| format!("a document too many: {:?}", document.first()))
}

/// Variants that come to something else, and why.
const EXCEPTIONS: &[(&str, &str)] = &[
    ("DataDog-datadog", "`install_time` is the second of the recording, which both runs had"),
    (
        "open-telemetry-opentelemetry-demo",
        "recorded with files that the copy of the chart does not have; Helm 4.3.1 on the copy prints what Plumb does",
    ),
    ("stefanprodan-podinfo", "recorded with Helm 3, which keeps `limits: null` of a chart's own values; Helm 4.3.1 prints what Plumb does"),
    (
        "VictoriaMetrics-victoria-metrics-k8s-stack",
        "recorded with Helm 3, which keeps a chart's own nulls; Helm 4.3.1 prints what Plumb does",
    ),
];

#[test]
fn charts_come_to_what_helm_prints() {
    let Some(corpus) = plumb_suite::corpus() else { return };
    let only = std::env::var("PLUMB_CHART").unwrap_or_default();
    let (mut all, mut excepted, mut failed) = (0, 0, Vec::new());
    let mut folders: Vec<_> = fs::read_dir(corpus.join("helm/charts")).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    for folder in folders {
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        if !name.contains(&only) {
            continue;
        }
        let case: Value = serde_json::from_slice(&fs::read(folder.join("case.json")).unwrap()).unwrap();
        for variant in case["variants"].as_array().unwrap() {
            all += 1;
            let Some(difference) = compare(&folder, variant) else { continue };
            let recorded_once = variant["nondeterministic"] == true;
            if recorded_once && EXCEPTIONS.iter().any(|(chart, _)| *chart == name) {
                excepted += 1;
            } else {
                failed.push(format!("{name} {}: {difference}", variant["name"].as_str().unwrap()));
            }
        }
    }
    if let Some(path) = std::env::var_os("PLUMB_FAILED") {
        fs::write(path, failed.join("\n")).unwrap();
    }
    eprintln!("{all} variants of charts, {excepted} of them exceptions");
    assert!(failed.is_empty(), "{} of {all} differ:\n{}", failed.len(), failed.join("\n"));
}
