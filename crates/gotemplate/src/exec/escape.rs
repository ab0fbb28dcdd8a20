//! Owns `html`, `js` and `urlquery`: what they write for each character (`text/template/funcs.go`, `net/url`).

use super::{Exec, Ref};
use crate::origin::O;
use crate::print;
use crate::tree::Builtin;
use crate::value::Value;

impl Exec<'_> {
    pub(super) fn escaped(&mut self, builtin: Builtin, args: &[Ref]) -> Ref {
        let mut origin = O::NONE;
        for arg in args {
            let of = self.heap.origin(arg.value);
            origin = self.heap.origins.join(origin, of);
        }
        let text = self.joined(args);
        let escaped = match builtin {
            Builtin::Html => html(&text),
            Builtin::Js => js(&text),
            _ => query(&text),
        };
        if let [Ref { value: Value::Str(..), .. }] = args
            && escaped == text
        {
            return args[0];
        }
        let text = self.heap.push(&escaped, origin);
        Ref::of(Value::Str(origin, text))
    }

    /// `fmt.Sprint`, but a nil is `<no value>`.
    fn joined(&mut self, args: &[Ref]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut before = true;
        for (nth, arg) in args.iter().enumerate() {
            let is_text = matches!(arg.value, Value::Str(..) | Value::Nil(_));
            if nth > 0 && !is_text && !before {
                out.push(b' ');
            }
            match arg.value {
                Value::Str(_, text) => out.extend_from_slice(self.heap.bytes(text)),
                Value::Nil(_) => out.extend_from_slice(b"<no value>"),
                other => out.extend_from_slice(&print::default(&mut self.heap, other)),
            }
            before = is_text;
        }
        out
    }
}

fn html(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for byte in text {
        match byte {
            0 => out.extend_from_slice("\u{fffd}".as_bytes()),
            b'"' => out.extend_from_slice(b"&#34;"),
            b'\'' => out.extend_from_slice(b"&#39;"),
            b'&' => out.extend_from_slice(b"&amp;"),
            b'<' => out.extend_from_slice(b"&lt;"),
            b'>' => out.extend_from_slice(b"&gt;"),
            other => out.push(*other),
        }
    }
    out
}

fn js(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for chunk in text.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\\' => out.extend_from_slice(b"\\\\"),
                '\'' => out.extend_from_slice(b"\\'"),
                '"' => out.extend_from_slice(b"\\\""),
                '<' | '>' | '&' | '=' | '\0'..='\x1f' => out.extend_from_slice(format!("\\u{:04X}", c as u32).as_bytes()),
                // DEL is neither special nor a character beyond ASCII.
                '\x7f' => out.push(0x7f),
                c if is_print(c) => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
                c => out.extend_from_slice(format!("\\u{:04X}", c as u32).as_bytes()),
            }
        }
        // A byte that is no UTF-8 is read as U+FFFD, which prints, so the byte stays as it is.
        out.extend_from_slice(chunk.invalid());
    }
    out
}

/// Go's `unicode.IsPrint`, as `strconv` quotes by it.
fn is_print(c: char) -> bool {
    let mut buffer = [0; 4];
    let text = c.encode_utf8(&mut buffer);
    matches!(c, '"' | '\\') || plumb_go::strconv::quote(text).len() == text.len() + 2
}

/// `url.QueryEscape`.
fn query(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for byte in text {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(*byte),
            b' ' => out.push(b'+'),
            other => out.extend_from_slice(format!("%{other:02X}").as_bytes()),
        }
    }
    out
}
