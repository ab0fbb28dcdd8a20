//! Owns hostile input: every text ends with an answer, in bounded time.
#![expect(clippy::disallowed_methods, reason = "the test measures time")]

use std::time::{Duration, Instant};

use plumb_yaml::{ErrorCode, Stream, parse, to_json};

use crate::options;

/// Generous: the tests are built without optimisation, beside others. What it must tell apart is quadratic time, which takes minutes.
const TIME_LIMIT: Duration = Duration::from_secs(120);

#[track_caller]
fn read(text: &[u8]) -> Stream {
    let start = Instant::now();
    let stream = parse(text, &options(true));
    let mut json = Vec::new();
    for document in stream.documents().flatten() {
        json.clear();
        let _ = to_json(document.root(), &mut json);
    }
    let mut errors = 0;
    for error in stream.errors() {
        stream.position(error.span.start);
        errors += 1;
    }
    let took = start.elapsed();
    assert!(took < TIME_LIMIT, "{took:?} and {errors} errors");
    stream
}

#[track_caller]
fn check(text: impl AsRef<[u8]>, expect: Result<usize, &str>) {
    let stream = read(text.as_ref());
    let first = stream.errors().next().map(ToString::to_string);
    match expect {
        Ok(documents) => assert_eq!((first, stream.documents().len()), (None, documents)),
        Err(message) => assert_eq!(first.as_deref(), Some(message)),
    }
}

#[test]
fn aliases_do_not_multiply_without_end() {
    let mut laughs = "a0: &a0 [l, l, l, l, l, l, l, l, l, l]\n".to_owned();
    for level in 1..10 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        laughs.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
    }
    check(&laughs, Err("yaml: document contains excessive aliasing"));
    let merges: String = (1..30).map(|n| format!("m{n}: &m{n} {{<<: [*m{0}, *m{0}], k{n}: 1}}\n", n - 1)).collect();
    check(format!("m0: &m0 {{k: 1}}\n{merges}"), Err("yaml: document contains excessive aliasing"));
    check("&a [*a, *a]", Err("yaml: anchor 'a' value contains itself"));
}

#[test]
fn depth_is_limited_as_in_go() {
    const DEPTH: usize = 100_000;
    let too_deep = Err("yaml: exceeded max depth of 10000");
    check("[".repeat(DEPTH), too_deep);
    check("{a: ".repeat(DEPTH), too_deep);
    check("[{a: ".repeat(DEPTH), too_deep);
    check("- ".repeat(DEPTH), too_deep);
    check("? ".repeat(DEPTH), too_deep);
    check("a: ".repeat(DEPTH), Err("yaml: mapping values are not allowed in this context"));
    check("!".repeat(DEPTH), Ok(1));
    check("]".repeat(DEPTH), Err("yaml: did not find expected node content"));
    check(format!("{}{}", "[".repeat(10_000), "]".repeat(10_000)), Ok(1));
    let steps: String = (0..2000).map(|n| format!("{}a:\n", " ".repeat(n))).collect();
    check(steps, Ok(1));
}

#[test]
fn long_lines_are_read() {
    const LENGTH: usize = 10 << 20;
    let long = "x".repeat(LENGTH);
    check(&long, Ok(1));
    check(format!("a: {long}\n"), Ok(1));
    check(format!("a: '{long}'\n"), Ok(1));
    check(format!("# {long}\na: b"), Ok(1));
    check(format!("{long}: b\n"), Err("yaml: mapping values are not allowed in this context"));
    check(format!("a: \"{long}"), Err("yaml: found unexpected end of stream"));
    check(format!("a: [{}]", "é,".repeat(LENGTH / 8)), Ok(1));
    check(format!("{{{}", "é: 1,".repeat(LENGTH / 8)), Err("yaml: line 1: did not find expected node content"));
    check(" ".repeat(LENGTH), Ok(0));
    check("\n".repeat(LENGTH), Ok(0));
    check("a\n ".repeat(LENGTH / 8), Ok(1));
    check(format!("a: |\n{}", " x\n".repeat(LENGTH / 8)), Ok(1));
    check(format!("a: \"{}\"", "\\u00e9".repeat(LENGTH / 8)), Ok(1));
}

#[test]
fn many_of_everything_are_read() {
    const COUNT: usize = 100_000;
    check("---\na\n".repeat(COUNT), Ok(COUNT));
    check("--- *x\n".repeat(COUNT), Err("yaml: unknown anchor 'x' referenced"));
    check("a: 1\n".repeat(COUNT), Ok(1));
    check((0..COUNT).map(|n| format!("k{n}: &a{n} v\n")).collect::<String>(), Ok(1));
    check((0..COUNT).map(|n| format!("k{n}: !t{n} v\n")).collect::<String>(), Ok(1));
    check("- &a b\n- *a\n".repeat(COUNT), Ok(1));
    check("%TAG !a! b\n---\nc\n...\n".repeat(COUNT), Ok(COUNT));
    check("--- [\n".repeat(COUNT), Err("yaml: line 1: did not find expected node content"));
    check("--- \"\n".repeat(COUNT), Err("yaml: line 2: found unexpected document indicator"));
    assert_eq!(read("--- *x\n".repeat(COUNT).as_bytes()).errors().count(), COUNT);
}

#[test]
fn what_is_no_text_is_an_error_of_its_document() {
    const CONTROL: &str = "yaml: control characters are not allowed";
    check(vec![0; 100_000], Err(CONTROL));
    check("a: b\n---\0\n".repeat(1000), Err(CONTROL));
    check(vec![0xff; 100_000], Err("yaml: invalid leading UTF-8 octet"));
    check(b"\xff\xfe".repeat(50_000), Ok(0));
    check(b"--- \x80\n".repeat(50_000), Err("yaml: invalid leading UTF-8 octet"));
    let stream = read(b"a: 1\n---\nb: \x01\n---\nc: \xff\n---\nd: 2\n");
    assert_eq!(stream.documents().map(|document| document.is_ok()).collect::<Vec<_>>(), [true, false, false, true]);
    assert!(stream.errors().all(|error| error.code == ErrorCode::Encoding));
    assert_eq!(stream.errors().map(|error| error.span.start).collect::<Vec<_>>(), [12, 21]);
}

#[test]
fn what_does_not_end_is_an_error() {
    for (text, message) in [
        ("a: 'b", "yaml: found unexpected end of stream"),
        ("a: \"b\\", "yaml: found unknown escape character"),
        ("a: \"\\u12", "yaml: did not find expected hexdecimal number"),
        ("[a", "yaml: line 1: did not find expected ',' or ']'"),
        ("{a", "yaml: line 1: did not find expected ',' or '}'"),
        ("a: !<b", "yaml: did not find the expected '>'"),
        ("a: &", "yaml: did not find expected alphabetic or numeric character"),
        ("%", "yaml: could not find expected directive name"),
        ("%TAG !a", "yaml: did not find expected '!'"),
        ("%YAML 1.1", "yaml: line 1: did not find expected <document start>"),
        ("a: b\nc", "yaml: line 3: could not find expected ':'"),
    ] {
        check(text, Err(message));
    }
}
