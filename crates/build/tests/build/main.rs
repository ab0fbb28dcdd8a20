//! Owns the build's cases: trees of files in, manifests or every error out. `UPDATE=1` records what came.
//!
//! Lines `key: value` of a case's comment set the unit: `path`, `namespace`, `createNamespace`, `step` (a path; may be given again).

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use plumb_build::{Built, Request, SourceTree, build, render_text, report};
use plumb_manifest::Digest;
use plumb_schema::Schema;
use plumb_suite::{Case, Finding, MemoryWorld, Note, check_notes, load};
use plumb_unit::{GitRef, GitSource, NodeKey, Policy, SourceSpec, Step, StepKind, Target, Unit};
use plumb_world::{RelPath, Severity, TreeId};

mod helm;
mod kustomize;
mod limits;
mod rules;

#[test]
fn cases() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let failures: Vec<String> = load(&folder).iter().filter_map(|case| check(case).err()).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn check(case: &Case) -> Result<(), String> {
    let files: Vec<(&str, &[u8])> = case.input.iter().map(|(path, text)| (path.as_str(), text.as_slice())).collect();
    let (world, tree) = MemoryWorld::of(&files);
    let unit = unit(&options(&case.comment));
    let built = run(&world, tree, &unit);
    let texts = case.texts();
    let texts = texts.iter().map(|(path, text)| (path.as_str(), text.as_str()));
    check_notes(texts, &findings(&built)).map_err(|why| format!("case {}: notes\n{why}", case.name))?;
    let mut outputs = BTreeMap::new();
    let text = report::render(&built.diagnostics(), &built.files, &unit.key.to_string(), false);
    for (name, text) in [("report", text), ("manifests", render_text(&built))] {
        if !text.is_empty() {
            outputs.insert(name.to_owned(), text);
        }
    }
    case.check(&outputs)
}

fn options(comment: &str) -> Vec<(String, String)> {
    comment.lines().filter_map(|line| line.split_once(": ")).map(|(key, value)| (key.to_owned(), value.trim().to_owned())).collect()
}

fn unit(options: &[(String, String)]) -> Unit {
    let option = |name: &str| options.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let steps = options.iter().filter(|(key, _)| key == "step");
    let step =
        |path: &str| Step { name: path.into(), kind: StepKind::Plain { source: "main".into(), path: RelPath::parse(path).expect("path") } };
    let source = GitSource {
        url: "https://git.example.com/shop.git".to_owned(),
        reference: GitRef::Branch("main".to_owned()),
        secret: None,
        path: RelPath::parse(option("path").unwrap_or("")).expect("path"),
    };
    Unit {
        key: NodeKey::unit("plumb", "team-a", "shop"),
        sources: BTreeMap::from([("main".into(), SourceSpec::Git(source))]),
        build: steps.map(|(_, path)| step(path)).collect(),
        target: Target {
            cluster: "".into(),
            namespace: option("namespace").map(Into::into),
            create_namespace: option("createNamespace") == Some("true"),
            service_account: None,
        },
        depends_on: Vec::new(),
        policy: Policy::standard(),
        declared_at: "units/shop.yaml:1:1".to_owned(),
        digest: Digest::of(b""),
    }
}

fn run(world: &MemoryWorld, tree: TreeId, unit: &Unit) -> Built {
    let trees = BTreeMap::from([(Arc::from("main"), SourceTree { tree, revision: "main@sha1:4f0c".into() })]);
    build(world, &Request { unit, trees }, &Schema::builtin()).expect("the world of a test does not fail")
}

/// Builds files under a unit whose objects go to namespace `shop`.
fn run_files(files: &[(&str, &str)]) -> Built {
    let (world, tree) = MemoryWorld::of(files);
    run(&world, tree, &unit(&[("namespace".to_owned(), "shop".to_owned())]))
}

fn findings(built: &Built) -> Vec<Finding> {
    let finding = |diagnostic: &plumb_world::Diagnostic| {
        let label = diagnostic.labels.first()?;
        let path = built.files.get(label.span.file)?.path.as_str().to_owned();
        let severity = if diagnostic.severity == Severity::Error { "Error" } else { "Warning" };
        let line = built.files.position(label.span).line;
        Some(Finding { path, note: Note { line, severity, message: diagnostic.message.clone() } })
    };
    built.diagnostics().iter().filter_map(finding).collect()
}
