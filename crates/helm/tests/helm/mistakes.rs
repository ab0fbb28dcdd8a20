//! Owns what is said of mistakes that people make: small charts that come to nothing (`mistakes.txt`), each with all that its author is told. The name of a
//! case ends with the places and keys that have to be named, so that a report that loses one cannot be written down by oversight.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::path::Path;

use plumb_helm::{Chart, File, Options, ValuesFile, diagnose, render};
use plumb_suite::{Answer, Recorded, UPDATE, answered, difference, recorded, updating};
use plumb_world::{Diagnostic, FileId, Span};

use crate::host::NoHost;
use crate::recorded::asked;

const FAMILY: &str = include_str!("mistakes.txt");
/// As much as is kept of Helm's own words: a template that calls itself is told of call by call.
const MAX_HELM_CHARS: usize = 800;

/// The files of a render, by their numbers.
type Files = Vec<(String, Vec<u8>)>;

/// Where a place is: file, line, column in characters.
fn place(files: &Files, span: Span) -> String {
    let (name, data) = &files[span.file.0 as usize];
    let before = String::from_utf8_lossy(&data[..span.start as usize]).into_owned();
    let (line, column) = (before.matches('\n').count() + 1, before.rsplit('\n').next().unwrap_or_default().chars().count() + 1);
    format!("{name}:{line}:{column}")
}

fn report(diagnostics: &[Diagnostic], files: &Files) -> String {
    let mut out = String::new();
    for diagnostic in diagnostics {
        writeln!(out, "{}: {}", diagnostic.code, diagnostic.message).unwrap();
        for label in &diagnostic.labels {
            let data = &files[label.span.file.0 as usize].1;
            let shown = String::from_utf8_lossy(&data[label.span.start as usize..label.span.end as usize]).into_owned();
            let text = if label.text.is_empty() { String::new() } else { format!(": {}", label.text) };
            writeln!(out, "  {} <{}>{text}", place(files, label.span), shown.escape_debug()).unwrap();
        }
        for hint in &diagnostic.hints {
            writeln!(out, "  help: {}", hint.replace('\n', "\n    ")).unwrap();
        }
    }
    out
}

/// All that is said of a case: Helm's own words, then the report.
fn said(case: &Recorded) -> String {
    let files: RefCell<Files> = RefCell::default();
    let named = |name: &str, file: &File| {
        let mut files = files.borrow_mut();
        let at = files.iter().position(|(known, _)| known == name).unwrap_or_else(|| {
            files.push((name.to_owned(), file.data.to_vec()));
            files.len() - 1
        });
        u32::try_from(at).ok().map(FileId)
    };
    let told = asked(case, |chart, options| {
        let error = render(chart, options, &mut NoHost).map_or_else(|error| error.to_string(), |_| "none: this is no mistake".to_owned());
        let options = Options {
            trace: Some(&named),
            release: options.release,
            namespace: options.namespace,
            values: options.values,
            arguments: options.arguments,
            read_file: options.read_file,
            ..Options::default()
        };
        (error, diagnose(chart, &options, &mut NoHost))
    });
    let (error, diagnostics) = told.unwrap();
    let kept: String = error.trim_end().chars().take(MAX_HELM_CHARS).collect();
    format!("Error: {kept}\n{}", report(&diagnostics, &files.borrow()))
}

/// A value that is nowhere but in a file of values that is secret.
const CANARY: &str = "canary-7f3a";

#[test]
fn what_is_said_of_secret_values_does_not_show_them() {
    let value = |text: &str| format!("key: '{text}'\nlist: ['{text}']\n");
    let (colon, template) = (value(&format!("{CANARY}: x")), value(&format!("{{{{ {CANARY}")));
    let plain = value(CANARY);
    let strict = format!("strict: {CANARY}\n");
    let broken = format!("key: \"{CANARY}\n");
    for (text, values) in [
        ("a: b\nkey: {{ .Values.key }}\n", &colon),
        ("a: b\nkey: \"{{ .Values.key }}\nx: y\n", &plain),
        ("key: {{ tpl .Values.key . }}\n", &template),
        ("{{ range .Values.key }}{{ end }}", &plain),
        ("{{ index .Values.list .Values.key }}", &plain),
        ("{{ semverCompare .Values.key \"1.0.0\" }}", &plain),
        ("{{ regexMatch (printf \"[%s\" .Values.key) \"a\" }}{{ mustRegexMatch (printf \"[%s\" .Values.key) \"a\" }}", &plain),
        ("a: b\n", &broken),
        ("a: b\n", &strict),
    ] {
        let file = |name: &str, text: &str| File { name: name.to_owned(), data: text.as_bytes().into() };
        let definition = file("Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\n");
        let schema = file("values.schema.json", r#"{"properties": {"strict": {"pattern": "^x"}}}"#);
        let chart = Chart::load(vec![definition, schema, file("templates/a.yaml", text)]).unwrap();
        let values = [ValuesFile { name: "secret".to_owned(), content: values.as_bytes().into(), secret: true }];
        let names: RefCell<Vec<String>> = RefCell::default();
        let named = |name: &str, _: &File| {
            names.borrow_mut().push(name.to_owned());
            u32::try_from(names.borrow().len()).ok().map(FileId)
        };
        let options = Options { release: "rel", values: &values, trace: Some(&named), ..Options::default() };
        let told = diagnose(&chart, &options, &mut NoHost);
        assert!(!told.is_empty(), "{text} renders");
        assert!(!format!("{told:?}").contains(CANARY), "{text}: {told:#?}");
    }
}

#[test]
fn mistakes_are_told_with_their_place_and_the_value() {
    let cases = recorded(FAMILY);
    assert!(cases.len() >= 50, "only {} cases", cases.len());
    let mut wrong = Vec::new();
    let again = answered(FAMILY, &mut |case| {
        let said = said(case);
        // What Helm itself says names places too; those of the report count.
        let report = said.split_once("\nhelm-").map_or("", |(_, report)| report);
        let marks = case.name.rsplit_once(": ").map_or("", |(_, marks)| marks).split(", ");
        for mark in marks {
            let is_place = mark.rsplit_once(':').is_some_and(|(_, line)| line.bytes().all(|byte| byte.is_ascii_digit()));
            let wanted = if is_place { format!("\n  {mark}:") } else { format!("`{mark}`") };
            if !report.contains(&wanted) {
                wrong.push(format!("{}: {wanted:?} is not named\n{said}", case.name));
            }
        }
        let Some(Answer::Error(expected)) = &case.answer else { return Answer::Error(said) };
        if let Some(difference) = difference(expected, &said).filter(|_| !updating()) {
            wrong.push(format!("{}\n{difference}", case.name));
        }
        Answer::Error(said)
    });
    if updating() {
        std::fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/helm/mistakes.txt"), again).unwrap();
    }
    assert!(cases.iter().all(|case| case.answer.is_some()) || updating(), "a case was never written down: {UPDATE}=1");
    assert!(wrong.is_empty(), "{} are wrong\n{}", wrong.len(), wrong.join("\n"));
}
