//! Owns how a build's manifests are printed: as YAML for people and pipes, as objects with their origin for programs.

use std::fmt::Write as _;

use plumb_manifest::Manifest;
use plumb_world::FileTable;
use serde_json::Value;

use crate::Built;
use crate::lines::Lines;

/// A manifest with where it was written: one element of `plumb render -o json`. Fields are added, never changed.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RenderedObject {
    /// Where the document is.
    pub origin: RenderedOrigin,
    /// The hash that the object's stamp will carry.
    pub digest: String,
    /// Whether the object holds secrets.
    pub sensitive: bool,
    /// The object as it is applied, without stamps.
    pub object: Value,
}

/// Where a document is.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RenderedOrigin {
    /// The alias of the unit's source; empty for what the unit itself adds.
    pub source: String,
    /// The source's revision; empty for what the unit itself adds.
    pub revision: String,
    /// Path in that source.
    pub file: String,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

/// Returns the manifests as one YAML stream, in the order of the sources. A document that is applied as it was written is printed so, comments
/// included; one that the build completed (a namespace, an item of a list) is printed from what will be applied. Empty when the build failed.
pub fn render_text(built: &Built) -> String {
    let mut out = String::new();
    let mut lines = Lines::new(&built.files);
    for (manifest, verbatim) in built.result.iter().flatten().zip(&built.verbatim) {
        let line = lines.line(manifest.at).number;
        let file = built.files.get(manifest.at.file);
        let path = file.map_or("?", |file| file.path.as_str());
        let _ = writeln!(out, "---\n# Source: {path}:{line}");
        let written = file.and_then(|file| file.text.get(manifest.at.start as usize..manifest.at.end as usize));
        match written.and_then(|text| std::str::from_utf8(text).ok()) {
            Some(text) if *verbatim => {
                // Not trimmed: behind `|+`, line breaks are part of the text.
                out.push_str(text);
                if !text.ends_with('\n') {
                    out.push('\n');
                }
            }
            _ => emit(&manifest.value(), 0, &mut out),
        }
    }
    out
}

/// Returns the manifests with their origins, in the order of the sources. Empty when the build failed.
pub fn rendered_objects(built: &Built) -> Vec<RenderedObject> {
    let mut lines = Lines::new(&built.files);
    built.result.iter().flatten().map(|manifest| rendered(manifest, &built.files, &mut lines)).collect()
}

fn rendered(manifest: &Manifest, files: &FileTable, lines: &mut Lines<'_>) -> RenderedObject {
    let place = lines.position(manifest.at);
    let file = files.get(manifest.at.file);
    let origin = RenderedOrigin {
        source: file.map_or_else(String::new, |file| file.source.to_string()),
        revision: file.map_or_else(String::new, |file| file.revision.to_string()),
        file: file.map_or_else(String::new, |file| file.path.as_str().to_owned()),
        line: place.line,
        column: place.column,
    };
    RenderedObject { origin, digest: manifest.digest.to_string(), sensitive: manifest.sensitive, object: manifest.value() }
}

/// Returns a value as a YAML document in block style, the way [`render_text`] prints objects.
pub fn yaml_text(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Object(map) if map.is_empty() => out.push_str("{}\n"),
        Value::Array(items) if items.is_empty() => out.push_str("[]\n"),
        Value::Object(_) | Value::Array(_) => emit(value, 0, &mut out),
        scalar => {
            inline(scalar, 0, &mut out);
            out.remove(0);
        }
    }
    out
}

/// Writes a map or list of JSON as block YAML, keys in the order they have.
fn emit(value: &Value, indent: usize, out: &mut String) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let _ = write!(out, "{:indent$}{}:", "", scalar(key));
                member(value, indent + 2, indent, out);
            }
        }
        Value::Array(items) => {
            for item in items {
                let _ = write!(out, "{:indent$}-", "");
                item_of_list(item, indent + 2, out);
            }
        }
        _ => inline(value, indent, out),
    }
}

/// Writes what follows `key:`; a list's dashes stand under the key.
fn member(value: &Value, indent: usize, list_indent: usize, out: &mut String) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            out.push('\n');
            emit(value, indent, out);
        }
        Value::Array(items) if !items.is_empty() => {
            out.push('\n');
            emit(value, list_indent, out);
        }
        _ => inline(value, indent, out),
    }
}

/// Writes what follows `-`: the first key of a map stands on the same line.
fn item_of_list(value: &Value, indent: usize, out: &mut String) {
    let nested = matches!(value, Value::Object(map) if !map.is_empty()) || matches!(value, Value::Array(items) if !items.is_empty());
    if !nested {
        inline(value, indent, out);
        return;
    }
    let mut block = String::new();
    emit(value, indent, &mut block);
    out.push(' ');
    out.push_str(block.trim_start_matches(' '));
}

/// Writes a scalar or an empty collection behind a colon or dash.
fn inline(value: &Value, indent: usize, out: &mut String) {
    match value {
        Value::String(text) if is_block(text) => {
            out.push_str(if text.ends_with('\n') { " |\n" } else { " |-\n" });
            for line in text.lines() {
                let _ = if line.is_empty() { writeln!(out) } else { writeln!(out, "{:indent$}{line}", "") };
            }
        }
        Value::String(text) => {
            let _ = writeln!(out, " {}", scalar(text));
        }
        other => {
            let _ = writeln!(out, " {other}");
        }
    }
}

/// Returns whether a text may stand as a literal block: several lines, nothing at an edge that a block would lose.
fn is_block(text: &str) -> bool {
    let inner = text.strip_suffix('\n').unwrap_or(text);
    inner.contains('\n')
        && !inner.starts_with([' ', '\n'])
        && !inner.ends_with(['\n', ' '])
        && !text.chars().any(|c| (c.is_control() && c != '\n') || matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}'))
}

/// Returns a text plain where no reader can take it for anything else, and quoted everywhere else.
fn scalar(text: &str) -> String {
    const WORDS: [&str; 10] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan"];
    let plain = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/' || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "/_.-".contains(c))
        && !WORDS.iter().any(|word| word.eq_ignore_ascii_case(text));
    if plain {
        return text.to_owned();
    }
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}') => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn yaml_is_written_so_that_it_reads_back() {
        let value = json!({
            "a": {"x": 1, "y": true, "z": null, "empty": {}, "none": []},
            "b": [{"name": "web", "args": ["--a", "on", "1e3"]}, [1, [2]], {}, "text"],
            "c": "two\nlines\n", "d": "two\nlines", "e": " edge\n", "f": "1", "on": "\u{1b}[31m", "g/h.i": "v: 1 # no",
        });
        let mut out = String::new();
        emit(&value, 0, &mut out);
        let expect = "a:\n  empty: {}\n  none: []\n  x: 1\n  \"y\": true\n  z: null\nb:\n- args:\n  - \"--a\"\n  - \"on\"\n  - \"1e3\"\n  name: web\n- - 1\n  - - 2\n- {}\n- text\n\
                      c: |\n  two\n  lines\nd: |-\n  two\n  lines\ne: \" edge\\n\"\nf: \"1\"\ng/h.i: \"v: 1 # no\"\n\"on\": \"\\u001b[31m\"\n";
        assert_eq!(out, expect);
    }
}
