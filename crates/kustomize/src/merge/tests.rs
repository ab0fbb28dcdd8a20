//! Owns the tests of strategic merge: cases of objects and patches, each with what comes of it.

use std::sync::Arc;

use plumb_schema::kustomize::Schema;
use plumb_world::{FileTable, RelPath, SourceFile};
use serde::Deserialize;

use super::*;
use crate::problem::Failure;
use crate::tree::{Kind, write_yaml};

pub(crate) fn read<'a>(texts: &'a Texts, path: &str, text: &str) -> Node<'a> {
    let bytes: Arc<[u8]> = Arc::from(text.as_bytes());
    let path = RelPath::parse(path).unwrap();
    let file = texts.add(SourceFile { source: Arc::from(""), revision: Arc::from(""), path, text: bytes, made: false });
    let stream = texts.read(file, Arc::from(text));
    Node::written(stream.documents().next().unwrap().unwrap().root())
}

pub(crate) fn print(node: &Node<'_>) -> String {
    let mut emitter = plumb_yaml::Emitter::with(plumb_yaml::Dialect::V2, Vec::new());
    write_yaml(node.view(), &mut emitter, true).unwrap();
    String::from_utf8(emitter.finish()).unwrap()
}

fn merged(dest: &str, patch: &str, prepend: bool, infer: bool) -> String {
    let texts = Texts::new(FileTable::default());
    let (dest, patch) = (read(&texts, "object.yaml", dest), read(&texts, "patch.yaml", patch));
    let schema = Schema::builtin();
    let merging = Merging { schema: &schema, texts: &texts, by: "patches", prepend, infer };
    match merging.merge(dest, &patch) {
        Ok(Some(node)) => print(&node),
        Ok(None) => String::new(),
        Err(Failure::Wrong(mistakes)) => format!("error: {}\n", mistakes.first().unwrap().message),
        Err(Failure::World(error)) => panic!("{error}"),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Case {
    description: String,
    dest: String,
    source: String,
    expected: String,
    infer: bool,
    list_increase_direction: u8,
}

/// What is not done, and why.
const NOT_DONE: [(&str, &str); 1] = [("merge_primitive_items", "a schema in a comment of the object is not read")];

#[test]
#[expect(clippy::disallowed_methods, reason = "the corpus is files")]
fn merges_as_kyaml_does() {
    let Some(corpus) = plumb_suite::corpus() else { return };
    let text = std::fs::read_to_string(corpus.join("kustomize/merge2.jsonl")).unwrap();
    let mut wrong = Vec::new();
    for line in text.lines() {
        let case: Case = serde_json::from_str(line).unwrap();
        let found = merged(&case.dest, &case.source, case.list_increase_direction == 1, case.infer);
        let texts = Texts::new(FileTable::default());
        let is_nothing = case.expected.trim().is_empty();
        let expect = if is_nothing { String::new() } else { print(&read(&texts, "expected.yaml", &case.expected)) };
        let is_known = NOT_DONE.iter().any(|(name, _)| *name == case.description);
        if (found != expect) != is_known {
            wrong.push(format!("{}:\n{found}instead of\n{expect}", case.description));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_a_patch_does_not_reach_is_not_opened() {
    let texts = Texts::new(FileTable::default());
    let dest = read(&texts, "object.yaml", "apiVersion: v1\nkind: ConfigMap\ndata: {a: b}\nspec: {x: {y: z}}\n");
    let patch = read(&texts, "patch.yaml", "data: {c: d}\n");
    let schema = Schema::builtin();
    let merging = Merging { schema: &schema, texts: &texts, by: "patches", prepend: true, infer: false };
    let node = merging.merge(dest, &patch).unwrap().unwrap();
    assert!(node.view().get("spec").unwrap().node_ref().is_some());
    let added = node.view().at(&["data", "c"]).unwrap();
    assert_eq!(added.kind(), Kind::Scalar);
    let chain = texts.chain(added);
    assert_eq!(chain.iter().map(|stamp| stamp.by).collect::<Vec<_>>(), ["patches"]);
    assert_eq!(texts.path(chain[0].place.unwrap().file).unwrap().to_string(), "patch.yaml");
}

/// Cases with what kustomize's own code makes of them.
#[test]
fn merges_as_kustomize_does() {
    let mut wrong = Vec::new();
    for case in include_str!("cases.txt").split("=== ").skip(1) {
        let (name, rest) = case.split_once('\n').unwrap();
        let (dest, rest) = rest.split_once("--- patch\n").unwrap();
        let (patch, expect) = rest.split_once("--- expect\n").unwrap();
        let found = merged(dest, patch, true, false);
        if found != expect {
            wrong.push(format!("{name}:\n{found}instead of\n{expect}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn patches_reach_as_deep_as_documents() {
    let nested = |levels: usize| format!("{}x{}", "{a: ".repeat(levels), "}".repeat(levels));
    assert!(!merged("{}", &nested(MAX_DEPTH - 1), true, false).starts_with("error"));
    // What is deeper is not read at all.
    let (dest, patch) = (nested(MAX_DEPTH), nested(MAX_DEPTH).replace('x', "y"));
    assert!(!merged(&dest, &patch, true, false).starts_with("error"));
}
