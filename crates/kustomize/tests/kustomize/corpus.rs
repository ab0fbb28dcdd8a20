//! Owns the comparison with the corpus: upstream's own tests as data, and real trees with what the real kustomize printed.

use std::fs;
use std::path::Path;

use plumb_kustomize::{Options, Reorder, Request, build};
use plumb_world::{FileTable, RelPath};
use serde_json::Value;

use crate::disk;

/// Cases that come to something else, and why.
const EXCEPTIONS: &[(&str, &str)] = &[];

/// Builds one case; the answer is what is wrong.
fn compare(case: &Path) -> Option<String> {
    let asked: Value = serde_json::from_slice(&fs::read(case.join("options.json")).unwrap()).unwrap();
    let (world, tree) = disk::read(&case.join("input"));
    let reorder = if asked["reorder"] == "none" { Reorder::None } else { Reorder::Legacy };
    let options =
        Options { reorder, restricted: asked["loadRestrictions"] != "none", managed_by_label: asked["addManagedByLabel"] == true };
    let path = RelPath::parse(asked["path"].as_str().unwrap()).unwrap();
    let built = match build(&world, &Request::new(tree, path, options), None, FileTable::default()) {
        Ok(built) => built,
        Err(error) => return Some(format!("the world failed: {error}")),
    };
    let expected = fs::read_to_string(case.join("expected.yaml")).ok();
    match (built.result, expected) {
        (Err(_), None) => None,
        (Ok(_), None) => {
            let why = fs::read_to_string(case.join("expected_error.txt")).unwrap_or_default();
            Some(format!("kustomize refuses this: {}", why.trim()))
        }
        (Err(mistakes), Some(_)) => Some(format!("failed: {}", mistakes[0].message)),
        (Ok(output), Some(expected)) => differing(&expected, &String::from_utf8(output.text).unwrap()),
    }
}

fn differing(expected: &str, ours: &str) -> Option<String> {
    if expected == ours {
        return None;
    }
    let at = expected.lines().zip(ours.lines()).position(|(expected, ours)| expected != ours);
    let at = at.unwrap_or_else(|| expected.lines().count().min(ours.lines().count()));
    let line = |text: &str| text.lines().nth(at).unwrap_or("(end)").to_owned();
    Some(format!("line {}: kustomize {:?}, Plumb {:?}", at + 1, line(expected), line(ours)))
}

fn check(set: &str) {
    let Some(corpus) = plumb_suite::corpus() else { return };
    let folder = corpus.join("kustomize").join(set);
    let mut names: Vec<String> =
        fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    let mut wrong = Vec::new();
    for name in &names {
        let excepted = EXCEPTIONS.iter().any(|(known, _)| *known == format!("{set}/{name}"));
        match compare(&folder.join(name)) {
            None if excepted => wrong.push(format!("{name}: an exception that passes now")),
            None => {}
            Some(_) if excepted => {}
            Some(why) => wrong.push(format!("{name}: {why}")),
        }
    }
    eprintln!("{set}: {} of {}", names.len() - wrong.len(), names.len());
    assert!(wrong.is_empty(), "{} of {} cases of {set} differ:\n{}", wrong.len(), names.len(), wrong.join("\n"));
}

#[test]
fn upstreams_own_tests() {
    check("krusty");
}

#[test]
fn upstreams_tests_of_plugins() {
    check("builtin");
}

#[test]
fn real_trees() {
    check("real");
}
