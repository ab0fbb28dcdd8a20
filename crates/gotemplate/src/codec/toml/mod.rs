//! Owns TOML for templates, as BurntSushi's toml 1.6.0 writes and reads it.

mod lex;
mod number;
mod read;
mod table;
mod write;

use super::{error_map, swallowed, whole};
use crate::func::{Failure, FailureKind, Function, function};
use crate::value::Value;

pub(super) static ALL: &[&Function] = &[&TO_TOML, &MUST_TO_TOML, &FROM_TOML];

function!(TO_TOML, "toToml", [Any], , Exact, |c, a| {
    write::encoded(c, a[0]).or_else(|failure| {
        // What the encoder refuses is written in place of the text; what makes it panic ends the render.
        let (origin, message) = (whole(c.heap, a[0]), failure.message.clone());
        if failure.kind == FailureKind::Refused && message != write::NO_VALUE.as_bytes() {
            let text = c.text(&message)?.with(origin);
            return swallowed(failure, text);
        }
        Err(failure)
    })
});
function!(MUST_TO_TOML, "mustToToml", [Any], , Exact, |c, a| write::encoded(c, a[0]));
function!(FROM_TOML, "fromToml", [Str], , Exact, |c, a| {
    c.heap.reserve(c.str(&a[0]).len as usize * 8)?;
    let read = read::decoded(c, &a[0]);
    let origin = whole(c.heap, a[0]);
    match read {
        Ok(Value::Map(_, id)) => Ok(Value::Map(origin, id)),
        Ok(other) => Ok(other),
        Err(Failure { kind: FailureKind::Refused, message }) => error_map(c, &message, origin),
        Err(failure) => Err(failure),
    }
});

/// A key as TOML writes it: bare where it can be.
fn key_text(key: &[u8], out: &mut Vec<u8>) {
    if !key.is_empty() && key.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')) {
        out.extend_from_slice(key);
    } else {
        quoted(key, out);
    }
}

/// A text in quotes.
fn quoted(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for byte in text {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', *byte]),
            0x08 => out.extend_from_slice(b"\\b"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b'\n' => out.extend_from_slice(b"\\n"),
            0x0c => out.extend_from_slice(b"\\f"),
            b'\r' => out.extend_from_slice(b"\\r"),
            0..=0x1f | 0x7f => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            _ => out.push(*byte),
        }
    }
    out.push(b'"');
}
