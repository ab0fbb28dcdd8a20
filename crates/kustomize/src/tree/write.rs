//! Owns printing: an object as `kustomize build` prints it, which is what go-yaml v3 reads of it, as JSON, as go-yaml v2 writes that.

use std::borrow::Cow;

use plumb_go::strconv;
use plumb_yaml::{Dialect, Emitter, float_text, float_text_by_json, sort_keys, str_by_json};

use super::scalar::Meaning;
use super::view::{Key, Kind, View};

/// Finds out whether an object can be written as YAML. The error is Go's message.
pub(crate) fn check_yaml(view: View<'_, '_>) -> Result<(), String> {
    check_node(view, true)
}

fn check_node(view: View<'_, '_>, top: bool) -> Result<(), String> {
    match view.kind() {
        Kind::Map => view.fields().try_for_each(|(key, value)| {
            check_key(key, top)?;
            by_json(key.text, true)?;
            check_node(value, false)
        }),
        Kind::List => view.items().try_for_each(|item| check_node(item, false)),
        Kind::Scalar => match view.meaning().transpose()? {
            Some(Meaning::Float(value)) => float(value).map(drop),
            Some(Meaning::Str(text)) => by_json(&text, false).map(drop),
            _ => Ok(()),
        },
    }
}

/// Returns a text as it is after it was JSON.
fn by_json(text: &str, key: bool) -> Result<Cow<'_, str>, String> {
    str_by_json(text, key).map_err(|error| error.to_string())
}

fn float(value: f64) -> Result<String, String> {
    float_text_by_json(value).ok_or_else(|| format!("json: unsupported value: {}", float_name(value)))
}

/// Writes an object as YAML. The error is Go's message.
pub(crate) fn write_yaml(view: View<'_, '_>, out: &mut Emitter, top: bool) -> Result<(), String> {
    write_node(view, out, &mut |_| {}, top, false)
}

/// Writes an object as [`write_yaml`] does, and calls `after` behind each value: whoever wants to can take the text from the emitter there.
pub(crate) fn write_yaml_in_parts(view: View<'_, '_>, out: &mut Emitter, after: &mut dyn FnMut(&mut Emitter)) -> Result<(), String> {
    write_node(view, out, after, true, false)
}

/// Writes a node. `in_flow` says that a list or map around it is written in brackets.
fn write_node(view: View<'_, '_>, out: &mut Emitter, after: &mut dyn FnMut(&mut Emitter), top: bool, in_flow: bool) -> Result<(), String> {
    let in_flow = in_flow || view.is_flow();
    match view.kind() {
        Kind::Map => {
            let mut fields: Vec<(Key<'_>, View<'_, '_>)> = view.fields().collect();
            fields.iter().try_for_each(|(key, _)| check_key(*key, top))?;
            sort_keys(&mut fields, Dialect::V2, |(key, _)| key.text.as_bytes());
            out.begin_map(fields.len());
            for (key, value) in fields {
                out.key(&by_json(key.text, true)?);
                write_node(value, out, after, false, in_flow)?;
                after(out);
            }
            out.end();
        }
        Kind::List => {
            out.begin_list(view.len());
            for item in view.items() {
                write_node(item, out, after, false, in_flow)?;
            }
            out.end();
        }
        Kind::Scalar => match view.meaning().transpose()?.unwrap_or(Meaning::Null) {
            // Between brackets go-yaml v3 writes no text at all as `''`.
            Meaning::Null if in_flow && view.text().is_empty() => out.text(""),
            Meaning::Null => out.plain("null"),
            Meaning::Bool(truth) => out.plain(if truth { "true" } else { "false" }),
            Meaning::Int(value) => out.plain(&value.to_string()),
            Meaning::Uint(value) => out.plain(&value.to_string()),
            Meaning::Float(value) => out.plain(&float(value)?),
            Meaning::Str(text) => out.text(&by_json(&text, false)?),
        },
    }
    Ok(())
}

/// What Go's decoder and JSON's encoder refuse as the key of a map.
fn check_key(key: Key<'_>, top: bool) -> Result<(), String> {
    // A map of texts is what the whole object is decoded to, so that its own keys become texts whatever they are.
    if top || key.is_text { Ok(()) } else { Err("json: unsupported type: map[interface {}]interface {}".to_owned()) }
}

fn float_name(value: f64) -> &'static str {
    if value.is_nan() {
        "NaN"
    } else if value > 0.0 {
        "+Inf"
    } else {
        "-Inf"
    }
}

/// Writes a node as Go's `json.Marshal` writes what go-yaml v3 reads of it: keys in order, `<`, `>` and `&` escaped.
pub(crate) fn write_json(view: View<'_, '_>, out: &mut String, top: bool) -> Result<(), String> {
    match view.kind() {
        Kind::Map => {
            let mut fields: Vec<(Key<'_>, View<'_, '_>)> = view.fields().collect();
            fields.iter().try_for_each(|(key, _)| check_key(*key, top))?;
            fields.sort_by(|(left, _), (right, _)| left.text.cmp(right.text));
            out.push('{');
            for (index, (key, value)) in fields.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                out.push_str(&json_text(key.text));
                out.push(':');
                write_json(value, out, false)?;
            }
            out.push('}');
        }
        Kind::List => {
            out.push('[');
            for (index, item) in view.items().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_json(item, out, false)?;
            }
            out.push(']');
        }
        Kind::Scalar => match view.meaning().transpose()?.unwrap_or(Meaning::Null) {
            Meaning::Null => out.push_str("null"),
            Meaning::Bool(truth) => out.push_str(if truth { "true" } else { "false" }),
            Meaning::Int(value) => out.push_str(&value.to_string()),
            Meaning::Uint(value) => out.push_str(&value.to_string()),
            Meaning::Float(value) => {
                out.push_str(&strconv::format_float_json(value).ok_or_else(|| format!("json: unsupported value: {}", float_text(value)))?);
            }
            Meaning::Str(text) => out.push_str(&json_text(&text)),
        },
    }
    Ok(())
}

/// Returns a text as encoding/json writes it.
fn json_text(text: &str) -> String {
    plumb_yaml::quoted(text)
}
