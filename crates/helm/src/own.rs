//! Owns the replay of Helm's own tests on parts that nobody outside sees: layering values, dependencies, sorting, ignoring.

use std::fs;
use std::path::{Path, PathBuf};

use plumb_gotemplate::{Heap, Limits, MAP, MapId, O, Value};
use serde_json::Value as Json;

use crate::dependencies::Part;
use plumb_yaml::Memory;

use crate::manifest::{documents, sorted, told_apart};
use crate::sources::Naming;
use crate::strvals::{Form, from_json, set};
use crate::values::{Log, Nulls, layered, under};
use crate::{Chart, File, Ignore};

pub(crate) fn heap() -> Heap {
    Heap::new(false, Limits::default().heap_bytes)
}

fn map(heap: &mut Heap, json: &Json) -> MapId {
    match from_json(heap, json, O::NONE) {
        Value::Map(_, map) => map,
        _ => heap.map(&MAP),
    }
}

/// Numbers are all floats, as in values.
fn json(heap: &Heap, value: Value) -> Json {
    match value {
        Value::Bool(_, truth) => Json::Bool(truth),
        Value::Int(_, _, int) => Json::from(int as f64),
        Value::Float(_, float) => Json::from(float),
        Value::Str(_, text) | Value::Bytes(_, text) => Json::String(heap.utf8(text).into_owned()),
        Value::List(_, _, items) => heap.items(items).iter().map(|item| json(heap, *item)).collect(),
        Value::Map(_, map) => {
            let entries = heap.get(map).entries().iter();
            entries.map(|entry| (String::from_utf8_lossy(heap.name(entry.key)).into_owned(), json(heap, entry.value))).collect()
        }
        Value::Nil(_) | Value::Obj(..) => Json::Null,
    }
}

fn floats(json: &Json) -> Json {
    match json {
        Json::Number(number) => Json::from(number.as_f64().unwrap()),
        Json::Array(items) => items.iter().map(floats).collect(),
        Json::Object(entries) => entries.iter().map(|(key, value)| (key.clone(), floats(value))).collect(),
        other => other.clone(),
    }
}

/// Holds the differences against the exceptions of a set.
pub(crate) fn settle(set: &str, all: usize, differences: &[(String, String)], exceptions: &[(&str, &str)]) {
    let known = |name: &str| exceptions.iter().any(|(exception, _)| *exception == name);
    let report: Vec<String> =
        differences.iter().filter(|(name, _)| !known(name)).map(|(name, difference)| format!("{name}: {difference}")).collect();
    let failing: std::collections::BTreeSet<&str> = differences.iter().map(|(name, _)| name.as_str()).collect();
    eprintln!("{set}: {} of {all} as recorded", all - failing.len());
    assert!(report.is_empty(), "{set}: {} differ\n{}", report.len(), report.join("\n"));
    let passing: Vec<&str> = exceptions.iter().map(|(name, _)| *name).filter(|name| !failing.contains(name)).collect();
    assert!(passing.is_empty(), "{set}: no exceptions any more: {passing:?}");
    assert!(all > 0, "{set} is empty");
}

fn lines(path: &str) -> Vec<Json> {
    let Some(corpus) = plumb_suite::corpus() else { return Vec::new() };
    fs::read_to_string(corpus.join("helm/tables").join(path)).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

pub(crate) fn folders(set: &str) -> Vec<PathBuf> {
    let Some(corpus) = plumb_suite::corpus() else { return Vec::new() };
    let mut folders: Vec<PathBuf> = fs::read_dir(corpus.join("helm").join(set)).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    folders
}

pub(crate) fn read(path: &Path) -> Json {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

pub(crate) fn load(folder: &Path) -> Result<Chart, String> {
    fn add(folder: &Path, path: &str, files: &mut Vec<File>) {
        let mut entries: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        entries.sort();
        for entry in entries {
            let name = format!("{path}{}", entry.file_name().unwrap().to_string_lossy());
            if entry.is_dir() {
                add(&entry, &format!("{name}/"), files);
            } else {
                let mut data = fs::read(entry).unwrap();
                // Some were made in memory, without what Helm's loader asks for.
                if name.ends_with("Chart.yaml") && !data.windows(8).any(|window| window == b"version:") {
                    data.extend_from_slice(b"\nversion: 0.0.1\n");
                }
                files.push(File { name, data: data.into() });
            }
        }
    }
    let mut files = Vec::new();
    add(folder, "", &mut files);
    Chart::load(files).map_err(|error| error.to_string())
}

#[test]
fn helms_ignore_rules() {
    let cases = lines("ignore.jsonl");
    let mut differences = Vec::new();
    for case in &cases {
        let patterns: Vec<&str> = case["patterns"].as_array().unwrap().iter().map(|pattern| pattern.as_str().unwrap()).collect();
        let path = case["path"].as_str().unwrap();
        let found = Ignore::parse(&patterns.join("\n")).map(|rules| rules.ignores(path, case["isDir"] == true));
        if found.as_ref().ok() != case["expected"].as_bool().as_ref() {
            differences.push((format!("{patterns:?} {path}"), format!("{found:?} and not {}", case["expected"])));
        }
    }
    if !cases.is_empty() {
        settle("ignore", cases.len(), &differences, &[]);
    }
}

#[test]
fn helms_documents() {
    let cases = lines("split-manifests.jsonl");
    let mut differences = Vec::new();
    for (nth, case) in cases.iter().enumerate() {
        let input = case["input"].as_str().unwrap();
        let found: Vec<&str> = documents(input).into_iter().map(|range| input[range].trim_end()).collect();
        let expected = case["expected"].as_object().unwrap();
        // Helm 3 cut what follows a document off, Helm 4 keeps it.
        let same = expected.len() == found.len()
            && (0..found.len()).all(|nth| expected[&format!("manifest-{nth}")].as_str().unwrap().trim_end() == found[nth]);
        if !same {
            differences.push((nth.to_string(), format!("{found:?} and not {expected:?}")));
        }
    }
    if !cases.is_empty() {
        settle("split-manifests", cases.len(), &differences, &[]);
    }
}

#[test]
fn helms_order() {
    let cases = lines("sort-manifests.jsonl");
    let mut differences = Vec::new();
    for (nth, case) in cases.iter().enumerate() {
        let files: Vec<(&str, &str)> =
            case["files"].as_object().unwrap().iter().map(|(path, text)| (path.as_str(), text.as_str().unwrap())).collect();
        let own = files.into_iter().filter(|(path, _)| !path.rsplit('/').next().unwrap().starts_with('_'));
        let found = sorted(own.map(|(path, text)| told_apart(path, text, &mut Memory::default())));
        let (manifests, hooks) = match found {
            Ok(found) => found,
            Err(error) => {
                if case["error"].is_null() {
                    differences.push((nth.to_string(), error));
                }
                continue;
            }
        };
        let found: Vec<&str> = manifests.iter().map(|one| one.content.trim_end()).collect();
        let expected: Vec<&str> =
            case["manifests"].as_array().into_iter().flatten().map(|one| one["content"].as_str().unwrap().trim_end()).collect();
        if found != expected {
            differences.push((nth.to_string(), format!("{found:#?} and not {expected:#?}")));
        }
        let found: Vec<Json> = hooks
            .iter()
            .map(|hook| {
                let (path, kind) = (&hook.manifest.source, &hook.manifest.kind);
                serde_json::json!([path, kind, hook.weight, hook.events, hook.delete_policies])
            })
            .collect();
        let parts = ["path", "kind", "weight", "events", "deletePolicies"];
        let expected: Vec<Json> =
            case["hooks"].as_array().into_iter().flatten().map(|one| parts.iter().map(|part| one[part].clone()).collect()).collect();
        if found != expected {
            differences.push((nth.to_string(), format!("{found:#?} and not {expected:#?}")));
        }
    }
    if !cases.is_empty() {
        settle("sort-manifests", cases.len(), &differences, &[]);
    }
}

fn tables(set: &str, nulls: Nulls, exceptions: &[(&str, &str)]) {
    let cases = lines(&format!("{set}.jsonl"));
    let mut differences = Vec::new();
    for (nth, case) in cases.iter().enumerate() {
        let mut heap = heap();
        let (above, below) = (map(&mut heap, &case["dst"]), map(&mut heap, &case["src"]));
        under(&mut heap, above, below, nulls, &mut Log::new(&mut Vec::new()));
        let (found, expected) = (json(&heap, Value::Map(O::NONE, above)), floats(&case["expected"]));
        if found != expected {
            differences.push((nth.to_string(), format!("{found} and not {expected}")));
        }
    }
    if !cases.is_empty() {
        settle(set, cases.len(), &differences, exceptions);
    }
}

#[test]
fn helms_tables() {
    let shared = ("4", "recorded with one map in several places, which JSON does not show");
    tables("chartutil-coalesce-tables", Nulls::Erase, &[shared]);
    tables("chartutil-merge-tables", Nulls::Keep, &[]);
}

fn charts(set: &str, exceptions: &[(&str, &str)], run: &dyn Fn(&mut Heap, &mut Part<'_>, MapId) -> Result<Json, String>) {
    let folders = folders(set);
    let mut differences = Vec::new();
    for folder in &folders {
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        let mut heap = heap();
        let values = map(&mut heap, &read(&folder.join("values.json")));
        let expected = folder.join("expected.json");
        let chart = load(&folder.join("chart"));
        let found = chart.and_then(|chart| {
            let mut part = Part::new(&mut heap, &chart, &Naming::new(None))?;
            run(&mut heap, &mut part, values)
        });
        let expected = if expected.is_file() { Some(floats(&read(&expected))) } else { None };
        let same = match (&found, &expected) {
            (Ok(found), Some(expected)) => found == expected,
            (Err(_), None) => true,
            _ => false,
        };
        if !same {
            differences.push((name, format!("{found:?} and not {expected:?}")));
        }
    }
    if !folders.is_empty() {
        settle(set, folders.len(), &differences, exceptions);
    }
}

#[test]
fn helms_layers() {
    let nulls = "Helm 3 keeps a chart's own nulls; Helm 4.3.1 leaves them out";
    let exceptions = [("chartutil.TestProcessDependencyImportValues-3", nulls), ("rules.TestV3Fail", nulls)];
    charts("chartutil-coalesce", &exceptions, &|heap, part, values| {
        let out = layered(heap, part, values, Nulls::Erase, &mut Vec::new())?;
        Ok(json(heap, Value::Map(O::NONE, out)))
    });
    charts("chartutil-merge", &[], &|heap, part, values| {
        let out = layered(heap, part, values, Nulls::Keep, &mut Vec::new())?;
        Ok(json(heap, Value::Map(O::NONE, out)))
    });
}

#[test]
fn helms_dependencies() {
    fn tree(part: &Part<'_>) -> Json {
        part.inner.iter().map(|part| serde_json::json!({"name": part.metadata.name, "dependencies": tree(part)})).collect()
    }
    charts("chartutil-process-deps", &[], &|heap, part, values| {
        part.settle(heap, values)?;
        let values = json(heap, Value::Map(O::NONE, part.values));
        // Go tells no values from an empty map here.
        let values = if values == serde_json::json!({}) { Json::Null } else { values };
        Ok(serde_json::json!({"dependencies": tree(part), "values": values}))
    });
}

#[test]
fn helms_values_on_the_command_line() {
    let cases = lines("strvals.jsonl");
    let mut differences = Vec::new();
    for case in &cases {
        let form = match case["func"].as_str().unwrap() {
            "Parse" | "ParseInto" => Form::Typed,
            "ParseString" | "ParseIntoString" => Form::Text,
            "ParseJSON" => Form::Json,
            "ParseLiteral" | "ParseLiteralInto" => Form::Literal,
            other => panic!("no form for {other}"),
        };
        let mut heap = heap();
        let values = map(&mut heap, &case["dest"]);
        let text = case["s"].as_str().unwrap();
        let result = set(&mut heap, values, form, text, &|_: &str| Err("no files".to_owned()), None);
        let found = json(&heap, Value::Map(O::NONE, values));
        let (error, expected) = (case["error"].as_str(), floats(&case["expected"]));
        let same = match (&result, error) {
            (Ok(()), None) => found == expected,
            (Err(found), Some(error)) => found == error,
            _ => false,
        };
        if !same {
            differences.push((format!("{} {text}", case["func"]), format!("{result:?} {found} and not {error:?} {expected}")));
        }
    }
    if !cases.is_empty() {
        let nil =
            differences.iter().filter(|(name, _)| name.starts_with("\"ParseJSON\" outer.inner1=")).map(|(name, _)| name.clone()).next();
        settle("strvals", cases.len(), &differences, &[(nil.as_deref().unwrap_or_default(), "sets in a nil map, which only Go has")]);
    }
}
