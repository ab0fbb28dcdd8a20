//! Owns printing: an object as `kustomize build` prints it, which is what go-yaml v3 reads of it, as JSON, as go-yaml v2 writes that.

use plumb_go::strconv;
use plumb_yaml::{Dialect, Emitter, float_text, float_text_by_json, sort_keys, text_by_json};

use super::scalar::Meaning;
use super::view::{Key, Kind, View};

/// Writes an object as YAML. `depth` is 0 for the object itself. The error is Go's message.
pub(crate) fn write_yaml(view: View<'_, '_>, out: &mut Emitter, top: bool) -> Result<(), String> {
    write_node(view, out, top, false)
}

/// Writes a node. `in_flow` says that a list or map around it is written in brackets.
fn write_node(view: View<'_, '_>, out: &mut Emitter, top: bool, in_flow: bool) -> Result<(), String> {
    let in_flow = in_flow || view.is_flow();
    match view.kind() {
        Kind::Map => {
            let mut fields: Vec<(Key<'_>, View<'_, '_>)> = view.fields().collect();
            check_keys(&fields, top)?;
            sort_keys(&mut fields, Dialect::V2, |(key, _)| key.text.as_bytes());
            out.begin_map(fields.len());
            for (key, value) in fields {
                out.key(&text_by_json(key.text.as_bytes(), true).map_err(|error| error.to_string())?);
                write_node(value, out, false, in_flow)?;
            }
            out.end();
        }
        Kind::List => {
            out.begin_list(view.len());
            for item in view.items() {
                write_node(item, out, false, in_flow)?;
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
            Meaning::Float(value) => {
                out.plain(&float_text_by_json(value).ok_or_else(|| format!("json: unsupported value: {}", float_name(value)))?);
            }
            Meaning::Str(text) => out.text(&text_by_json(text.as_bytes(), false).map_err(|error| error.to_string())?),
        },
    }
    Ok(())
}

/// What Go's decoder and JSON's encoder refuse in the keys of a map.
fn check_keys(fields: &[(Key<'_>, View<'_, '_>)], top: bool) -> Result<(), String> {
    // A map of texts is what the whole object is decoded to, so that its own keys become texts whatever they are.
    if !top && fields.iter().any(|(key, _)| !key.is_text) {
        return Err("json: unsupported type: map[interface {}]interface {}".to_owned());
    }
    Ok(())
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
            check_keys(&fields, top)?;
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
