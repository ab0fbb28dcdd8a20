//! Owns the replay of Go's recorded answers: one line per document in `recorded/*.jsonl`, with `json` or `error`, and `strict`
//! when Go's strict reading says something else. The answers are those of `oracle yaml2json`; the long test asks again.

use serde_json::Value;

use crate::{Answer, first, options};

const FILES: &[(&str, &str)] = &[
    ("anchors", include_str!("recorded/anchors.jsonl")),
    ("block", include_str!("recorded/block.jsonl")),
    ("breaks", include_str!("recorded/breaks.jsonl")),
    ("encoding", include_str!("recorded/encoding.jsonl")),
    ("floats", include_str!("recorded/floats.jsonl")),
    ("flow", include_str!("recorded/flow.jsonl")),
    ("integers", include_str!("recorded/integers.jsonl")),
    ("json", include_str!("recorded/json.jsonl")),
    ("keys", include_str!("recorded/keys.jsonl")),
    ("merge", include_str!("recorded/merge.jsonl")),
    ("plain", include_str!("recorded/plain.jsonl")),
    ("quoted", include_str!("recorded/quoted.jsonl")),
    ("structure", include_str!("recorded/structure.jsonl")),
    ("tags", include_str!("recorded/tags.jsonl")),
    ("timestamps", include_str!("recorded/timestamps.jsonl")),
    ("words", include_str!("recorded/words.jsonl")),
];

/// Where we differ on purpose: document, and why.
const DIFFERENCES: &[(&str, &str)] = &[];

/// One recorded document.
pub(crate) struct Case {
    pub(crate) file: &'static str,
    pub(crate) text: Vec<u8>,
    pub(crate) answer: Answer,
    strict: Option<String>,
}

pub(crate) fn cases() -> impl Iterator<Item = Case> {
    FILES.iter().flat_map(|(file, lines)| lines.lines().map(|line| case(file, line)))
}

fn case(file: &'static str, line: &str) -> Case {
    let record: Value = serde_json::from_str(line).unwrap();
    let field = |name: &str| record[name].as_str().map(str::to_owned);
    let text = match field("hex") {
        Some(hex) => (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect(),
        None => field("yaml").unwrap().into_bytes(),
    };
    let answer = field("json").ok_or_else(|| field("error").unwrap());
    Case { file, text, answer, strict: field("strict") }
}

#[test]
fn documents_read_as_go_has_read_them() {
    let (mut count, mut wrong) = (0, Vec::new());
    for Case { file, text, answer, strict } in cases() {
        count += 1;
        let known = DIFFERENCES.iter().any(|(document, _)| document.as_bytes() == text);
        for line_reader in [true, false] {
            let ours = first(&text, &options(line_reader));
            if (ours == answer) == known {
                wrong.push(format!("{file} {:?}\n  Go   {answer:?}\n  ours {ours:?}", String::from_utf8_lossy(&text)));
            }
            let strictly = first(&text, &options(line_reader).strict());
            let expect = strict.clone().map_or_else(|| answer.clone(), Err);
            if strictly != expect && !known {
                wrong.push(format!("{file} strict {:?}\n  Go   {expect:?}\n  ours {strictly:?}", String::from_utf8_lossy(&text)));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count > 1000, "only {count} cases were found");
}
