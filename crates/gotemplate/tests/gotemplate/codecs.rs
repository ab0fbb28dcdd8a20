//! TOML as BurntSushi's library has read and written it (`recorded/toml.jsonl`, made by `oracle toml`), and, when `PLUMB_ORACLE` names the
//! reference program, mutations of those documents as it reads them now. And what becomes of origins on the way through YAML, JSON and TOML.
#![expect(clippy::unwrap_used, reason = "a test ends where it finds something else than it expects")]
#![expect(clippy::disallowed_methods, reason = "a comparison with another program runs it")]
#![expect(clippy::print_stderr, reason = "a test that compares nothing says so")]

use std::io::{BufRead, BufReader, BufWriter, Write};
use std::process::{Command, Stdio};
use std::sync::Arc;

use plumb_gotemplate::{Exec, Functions, Heap, IntKind, ListType, MAP, O, Options, Origin, Scope, Traced, Value, parse};
use plumb_world::{FileId, Span};
use serde_json::json;

use super::render::NoHost;

const RECORDED: &str = include_str!("recorded/toml.jsonl");
const MUTATIONS: usize = 40_000;

/// A value as the reference program takes it: whole numbers are integers, `{"$hex": DIGITS}` is a text of those bytes.
fn value(heap: &mut Heap, json: &serde_json::Value) -> Value {
    if let Some(digits) = json["$hex"].as_str() {
        let bytes: Vec<u8> = (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect();
        return Value::Str(O::NONE, heap.push(&bytes, O::NONE));
    }
    match json {
        serde_json::Value::Null => Value::NIL,
        serde_json::Value::Bool(truth) => Value::bool(*truth),
        serde_json::Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(int), _) => Value::int64(int),
            (None, Some(int)) => Value::Int(O::NONE, IntKind::Uint64, int as i64),
            (None, None) => Value::float(number.as_f64().unwrap()),
        },
        serde_json::Value::String(text) => Value::Str(O::NONE, heap.push(text.as_bytes(), O::NONE)),
        serde_json::Value::Array(items) => {
            let items: Vec<Value> = items.iter().map(|item| value(heap, item)).collect();
            heap.list(ListType::Any, &items)
        }
        serde_json::Value::Object(fields) => {
            let id = heap.map(&MAP);
            for (key, field) in fields {
                let (key, field) = (heap.sym(key.as_bytes()), value(heap, field));
                heap.get_mut(id).set(key, O::NONE, field);
            }
            Value::Map(O::NONE, id)
        }
    }
}

/// Renders a template with a value under `v`.
fn render(template: &str, tracing: bool, data: impl FnOnce(&mut Heap) -> Value) -> Result<(Traced, Heap), String> {
    let functions = Functions::helm();
    let mut heap = Heap::new(tracing, 1 << 30);
    let root = heap.sym(b"gotpl");
    let mut scope = Scope::new(root);
    let name = heap.sym(b"t");
    let text = heap.push_linear(template.as_bytes(), O::NONE, 0);
    let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    parse(&mut heap, &functions, &mut scope, name, text, None).map_err(|error| lossy(&error))?;
    let data = data(&mut heap);
    let (map, key) = (heap.map(&MAP), heap.sym(b"v"));
    heap.get_mut(map).set(key, O::NONE, data);
    let (mut host, mut out) = (NoHost, Traced::default());
    let mut exec = Exec::new(heap, &functions, &mut host, Options::default());
    exec.render(&Arc::new(scope), name, Value::Map(O::NONE, map), &mut out).map_err(|error| lossy(&error.message))?;
    Ok((out, exec.heap))
}

fn text(template: &str, data: &serde_json::Value) -> String {
    let run = |tracing| match render(template, tracing, |heap| value(heap, data)) {
        Ok((out, _)) => String::from_utf8_lossy(&out.bytes).into_owned(),
        Err(error) => error,
    };
    let plain = run(false);
    assert_eq!(plain, run(true), "traced it is another");
    plain
}

fn ours(ask: &serde_json::Value) -> serde_json::Value {
    match ask.get("toml") {
        Some(toml) => json!({ "json": text("{{ fromToml .v | toJson }}", toml), "toml": text("{{ fromToml .v | toToml }}", toml) }),
        None => json!({ "toml": text("{{ toToml .v }}", &ask["value"]) }),
    }
}

/// What differs, if it is not among the exceptions.
fn difference(ask: &serde_json::Value, answer: &serde_json::Value) -> Option<String> {
    let ours = ours(ask);
    let panicked = answer["toml"].as_str().and_then(|text| text.strip_prefix("panic: "));
    let same = *answer == ours || panicked.is_some_and(|reason| ours["toml"].as_str().is_some_and(|ours| ours.ends_with(reason)));
    (!same && reason(answer, &ours).is_none()).then(|| format!("{ask}\n  Go   {answer}\n  ours {ours}"))
}

/// Why two answers that are not equal may stand, if they may.
fn reason(go: &serde_json::Value, ours: &serde_json::Value) -> Option<&'static str> {
    if go["json"] == ours["json"] && ours["json"].as_str().is_some_and(|json| json.contains("Z\"")) {
        return Some("a time that was read without a zone is one of UTC here; Go remembers and leaves the zone out again");
    }
    let part = "was already created as a hash";
    let both = [go, ours].iter().all(|answer| answer["json"].as_str().is_some_and(|json| json.contains(part)));
    both.then_some("Go names as the last key what a slice shared with another key has in it by then")
}

#[test]
fn toml_is_read_and_written_as_by_go() {
    let (mut count, mut wrong) = (0, Vec::new());
    for line in RECORDED.lines() {
        let case: serde_json::Value = serde_json::from_str(line).unwrap();
        count += 1;
        wrong.extend(difference(&case["ask"], &case["answer"]));
    }
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn go_reads_mutations_the_same() {
    let Ok(program) = std::env::var("PLUMB_ORACLE") else {
        eprintln!("PLUMB_ORACLE is not set: nothing was compared with Go");
        return;
    };
    let mut child = Command::new(program).arg("toml").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut questions = BufWriter::new(child.stdin.take().unwrap());
    let mut answers = BufReader::new(child.stdout.take().unwrap());
    let mut ask = |question: &serde_json::Value| -> serde_json::Value {
        writeln!(questions, "{question}").unwrap();
        questions.flush().unwrap();
        let mut line = String::new();
        answers.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    };
    let mut seeds = Vec::new();
    for line in RECORDED.lines() {
        let case: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(ask(&case["ask"]), case["answer"], "the recorded answer is stale: {}", case["ask"]);
        seeds.extend(case["ask"]["toml"].as_str().map(str::to_owned));
    }
    const PIECES: &[&str] = &[
        "\n",
        " ",
        "=",
        "[",
        "]",
        "[[",
        "]]",
        "{",
        "}",
        ",",
        ".",
        "\"",
        "'",
        "\"\"\"",
        "'''",
        "\\",
        "#",
        "a",
        "b",
        "a.b",
        "1",
        "0",
        "_",
        "-",
        "+",
        "1e3",
        "inf",
        "nan",
        "true",
        "0x1",
        "\\u00e9",
        "\n[a]\n",
        "\n[[a]]\n",
        "\na = 1\n",
        "a = {b = 1}",
        "é",
        "\t",
        "\r\n",
        "x = [",
        ":",
        "T",
    ];
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut below = |limit: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as usize % limit.max(1)
    };
    let mut wrong = Vec::new();
    for _ in 0..MUTATIONS {
        let mut chars: Vec<char> = seeds[below(seeds.len())].chars().collect();
        for _ in 0..1 + below(3) {
            let at = below(chars.len() + 1);
            let end = chars.len().min(at + below(5));
            let piece = PIECES[below(PIECES.len())];
            let cut = if below(2) == 0 { at } else { end };
            chars.splice(at..cut, piece.chars().take(if below(4) == 0 { 0 } else { 99 }));
        }
        let question = json!({ "toml": chars.iter().collect::<String>() });
        wrong.extend(difference(&question, &ask(&question)));
    }
    let _ = child.kill();
    let _ = child.wait();
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong[..wrong.len().min(15)].join("\n"));
}

/// A text of one origin: a place with so many bytes in a file.
fn placed(heap: &mut Heap, text: &str, start: u32) -> Value {
    let origin = heap.origins.add(Origin::At(Span { file: FileId(1), start, end: start + text.len() as u32 }));
    Value::Str(origin, heap.push(text.as_bytes(), origin))
}

/// Which places the bytes of a part of the output are from.
fn places(out: &Traced, heap: &Heap, part: &str) -> Vec<u32> {
    let bytes = String::from_utf8_lossy(&out.bytes).into_owned();
    let at = bytes.find(part).unwrap_or_else(|| panic!("{part:?} is not in {bytes:?}"));
    let mut found = Vec::new();
    for seg in out.under(at..at + part.len()) {
        heap.origins.places(seg.origin, false, &mut |span| found.push(span.start));
    }
    found.sort_unstable();
    found.dedup();
    found
}

#[test]
fn keys_and_scalars_keep_their_places() {
    // `{"left": one, "right": two}`, keys at 100 and 200, values at 110 and 210.
    let data = |heap: &mut Heap| {
        let id = heap.map(&MAP);
        for (key, text, at) in [("left", "one", 100), ("right", "yes", 200)] {
            let Value::Str(key_origin, _) = placed(heap, key, at) else { unreachable!() };
            let text = placed(heap, text, at + 10);
            let key = heap.sym(key.as_bytes());
            heap.get_mut(id).set(key, key_origin, text);
        }
        Value::Map(O::NONE, id)
    };
    for template in [
        "{{ toYaml .v }}",
        "{{ toYamlPretty .v }}",
        "{{ toJson .v }}",
        "{{ toPrettyJson .v }}",
        "{{ toToml .v }}",
        "{{ toYaml .v | fromYaml | toJson }}",
        "{{ toJson .v | fromJson | toYaml }}",
        "{{ toToml .v | fromToml | toYaml }}",
        "{{ dict \"x\" (toYaml .v) | toYaml }}",
        "{{ (dict \"x\" (toYaml .v) | toYaml | fromYaml).x }}",
    ] {
        let (out, heap) = render(template, true, data).unwrap();
        for (part, expect) in [("left", 100), ("one", 110), ("right", 200), ("yes", 210)] {
            assert_eq!(places(&out, &heap, part), [expect], "{part} of {template}: {}", String::from_utf8_lossy(&out.bytes));
        }
    }
}
