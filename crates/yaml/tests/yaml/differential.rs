//! Owns the comparison with Go itself. It runs when `PLUMB_ORACLE` names the reference program (`cargo xtask test --long` builds
//! it), on the recorded documents, on random ones, on mutations of both, and on the YAML files below `PLUMB_YAML_CORPUS` if set.
#![expect(clippy::disallowed_methods, reason = "a comparison with another program runs it and reads its input files")]
#![expect(clippy::print_stderr, reason = "a test that compares nothing says so")]

use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use plumb_yaml::{ByteSpan, parse};
use serde_json::Value;

use crate::property::{Random, mutate, random_document};
use crate::recorded::cases;
use crate::{Answer, answers, first, options};

const RANDOM_DOCUMENTS: usize = 60_000;
const MUTATIONS: usize = 60_000;
/// Longer files are cut to pieces before they are mutated.
const MAX_PIECE: usize = 3000;

struct Oracle {
    child: Child,
    questions: BufWriter<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Oracle {
    fn start(program: &str) -> Self {
        let mut child = Command::new(program).arg("yaml2json").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let questions = BufWriter::new(child.stdin.take().unwrap());
        let answers = BufReader::new(child.stdout.take().unwrap());
        Self { child, questions, answers }
    }

    fn ask(&mut self, text: &[u8]) -> Answer {
        writeln!(self.questions, "{}", text.len()).unwrap();
        self.questions.write_all(text).unwrap();
        self.questions.flush().unwrap();
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        let answer: Value = serde_json::from_str(&line).unwrap();
        answer["json"].as_str().map(str::to_owned).ok_or_else(|| answer["error"].as_str().unwrap().to_owned())
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Why two answers that are not equal may stand, if they may.
fn reason(text: &[u8], go: &Answer, ours: &Answer) -> Option<&'static str> {
    const MARK: &[u8] = b"\xef\xbb\xbf";
    const READER: [&str; 4] = ["control characters", "UTF-8", "UTF-16", "surrogate area"];
    if text.starts_with(&[MARK, MARK].concat()) {
        return Some("Go loses characters behind a second byte-order mark");
    }
    let Err(go) = go else {
        return ours.is_ok().then(|| mixed_keys(text)).flatten();
    };
    let reader = READER.iter().any(|part| go.contains(part)) || go == "yaml: invalid Unicode character";
    if reader && parse(text, &options(true)).errors().next().is_some() {
        // It reads ahead in blocks: what is no text there is an error even behind the document's end, or behind another error.
        return Some("Go finds bytes that are no text before it comes to them");
    }
    let cut = ours.as_ref().is_err_and(|ours| ours.ends_with("...}") || ours.ends_with("...")) && go.contains("map key");
    cut.then_some("our message shortens a large key")
}

/// `yes` and `'true'` are two keys for Go until it turns them into one; which of them wins is random there.
fn mixed_keys(text: &[u8]) -> Option<&'static str> {
    let stream = parse(text, &options(true));
    let written = |span: ByteSpan| &stream.text()[span.start as usize..span.end as usize];
    let mixed = stream
        .documents()
        .flatten()
        .flat_map(|document| document.duplicates().collect::<Vec<_>>())
        .any(|d| written(d.first) != written(d.again));
    mixed.then_some("Go takes any of two keys that have one name in JSON")
}

#[track_caller]
fn check(oracle: &mut Oracle, text: &[u8]) {
    let go = oracle.ask(text);
    let ours = first(text, &options(true));
    assert!(ours == go || reason(text, &go, &ours).is_some(), "{:?}\n  Go   {go:?}\n  ours {ours:?}", String::from_utf8_lossy(text));
    let slow = answers(&parse(text, &options(false)));
    assert_eq!(answers(&parse(text, &options(true))), slow, "with and without line reader: {:?}", String::from_utf8_lossy(text));
}

fn corpus() -> Vec<Vec<u8>> {
    let Ok(root) = std::env::var("PLUMB_YAML_CORPUS") else { return Vec::new() };
    let mut files = Vec::new();
    collect(Path::new(&root), &mut files);
    files
}

fn collect(folder: &Path, files: &mut Vec<Vec<u8>>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|ext| ext == "yaml" || ext == "yml") {
            files.extend(std::fs::read(&path).ok());
        }
    }
}

#[test]
fn go_agrees() {
    let Ok(program) = std::env::var("PLUMB_ORACLE") else {
        eprintln!("PLUMB_ORACLE is not set: nothing was compared with Go");
        return;
    };
    let mut oracle = Oracle::start(&program);
    let mut seeds: Vec<Vec<u8>> = Vec::new();
    for case in cases() {
        assert_eq!(
            oracle.ask(&case.text),
            case.answer,
            "the recorded answer is stale: {} {:?}",
            case.file,
            String::from_utf8_lossy(&case.text)
        );
        seeds.push(case.text);
    }
    for file in corpus() {
        check(&mut oracle, &file);
        seeds.push(file);
    }
    let mut random = Random::new(1);
    for _ in 0..RANDOM_DOCUMENTS {
        check(&mut oracle, &random_document(&mut random));
    }
    for _ in 0..MUTATIONS {
        let seed = &seeds[random.below(seeds.len())];
        let from = if seed.len() > MAX_PIECE { random.below(seed.len()) } else { 0 };
        let mut text = seed[from..seed.len().min(from + MAX_PIECE)].to_vec();
        mutate(&mut random, &mut text);
        check(&mut oracle, &text);
    }
}
