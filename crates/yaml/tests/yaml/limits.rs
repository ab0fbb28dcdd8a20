//! Owns the tests that reach each named limit, and Go's alias budget on both sides of its border.

use plumb_yaml::{
    ErrorCode, MAX_BYTES, MAX_DUPLICATE_ERRORS, MAX_ENCODING_ERRORS, MAX_JSON_BYTES, MAX_NODES, MAX_SIMPLE_KEY_CHARS, Options, parse,
    to_json,
};

use crate::options;

fn first_code(text: &[u8], options: &Options) -> Option<ErrorCode> {
    parse(text, options).errors().next().map(|error| error.code)
}

#[test]
fn a_stream_has_a_largest_size() {
    assert_eq!(first_code(&vec![b'\n'; MAX_BYTES + 1], &options(true)), Some(ErrorCode::Limit));
    let mut small = options(true);
    small.max_bytes = 10;
    assert_eq!(first_code(b"a: 1234567", &small), None);
    let stream = parse(b"a: 12345678", &small);
    assert_eq!(stream.errors().next().map(ToString::to_string).as_deref(), Some("yaml: a stream has 11 bytes; it may have 10"));
    // UTF-16 can be longer as UTF-8.
    assert_eq!(first_code(b"\xff\xfe\x2c\x67\x2c\x67\x2c\x67\x2c\x67", &small), Some(ErrorCode::Limit));
}

#[test]
fn a_stream_has_a_largest_number_of_nodes() {
    assert_eq!(first_code("- a\n".repeat(MAX_NODES).as_bytes(), &options(true)), Some(ErrorCode::Limit));
    let mut small = options(true);
    small.max_nodes = 100;
    assert_eq!(first_code("- a\n".repeat(98).as_bytes(), &small), None);
    assert_eq!(first_code("- a\n".repeat(99).as_bytes(), &small), Some(ErrorCode::Limit));
    // What aliases expand to counts too.
    assert_eq!(first_code(format!("- &a [{}]\n{}", "b,".repeat(30), "- *a\n".repeat(5)).as_bytes(), &small), Some(ErrorCode::Limit));
    // Nothing behind the limit is read.
    assert_eq!(parse(format!("{}---\nb\n", "- a\n".repeat(99)).as_bytes(), &small).documents().len(), 1);
}

#[test]
fn json_has_a_largest_size() {
    let text = format!("- &a {}\n{}", "x".repeat(MAX_JSON_BYTES / 16), "- *a\n".repeat(17));
    let stream = parse(text.as_bytes(), &options(true));
    let root = stream.documents().next().unwrap().unwrap().root();
    assert_eq!(to_json(root, &mut Vec::new()).unwrap_err().code, ErrorCode::Limit);
}

#[test]
fn a_simple_key_has_a_largest_length() {
    for (letter, line_reader) in [("k", true), ("k", false), ("é", true), ("é", false)] {
        let key = |length: usize| format!("{}: v\n", letter.repeat(length)).into_bytes();
        assert_eq!(first_code(&key(MAX_SIMPLE_KEY_CHARS), &options(line_reader)), None);
        assert_eq!(first_code(&key(MAX_SIMPLE_KEY_CHARS + 1), &options(line_reader)), Some(ErrorCode::Syntax));
    }
}

#[test]
fn only_so_many_duplicates_are_errors() {
    let text = "a: 1\n".repeat(MAX_DUPLICATE_ERRORS + 10);
    assert_eq!(parse(text.as_bytes(), &options(true).strict()).errors().count(), MAX_DUPLICATE_ERRORS);
    let stream = parse(text.as_bytes(), &options(true));
    assert_eq!(stream.documents().next().unwrap().unwrap().duplicates().len(), MAX_DUPLICATE_ERRORS + 9);
}

#[test]
fn only_so_many_broken_places_are_read_over() {
    let stream = parse(&b"--- \xff\n".repeat(MAX_ENCODING_ERRORS + 10), &options(true));
    assert_eq!(stream.errors().count(), MAX_ENCODING_ERRORS);
    assert_eq!(stream.documents().len(), MAX_ENCODING_ERRORS);
}

/// Plain scalars, aliases, and whether Go reads that: on both sides of the border.
const ALIAS_ANSWERS: &[(u64, u64, bool)] = &[
    (0, 58_057, true),
    (0, 58_058, false),
    (1_000, 58_414, true),
    (1_000, 58_415, false),
    (30_000, 66_716, true),
    (30_000, 66_717, false),
    (100_000, 79_153, true),
    (100_000, 79_154, false),
    (300_000, 96_586, true),
    (300_000, 96_587, false),
];

/// A list of scalars, and a list of aliases to one list of 10 scalars.
fn aliases(plain: u64, aliases: u64) -> String {
    let (plain, aliases) = ("a,".repeat(plain as usize), "*x,".repeat(aliases as usize));
    format!("- &x [a,a,a,a,a,a,a,a,a,a]\n- [{plain}]\n- [{aliases}]\n")
}

#[test]
fn aliases_have_gos_budget() {
    for (plain, count, fits) in ALIAS_ANSWERS {
        let code = first_code(aliases(*plain, *count).as_bytes(), &options(true));
        assert_eq!(code, (!fits).then_some(ErrorCode::AliasBudget), "{plain} scalars, {count} aliases");
    }
}

#[test]
fn a_document_can_be_given_a_largest_depth() {
    let shallow = options(true).max_depth(3);
    for (text, expect) in [
        ("[[[a]]]", None),
        ("[[[[a]]]]", Some(ErrorCode::Limit)),
        ("a:\n  b:\n    c: d\n", None),
        ("a:\n  b:\n    c:\n      d: e\n", Some(ErrorCode::Limit)),
        // What aliases expand to counts too.
        ("a: &a [[b]]\nc: *a\n", None),
        ("a: &a [[b]]\nc: [*a]\n", Some(ErrorCode::Limit)),
    ] {
        assert_eq!(first_code(text.as_bytes(), &shallow), expect, "{text}");
    }
}
