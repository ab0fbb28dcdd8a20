//! Owns the hash that ends a generated object's name (`api/hasher`), and putting it there.

use plumb_go::strconv::format_float_json;
use sha2::{Digest, Sha256};

use crate::problem::{Outcome, all, wrong};
use crate::resource::Resource;
use crate::resources::Resources;
use crate::run::Run;
use crate::tree::{Kind, Meaning, Origin, Stamp, View, write_json};

/// How many letters a hash has.
const LETTERS: usize = 10;

/// Puts the hash of its content behind the name of each object that asks for it.
pub(crate) fn apply<'a>(resources: &mut Resources<'a>, run: &Run<'a>) -> Outcome<()> {
    if !resources.iter().any(|resource| resource.needs_hash) {
        return Ok(());
    }
    all(resources.list_mut().iter_mut().filter(|resource| resource.needs_hash).map(|resource| add_hash(resource, run))).map(drop)
}

fn add_hash<'a>(resource: &mut Resource<'a>, run: &Run<'a>) -> Outcome<()> {
    let hash = hash(resource).map_err(|error| wrong("hash", error, run.texts.place(resource.view())))?;
    resource.store_previous(run);
    let name = run.texts.keep(format!("{}-{hash}", resource.name()));
    let was = resource.view().at(&["metadata", "name"]).map_or(Origin::WRITTEN, View::origin);
    // Nobody asks for it in a place of its own; it is the content that decides.
    let origin = run.texts.over(Stamp { by: "hash", place: run.texts.place(resource.view()) }, was);
    resource.set_name(name, origin, run.texts);
    Ok(())
}

/// Returns the hash of an object's content. The error is a message.
pub(crate) fn hash(resource: &Resource<'_>) -> Result<String, String> {
    // The name that goes in is always empty: kustomize looks for a field of the name `metadata/name`.
    let content = match resource.kind() {
        "ConfigMap" => content(resource.view(), "ConfigMap", "binaryData", false)?,
        "Secret" => content(resource.view(), "Secret", "stringData", true)?,
        kind => return Err(format!("cannot make a hash of the content of a {kind}, only of a ConfigMap or a Secret")),
    };
    let digest = Sha256::digest(content.as_bytes());
    let hex = digest.iter().flat_map(|byte| [byte >> 4, byte & 15]).take(LETTERS);
    Ok(hex.map(letter).collect())
}

/// A digit, so that no word comes of them: no vowels, and no 0, 1 or 3.
fn letter(digit: u8) -> char {
    match digit {
        0 => 'g',
        1 => 'h',
        3 => 'k',
        10 => 'm',
        14 => 't',
        digit => char::from_digit(u32::from(digit), 16).unwrap_or('g'),
    }
}

/// The JSON that goes in; keys in their order. `more` is left out where it is no map.
fn content(view: View<'_, '_>, kind: &str, more: &str, typed: bool) -> Result<String, String> {
    let more_value = view.get(more).filter(|value| value.kind() != Kind::Scalar);
    let mut fields = vec![("data", field(view, "data")?), ("kind", plumb_yaml::quoted(kind)), ("name", plumb_yaml::quoted(""))];
    if more_value.is_some() {
        fields.push((more, field(view, more)?));
    }
    if typed {
        fields.push(("type", field(view, "type")?));
    }
    fields.sort_by_key(|(key, _)| *key);
    let fields: Vec<String> = fields.into_iter().map(|(key, json)| format!("\"{key}\":{json}")).collect();
    Ok(format!("{{{}}}", fields.join(",")))
}

/// A field as JSON: a scalar as its text whatever it means, a list as null.
fn field(view: View<'_, '_>, name: &str) -> Result<String, String> {
    let Some(value) = view.get(name) else { return Ok("\"\"".to_owned()) };
    match value.kind() {
        Kind::Scalar => Ok(plumb_yaml::quoted(value.text())),
        Kind::List => Ok("null".to_owned()),
        Kind::Map => {
            let mut json = String::new();
            write_json(value, &mut json, true)?;
            let only_texts = value.fields().all(|(_, value)| matches!(value.meaning(), Some(Ok(Meaning::Str(_)))));
            Ok(if only_texts { json } else { with_floats(&json) })
        }
    }
}

/// Go reads JSON's numbers as floats, and writes them so.
fn with_floats(json: &str) -> String {
    let Ok(value) = serde_json::from_str::<serde_json::Value>(json) else { return json.to_owned() };
    let mut out = String::with_capacity(json.len());
    write_value(&value, &mut out);
    out
}

/// Recursion is bounded by the parser's own limit.
fn write_value(value: &serde_json::Value, out: &mut String) {
    match value {
        serde_json::Value::Number(number) => {
            let text = number.as_f64().and_then(format_float_json).unwrap_or_else(|| number.to_string());
            out.push_str(&text);
        }
        serde_json::Value::String(text) => out.push_str(&plumb_yaml::quoted(text)),
        serde_json::Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_value(item, out);
            }
            out.push(']');
        }
        serde_json::Value::Object(fields) => {
            out.push('{');
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by_key(|(key, _)| *key);
            for (index, (key, value)) in fields.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                out.push_str(&plumb_yaml::quoted(key));
                out.push(':');
                write_value(value, out);
            }
            out.push('}');
        }
        other => out.push_str(&other.to_string()),
    }
}
