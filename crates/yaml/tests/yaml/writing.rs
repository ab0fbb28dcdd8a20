//! Owns the tests of writing: values as Go's encoders have written them (`recorded/write.jsonl`, made by `oracle yaml-write`), and, when
//! `PLUMB_ORACLE` names the reference program, random ones as it writes them now. A value is JSON; `{"$hex": DIGITS}` is a text of those bytes.
#![expect(clippy::disallowed_methods, reason = "a comparison with another program runs it")]
#![expect(clippy::print_stderr, reason = "a test that compares nothing says so")]

use std::io::{BufRead, BufReader, BufWriter, Write};
use std::process::{Command, Stdio};

use plumb_yaml::{Dialect, Emitter, Options, float_text, float_text_by_json, parse, sort_keys, text_by_json, to_yaml};
use serde_json::{Value, json};

use crate::property::Random;

const RECORDED: &str = include_str!("recorded/write.jsonl");
const RANDOM_VALUES: usize = 60_000;

const WRITERS: [(&str, Dialect); 4] = [
    ("v2", Dialect::V2),
    ("pretty", Dialect::PRETTY),
    ("wide", Dialect::V3 { indent: 4, compact: false }),
    ("compact", Dialect::V3 { indent: 2, compact: true }),
];

/// A text's bytes.
fn bytes(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn hex(value: &Value) -> Option<Vec<u8>> {
    let fields = value.as_object().filter(|fields| fields.len() == 1)?;
    fields.get("$hex")?.as_str().map(bytes)
}

/// Writes a value as `Marshal` (v2) or as an encoder of values (v3); the error is Go's.
fn write(value: &Value, dialect: Dialect, out: &mut Emitter) -> Result<(), String> {
    if let Some(bytes) = hex(value) {
        return text(&bytes, dialect, out, false);
    }
    match value {
        Value::Null => out.plain("null"),
        Value::Bool(truth) => out.plain(&truth.to_string()),
        Value::Number(number) if !number.is_f64() => out.plain(&number.to_string()),
        Value::Number(number) => {
            let float = number.as_f64().unwrap();
            out.plain(&if dialect == Dialect::V2 { float_text_by_json(float).unwrap() } else { float_text(float) });
        }
        Value::String(string) => return text(string.as_bytes(), dialect, out, false),
        Value::Array(items) => {
            out.begin_list(items.len());
            for item in items {
                write(item, dialect, out)?;
            }
            out.end();
        }
        Value::Object(fields) => {
            let fields: Vec<(Vec<u8>, &Value)> = fields
                .iter()
                .map(|(key, field)| (key.strip_prefix("$hex:").map_or_else(|| key.as_bytes().to_vec(), bytes), field))
                .collect();
            let mut order: Vec<usize> = (0..fields.len()).collect();
            sort_keys(&mut order, dialect, |at| fields[*at].0.as_slice());
            out.begin_map(fields.len());
            for at in order {
                let (key, field) = &fields[at];
                text(key, dialect, out, true)?;
                write(field, dialect, out)?;
            }
            out.end();
        }
    }
    Ok(())
}

fn text(bytes: &[u8], dialect: Dialect, out: &mut Emitter, key: bool) -> Result<(), String> {
    match std::str::from_utf8(bytes) {
        Err(_) if dialect != Dialect::V2 && key => out.binary_key(bytes),
        Err(_) if dialect != Dialect::V2 => out.binary(bytes),
        Ok(text) if dialect != Dialect::V2 && key => out.key(text),
        Ok(text) if dialect != Dialect::V2 => out.text(text),
        _ => {
            let text = text_by_json(bytes, key).map_err(|error| error.to_string())?;
            if key { out.key(&text) } else { out.text(&text) }
        }
    }
    Ok(())
}

fn ours(value: &Value, dialect: Dialect) -> Value {
    let mut out = Emitter::with(dialect, Vec::new());
    match write(value, dialect, &mut out) {
        Ok(()) => json!({ "text": String::from_utf8(out.finish()).unwrap() }),
        Err(error) => json!({ "error": error }),
    }
}

/// What differs between Go's answers and ours.
fn differences(value: &Value, answers: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    for (name, dialect) in WRITERS {
        let (go, ours) = (&answers[name], ours(value, dialect));
        // Where a text cannot be read back, the message names a place in a document that is not ours.
        let both_fail = go["error"].is_string() && ours["error"].is_string();
        if *go != ours && !both_fail {
            wrong.push(format!("{name} {value}\n  Go   {go}\n  ours {ours}"));
        }
    }
    wrong
}

#[test]
fn values_are_written_as_go_has_written_them() {
    let (mut count, mut wrong) = (0, Vec::new());
    for line in RECORDED.lines() {
        let mut case: Value = serde_json::from_str(line).unwrap();
        let value = case["value"].take();
        count += 1;
        wrong.extend(differences(&value, &case));
    }
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count > 500, "only {count} cases were found");
}

#[test]
fn what_is_read_is_written_as_it_was() {
    let text = b"a: 1\nb:\n- x: \"yes\"\n  z: null\n- - 1.5\n  - []\n- {}\nc: |\n  one\n  two\n";
    let stream = parse(text, &Options::default());
    let root = stream.documents().next().unwrap().unwrap().root();
    assert_eq!(String::from_utf8(to_yaml(root, Dialect::V2)).unwrap(), String::from_utf8_lossy(text));
}

#[test]
fn ranges_are_those_of_what_was_written() {
    for (_, dialect) in WRITERS {
        let mut out = Emitter::with(dialect, Vec::new());
        let mut ranges = Vec::new();
        out.begin_map(3);
        out.key("a b");
        ranges.push((out.written(), "a b"));
        out.begin_list(2);
        out.text("1");
        ranges.push((out.written(), "\"1\""));
        out.begin_map(0);
        ranges.push((out.written(), "{}"));
        out.end();
        out.end();
        out.key("yes");
        ranges.push((out.written(), "\"yes\""));
        out.plain("null");
        ranges.push((out.written(), "null"));
        out.key("z");
        out.text("it's: so");
        ranges.push((out.written(), "'it''s: so'"));
        out.end();
        let out = String::from_utf8(out.finish()).unwrap();
        for (range, expect) in ranges {
            assert_eq!(&out[range], expect, "{out}");
        }
    }
}

/// Pieces of texts that mean something to a writer.
const PIECES: &[&str] = &[
    " ",
    " ",
    "  ",
    "\n",
    "\n\n",
    "\t",
    "\r",
    "\r\n",
    ":",
    ": ",
    "#",
    " #",
    "-",
    "- ",
    "?",
    "? ",
    "'",
    "\"",
    "\\",
    "&",
    "*",
    "!",
    "|",
    ">",
    "%",
    "@",
    "`",
    "[",
    "]",
    "{",
    "}",
    ",",
    "=",
    "<<",
    "~",
    "null",
    "yes",
    "No",
    "on",
    "true",
    "0",
    "1",
    "07",
    "0x1F",
    "1_0",
    ".5",
    "1e3",
    "1:30",
    ".inf",
    "-.NaN",
    "0o17",
    "0o-7",
    "2001-01-01",
    "2001-1-1T1:1:1Z",
    "---",
    "...",
    "a",
    "b",
    "word",
    "words and words",
    "é",
    "日本語",
    "\u{1f600}",
    "\u{85}",
    "\u{a0}",
    "\u{2028}",
    "\u{2029}",
    "\u{feff}",
    "\u{fffd}",
    "\0",
    "\u{7}",
    "\u{1b}",
    "\u{7f}",
    "\u{9f}",
    "\u{ffff}",
    "<tag>",
    "a-very-long-word-that-goes-on-and-on-and-on-and-on-and-on-and-on-and-on-until-it-ends",
    "lorem ipsum dolor sit amet consetetur",
];

fn random_text(random: &mut Random) -> String {
    let pieces = [0, 1, 1, 1, 2, 3, 5, 8, 30][random.below(9)];
    (0..pieces).map(|_| PIECES[random.below(PIECES.len())]).collect()
}

fn random_key(random: &mut Random) -> String {
    match random.below(4) {
        // Numbers and letters side by side: what the order of keys is about.
        0 => (0..random.below(5)).map(|_| ["a", "B", "1", "2", "10", "0", "-", "_", "é"][random.below(9)]).collect(),
        1 => random_text(random),
        _ => ["name", "key", "spec", "a", "b", "c", "x.y/z"][random.below(7)].to_owned(),
    }
}

fn random_value(random: &mut Random, depth: usize) -> Value {
    let kinds = if depth > 5 { 8 } else { 12 };
    match random.below(kinds) {
        0 => Value::Null,
        1 => json!(random.below(2) == 0),
        2 => json!([0_i64, -1, 80, i64::MAX, i64::MIN, 1_000_000][random.below(6)]),
        3 => json!([0.5, -0.0, 1e6, 1e20, 1e21, 1e-7, 123_456_789.0, 1.5e300, 3.0, 1e19, 0.1][random.below(11)]),
        4 => json!(u64::MAX),
        5 if random.below(8) == 0 => {
            let digits = ["ff".to_owned(), "61ff62".to_owned(), "e280".to_owned(), "00ff".repeat(40)];
            json!({ "$hex": digits[random.below(4)] })
        }
        5..=7 => json!(random_text(random)),
        8 | 9 => (0..random.below(4)).map(|_| random_value(random, depth + 1)).collect(),
        _ => {
            // Go's order of two keys can depend on the third, and then on chance.
            let fields = (0..random.below(3)).map(|_| (random_key(random), random_value(random, depth + 1)));
            Value::Object(fields.collect())
        }
    }
}

#[test]
fn go_writes_the_same() {
    let Ok(program) = std::env::var("PLUMB_ORACLE") else {
        eprintln!("PLUMB_ORACLE is not set: nothing was compared with Go");
        return;
    };
    let mut child = Command::new(program).arg("yaml-write").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut questions = BufWriter::new(child.stdin.take().unwrap());
    let mut answers = BufReader::new(child.stdout.take().unwrap());
    let mut ask = |value: &Value| -> Value {
        writeln!(questions, "{value}").unwrap();
        questions.flush().unwrap();
        let mut line = String::new();
        answers.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    };
    for line in RECORDED.lines() {
        let mut case: Value = serde_json::from_str(line).unwrap();
        let value = case["value"].take();
        case.as_object_mut().unwrap().remove("value");
        assert_eq!(ask(&value), case, "the recorded answer is stale: {value}");
    }
    let (mut random, mut wrong) = (Random::new(7), Vec::new());
    for _ in 0..RANDOM_VALUES {
        let value = random_value(&mut random, 0);
        wrong.extend(differences(&value, &ask(&value)));
    }
    let _ = child.kill();
    let _ = child.wait();
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong[..wrong.len().min(20)].join("\n"));
}
