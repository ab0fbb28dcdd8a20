//! Owns YAML as sigs.k8s.io/yaml (and, for `toYamlPretty`, go-yaml v3) writes and reads it for templates.

use plumb_yaml::{
    Dialect, Emitter, Kind, NodeRef, Options, Scalar, float_text, float_text_by_json, parse, sort_keys, text_by_json, to_json,
};

use super::notes::{Notes, lines};
use super::{CYCLE, MAX_DEPTH, check_size, error_list, error_map, swallowed, whole};
use crate::func::{Call, Failure, Function, function};
use crate::heap::{Entry, Heap};
use crate::object::{MAP, Object, Struct};
use crate::origin::O;
use crate::text::Str;
use crate::value::{IntKind, ListType, ObjId, Value};

pub(super) static ALL: &[&Function] = &[&TO_YAML, &MUST_TO_YAML, &TO_YAML_PRETTY, &FROM_YAML, &FROM_YAML_ARRAY];

/// Writes values: as `yaml.Marshal` does by way of JSON (v2), so numbers and texts are what JSON makes of them, or as an encoder of Go's values (v3).
struct Writer<'h> {
    heap: &'h mut Heap,
    out: Emitter,
    dialect: Dialect,
    notes: Notes,
    /// The entries of the maps that are open, in order.
    entries: Vec<Entry>,
}

impl Writer<'_> {
    fn by_json(&self) -> bool {
        self.dialect == Dialect::V2
    }

    fn value(&mut self, value: Value, depth: usize) -> Result<(), Failure> {
        if depth > MAX_DEPTH {
            return Err(refused(CYCLE));
        }
        match value {
            Value::Map(_, id) if self.by_json() && self.heap.get(id).ty.is_nil => self.out.plain("null"),
            Value::List(..) | Value::Map(..) => {
                self.notes.enter(self.heap, value);
                match value {
                    Value::List(_, _, items) => self.list(value, items, depth)?,
                    Value::Map(_, id) => self.map(value, id, depth)?,
                    _ => {}
                }
                self.notes.leave();
                return Ok(());
            }
            Value::Obj(_, id) => return self.object(value, id, depth),
            Value::Bytes(own, text) if !self.by_json() => {
                let bytes: Vec<u8> = self.heap.bytes(text).to_vec();
                self.out.begin_list(bytes.len());
                for byte in bytes {
                    self.out.plain(&byte.to_string());
                    self.notes.key(self.out.written(), own);
                }
                self.out.end();
                return Ok(());
            }
            Value::Nil(_) => self.out.plain("null"),
            Value::Bool(_, truth) => self.out.plain(if truth { "true" } else { "false" }),
            Value::Int(_, IntKind::Uint64, int) => self.out.plain(&(int as u64).to_string()),
            Value::Int(_, IntKind::Duration, int) if !self.by_json() => self.out.text(&plumb_go::time::duration(int)),
            Value::Int(_, _, int) => self.out.plain(&int.to_string()),
            Value::Float(_, float) if self.by_json() => {
                let text = float_text_by_json(float)
                    .ok_or_else(|| refused(&format!("json: unsupported value: {}", plumb_go::strconv::format_float_g64(float))))?;
                self.out.plain(&text);
            }
            Value::Float(_, float) => self.out.plain(&float_text(float)),
            Value::Str(_, text) => self.text(text, false)?,
            Value::Bytes(_, text) => self.out.text(&plumb_go::base64::encode(self.heap.bytes(text))),
        }
        self.notes.value(self.out.written(), value);
        Ok(())
    }

    fn text(&mut self, text: Str, key: bool) -> Result<(), Failure> {
        let bytes = self.heap.bytes(text);
        if self.dialect != Dialect::V2 {
            match (std::str::from_utf8(bytes), key) {
                (Ok(text), true) => self.out.key(text),
                (Ok(text), false) => self.out.text(text),
                (Err(_), true) => self.out.binary_key(bytes),
                (Err(_), false) => self.out.binary(bytes),
            }
            return Ok(());
        }
        let text = text_by_json(bytes, key).map_err(|error| Failure::new(error.to_string()))?;
        if key {
            self.out.key(&text)
        } else {
            self.out.text(&text)
        }
        Ok(())
    }

    fn list(&mut self, value: Value, items: crate::Items, depth: usize) -> Result<(), Failure> {
        check_size(self.heap, self.out.position())?;
        self.out.begin_list(items.len as usize);
        for nth in 0..items.len as usize {
            let Some(item) = self.heap.items(items).get(nth).copied() else { break };
            self.value(item, depth + 1)?;
        }
        if items.len == 0 {
            self.notes.value(self.out.written(), value);
        }
        self.out.end();
        Ok(())
    }

    fn map(&mut self, value: Value, id: crate::MapId, depth: usize) -> Result<(), Failure> {
        check_size(self.heap, self.out.position())?;
        // Sorted by bytes first: what is equal to go-yaml keeps that order.
        let len = self.heap.sort(id);
        let (from, heap) = (self.entries.len(), &*self.heap);
        self.entries.extend_from_slice(heap.get(id).entries());
        sort_keys(self.entries.get_mut(from..).unwrap_or_default(), self.dialect, |entry| heap.name(entry.key));
        self.out.begin_map(len);
        for nth in from..from + len {
            let Some(entry) = self.entries.get(nth).copied() else { break };
            self.text(self.heap.name_str(entry.key), true)?;
            self.notes.key(self.out.written(), entry.key_origin);
            self.value(entry.value, depth + 1)?;
        }
        if len == 0 {
            self.notes.value(self.out.written(), value);
        }
        self.out.end();
        self.entries.truncate(from);
        Ok(())
    }

    fn object(&mut self, value: Value, id: ObjId, depth: usize) -> Result<(), Failure> {
        match self.heap.obj(id) {
            Object::Time(time) => {
                let text = time.format("2006-01-02T15:04:05.999999999Z07:00");
                if self.by_json() { self.out.text(&text) } else { self.out.plain(&text) }
            }
            Object::Version(version) => self.out.text(&version.to_string()),
            Object::Error(_) => {
                self.out.begin_map(0);
                self.out.end();
            }
            Object::Complex(..) => return Err(refused("json: unsupported type: complex128")),
            Object::Struct(known) => {
                let known = known.clone();
                return self.fields(&known, depth);
            }
        }
        self.notes.value(self.out.written(), value);
        Ok(())
    }

    /// v3 writes fields by their names in lower case and as they are declared; JSON knows no order.
    fn fields(&mut self, known: &Struct, depth: usize) -> Result<(), Failure> {
        let name = |name: &crate::Sym| String::from_utf8_lossy(self.heap.name(*name)).into_owned();
        let mut fields: Vec<(String, Value)> = known.fields.iter().map(|(key, field)| (name(key), *field)).collect();
        if self.by_json() {
            fields.sort_by(|(one, _), (other, _)| one.cmp(other));
        } else {
            fields.iter_mut().for_each(|(key, _)| *key = key.to_lowercase());
        }
        self.out.begin_map(fields.len());
        for (key, field) in fields {
            self.out.key(&key);
            self.value(field, depth + 1)?;
        }
        self.out.end();
        Ok(())
    }
}

/// What `Marshal` says when JSON refuses.
fn refused(json: &str) -> Failure {
    Failure::new(format!("error marshaling into JSON: {json}"))
}

fn encoded(c: &mut Call<'_>, value: Value, dialect: Dialect) -> Result<Value, Failure> {
    let notes = Notes::new(c.heap);
    let out = Emitter::with(dialect, Vec::new());
    let mut writer = Writer { heap: c.heap, out, dialect, notes, entries: Vec::new() };
    writer.value(value, 0)?;
    let Writer { out, notes, .. } = writer;
    let text = out.finish();
    notes.settle(c, text.strip_suffix(b"\n").unwrap_or(&text), value)
}

/// For templates an error is an empty text.
fn or_nothing(c: &mut Call<'_>, value: Value, dialect: Dialect) -> Result<Value, Failure> {
    let written = encoded(c, value, dialect);
    written.or_else(|failure| swallowed(failure, Value::EMPTY.with(value.origin())))
}

/// Returns a value as `toYaml` writes it.
pub fn to_yaml(c: &mut Call<'_>, value: Value) -> Result<Value, Failure> {
    or_nothing(c, value, Dialect::V2)
}

function!(TO_YAML, "toYaml", [Any], , Exact, |c, a| or_nothing(c, a[0], Dialect::V2));
function!(MUST_TO_YAML, "mustToYaml", [Any], , Exact, |c, a| encoded(c, a[0], Dialect::V2));
function!(TO_YAML_PRETTY, "toYamlPretty", [Any], , Exact, |c, a| or_nothing(c, a[0], Dialect::PRETTY));

/// Gives what is read its origins.
trait Place {
    /// Returns where a range of the text is from.
    fn origin(&mut self, heap: &mut Heap, start: u32, end: u32) -> O;
    /// Adds a text that was read from a range.
    fn text(&mut self, heap: &mut Heap, start: u32, end: u32, text: &str) -> Value {
        let origin = self.origin(heap, start, end);
        Value::Str(origin, heap.push(text.as_bytes(), origin))
    }
}

impl Place for &mut dyn FnMut(&mut Heap, u32, u32) -> O {
    fn origin(&mut self, heap: &mut Heap, start: u32, end: u32) -> O {
        self(heap, start, end)
    }
}

/// A text of the heap that is read.
struct Source {
    text: Str,
    own: O,
}

impl Place for Source {
    fn origin(&mut self, heap: &mut Heap, start: u32, end: u32) -> O {
        let part = self.text.slice(start as usize, end.max(start + 1) as usize);
        whole(heap, Value::Str(self.own, part))
    }

    fn text(&mut self, heap: &mut Heap, start: u32, end: u32, text: &str) -> Value {
        // What stands there as it is keeps the origin of each byte.
        let range = self.text.slice(start as usize, end as usize);
        let quoted = self.text.slice(start as usize + 1, (end as usize).saturating_sub(1));
        for part in [range, quoted] {
            if !text.is_empty() && heap.bytes(part) == text.as_bytes() {
                let origin = self.origin(heap, start, end);
                return Value::Str(if part == range { self.own } else { origin }, heap.settled(part, self.own));
            }
        }
        let origin = self.origin(heap, start, end);
        let lines = if heap.origins.tracing() { lines(heap.bytes(range), text.as_bytes()) } else { None };
        let Some(lines) = lines else { return Value::Str(origin, heap.push(text.as_bytes(), origin)) };
        let mut built = heap.build();
        let mut from = 0;
        for (at, line) in lines {
            built.bytes(text.as_bytes().get(from..line.start).unwrap_or_default(), origin);
            built.text(range.slice(at, at + line.len()), self.own);
            from = line.end;
        }
        built.bytes(text.as_bytes().get(from..).unwrap_or_default(), origin);
        Value::Str(origin, built.end())
    }
}

/// Returns a YAML node as the value that `sigs.k8s.io/yaml.Unmarshal` gives for it: numbers are floats, keys are texts. `place` gives the origin of a
/// range of the text.
pub fn value_of(heap: &mut Heap, node: NodeRef<'_>, place: &mut dyn FnMut(&mut Heap, u32, u32) -> O) -> Value {
    let mut place = place;
    read(heap, node, &mut place)
}

fn read(heap: &mut Heap, node: NodeRef<'_>, place: &mut dyn Place) -> Value {
    let span = node.span();
    match node.kind() {
        Kind::Map => {
            let origin = place.origin(heap, span.start, span.start);
            let id = heap.map(&MAP);
            for entry in node.entries() {
                let key_span = entry.key.span();
                let key_origin = place.origin(heap, key_span.start, key_span.end);
                let key = heap.sym(entry.name().as_bytes());
                let value = read(heap, entry.value, place);
                heap.get_mut(id).set(key, key_origin, value);
            }
            Value::Map(origin, id)
        }
        Kind::List => {
            let origin = place.origin(heap, span.start, span.start);
            let items: Vec<Value> = node.items().map(|item| read(heap, item, place)).collect();
            heap.list(ListType::Any, &items).with(origin)
        }
        _ => {
            let scalar = node.scalar();
            if let Some(Scalar::Str(text)) = scalar {
                return place.text(heap, span.start, span.end, &text);
            }
            let origin = place.origin(heap, span.start, span.end);
            match scalar {
                Some(Scalar::Bool(truth)) => Value::Bool(origin, truth),
                Some(Scalar::Int(int)) => Value::Float(origin, int as f64),
                Some(Scalar::Uint(int)) => Value::Float(origin, int as f64),
                Some(Scalar::Float(float)) => Value::Float(origin, float),
                _ => Value::Nil(origin),
            }
        }
    }
}

/// Reads the first document of a text as Helm's functions do; the error is Go's text.
fn decoded(c: &mut Call<'_>, text: &Value) -> Result<Value, Failure> {
    let (range, own) = (c.str(text), text.origin());
    c.heap.reserve(range.len as usize * 8)?;
    let stream = parse(c.heap.bytes(range), &Options::default());
    let Some(document) = stream.documents().next() else { return Ok(Value::Nil(own)) };
    let converting = |error: &str| Failure::new(format!("error converting YAML to JSON: {error}"));
    let document = document.map_err(|errors| converting(&errors.first().map(ToString::to_string).unwrap_or_default()))?;
    // Some values JSON does not have, and aliases can make a text large.
    let mut json = Vec::new();
    to_json(document.root(), &mut json).map_err(|error| converting(&error.to_string()))?;
    c.heap.reserve(json.len())?;
    Ok(match read(c.heap, document.root(), &mut Source { text: range, own }) {
        // Which keys there are is up to all of the text.
        Value::Map(_, id) => Value::Map(whole(c.heap, *text), id),
        Value::List(_, ty, items) => Value::List(whole(c.heap, *text), ty, items),
        other => other,
    })
}

function!(FROM_YAML, "fromYaml", [Str], , Exact, |c, a| {
    let error = match decoded(c, &a[0]) {
        Ok(value @ Value::Map(..)) => return Ok(value),
        Ok(Value::Nil(own)) => return Ok(Value::Map(own, c.heap.map(&MAP))),
        Ok(other) => wrong(other, "map[string]interface {}"),
        Err(failure) if failure.kind == crate::FailureKind::Limit => return Err(failure),
        Err(failure) => failure.message,
    };
    let origin = whole(c.heap, a[0]);
    error_map(c, &error, origin)
});
function!(FROM_YAML_ARRAY, "fromYamlArray", [Str], , Exact, |c, a| {
    let error = match decoded(c, &a[0]) {
        Ok(value @ Value::List(..)) => return Ok(value),
        Ok(Value::Nil(own)) => return Ok(c.list(&[])?.with(own)),
        Ok(other) => wrong(other, "[]interface {}"),
        Err(failure) if failure.kind == crate::FailureKind::Limit => return Err(failure),
        Err(failure) => failure.message,
    };
    let origin = whole(c.heap, a[0]);
    error_list(c, &error, origin)
});

fn wrong(value: Value, ty: &str) -> Vec<u8> {
    let word = super::json_read::word(value);
    format!("error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {word} into Go value of type {ty}").into_bytes()
}
