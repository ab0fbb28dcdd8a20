//! Owns the tests of what callers use: documents, nodes, spans, errors and their places.

use std::sync::Arc;

use plumb_world::Position;
use plumb_yaml::{ByteSpan, Document, ErrorCode, Kind, NodeRef, Options, Scalar, Stream, Style, parse, parse_str, to_json};

fn read(text: &str) -> Stream {
    parse_str(Arc::from(text), &Options::default())
}

fn only(stream: &Stream) -> Document<'_> {
    assert_eq!(stream.documents().len(), 1);
    stream.documents().next().unwrap().unwrap()
}

#[track_caller]
fn check_span(node: NodeRef<'_>, written: &str) {
    let ByteSpan { start, end } = node.span();
    assert_eq!(&node.stream().text()[start as usize..end as usize], written);
}

#[test]
fn streams_are_shared_between_threads() {
    fn shared<T: Send + Sync>(_: &T) {}
    shared(&read("a"));
}

#[test]
fn documents_are_told_apart() {
    let stream = read("# none\n---\n---\n~\n---\nnull # c\n--- {}\n---\na: 1\n...\n# c\n");
    let kinds: Vec<_> = stream.documents().map(|d| d.unwrap()).map(|d| (d.is_empty(), d.root().kind())).collect();
    assert_eq!(kinds, [(true, Kind::Null), (false, Kind::Null), (false, Kind::Null), (false, Kind::Map), (false, Kind::Map)]);
    assert_eq!(read("").documents().len(), 0);
    assert_eq!(read("# only\n\n").documents().len(), 0);
    let spans: Vec<_> = read("a: 1\n---\nb: 2\n").document_spans().collect();
    assert_eq!(spans, [ByteSpan { start: 0, end: 5 }, ByteSpan { start: 5, end: 14 }]);
}

#[test]
fn reading_goes_on_behind_an_error() {
    let text = "a: 1\n---\nb: [\n---\nc: 3\n---\n- d: *x\n---\ne: 'f\n---\ng: !!int h\n---\ni: 9\n";
    let stream = read(text);
    let read: Vec<_> = stream.documents().map(|document| document.is_ok()).collect();
    assert_eq!(read, [true, false, true, false, false, false, true]);
    let errors: Vec<_> = stream.errors().map(|e| (e.code, e.to_string(), stream.position(e.span.start).line)).collect();
    let expect = [
        (ErrorCode::Syntax, "yaml: line 3: did not find expected node content", 4),
        (ErrorCode::UnknownAnchor, "yaml: unknown anchor 'x' referenced", 7),
        (ErrorCode::Syntax, "yaml: line 10: found unexpected document indicator", 10),
        (ErrorCode::Tag, "yaml: cannot decode !!str `h` as a !!int", 11),
    ];
    assert_eq!(errors, expect.map(|(code, message, line)| (code, message.to_owned(), line)));
    let error = stream.errors().next().unwrap();
    assert_eq!(
        (error.message.as_str(), error.go_line, error.code.as_str()),
        ("did not find expected node content", Some(3), "yaml-syntax")
    );
}

#[test]
fn text_behind_a_document_is_an_error_of_its_own() {
    // Go reads only the first document and does not look behind it.
    let stream = read("{a: 1} b\n---\nc: 2\n");
    let documents: Vec<_> = stream.documents().map(|document| document.is_ok()).collect();
    assert_eq!(documents, [true, false, true]);
    assert_eq!(stream.errors().next().unwrap().message, "did not find expected <document start>");
}

#[test]
fn nodes_are_found_and_resolved() {
    let stream = read("a: 12\nb: [x, 'y', \"z\\n\", 1.5, yes, ~]\nc: {d: 18446744073709551615}\n0x10: !!binary aGk=\ne: !!float 2\n");
    let root = only(&stream).root();
    assert_eq!((root.kind(), root.style(), root.len()), (Kind::Map, Style::Block, 5));
    assert_eq!(root.entries().map(|entry| entry.name()).collect::<Vec<_>>(), ["a", "b", "c", "16", "e"]);
    assert_eq!(root.get("a").unwrap().as_i64(), Some(12));
    let b = root.get("b").unwrap();
    let scalars: Vec<_> = b.items().map(|item| item.scalar().unwrap()).collect();
    let text = |text: &'static str| Scalar::Str(text.into());
    assert_eq!(scalars, [text("x"), text("y"), text("z\n"), Scalar::Float(1.5), Scalar::Bool(true), Scalar::Null]);
    assert_eq!(root.get("c").unwrap().get("d").unwrap().scalar(), Some(Scalar::Uint(u64::MAX)));
    assert_eq!(root.get("16").unwrap().scalar(), Some(text("hi")));
    assert_eq!(root.get("16").unwrap().as_str(), None);
    assert_eq!(root.get("e").unwrap().scalar(), Some(Scalar::Float(2.0)));
    assert_eq!((root.get("f").is_none(), b.get("x").is_none(), root.scalar()), (true, true, None));
    assert_eq!(stream.node(b.id()).unwrap().span(), b.span());
    let sym = stream.sym("d").unwrap();
    assert_eq!((stream.key(sym), root.get("c").unwrap().get_sym(sym).is_some()), ("d", true));
}

#[test]
fn nodes_know_where_they_are_written() {
    let stream = read("a: &x 'b c' # d\n\"e\":\n- f\n- g:\n    h: |\n      i\n  j: [k, {l: m}]\nm: !!str 1\no:\n");
    let root = only(&stream).root();
    let key = |name: &str| root.entries().find(|entry| entry.name() == name).unwrap();
    check_span(key("a").key, "a");
    check_span(key("a").value, "'b c'");
    check_span(key("e").key, "\"e\"");
    check_span(key("e").value, "- f\n- g:\n    h: |\n      i\n  j: [k, {l: m}]");
    let item = key("e").value.items().nth(1).unwrap();
    check_span(item, "g:\n    h: |\n      i\n  j: [k, {l: m}]");
    check_span(item.get("g").unwrap().get("h").unwrap(), "|\n      i\n");
    check_span(item.get("j").unwrap(), "[k, {l: m}]");
    check_span(item.get("j").unwrap().items().nth(1).unwrap().get("l").unwrap(), "m");
    check_span(key("m").value, "1");
    check_span(key("o").value, "");
    assert_eq!((key("a").value.anchor(), key("m").value.tag()), (Some("x"), Some("tag:yaml.org,2002:str")));
    assert_eq!(stream.position(item.get("j").unwrap().span().start), Position { line: 7, column: 6 });
}

#[test]
fn the_raw_tree_keeps_what_the_other_expands() {
    let stream = read("a: &x {b: 1}\nc:\n  <<: *x\n  d: 2\n  d: 3\n");
    let document = only(&stream);
    let raw = document.raw().get("c").unwrap();
    let entries: Vec<_> = raw.entries().map(|entry| (entry.name(), entry.key.is_merge(), entry.value.kind())).collect();
    assert_eq!(entries, [("<<", true, Kind::Alias), ("d", false, Kind::Int), ("d", false, Kind::Int)]);
    let alias = raw.entries().next().unwrap().value;
    assert_eq!(alias.alias_target().unwrap().anchor(), Some("x"));
    let meant = document.root().get("c").unwrap();
    assert_eq!(meant.entries().map(|entry| (entry.name(), entry.value.as_i64().unwrap())).collect::<Vec<_>>(), [("b", 1), ("d", 3)]);
    check_span(meant.get("b").unwrap(), "1");
    check_span(meant.get("d").unwrap(), "3");
    assert!(meant.is_expanded());
    assert_eq!(to_json(document.raw(), &mut Vec::new()).unwrap_err().code, ErrorCode::NotJson);
    // A document that has nothing to expand has one tree.
    let plain = read("a: 1");
    assert_eq!(only(&plain).raw().id(), only(&plain).root().id());
}

#[test]
fn duplicates_are_told() {
    let text = "a: 1\nb:\n  yes: 2\n  'true': 3\nc: &x {d: 4}\na: 5\ne: {<<: *x, d: 6}\n";
    let stream = read(text);
    let duplicates: Vec<_> =
        only(&stream).duplicates().map(|d| (d.key, stream.position(d.first.start).line, stream.position(d.again.start).line)).collect();
    assert_eq!(duplicates, [("true", 3, 4), ("a", 1, 6)]);
    assert_eq!(only(&stream).root().get("a").unwrap().as_i64(), Some(5));
    let strict = parse(text.as_bytes(), &Options::default().strict());
    let errors: Vec<_> = strict.errors().map(|error| (error.code, error.message.as_str(), error.go_line)).collect();
    let code = ErrorCode::DuplicateKey;
    let expect = [
        (code, "key \"true\" already set in map", Some(4)),
        (code, "key \"a\" already set in map", Some(6)),
        (code, "key \"d\" already set in map", Some(7)),
    ];
    assert_eq!(errors, expect);
}

#[test]
fn offsets_are_those_of_the_input() {
    let stream = parse("\u{feff}ä: ö\nb: \u{1f600}\n".as_bytes(), &Options::default());
    let root = only(&stream).root();
    check_span(root.get("ä").unwrap(), "ö");
    check_span(root.get("b").unwrap(), "😀");
    assert_eq!(stream.position(root.get("b").unwrap().span().start), Position { line: 2, column: 4 });
}
