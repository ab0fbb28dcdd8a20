//! Owns the conformance sets: answers that Go's text/template, Sprig and Helm gave, replayed.

use std::collections::BTreeSet;

use plumb_gotemplate::{Functions, Heap, MissingKey, Options, canonical, without_no_value};
use serde_json::Value as Json;

use crate::exceptions::EXCEPTIONS;
use crate::render::{Failed, Request, render};

/// Returns the cases of a set, or nothing where the corpus is not on this machine.
fn cases(path: &str) -> Option<Vec<Json>> {
    let found = plumb_suite::corpus()?.join(path);
    let text = std::fs::read_to_string(found).unwrap();
    Some(text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

/// Counts passes, and holds the failures of a set against its exceptions.
struct Tally {
    set: &'static str,
    passed: usize,
    failed: Vec<(String, String)>,
}

impl Tally {
    fn new(set: &'static str) -> Self {
        Self { set, passed: 0, failed: Vec::new() }
    }

    fn note(&mut self, id: &str, result: Result<(), String>) {
        match result {
            Ok(()) => self.passed += 1,
            Err(difference) => self.failed.push((id.to_owned(), difference)),
        }
    }

    fn finish(self) {
        let known: BTreeSet<&str> = EXCEPTIONS.iter().filter(|(set, ..)| *set == self.set).map(|(_, id, _)| *id).collect();
        let failing: BTreeSet<&str> = self.failed.iter().map(|(id, _)| id.as_str()).collect();
        let all = self.passed + self.failed.len();
        eprintln!("{}: {} of {all} as recorded, {} exceptions", self.set, self.passed, known.len());
        let mut report = String::new();
        for (id, difference) in self.failed.iter().filter(|(id, _)| !known.contains(id.as_str())) {
            report.push_str(&format!("{id}: {difference}\n"));
        }
        for id in known.difference(&failing) {
            report.push_str(&format!("{id}: listed as an exception, but passes (or is gone)\n"));
        }
        assert!(report.is_empty(), "{}:\n{report}", self.set);
    }
}

#[test]
fn templates_are_read_as_go_reads_them() {
    let Some(cases) = cases("gotemplate/parse.jsonl") else { return };
    let mut tally = Tally::new("parse");
    for case in &cases {
        let name = case["name"].as_str().unwrap();
        let result = parsed(name, case["input"].as_str().unwrap());
        let expected = match (&case["actual_tree"], &case["actual_error"]) {
            (Json::String(tree), _) => Ok(tree.clone()),
            (_, error) => Err(error.as_str().unwrap().to_owned()),
        };
        let id = format!("{}/{name}", case["set"].as_str().unwrap());
        tally.note(&id, if result == expected { Ok(()) } else { Err(format!("\n   expected {expected:?}\n   found    {result:?}")) });
    }
    tally.finish();
}

fn parsed(name: &str, text: &str) -> Result<String, String> {
    let mut heap = Heap::new(false, 1 << 30);
    let lossy = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    // Go's own tests, from which these are, set its limit on parentheses to three.
    canonical(&mut heap, &Functions::go(), name.as_bytes(), text.as_bytes(), 3).map(lossy).map_err(lossy)
}

/// Runs a case with one table of functions; the recorded answer is `expected`.
fn check(case: &Json, expected: &Json, functions: &Functions, options: Options, helm: bool) -> Result<(), String> {
    let text = |json: &Json| json.as_str().unwrap().to_owned();
    let templates: Vec<(String, String)> =
        case["templates"].as_array().unwrap().iter().map(|template| (text(&template["name"]), text(&template["text"]))).collect();
    let templates: Vec<(&str, &str)> = templates.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let mut request = Request::new(&templates, case["exec"].as_str().unwrap(), functions);
    request.options = options;
    let first = one(&request, case, expected, helm);
    if first.is_ok() || expected["with_int64"].is_null() {
        return first;
    }
    // Numbers from `--set` are integers: the second recorded answer is that.
    request.int64 = true;
    one(&request, case, &expected["with_int64"], helm).map_err(|second| format!("{}{second}", first.unwrap_err()))
}

fn one(request: &Request<'_>, case: &Json, expected: &Json, helm: bool) -> Result<(), String> {
    let mut rendered = render(request, &case["data"]);
    let traced = render(&Request { tracing: true, ..*request }, &case["data"]);
    if traced.out.bytes != rendered.out.bytes {
        return Err(format!("\n   traced it is another: {:?}", String::from_utf8_lossy(&traced.out.bytes)));
    }
    if helm {
        without_no_value(&mut rendered.out);
    }
    let out = String::from_utf8_lossy(&rendered.out.bytes).into_owned();
    let found = match &rendered.failed {
        None => format!("output {out:?}"),
        Some(failed @ Failed::Parse(_)) => format!("error {:?}", failed.message()),
        Some(failed) => format!("error {:?} after {out:?}", failed.message()),
    };
    let wanted = match (&expected["output"], &expected["error"], &expected["partial_output"]) {
        (Json::String(output), ..) => format!("output {output:?}"),
        (_, Json::String(error), Json::String(partial)) => format!("error {error:?} after {partial:?}"),
        (_, Json::String(error), _) => format!("error {error:?}"),
        _ => return Err("nothing is recorded".to_owned()),
    };
    // Two runs of the reference differed: all that can be asked is that there is output.
    if found == wanted || expected["nondeterministic"] == true && rendered.failed.is_none() {
        return Ok(());
    }
    Err(format!("\n   templates {:?}\n   expected {wanted}\n   found    {found}", request.templates))
}

fn missing_key(case: &Json) -> MissingKey {
    match case["missingkey"].as_str() {
        Some("error") => MissingKey::Error,
        Some("zero") => MissingKey::Zero,
        _ => MissingKey::Invalid,
    }
}

fn run(set: &'static str, path: &str) {
    if let Some(cases) = cases(path) {
        replay(set, &cases);
    }
}

fn replay(set: &'static str, cases: &[Json]) {
    let (sprig, helm) = (Functions::sprig(), Functions::helm());
    let mut tally = Tally::new(set);
    for case in cases {
        let id = case["id"].as_str().unwrap();
        let missing_key = missing_key(case);
        if !case["expected_go"].is_null() {
            let options = Options { missing_key, ..Options::default() };
            tally.note(&format!("{id} (go)"), check(case, &case["expected_go"], &sprig, options, false));
        }
        let options = Options { missing_key: MissingKey::Zero, ..Options::default() };
        tally.note(&format!("{id} (helm)"), check(case, &case["expected_helm"], &helm, options, true));
    }
    tally.finish();
}

#[test]
fn templates_run_as_go_runs_them() {
    run("gotemplate", "gotemplate/cases.jsonl");
}

#[test]
fn sprig_functions_answer_as_recorded() {
    run("sprig", "sprig/cases.jsonl");
}

#[test]
fn helm_functions_answer_as_recorded() {
    run("helmfuncs", "helmfuncs/cases.jsonl");
}

/// Answers of Sprig 3.3.0 and Helm 4.3.1 that come with this project: what goes wrong in functions, and methods.
#[test]
fn functions_answer_as_recorded_here() {
    let cases: Vec<Json> = include_str!("recorded.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    replay("recorded", &cases);
}

/// Random templates with what the real engine answered, one case a line in the file that `PLUMB_GO_ANSWERS` names.
#[test]
fn random_templates_run_as_go_runs_them() {
    let Ok(path) = std::env::var("PLUMB_GO_ANSWERS") else { return };
    let functions = Functions::go();
    let mut tally = Tally::new("random");
    for line in std::fs::read_to_string(path).unwrap().lines() {
        let case: Json = serde_json::from_str(line).unwrap();
        let expected = &case["expected_go"];
        // Our limit is another.
        if expected["error"].as_str().is_some_and(|error| error.contains("exceeded maximum template depth")) {
            continue;
        }
        let missing_key = missing_key(&case);
        tally.note(case["id"].as_str().unwrap(), check(&case, expected, &functions, Options { missing_key, ..Options::default() }, false));
    }
    tally.finish();
}
