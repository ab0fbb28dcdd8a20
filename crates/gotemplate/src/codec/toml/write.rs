//! Owns TOML as BurntSushi's encoder writes it (encode.go): what is no table first, tables indented below their key.

use super::super::notes::Notes;
use super::super::{MAX_DEPTH, check_size};
use super::number::LOCAL;
use super::{key_text, quoted};
use crate::func::{Call, Failure};
use crate::heap::{Entry, Heap};
use crate::object::Object;
use crate::value::{IntKind, Items, Value};

/// What Go's reflection says, in a panic, of no value at all.
pub(super) const NO_VALUE: &str = "reflect: call of reflect.Value.Type on zero Value";

/// Returns a value as TOML; the failure is Go's.
pub(super) fn encoded(c: &mut Call<'_>, value: Value) -> Result<Value, Failure> {
    if matches!(value, Value::Nil(_)) {
        return Err(Failure::new(NO_VALUE));
    }
    let notes = Notes::new(c.heap);
    let mut writer = Writer { heap: c.heap, out: Vec::new(), notes, path: Vec::new(), depth: 0 };
    writer.entry(value)?;
    let Writer { out, notes, .. } = writer;
    notes.settle(c, &out, value)
}

/// What TOML calls a value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Type {
    Nothing,
    Table,
    Tables,
    Other,
}

struct Writer<'h> {
    heap: &'h mut Heap,
    out: Vec<u8>,
    notes: Notes,
    /// The keys that lead to what is written, outside of inline tables.
    path: Vec<Entry>,
    depth: usize,
}

/// A table's entry, of a map or a struct.
#[derive(Clone, Copy)]
struct Field {
    entry: Entry,
    ty: Type,
}

impl Writer<'_> {
    fn type_of(&self, value: Value, depth: usize) -> Result<Type, Failure> {
        if depth > MAX_DEPTH {
            return Err(too_deep());
        }
        Ok(match value {
            Value::Nil(_) => Type::Nothing,
            Value::Map(..) => Type::Table,
            Value::List(_, _, items) if items.len > 0 => {
                let mut all = Type::Tables;
                for item in self.heap.items(items) {
                    match self.type_of(*item, depth + 1)? {
                        Type::Nothing => return Err(Failure::new("toml: cannot encode array with nil element")),
                        Type::Table => {}
                        _ => all = Type::Other,
                    }
                }
                all
            }
            Value::Obj(_, id) => match self.heap.obj(id) {
                Object::Struct(_) | Object::Error(_) => Type::Table,
                Object::Complex(..) => return Err(Failure::new("unsupported type: complex128")),
                Object::Time(_) | Object::Version(_) => Type::Other,
            },
            _ => Type::Other,
        })
    }

    /// Writes the value of `path`, or what there is at all.
    fn entry(&mut self, value: Value) -> Result<(), Failure> {
        match self.type_of(value, 0)? {
            Type::Nothing => Ok(()),
            Type::Table => self.table(value),
            Type::Tables => self.tables(value),
            Type::Other => self.key_value(value),
        }
    }

    fn newline(&mut self) {
        if !self.out.is_empty() {
            self.out.push(b'\n');
        }
    }

    fn indent(&mut self) {
        self.out.extend(std::iter::repeat_n(b' ', 2 * self.path.len().saturating_sub(1)));
    }

    fn key_value(&mut self, value: Value) -> Result<(), Failure> {
        let Some(last) = self.path.last().copied() else { return self.element(value) };
        self.indent();
        self.key(last);
        self.out.extend_from_slice(b" = ");
        self.element(value)?;
        self.newline();
        Ok(())
    }

    fn key(&mut self, entry: Entry) {
        let start = self.out.len();
        key_text(self.heap.name(entry.key), &mut self.out);
        self.notes.key(start..self.out.len(), entry.key_origin);
    }

    fn header(&mut self, open: &[u8], close: &[u8]) {
        self.indent();
        self.out.extend_from_slice(open);
        for nth in 0..self.path.len() {
            if nth > 0 {
                self.out.push(b'.');
            }
            if let Some(entry) = self.path.get(nth).copied() {
                self.key(entry);
            }
        }
        self.out.extend_from_slice(close);
        self.newline();
    }

    fn table(&mut self, value: Value) -> Result<(), Failure> {
        if self.path.len() == 1 {
            self.newline();
        }
        if !self.path.is_empty() {
            self.header(b"[", b"]");
        }
        self.fields(value, false)
    }

    fn tables(&mut self, value: Value) -> Result<(), Failure> {
        if self.path.is_empty() {
            return Err(Failure::new("toml: top-level values must be Go maps or structs"));
        }
        let Value::List(_, _, items) = value else { return Ok(()) };
        for nth in 0..items.len as usize {
            let Some(item) = self.heap.items(items).get(nth).copied() else { break };
            self.newline();
            self.header(b"[[", b"]]");
            self.fields(item, false)?;
        }
        Ok(())
    }

    /// The entries of a table: those that are no tables come first.
    fn fields(&mut self, value: Value, inline: bool) -> Result<(), Failure> {
        check_size(self.heap, self.out.len())?;
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(too_deep());
        }
        let is_map = matches!(value, Value::Map(..));
        let entries: Vec<Entry> = match value {
            Value::Map(_, id) => self.heap.sorted(id),
            Value::Obj(_, id) => match self.heap.obj(id) {
                Object::Struct(known) => {
                    known.fields.iter().map(|(key, value)| Entry { key: *key, key_origin: crate::O::NONE, value: *value }).collect()
                }
                _ => Vec::new(),
            },
            _ => Vec::new(),
        };
        let mut fields = Vec::with_capacity(entries.len());
        for entry in entries {
            fields.push(Field { entry, ty: self.type_of(entry.value, 0)? });
        }
        let is_table = |field: &&Field| matches!(field.ty, Type::Table | Type::Tables);
        let (tables, direct): (Vec<&Field>, Vec<&Field>) = fields.iter().partition(|field| is_table(field));
        if inline {
            self.out.push(b'{');
        }
        let count = fields.len();
        for (nth, field) in direct.iter().chain(&tables).enumerate() {
            // Nothing is left out, and the comma before it stays.
            if field.ty == Type::Nothing {
                continue;
            }
            if !inline {
                self.path.push(field.entry);
                self.entry(field.entry.value)?;
                self.path.pop();
                continue;
            }
            self.key(field.entry);
            self.out.extend_from_slice(b" = ");
            self.element(field.entry.value)?;
            let of_struct = !is_map && fields.last().is_some_and(|last| last.entry.key == field.entry.key);
            if if is_map { nth + 1 < count } else { !of_struct } {
                self.out.extend_from_slice(b", ");
            }
        }
        if inline {
            self.out.push(b'}');
        }
        self.depth -= 1;
        Ok(())
    }

    /// Writes what stands behind `=` or in an array.
    fn element(&mut self, value: Value) -> Result<(), Failure> {
        let start = self.out.len();
        match value {
            Value::Str(_, text) => quoted(self.heap.bytes(text), &mut self.out),
            Value::Bool(_, truth) => self.out.extend_from_slice(if truth { b"true" } else { b"false" }),
            Value::Int(_, IntKind::Duration, nanos) => quoted(plumb_go::time::duration(nanos).as_bytes(), &mut self.out),
            Value::Int(_, IntKind::Uint64, int) => self.out.extend_from_slice((int as u64).to_string().as_bytes()),
            Value::Int(_, _, int) => self.out.extend_from_slice(int.to_string().as_bytes()),
            Value::Float(_, float) => self.out.extend_from_slice(float_text(float).as_bytes()),
            Value::Bytes(_, text) => {
                let numbers: Vec<String> = self.heap.bytes(text).iter().map(u8::to_string).collect();
                self.out.extend_from_slice(format!("[{}]", numbers.join(", ")).as_bytes());
            }
            Value::List(_, _, items) if items.len > 0 => return self.array(items),
            Value::List(..) => self.out.extend_from_slice(b"[]"),
            Value::Map(..) => return self.fields(value, true),
            Value::Nil(_) => {}
            Value::Obj(_, id) => match self.heap.obj(id) {
                Object::Time(time) => {
                    let name = time.zone_name();
                    let layout =
                        LOCAL.iter().find(|(local, _)| *local == name).map_or("2006-01-02T15:04:05.999999999Z07:00", |(_, layout)| layout);
                    self.out.extend_from_slice(time.format(layout).as_bytes());
                }
                Object::Version(version) => quoted(version.to_string().as_bytes(), &mut self.out),
                Object::Complex(..) => return Err(Failure::new("unexpected type: complex128")),
                Object::Struct(_) | Object::Error(_) => return self.fields(value, true),
            },
        }
        self.notes.value(start..self.out.len(), value);
        Ok(())
    }

    fn array(&mut self, items: Items) -> Result<(), Failure> {
        check_size(self.heap, self.out.len())?;
        self.out.push(b'[');
        for nth in 0..items.len as usize {
            let Some(item) = self.heap.items(items).get(nth).copied() else { break };
            if nth > 0 {
                self.out.extend_from_slice(b", ");
            }
            self.element(item)?;
        }
        self.out.push(b']');
        Ok(())
    }
}

fn too_deep() -> Failure {
    Failure::limit(format!("values may be {MAX_DEPTH} deep"))
}

/// A float always shows that it is one.
fn float_text(float: f64) -> String {
    if float.is_nan() {
        return if float.is_sign_negative() { "-nan" } else { "nan" }.to_owned();
    }
    if float.is_infinite() {
        return if float > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let mut text = plumb_go::strconv::format_float_g64(float);
    if !text.contains(['e', '.']) {
        text.push_str(".0");
    }
    text
}
