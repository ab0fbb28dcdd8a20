//! Owns JSON as Go's encoding/json writes it, and Sprig's and Helm's functions for both ways.

use plumb_go::strconv;

use super::json_read::{Decoded, decoded, word};
use super::notes::Notes;
use super::{CYCLE, MAX_DEPTH, check_size, error_list, error_map, swallowed, whole};
use crate::func::{Call, Failure, Function, function};
use crate::heap::Heap;
use crate::object::{MAP, Object, Struct};
use crate::origin::O;
use crate::value::{IntKind, ObjId, Value};

pub(super) static SPRIG: &[&Function] =
    &[&TO_JSON, &MUST_TO_JSON, &TO_PRETTY_JSON, &MUST_TO_PRETTY_JSON, &TO_RAW_JSON, &MUST_TO_RAW_JSON, &FROM_JSON, &MUST_FROM_JSON];
pub(super) static HELM: &[&Function] = &[&HELM_FROM_JSON, &FROM_JSON_ARRAY, &LOOKUP];

/// How JSON is written.
#[derive(Clone, Copy)]
struct Form {
    html: bool,
    pretty: bool,
}

const COMPACT: Form = Form { html: true, pretty: false };
const PRETTY: Form = Form { html: true, pretty: true };
const RAW: Form = Form { html: false, pretty: false };

struct Writer<'h> {
    heap: &'h mut Heap,
    out: Vec<u8>,
    form: Form,
    notes: Notes,
}

impl Writer<'_> {
    fn value(&mut self, value: Value, depth: usize) -> Result<(), Failure> {
        if depth > MAX_DEPTH {
            return Err(Failure::new(CYCLE));
        }
        let start = self.out.len();
        match value {
            Value::List(_, _, items) if items.len > 0 => {
                self.notes.enter(self.heap, value);
                self.list(items, depth)?;
                self.notes.leave();
                return Ok(());
            }
            Value::Map(_, id) if !self.heap.get(id).is_empty() => {
                self.notes.enter(self.heap, value);
                self.map(id, depth)?;
                self.notes.leave();
                return Ok(());
            }
            Value::Obj(_, id) => return self.object(value, id, depth),
            Value::List(..) => self.out.extend_from_slice(b"[]"),
            Value::Map(_, id) if !self.heap.get(id).ty.is_nil => self.out.extend_from_slice(b"{}"),
            Value::Nil(_) | Value::Map(..) => self.out.extend_from_slice(b"null"),
            Value::Bool(_, truth) => self.out.extend_from_slice(if truth { b"true" } else { b"false" }),
            Value::Int(_, IntKind::Uint64, int) => self.out.extend_from_slice((int as u64).to_string().as_bytes()),
            Value::Int(_, _, int) => self.out.extend_from_slice(int.to_string().as_bytes()),
            Value::Float(_, float) => match strconv::format_float_json(float) {
                Some(text) => self.out.extend_from_slice(text.as_bytes()),
                None => return Err(Failure::new(format!("json: unsupported value: {}", strconv::format_float_g64(float)))),
            },
            Value::Str(_, text) => quoted(self.heap.bytes(text), self.form.html, &mut self.out),
            Value::Bytes(_, text) => {
                let encoded = plumb_go::base64::encode(self.heap.bytes(text));
                quoted(encoded.as_bytes(), self.form.html, &mut self.out);
            }
        }
        self.notes.value(start..self.out.len(), value);
        Ok(())
    }

    fn list(&mut self, items: crate::Items, depth: usize) -> Result<(), Failure> {
        check_size(self.heap, self.out.len())?;
        self.out.push(b'[');
        for nth in 0..items.len as usize {
            let Some(item) = self.heap.items(items).get(nth).copied() else { break };
            self.separate(nth, depth + 1);
            self.value(item, depth + 1)?;
        }
        self.close(b']', depth);
        Ok(())
    }

    fn map(&mut self, id: crate::MapId, depth: usize) -> Result<(), Failure> {
        check_size(self.heap, self.out.len())?;
        self.out.push(b'{');
        for nth in 0..self.heap.sort(id) {
            let entry = self.heap.entry(id, nth);
            self.separate(nth, depth + 1);
            let start = self.out.len();
            quoted(self.heap.name(entry.key), self.form.html, &mut self.out);
            self.notes.key(start..self.out.len(), entry.key_origin);
            self.out.extend_from_slice(if self.form.pretty { b": " } else { b":" });
            self.value(entry.value, depth + 1)?;
        }
        self.close(b'}', depth);
        Ok(())
    }

    fn object(&mut self, value: Value, id: ObjId, depth: usize) -> Result<(), Failure> {
        let start = self.out.len();
        match self.heap.obj(id) {
            Object::Time(time) => quoted(time.format("2006-01-02T15:04:05.999999999Z07:00").as_bytes(), self.form.html, &mut self.out),
            Object::Version(version) => quoted(version.to_string().as_bytes(), self.form.html, &mut self.out),
            Object::Error(_) => self.out.extend_from_slice(b"{}"),
            Object::Complex(..) => return Err(Failure::new("json: unsupported type: complex128")),
            Object::Struct(known) => {
                let known = known.clone();
                return self.fields(&known, depth);
            }
        }
        self.notes.value(start..self.out.len(), value);
        Ok(())
    }

    fn fields(&mut self, known: &Struct, depth: usize) -> Result<(), Failure> {
        self.out.push(b'{');
        for (nth, (name, field)) in known.fields.iter().enumerate() {
            self.separate(nth, depth + 1);
            quoted(self.heap.name(*name), self.form.html, &mut self.out);
            self.out.extend_from_slice(if self.form.pretty { b": " } else { b":" });
            self.value(*field, depth + 1)?;
        }
        if known.fields.is_empty() {
            self.out.push(b'}');
        } else {
            self.close(b'}', depth);
        }
        Ok(())
    }

    fn separate(&mut self, nth: usize, depth: usize) {
        if nth > 0 {
            self.out.push(b',');
        }
        self.line(depth);
    }

    fn close(&mut self, bracket: u8, depth: usize) {
        self.line(depth);
        self.out.push(bracket);
    }

    fn line(&mut self, depth: usize) {
        if self.form.pretty {
            self.out.push(b'\n');
            self.out.extend(std::iter::repeat_n(b' ', depth * 2));
        }
    }
}

/// A text as encoding/json quotes it.
fn quoted(text: &[u8], html: bool, out: &mut Vec<u8>) {
    out.push(b'"');
    for chunk in text.utf8_chunks() {
        let valid = chunk.valid();
        let mut from = 0;
        for (at, byte) in valid.bytes().enumerate() {
            let plain = match byte {
                b'"' | b'\\' | 0..=0x1f => false,
                b'<' | b'>' | b'&' => !html,
                // U+2028 and U+2029.
                0xe2 => !valid.as_bytes().get(at + 1..at + 3).is_some_and(|rest| matches!(rest, [0x80, 0xa8 | 0xa9])),
                _ => true,
            };
            if plain {
                continue;
            }
            out.extend_from_slice(valid.as_bytes().get(from..at).unwrap_or_default());
            from = at + if byte == 0xe2 { 3 } else { 1 };
            match byte {
                b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
                b'\n' => out.extend_from_slice(b"\\n"),
                b'\r' => out.extend_from_slice(b"\\r"),
                b'\t' => out.extend_from_slice(b"\\t"),
                0x08 => out.extend_from_slice(b"\\b"),
                0x0c => out.extend_from_slice(b"\\f"),
                0xe2 => out.extend_from_slice(if valid.as_bytes().get(at + 2) == Some(&0xa8) { b"\\u2028" } else { b"\\u2029" }),
                _ => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            }
        }
        out.extend_from_slice(valid.as_bytes().get(from..).unwrap_or_default());
        for _ in chunk.invalid() {
            out.extend_from_slice(b"\\ufffd");
        }
    }
    out.push(b'"');
}

fn encoded(c: &mut Call<'_>, value: Value, form: Form) -> Result<Value, Failure> {
    let notes = Notes::new(c.heap);
    let mut writer = Writer { heap: c.heap, out: Vec::new(), form, notes };
    writer.value(value, 0)?;
    let Writer { out, notes, .. } = writer;
    notes.settle(c, &out, value)
}

fn or_nothing(c: &mut Call<'_>, value: Value, form: Form) -> Result<Value, Failure> {
    encoded(c, value, form).or_else(|failure| swallowed(failure, Value::EMPTY.with(value.origin())))
}

function!(TO_JSON, "toJson", [Any], , Exact, |c, a| or_nothing(c, a[0], COMPACT));
function!(MUST_TO_JSON, "mustToJson", [Any], , Exact, |c, a| encoded(c, a[0], COMPACT));
function!(TO_PRETTY_JSON, "toPrettyJson", [Any], , Exact, |c, a| or_nothing(c, a[0], PRETTY));
function!(MUST_TO_PRETTY_JSON, "mustToPrettyJson", [Any], , Exact, |c, a| encoded(c, a[0], PRETTY));
function!(TO_RAW_JSON, "toRawJson", [Any], , Exact, |c, a| encoded(c, a[0], RAW));
function!(MUST_TO_RAW_JSON, "mustToRawJson", [Any], , Exact, |c, a| encoded(c, a[0], RAW));

function!(FROM_JSON, "fromJson", [Str], , Exact, |c, a| Ok(decoded(c, &a[0])?.value));
function!(MUST_FROM_JSON, "mustFromJson", [Str], , Exact, |c, a| {
    let Decoded { value, error } = decoded(c, &a[0])?;
    error.map_or(Ok(value), |error| Err(Failure::new(error)))
});
function!(HELM_FROM_JSON, "fromJson", [Str], , Exact, |c, a| {
    let Decoded { value, error } = decoded(c, &a[0])?;
    let error = match (value, error) {
        (Value::Map(..), None) => return Ok(value),
        (Value::Nil(own), None) => return Ok(Value::Map(own, c.heap.map(&crate::NO_MAP))),
        (Value::Map(own, id), Some(error)) => {
            // What could be read stays beside the error.
            let key = c.heap.sym(b"Error");
            let text = c.text(error.as_bytes())?.with(own);
            c.heap.get_mut(id).set(key, own, text);
            return Ok(value);
        }
        (_, Some(error)) => error,
        (other, None) => format!("json: cannot unmarshal {} into Go value of type map[string]interface {{}}", word(other)),
    };
    let origin = whole(c.heap, a[0]);
    error_map(c, error.as_bytes(), origin)
});
function!(FROM_JSON_ARRAY, "fromJsonArray", [Str], , Exact, |c, a| {
    let Decoded { value, error } = decoded(c, &a[0])?;
    let error = match (value, error) {
        (Value::List(..), None) => return Ok(value),
        (Value::Nil(own), None) => return Ok(c.list(&[])?.with(own)),
        (_, Some(error)) => error,
        (other, None) => format!("json: cannot unmarshal {} into Go value of type []interface {{}}", word(other)),
    };
    let origin = whole(c.heap, a[0]);
    error_list(c, error.as_bytes(), origin)
});

// What is not there is an empty map (helm: pkg/engine/lookup_func.go).
function!(LOOKUP, "lookup", [Str, Str, Str, Str], , Union, |c, a| {
    let words: Vec<String> = a.iter().map(|word| c.heap.utf8(c.str(word)).into_owned()).collect();
    let [version, kind, namespace, name] = words.as_slice() else { return Ok(Value::NIL) };
    let Some(answer) = c.host.lookup(version, kind, namespace, name)? else { return Ok(Value::Map(O::NONE, c.heap.map(&MAP))) };
    c.heap.reserve(answer.len())?;
    let text = Value::Str(O::NONE, c.heap.push(&answer, O::NONE));
    match decoded(c, &text)? {
        Decoded { value, error: None } => Ok(value),
        Decoded { error: Some(error), .. } => Err(Failure::new(error)),
    }
});
