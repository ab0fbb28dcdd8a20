//! Owns the dialect's cases: a root's files in, its nodes and every mistake out. `UPDATE=1` records what came.
//!
//! Lines `key: value` of a case's comment set the root: `root`, `namespaces`, `platformAccount`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use plumb_build::report;
use plumb_dialect::native::{Lowered, MAX_UNITS, Namespaces, RootSpec, lower_root};
use plumb_suite::{Case, MemoryWorld, load};
use plumb_unit::{Node, NodeKey, Unit};
use plumb_world::{FileTable, RelPath, TreeId, WorldError};

const ROOT: &str = "https://git.example.com/root.git//units@main";

#[test]
fn cases() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let failures: Vec<String> = load(&folder).iter().filter_map(|case| check(case).err()).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn check(case: &Case) -> Result<(), String> {
    let files: Vec<(&str, &[u8])> = case.input.iter().map(|(path, text)| (path.as_str(), text.as_slice())).collect();
    let (world, tree) = MemoryWorld::of(&files);
    let option =
        |name: &str| case.comment.lines().filter_map(|line| line.split_once(": ")).find(|(key, _)| *key == name).map(|(_, value)| value);
    let mut root = RootSpec::parse("plumb", option("root").unwrap_or(ROOT)).expect("a root").with_secret(Some("root"));
    if let Some(names) = option("namespaces") {
        root.namespaces = Namespaces::Only(names.split(", ").map(Into::into).collect());
    }
    root.platform_account = option("platformAccount") != Some("false");
    let mut table = FileTable::default();
    let lowered = lower(&world, tree, &root, &mut table);
    let report = report::render(&lowered.diagnostics, &table, "", false);
    let mut outputs = BTreeMap::from([("nodes".to_owned(), show(&lowered, &table))]);
    if !report.is_empty() {
        outputs.insert("report".to_owned(), report);
    }
    case.check(&outputs)
}

fn lower(world: &MemoryWorld, tree: TreeId, root: &RootSpec, files: &mut FileTable) -> Lowered {
    lower_root(world, tree, root, "main@sha1:4f0c", files).expect("the world of a test does not fail")
}

fn show(lowered: &Lowered, files: &FileTable) -> String {
    let mut text = format!("complete: {}\n", lowered.complete);
    if !lowered.uncertain.is_empty() {
        let _ = writeln!(text, "uncertain: {}", lowered.uncertain.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "));
    }
    if !lowered.unparsed.is_empty() {
        let _ = writeln!(text, "unparsed: {}", lowered.unparsed.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "));
    }
    for (key, node) in &lowered.nodes {
        let _ = writeln!(text, "\n{key} at {}", lowered.declared.get(key).map_or("nowhere".to_owned(), |span| files.place(*span)));
        match node {
            Node::Unit(unit) => show_unit(unit, &mut text),
            Node::Stalled { reasons } => reasons.iter().for_each(|reason| text.push_str(&format!("  stalled: {reason}\n"))),
            Node::Source(_) => text.push_str("  a source\n"),
        }
    }
    text
}

fn show_unit(unit: &Unit, text: &mut String) {
    for (alias, source) in &unit.sources {
        let _ = writeln!(text, "  source {alias}: {source:?}");
    }
    for step in &unit.build {
        let _ = writeln!(text, "  step {}: {:?}", step.name, step.kind);
    }
    let _ = writeln!(text, "  target: {:?}", unit.target);
    for key in &unit.depends_on {
        let _ = writeln!(text, "  depends on: {key}");
    }
    let _ = writeln!(text, "  policy: {:?}", unit.policy);
    assert_eq!(unit.digest, unit.compute_digest());
}

fn declare(name: &str, more: &str) -> String {
    format!(
        "---\napiVersion: plumb.dev/v1alpha1\nkind: Unit\nmetadata: {{name: {name}, namespace: a}}\nspec: {{source: {{path: x}}{more}}}\n"
    )
}

fn lower_text(text: &str) -> Lowered {
    let (world, tree) = MemoryWorld::of(&[("units/a.yaml", text)]);
    lower(&world, tree, &RootSpec::parse("plumb", ROOT).expect("a root"), &mut FileTable::default())
}

#[test]
fn units_of_one_root_are_counted() {
    let text = |many: usize| (0..many).map(|nth| declare(&format!("u{nth}"), "")).collect::<String>();
    let full = lower_text(&text(MAX_UNITS));
    assert_eq!((full.nodes.len(), full.complete), (MAX_UNITS, true));
    let over = lower_text(&text(MAX_UNITS + 1));
    assert_eq!(over.diagnostics.iter().map(|diagnostic| diagnostic.code).collect::<Vec<_>>(), ["unit-count"]);
    assert!(!over.complete);
}

/// A long chain is walked without recursion, a long circle is one circle.
#[test]
fn dependencies_may_be_as_long_as_there_are_units() {
    let chain = |many: usize, last: &str| {
        let unit = |nth: usize| {
            declare(
                &format!("u{nth}"),
                &format!(", dependsOn: [{{name: {}}}]", if nth + 1 == many { last.to_owned() } else { format!("u{}", nth + 1) }),
            )
        };
        (0..many).map(unit).collect::<String>()
    };
    assert!(lower_text(&chain(5_000, "u0")).uncertain.len() == 5_000);
    let open = lower_text(&chain(5_000, "elsewhere"));
    assert_eq!((open.nodes.len(), open.complete), (5_000, true));
}

#[test]
fn a_world_that_fails_says_nothing_about_the_root() {
    let (mut world, tree) = MemoryWorld::of(&[("units/a.yaml", declare("a", ""))]);
    let path = RelPath::parse("units/b.yaml").expect("path");
    world.broken(tree, "units/b.yaml", WorldError::Unreadable { path, why: "the object is missing".to_owned() });
    let root = RootSpec::parse("plumb", ROOT).expect("a root");
    assert!(matches!(lower_root(&world, tree, &root, "x", &mut FileTable::default()), Err(WorldError::Unreadable { .. })));
}

#[test]
fn a_root_may_be_one_file() {
    let (world, tree) = MemoryWorld::of(&[("units.yaml", declare("a", ""))]);
    let root = RootSpec::parse("plumb", "https://git.example.com/root.git//units.yaml").expect("a root");
    let lowered = lower(&world, tree, &root, &mut FileTable::default());
    assert_eq!(lowered.nodes.keys().cloned().collect::<BTreeSet<_>>(), BTreeSet::from([NodeKey::unit("plumb", "a", "a")]));
}

/// Each of these is told, none ends the process, and the unit beside them is there all the same.
#[test]
fn hostile_documents_do_no_harm() {
    let deep = format!("spec: {}", "[".repeat(50_000));
    let aliases = "a: &a [x]\nb: &b [*a, *a]\nspec: *b\n";
    let long = declare(&"n".repeat(100_000), "");
    for text in [
        deep.as_str(),
        aliases,
        &long,
        "apiVersion: plumb.dev/v1alpha1\nkind: Unit\nmetadata: *x\n",
        "apiVersion: plumb.dev/v1alpha1\nkind: Unit\nmetadata: {name: \"\\e[31m\", namespace: \"\u{202e}\"}\nspec: []\n",
        "apiVersion: plumb.dev/v1alpha1\nkind: Unit\nmetadata: {name: a, namespace: b}\nspec: {source: {path: \"a\\0b\"}}\n",
        "apiVersion: plumb.dev/v1alpha1\nkind: Unit\nmetadata: {name: a, namespace: b}\nspec: {source: {git: {url: \"--upload-pack=id\"}}}\n",
        "apiVersion: plumb.dev/v1alpha1\nkind: Unit\nmetadata: {name: !!binary aGk=, namespace: b}\nspec: {source: {path: a}}\n",
        "\u{feff}apiVersion: [plumb.dev/v1alpha1]\nkind: {}\n",
    ] {
        let (world, tree) = MemoryWorld::of(&[("units/bad.yaml", text.to_owned()), ("units/fine.yaml", declare("fine", ""))]);
        let mut files = FileTable::default();
        let lowered = lower(&world, tree, &RootSpec::parse("plumb", ROOT).expect("a root"), &mut files);
        let shown: String = text.chars().take(80).collect();
        assert!(!lowered.complete && !lowered.diagnostics.is_empty(), "{shown:?}");
        assert_eq!(lowered.nodes.keys().map(|key| &*key.name).collect::<Vec<_>>(), ["fine"], "{shown:?}");
        let report = report::render(&lowered.diagnostics, &files, "", false);
        assert!(!report.contains('\u{1b}') && !report.contains('\u{202e}'), "{shown:?}");
    }
}
