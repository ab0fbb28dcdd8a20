//! Owns writing what was read: a node as `sigs.k8s.io/yaml.Marshal` writes the value it stands for, and the rules of that way by JSON.

use std::borrow::Cow;

use plumb_go::strconv;

use crate::stream::{Entry, NodeRef, Scalar};
use crate::write::{Dialect, Emitter};
use crate::write_order::sort_keys;
use crate::{Error, Kind, Options, parse};

/// Writes a node and all in it: keys in order, without comments, anchors and styles.
pub fn write_node(node: NodeRef<'_>, out: &mut Emitter) {
    match node.kind() {
        Kind::Map => {
            let mut entries: Vec<Entry<'_>> = node.entries().collect();
            sort_keys(&mut entries, out.dialect, |entry| entry.name().as_bytes());
            out.begin_map(entries.len());
            for entry in entries {
                out.key(entry.name());
                write_node(entry.value, out);
            }
            out.end();
        }
        Kind::List => {
            out.begin_list(node.len());
            for item in node.items() {
                write_node(item, out);
            }
            out.end();
        }
        _ => match node.scalar() {
            None | Some(Scalar::Null) => out.plain("null"),
            Some(Scalar::Bool(truth)) => out.plain(if truth { "true" } else { "false" }),
            Some(Scalar::Int(value)) => out.plain(&value.to_string()),
            Some(Scalar::Uint(value)) => out.plain(&value.to_string()),
            Some(Scalar::Float(value)) => out.plain(&float_text(value)),
            Some(Scalar::Str(text)) => out.text(&text),
        },
    }
}

/// Returns a node as YAML: what Go's `JSONToYAML` makes of JSON that was read.
pub fn to_yaml(node: NodeRef<'_>, dialect: Dialect) -> Vec<u8> {
    let mut out = Emitter::with(dialect, Vec::new());
    write_node(node, &mut out);
    out.finish()
}

/// Returns the text of a float as go-yaml writes it.
pub fn float_text(value: f64) -> String {
    match strconv::format_float_g64(value).as_str() {
        "+Inf" => ".inf".to_owned(),
        "-Inf" => "-.inf".to_owned(),
        "NaN" => ".nan".to_owned(),
        text => text.to_owned(),
    }
}

/// Returns the text of a float that was JSON in between, as in `Marshal`: whole where its JSON looks like a whole number. Nothing for NaN and
/// the infinities, which JSON refuses.
pub fn float_text_by_json(value: f64) -> Option<String> {
    let json = strconv::format_float_json(value)?;
    if json == "-0" {
        return Some("0".to_owned());
    }
    let whole = json.parse::<i64>().is_ok() || json.parse::<u64>().is_ok();
    Some(if whole { json } else { float_text(value) })
}

/// Returns a text that was JSON in between and then read as YAML, as in `Marshal`: bytes that are no UTF-8 are replaced, NEL is folded to a
/// space. Control characters that JSON does not escape cannot be read back.
pub fn text_by_json(text: &[u8], key: bool) -> Result<Cow<'_, str>, Error> {
    match std::str::from_utf8(text) {
        Ok(valid) => str_by_json(valid, key),
        Err(_) => str_by_json(&utf8(text), key).map(|text| Cow::Owned(text.into_owned())),
    }
}

/// Returns what [`text_by_json`] does of a text that is known to be UTF-8.
pub fn str_by_json(valid: &str, key: bool) -> Result<Cow<'_, str>, Error> {
    /// A key of so many bytes may be longer than reading allows, once it is escaped.
    const LONG_KEY: usize = 170;
    // Most are ASCII without control characters, which this tells at once.
    let special = !valid.is_ascii() || memchr::memchr(0x7f, valid.as_bytes()).is_some();
    let unreadable = special && valid.chars().any(|rune| matches!(rune, '\u{7f}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}'));
    if !(unreadable || key && valid.len() > LONG_KEY) {
        return Ok(Cow::Borrowed(valid));
    }
    let valid = Cow::Borrowed(valid);
    let json = if key { format!("{{{}:0}}", quoted(&valid)) } else { quoted(&valid) };
    let stream = parse(json.as_bytes(), &Options::default());
    let Some(document) = stream.documents().next() else { return Ok(valid) };
    let root = document.map_err(|errors| errors.first().cloned()).map(|document| document.root());
    match root {
        Ok(root) if key => Ok(root.entries().next().map(|entry| Cow::Owned(entry.name().to_owned())).unwrap_or(valid)),
        Ok(root) => Ok(root.as_str().map(|text| Cow::Owned(text.to_owned())).unwrap_or(valid)),
        Err(Some(error)) => Err(error),
        Err(None) => Ok(valid),
    }
}

/// Each byte that is no UTF-8 becomes U+FFFD.
fn utf8(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    text
}

/// Returns a text as encoding/json writes it, with its quotes.
pub fn quoted(text: &str) -> String {
    let mut json = String::with_capacity(text.len() + 2);
    json.push('"');
    for rune in text.chars() {
        match rune {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            '\n' => json.push_str("\\n"),
            '\r' => json.push_str("\\r"),
            '\t' => json.push_str("\\t"),
            '\x08' => json.push_str("\\b"),
            '\x0c' => json.push_str("\\f"),
            '\0'..='\x1f' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                json.push_str(&format!("\\u{:04x}", rune as u32));
            }
            rune => json.push(rune),
        }
    }
    json.push('"');
    json
}
