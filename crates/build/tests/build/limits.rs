//! Owns the tests that reach each limit of a build, and hostile input: it ends in an error that says what to do, in little time and memory.

use plumb_build::limits::{
    MAX_COLLECTED, MAX_DIAGNOSTICS, MAX_FILE_BYTES, MAX_FILES, MAX_FOLDER_DEPTH, MAX_LIST_DEPTH, MAX_OBJECT_BYTES, MAX_OBJECTS,
    MAX_TOTAL_BYTES,
};
use plumb_build::{Built, report};
use plumb_suite::MemoryWorld;
use plumb_world::{RelPath, WorldError};

use super::{run, run_files, unit};

fn config_map(name: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: shop}}\n")
}

fn errors(built: &Built) -> Vec<(&'static str, String)> {
    let errors = built.result.as_ref().expect_err("an error").iter();
    errors.map(|diagnostic| (diagnostic.code, report::line(diagnostic, &built.files))).collect()
}

#[test]
fn a_file_of_ten_megabytes_is_refused_and_the_others_are_checked() {
    let big = format!("# {}\n", "x".repeat(MAX_FILE_BYTES - 3));
    assert_eq!(big.len(), MAX_FILE_BYTES);
    let built = run_files(&[("big.yaml", &big), ("bad.yaml", "kind: [\n")]);
    let errors = errors(&built);
    assert_eq!(errors[0].1, "error: `big.yaml` has 10000000 bytes; a file must have fewer than 10000000");
    assert!(errors[1].1.starts_with("error: bad.yaml:"), "{errors:?}");
    let built = run_files(&[("big.yaml", &big.replacen("# x", "#", 1)), ("a.yaml", &config_map("a"))]);
    assert_eq!(errors_or_none(&built), None);
}

fn errors_or_none(built: &Built) -> Option<Vec<(&'static str, String)>> {
    built.result.is_err().then(|| errors(built))
}

#[test]
fn the_files_of_a_unit_are_limited_together() {
    let text = format!("# {}\n", "x".repeat(MAX_FILE_BYTES - 4));
    let files: Vec<(String, &str)> = (0..=MAX_TOTAL_BYTES / text.len()).map(|nth| (format!("{nth}.yaml"), text.as_str())).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), *text)).collect();
    let errors = errors(&run_files(&files));
    assert_eq!(errors.len(), 1);
    assert!(errors[0].1.contains("bytes together; 64000000 are allowed"), "{errors:?}");
}

#[test]
fn files_are_counted() {
    let paths: Vec<String> = (0..=MAX_FILES).map(|nth| format!("{nth:05}.yaml")).collect();
    let files: Vec<(&str, &str)> = paths.iter().map(|path| (path.as_str(), "")).collect();
    assert_eq!(errors(&run_files(&files)), [("file-count", "error: `20000.yaml` is file number 20001; a unit may have 20000".to_owned())]);
    assert_eq!(errors_or_none(&run_files(&files[1..])), None);
}

#[test]
fn folders_nest_only_so_deep() {
    let path = |depth: usize| format!("{}a.yaml", "d/".repeat(depth));
    assert_eq!(errors_or_none(&run_files(&[(&path(MAX_FOLDER_DEPTH), "")])), None);
    assert_eq!(errors(&run_files(&[(&path(MAX_FOLDER_DEPTH + 1), "")]))[0].0, "folder-depth");
}

#[test]
fn objects_are_counted() {
    let text: String = (0..=MAX_OBJECTS).map(|nth| format!("---\n{}", config_map(&format!("m{nth}")))).collect();
    let built = run_files(&[("a.yaml", &text)]);
    let place = MAX_OBJECTS * 4 + 2;
    assert_eq!(errors(&built), [("object-count", format!("error: a.yaml:{place}:1: the unit has more than 20000 objects"))]);
}

#[test]
fn an_object_is_no_larger_than_a_request() {
    let text = format!("{}data: {{x: {}}}\n", config_map("a"), "y".repeat(MAX_OBJECT_BYTES));
    assert_eq!(errors(&run_files(&[("a.yaml", &text)]))[0].0, "object-size");
}

#[test]
fn lists_of_lists_nest_only_so_deep() {
    let nested = |depth: usize| {
        let (open, close) = ("{apiVersion: v1, kind: List, items: [".repeat(depth), "]}".repeat(depth));
        format!("{open}{{apiVersion: v1, kind: ConfigMap, metadata: {{name: a}}}}{close}")
    };
    assert_eq!(run_files(&[("a.yaml", &nested(MAX_LIST_DEPTH))]).result.expect("built").len(), 1);
    assert_eq!(errors(&run_files(&[("a.yaml", &nested(MAX_LIST_DEPTH + 1))]))[0].0, "list-depth");
}

#[test]
fn errors_over_the_limit_are_counted() {
    let text = "---\nkind: ConfigMap\n".repeat(MAX_DIAGNOSTICS + 7);
    let built = run_files(&[("a.yaml", &text)]);
    let errors = errors(&built);
    assert_eq!(
        (errors.len(), errors.last().map(|(_, line)| line.as_str())),
        (MAX_DIAGNOSTICS + 1, Some("error: and 7 more of the same severity"))
    );
}

/// A million mistakes are not a million texts in memory.
#[test]
fn what_is_collected_is_limited() {
    let labels: String = (0..MAX_COLLECTED + 5).map(|nth| format!("    l{nth}: 1\n")).collect();
    let built = run_files(&[("a.yaml", &format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  labels:\n{labels}"))]);
    let last = errors(&built).pop().expect("errors").1;
    assert_eq!(last, format!("error: and {} more of the same severity", MAX_COLLECTED - MAX_DIAGNOSTICS));
    let built = run_files(&[("a.yaml", &"---\n[\n".repeat(MAX_COLLECTED + 5))]);
    assert_eq!(errors(&built).len(), MAX_DIAGNOSTICS + 1);
}

#[test]
fn aliases_do_not_multiply_without_end() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for nth in 1..12 {
        let aliases = vec![format!("*a{}", nth - 1); 10].join(", ");
        text.push_str(&format!("a{nth}: &a{nth} [{aliases}]\n"));
    }
    let built = run_files(&[("bomb.yaml", &text), ("bad.yaml", "kind: ConfigMap\n")]);
    let errors = errors(&built);
    assert!(errors.iter().any(|(_, line)| line.starts_with("error: bomb.yaml:")), "{errors:?}");
    assert!(errors.iter().any(|(_, line)| line.starts_with("error: bad.yaml:1:")), "{errors:?}");
}

/// Each of these is an error or harmless; none ends the process, and none keeps the neighbour's error from being told.
#[test]
fn hostile_documents_do_no_harm() {
    let deep_list = "[".repeat(100_000);
    let deep_map = "{a: ".repeat(100_000);
    let deep_indent: String = (0..12_000).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
    let many_documents = "---\n".repeat(200_000);
    let long_line = format!("a: {}", "x ".repeat(500_000));
    let texts: Vec<&[u8]> = vec![
        deep_list.as_bytes(),
        deep_map.as_bytes(),
        deep_indent.as_bytes(),
        many_documents.as_bytes(),
        long_line.as_bytes(),
        b"\xff\xfe\x00\xd8",
        b"\xff\xfea\x00:\x00 \x00b\x00",
        b"\xef\xbb\xbfkind: x",
        b"\x00\x01\x02",
        b"a: &a *a",
        b"a: &a [*a]",
        b"<<: *nothing",
        b"? [a]\n: b",
        b"? {a: b}\n: c",
        b"!!binary x: y",
        b"kind: !!python/object x",
        b"%YAML 9.9\n---\na",
        b"{apiVersion: v1, kind: ConfigMapList, items: {a: b}}",
        b"apiVersion: v1\nkind: List\nitems: [1, null, [], {}]",
        b"apiVersion: v1\nkind: ConfigMap\nmetadata: [a]",
        b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {a: b}, labels: [], annotations: 7}",
        b"apiVersion: [v1]\nkind: {a: b}\nmetadata: 1",
        b"apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: [a]\nstringData: x",
        b"apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: a}\nspec: 1",
        b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a: .inf}",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: \"\u{202e}\u{1b}[31m\"}".as_bytes(),
    ];
    for text in texts {
        let (world, tree) = MemoryWorld::of::<&[u8]>(&[("hostile.yaml", text), ("neighbour.yaml", b"kind: ConfigMap\n")]);
        let built = run(&world, tree, &unit(&[("namespace".to_owned(), "shop".to_owned())]));
        let told =
            errors(&built).iter().filter(|(_, line)| line.starts_with("error: neighbour.yaml:1:1: the object has no `apiVersion`")).count();
        let shown = String::from_utf8_lossy(&text[..text.len().min(80)]).into_owned();
        assert_eq!(told, 1, "{shown:?}");
        let report = report::render(&built.diagnostics(), &built.files, "", false);
        assert!(!report.contains('\u{1b}') && !report.contains('\u{202e}'), "{shown:?}");
        assert!(report.len() < 200_000, "{shown:?}: {}", report.len());
    }
}

#[test]
fn a_world_that_fails_is_not_the_users_mistake() {
    let (mut world, tree) = MemoryWorld::of(&[("a.yaml", config_map("a"))]);
    let path = RelPath::parse("b.yaml").expect("path");
    world.broken(tree, "b.yaml", WorldError::Unreadable { path: path.clone(), why: "the object is missing".to_owned() });
    let unit = unit(&[("namespace".to_owned(), "shop".to_owned())]);
    let trees = std::collections::BTreeMap::from([("main".into(), plumb_build::SourceTree { tree, revision: "x".into() })]);
    let failed = plumb_build::build(&world, &plumb_build::Request { unit: &unit, trees }, &plumb_schema::Schema::builtin());
    assert!(matches!(failed, Err(WorldError::Unreadable { .. })));
}

#[test]
fn a_file_that_the_world_finds_too_large_is_the_users() {
    let (mut world, tree) = MemoryWorld::of(&[("a.yaml", config_map("a"))]);
    let path = RelPath::parse("b.yaml").expect("path");
    world.broken(tree, "b.yaml", WorldError::TooLarge { path, size: 5_000_000_000, limit: 100 });
    let built = run(&world, tree, &unit(&[]));
    assert_eq!(errors(&built), [("file-size", "error: `b.yaml` has 5000000000 bytes; a file may have 100".to_owned())]);
}
