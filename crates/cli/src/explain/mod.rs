//! Owns `plumb explain PATH OBJECT [FIELD]`: which line of which file each field is from, and why. Here is what charts and kustomizations share.

mod charts;
mod kustomizations;

use std::path::Path;

use plumb_manifest::FieldPath;
use plumb_world::{Position, Span};
use serde_json::{Value, json};

use crate::args::{ExplainArgs, Global};
use crate::kustomize::is_kustomization;
use crate::printer::{Printer, clean_line};
use crate::problem::{Done, Problem};

/// Characters of a value that are shown.
const MAX_SHOWN: usize = 80;
/// Parts and values of one field that are shown to people.
const MAX_ROWS: usize = 20;
/// Names that are listed where one is not found.
const MAX_LISTED: usize = 20;

/// Explains the fields of an object of a chart or a kustomization.
pub(crate) fn run(printer: &Printer, global: &Global, args: &ExplainArgs) -> Done {
    if is_kustomization(Path::new(&args.path)) { kustomizations::run(printer, global, args) } else { charts::run(printer, global, args) }
}

/// The files that explanations point into, as people find them.
trait Places {
    /// The file of a place.
    fn file(&self, place: Span) -> String;
    /// The line and column of a place.
    fn position(&self, place: Span) -> Position;
    /// The line that a place is on.
    fn line(&self, place: Span) -> String;

    /// Who wrote what is at a place, the last one first: one place, unless what is there was put together of others.
    fn written(&self, place: Span) -> Vec<Span> {
        vec![place]
    }

    fn place(&self, place: Span) -> String {
        let position = self.position(place);
        format!("{}:{}:{}", self.file(place), position.line, position.column)
    }

    fn json(&self, place: Span) -> Value {
        let position = self.position(place);
        json!({"file": self.file(place), "line": position.line, "column": position.column})
    }
}

/// Returns the line of a file that a place is on.
fn line_at(data: &[u8], place: Span) -> String {
    let at = (place.start as usize).min(data.len());
    let start = data[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let end = data[at..].iter().position(|byte| *byte == b'\n').map_or(data.len(), |end| at + end);
    cut(&clean_line(&String::from_utf8_lossy(&data[start..end])))
}

/// Whether a field is of what a Secret keeps.
fn is_secret(api_version: &str, kind: &str, path: &FieldPath) -> bool {
    let path = path.to_string();
    kind == "Secret" && api_version == "v1" && (path.starts_with("data") || path.starts_with("stringData"))
}

fn cut(text: &str) -> String {
    if text.chars().count() <= MAX_SHOWN {
        return text.to_owned();
    }
    format!("{}…", text.chars().take(MAX_SHOWN).collect::<String>())
}

/// Refuses a name that several objects have.
fn several(asked: &str, names: &[String]) -> Problem {
    Problem::new(format!("`{}` names {} objects: {}", clean_line(asked), names.len(), names.join(", ")))
        .hint("Write it as `KIND.GROUP/NAME`.")
}

/// Adds what may have been meant by what is not there, or what there is.
fn guessed(problem: Problem, meant: Option<&str>, known: &[String]) -> Problem {
    if let Some(meant) = meant {
        return problem.hint(format!("Did you mean `{}`?", clean_line(meant)));
    }
    if known.is_empty() {
        return problem;
    }
    let shown: Vec<String> = known.iter().take(MAX_LISTED).map(|known| format!("`{}`", clean_line(known))).collect();
    problem.hint(format!("There is {}{}.", shown.join(", "), if known.len() > MAX_LISTED { ", …" } else { "" }))
}

/// Returns an object's identity for programs.
fn object_json(api_version: &str, kind: &str, namespace: &str, name: &str) -> Value {
    let group = api_version.rsplit_once('/').map_or("", |(group, _)| group);
    let mut json = json!({"group": group, "kind": kind, "name": name});
    if !namespace.is_empty() {
        json["namespace"] = Value::from(namespace);
    }
    json
}
