//! Owns values as Go's `fmt` prints them: `Print`, `Println` and `Printf` (src/fmt/print.go). How formats are read and how numbers and texts are written
//! is [`plumb_go::fmt`]'s; here values are walked, and every byte keeps its origin.

use plumb_go::fmt::{Flags, directives};
use plumb_go::time::{self, Time, Zone};

use crate::func::Failure;
use crate::heap::Heap;
use crate::object::Object;
use crate::origin::{CtlId, O};
use crate::text::{Seg, Str, Traced};
use crate::value::{IntKind, Value};

/// Collections inside collections: `set` can make a map hold itself, which Go would print until its stack ends.
const MAX_DEPTH: usize = 64;

/// Returns a value as `%v` prints it.
pub fn default(heap: &mut Heap, value: Value) -> Vec<u8> {
    match value {
        Value::Str(_, text) => heap.bytes(text).to_vec(),
        Value::Int(_, IntKind::Int | IntKind::Int64, int) => int.to_string().into_bytes(),
        value => {
            let mut out = Vec::new();
            Printer { heap, flags: Flags::default(), in_error: false }.argument(value, 'v', &mut out);
            out
        }
    }
}

/// Returns what `fmt.Sprint` or `fmt.Sprintln` give: each argument's bytes keep their origins.
pub(crate) fn print(heap: &mut Heap, values: &[Value], line: bool) -> Result<Value, Failure> {
    let mut out = Traced::default();
    for (nth, value) in values.iter().enumerate() {
        // Print puts a space between two arguments of which none is a text.
        let texts = nth > 0 && (matches!(value, Value::Str(..)) || matches!(values[nth - 1], Value::Str(..)));
        if nth > 0 && (line || !texts) {
            out.push(b" ", O::NONE, Seg::WHOLE, CtlId(0));
        }
        if let Value::Str(own, text) = *value {
            heap.reserve(out.bytes.len() + text.len as usize)?;
            heap.write(text, own, CtlId(0), &mut out);
            continue;
        }
        let origin = heap.origin(*value);
        heap.origins.mark_used(origin);
        let text = default(heap, *value);
        out.push(&text, origin, Seg::WHOLE, CtlId(0));
    }
    if line {
        out.push(b"\n", O::NONE, Seg::WHOLE, CtlId(0));
    }
    heap.reserve(out.bytes.len())?;
    let decided = heap.decided(values);
    Ok(Value::Str(decided, heap.push_traced(&out)))
}

/// Returns what `fmt.Sprintf` gives: the format's own bytes and each argument's keep their origins.
pub(crate) fn printf(heap: &mut Heap, format: Value, values: &[Value]) -> Result<Value, Failure> {
    let Value::Str(own, text) = format else { return Ok(Value::EMPTY) };
    let bytes = heap.bytes(text).to_vec();
    let mut run = Run { heap, values, format: text, own, out: Traced::default(), failure: None };
    directives::run(&bytes, &mut run);
    let Run { out, failure, .. } = run;
    match failure {
        Some(failure) => Err(failure),
        None => Ok(Value::Str(heap.decided(values), heap.push_traced(&out))),
    }
}

/// A format being carried out.
struct Run<'p> {
    heap: &'p mut Heap,
    values: &'p [Value],
    format: Str,
    own: O,
    out: Traced,
    /// Set when there is no room for more: nothing is written then.
    failure: Option<Failure>,
}

impl Run<'_> {
    /// Whether there is room for so many bytes more.
    fn has_room(&mut self, more: usize) -> bool {
        if self.failure.is_none()
            && let Err(failure) = self.heap.reserve(self.out.bytes.len().saturating_add(more))
        {
            self.failure = Some(failure);
        }
        self.failure.is_none()
    }
}

impl directives::Sink for Run<'_> {
    fn arguments(&self) -> usize {
        self.values.len()
    }

    fn whole(&self, nth: usize) -> Option<i64> {
        match self.values.get(nth)? {
            Value::Int(_, kind, bits) if kind.is_unsigned() => Some(*bits).filter(|bits| *bits >= 0),
            Value::Int(_, _, int) => Some(*int),
            _ => None,
        }
    }

    fn literal(&mut self, range: std::ops::Range<usize>) {
        if self.has_room(range.len()) {
            self.heap.write(self.format.slice(range.start, range.end), self.own, CtlId(0), &mut self.out);
        }
    }

    fn note(&mut self, text: &str) {
        if self.has_room(text.len()) {
            self.out.push(text.as_bytes(), self.own, Seg::WHOLE, CtlId(0));
        }
    }

    fn argument(&mut self, nth: usize, verb: char, flags: Flags) {
        let Some(value) = self.values.get(nth).copied() else { return };
        let len = match value {
            Value::Str(_, text) | Value::Bytes(_, text) => text.len as usize,
            _ => 0,
        };
        // A width holds for every item of a collection, but only once for what is none.
        if !self.has_room(flags.width.unwrap_or(0).saturating_add(flags.precision.unwrap_or(0)).saturating_add(len)) {
            return;
        }
        if let (Value::Str(own, text), 's' | 'v', None, None, false) = (value, verb, flags.width, flags.precision, flags.sharp_v) {
            return self.heap.write(text, own, CtlId(0), &mut self.out);
        }
        let origin = self.heap.origin(value);
        self.heap.origins.mark_used(origin);
        let mut text = Vec::new();
        Printer { heap: self.heap, flags, in_error: false }.argument(value, verb, &mut text);
        if self.has_room(text.len()) {
            self.out.push(&text, origin, Seg::WHOLE, CtlId(0));
        }
    }

    fn extra(&mut self, from: usize) {
        let values = self.values.get(from..).unwrap_or(&[]);
        let (mut text, mut all) = (b"%!(EXTRA ".to_vec(), O::NONE);
        for (nth, value) in values.iter().enumerate() {
            if nth > 0 {
                text.extend_from_slice(b", ");
            }
            let of = self.heap.origin(*value);
            all = self.heap.origins.join(all, of);
            if !value.is_nil() {
                text.extend_from_slice(self.heap.type_name(*value).as_bytes());
                text.push(b'=');
            }
            text.extend_from_slice(&default(self.heap, *value));
        }
        text.push(b')');
        if self.has_room(text.len()) {
            self.out.push(&text, all, Seg::WHOLE, CtlId(0));
        }
    }
}

/// Writes values with one set of flags.
struct Printer<'p> {
    heap: &'p mut Heap,
    flags: Flags,
    /// In a note on a wrong verb: methods are not asked.
    in_error: bool,
}

impl Printer<'_> {
    /// A whole argument (`printArg`).
    fn argument(&mut self, value: Value, verb: char, out: &mut Vec<u8>) {
        match verb {
            'T' | 'v' if value.is_nil() => self.flags.pad(b"<nil>", out),
            _ if value.is_nil() => self.wrong_verb(value, verb, out),
            'T' => {
                let name = self.heap.type_name(value);
                self.flags.string(name.as_bytes(), 's', out);
            }
            'p' => self.pointer(value, verb, out),
            _ => match value {
                Value::Bytes(_, text) => {
                    // Only for these two verbs Go looks before reflection does.
                    let ty = if matches!(verb, 'v' | 'd') { "[]byte" } else { "[]uint8" };
                    self.bytes(value, text, verb, ty, out);
                }
                _ => self.value(value, verb, 0, out),
            },
        }
    }

    /// A value, or part of one (`printValue`).
    fn value(&mut self, value: Value, verb: char, depth: usize, out: &mut Vec<u8>) {
        if depth > MAX_DEPTH {
            return out.extend_from_slice(b"...");
        }
        if self.methods(value, verb, out) {
            return;
        }
        let good = match value {
            Value::Nil(_) => {
                // Only inside collections: there nil is an interface, whatever the verb.
                out.extend_from_slice(if self.flags.sharp_v { b"interface {}(nil)" } else { b"<nil>" });
                true
            }
            Value::Bool(_, value) => self.flags.boolean(value, verb, out),
            Value::Int(_, kind, bits) => self.flags.integer(bits as u64, !kind.is_unsigned(), verb, out),
            Value::Float(_, value) => self.flags.float(value, verb, out),
            Value::Str(_, text) => self.flags.string(self.heap.bytes(text), verb, out),
            Value::Bytes(_, text) => {
                self.bytes(value, text, verb, "[]uint8", out);
                true
            }
            Value::List(_, _, items) => {
                self.open(value, "[", out);
                for at in 0..items.len as usize {
                    self.between(at, out);
                    let item = self.heap.items(items)[at];
                    self.value(item, verb, depth + 1, out);
                }
                self.close("]", out);
                true
            }
            Value::Map(_, id) => {
                self.open(value, "map[", out);
                for at in 0..self.heap.sort(id) {
                    self.between(at, out);
                    let entry = self.heap.entry(id, at);
                    let key = Value::Str(entry.key_origin, self.heap.name_str(entry.key));
                    self.value(key, verb, depth + 1, out);
                    out.push(b':');
                    self.value(entry.value, verb, depth + 1, out);
                }
                self.close("]", out);
                true
            }
            Value::Obj(_, id) => self.object(value, id, verb, depth, out),
        };
        if !good {
            self.wrong_verb(value, verb, out);
        }
    }

    fn open(&mut self, value: Value, plain: &str, out: &mut Vec<u8>) {
        if self.flags.sharp_v {
            let name = self.heap.type_name(value);
            out.extend_from_slice(name.trim_start_matches('*').as_bytes());
            out.push(b'{');
        } else {
            out.extend_from_slice(plain.as_bytes());
        }
    }

    fn between(&self, nth: usize, out: &mut Vec<u8>) {
        if nth > 0 {
            out.extend_from_slice(if self.flags.sharp_v { b", " } else { b" " });
        }
    }

    fn close(&self, plain: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(if self.flags.sharp_v { b"}" } else { plain.as_bytes() });
    }

    /// What a type's own method says (`handleMethods`): `GoString` for `%#v`, `Error` or `String` for verbs that texts have.
    fn methods(&mut self, value: Value, verb: char, out: &mut Vec<u8>) -> bool {
        if self.in_error {
            return false;
        }
        if verb == 'w' && !value.is_nil() {
            // Only `Errorf` wraps.
            self.wrong_verb(value, verb, out);
            return true;
        }
        if !matches!(value, Value::Int(..) | Value::Obj(..)) {
            return false;
        }
        if self.flags.sharp_v {
            let Some(time) = self.time(value) else { return false };
            return self.flags.string(go_syntax(&time).as_bytes(), 's', out);
        }
        if !matches!(verb, 'v' | 's' | 'x' | 'X' | 'q') {
            return false;
        }
        match self.stringer(value) {
            Some(text) => self.flags.string(&text, verb, out),
            None => false,
        }
    }

    fn time(&self, value: Value) -> Option<Time> {
        match value {
            Value::Obj(_, id) => match self.heap.obj(id) {
                Object::Time(time) => Some(*time),
                _ => None,
            },
            _ => None,
        }
    }

    fn stringer(&self, value: Value) -> Option<Vec<u8>> {
        let named = |names: &[&str], at: i64, ty: &str, number: i64| {
            let name = usize::try_from(at).ok().and_then(|at| names.get(at));
            Some(name.map_or_else(|| format!("%!{ty}({number})"), |name| (*name).to_owned()).into_bytes())
        };
        match value {
            Value::Int(_, IntKind::Duration, nanos) => Some(time::duration(nanos).into_bytes()),
            Value::Int(_, IntKind::Month, month) => named(&time::MONTHS, month - 1, "Month", month),
            Value::Int(_, IntKind::Weekday, day) => named(&time::DAYS, day, "Weekday", day),
            Value::Obj(_, id) => match self.heap.obj(id) {
                Object::Time(time) => Some(time.to_string().into_bytes()),
                Object::Version(version) => Some(version.to_string().into_bytes()),
                Object::Error(text) => Some(self.heap.bytes(*text).to_vec()),
                Object::Struct(known) => known.ty.text.map(|text| text(known, self.heap)),
                Object::Complex(..) => None,
            },
            _ => None,
        }
    }

    fn object(&mut self, value: Value, id: crate::ObjId, verb: char, depth: usize, out: &mut Vec<u8>) -> bool {
        let fields: Vec<(Vec<u8>, Value)> = match self.heap.obj(id).clone() {
            Object::Complex(real, imaginary) => return self.flags.complex(real, imaginary, verb, out),
            // Its fields are Go's own affair: three numbers, of which none means anything.
            Object::Time(_) => return false,
            Object::Struct(known) => known.fields.iter().map(|(name, field)| (self.heap.name(*name).to_vec(), *field)).collect(),
            Object::Error(text) => vec![(b"s".to_vec(), Value::Str(O::NONE, text))],
            Object::Version(version) => {
                let number = |bits: u64| Value::Int(O::NONE, IntKind::Uint64, bits as i64);
                let mut text = |text: &str| Value::Str(O::NONE, self.heap.push(text.as_bytes(), O::NONE));
                vec![
                    (b"major".to_vec(), number(version.major)),
                    (b"minor".to_vec(), number(version.minor)),
                    (b"patch".to_vec(), number(version.patch)),
                    (b"pre".to_vec(), text(&version.pre)),
                    (b"metadata".to_vec(), text(&version.metadata)),
                    (b"original".to_vec(), text(&version.original)),
                ]
            }
        };
        if self.heap.type_name(value).starts_with('*') {
            if depth > 0 {
                self.pointer(value, verb, out);
                return true;
            }
            out.push(b'&');
        }
        self.open(value, "{", out);
        for (nth, (name, field)) in fields.into_iter().enumerate() {
            self.between(nth, out);
            if self.flags.plus_v || self.flags.sharp_v {
                out.extend_from_slice(&name);
                out.push(b':');
            }
            self.value(field, verb, depth + 1, out);
        }
        out.push(b'}');
        true
    }

    /// `%!verb(type=value)`.
    fn wrong_verb(&mut self, value: Value, verb: char, out: &mut Vec<u8>) {
        out.extend_from_slice(format!("%!{verb}(").as_bytes());
        if value.is_nil() {
            out.extend_from_slice(b"<nil>");
        } else {
            out.extend_from_slice(self.heap.type_name(value).as_bytes());
            out.push(b'=');
            let before = std::mem::replace(&mut self.in_error, true);
            match value {
                // Nothing else would be shown of it.
                Value::Obj(_, id) if matches!(self.heap.obj(id), Object::Time(_)) => {
                    out.extend_from_slice(&self.stringer(value).unwrap_or_default());
                }
                _ => self.value(value, 'v', 0, out),
            }
            self.in_error = before;
        }
        out.push(b')');
    }

    /// An address, for what has one. No two renders of Go give the same.
    fn pointer(&mut self, value: Value, verb: char, out: &mut Vec<u8>) {
        const BASE: u64 = 0xc000_000000;
        let place = match value {
            Value::Map(_, id) => u64::from(id.0),
            Value::List(_, _, items) => u64::from(items.at),
            Value::Bytes(_, text) => u64::from(text.at),
            Value::Obj(_, id) if self.heap.type_name(value).starts_with('*') => u64::from(id.0),
            other => return self.wrong_verb(other, verb, out),
        };
        let flags = Flags { sharp: !self.flags.sharp, ..self.flags };
        flags.integer(BASE + place * 16, false, 'x', out);
    }

    fn bytes(&mut self, value: Value, text: Str, verb: char, ty: &str, out: &mut Vec<u8>) {
        if matches!(verb, 's' | 'x' | 'X' | 'q') {
            self.flags.string(self.heap.bytes(text), verb, out);
            return;
        }
        let bytes = self.heap.bytes(text).to_vec();
        out.extend_from_slice(if self.flags.sharp_v { ty.as_bytes() } else { b"[" });
        if self.flags.sharp_v {
            out.push(b'{');
        }
        for (nth, byte) in bytes.iter().enumerate() {
            self.between(nth, out);
            self.value(Value::Int(value.origin(), IntKind::Uint8, i64::from(*byte)), verb, 1, out);
        }
        self.close("]", out);
    }
}

/// `Time.GoString`.
fn go_syntax(time: &Time) -> String {
    let civil = time.civil();
    let month = time::MONTHS.get(civil.month.saturating_sub(1) as usize).copied().unwrap_or("");
    let zone = match time.zone {
        Zone::Utc => "time.UTC".to_owned(),
        zone => format!("time.Location({})", plumb_go::strconv::quote(zone.name())),
    };
    let [year, day, hour] = [civil.year, i64::from(civil.day), i64::from(civil.hour)];
    format!("time.Date({year}, time.{month}, {day}, {hour}, {}, {}, {}, {zone})", civil.minute, civil.second, time.nanos)
}

#[cfg(test)]
mod tests {
    //! The answers are Go 1.26's: format, arguments (a letter for the type), output, all as Go writes literals.

    use super::*;
    use crate::object::{MAP, STRINGS};
    use crate::value::ListType;

    const CASES: &str = include_str!("print.tsv");

    fn text(heap: &mut Heap, text: &str) -> Value {
        Value::Str(O::NONE, heap.push(text.as_bytes(), O::NONE))
    }

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len() / 2).map(|at| u8::from_str_radix(&text[at * 2..at * 2 + 2], 16).unwrap()).collect()
    }

    fn map(heap: &mut Heap, ty: &'static crate::MapType, entries: &[(&str, Value)]) -> Value {
        let id = heap.map(ty);
        for (key, value) in entries {
            let key = heap.sym(key.as_bytes());
            heap.get_mut(id).set(key, O::NONE, *value);
        }
        Value::Map(O::NONE, id)
    }

    fn argument(heap: &mut Heap, encoded: &str) -> Value {
        let (kind, rest) = encoded.split_once(':').unwrap();
        let int = |kind| Value::Int(O::NONE, kind, rest.parse::<i128>().unwrap() as i64);
        match kind {
            "i" => int(IntKind::Int),
            "l" => int(IntKind::Int64),
            "u" => int(IntKind::Uint64),
            "y" => int(IntKind::Uint8),
            "r" => int(IntKind::Int32),
            "d" => int(IntKind::Duration),
            "m" => int(IntKind::Month),
            "w" => int(IntKind::Weekday),
            "f" => Value::float(rest.parse().unwrap()),
            "b" => Value::bool(rest == "true"),
            "n" => Value::NIL,
            "s" => Value::Str(O::NONE, heap.push(&hex(rest), O::NONE)),
            "x" => Value::Bytes(O::NONE, heap.push(&hex(rest), O::NONE)),
            "c" => heap.object(Object::Complex(1.0, -2.5)),
            "L" if rest.is_empty() => heap.list(ListType::Any, &[]),
            "L" => {
                let (x, y) = (text(heap, "x"), text(heap, "y"));
                let bytes = Value::Bytes(O::NONE, heap.push(b"hi", O::NONE));
                let inner = heap.list(ListType::Any, &[y]);
                let inner_map = map(heap, &MAP, &[("b", Value::int(1)), ("a", Value::NIL)]);
                let duration = Value::Int(O::NONE, IntKind::Duration, 1000);
                let items = [x, Value::int(1), Value::NIL, Value::float(1.5), Value::bool(true), bytes, duration, inner, inner_map];
                heap.list(ListType::Any, &items)
            }
            "S" => {
                let items = [text(heap, "a"), text(heap, "b c")];
                heap.list(ListType::Strings, &items)
            }
            "I" => heap.list(ListType::Ints, &[Value::int(1), Value::int(2)]),
            "M" if rest.is_empty() => map(heap, &MAP, &[]),
            "M" => {
                let (q, s) = (text(heap, "q"), text(heap, "s"));
                let list = heap.list(ListType::Any, &[Value::int(1), q]);
                let inner = map(heap, &MAP, &[("k", list)]);
                map(heap, &MAP, &[("z", s), ("a", inner), ("é", Value::float(1.0)), ("B", Value::NIL)])
            }
            "T" => {
                let v = text(heap, "v");
                map(heap, &STRINGS, &[("k", v), ("a", Value::EMPTY)])
            }
            other => panic!("{other}"),
        }
    }

    #[test]
    fn formats_are_carried_out_as_in_go() {
        let (mut failed, mut count) = (Vec::new(), 0);
        for line in CASES.lines() {
            let mut columns = line.split('\t');
            let mut literal = || plumb_go::strconv::unquote(columns.next().unwrap().as_bytes());
            let format = literal().unwrap();
            let arguments = line.split('\t').nth(1).unwrap();
            let expect = plumb_go::strconv::unquote(line.split('\t').nth(2).unwrap().as_bytes()).unwrap();
            let mut heap = Heap::new(false, 1 << 30);
            let values: Vec<Value> = arguments.split_terminator(' ').map(|encoded| argument(&mut heap, encoded)).collect();
            let format = Value::Str(O::NONE, heap.push(&format, O::NONE));
            let Ok(Value::Str(_, found)) = printf(&mut heap, format, &values) else { panic!("{line}") };
            count += 1;
            if heap.bytes(found) != expect {
                failed.push(format!("{line}\n  found {}", plumb_go::strconv::quote_ascii(heap.bytes(found))));
            }
        }
        assert!(failed.is_empty(), "{} of {count} failed:\n{}", failed.len(), failed[..failed.len().min(30)].join("\n"));
    }

    #[test]
    fn bytes_keep_their_origins() {
        let mut heap = Heap::new(true, 1 << 20);
        let place = |heap: &mut Heap, start: u32| {
            let span = plumb_world::Span { file: plumb_world::FileId(0), start, end: start + 1 };
            heap.origins.add(crate::origin::Origin::At(span))
        };
        let [of_format, of_text, of_number] = [1, 2, 3].map(|start| place(&mut heap, start));
        let format = Value::Str(of_format, heap.push(b"<%s|%03d>", of_format));
        let text = Value::Str(of_text, heap.push(b"ab", of_text));
        let Ok(Value::Str(_, printed)) = printf(&mut heap, format, &[text, Value::int(7).with(of_number)]) else { panic!() };
        assert_eq!(heap.bytes(printed), b"<ab|007>");
        let segs: Vec<(u32, O)> = heap.segs(printed).map(|seg| (seg.at - printed.at, seg.origin)).collect();
        assert_eq!(segs, [(0, of_format), (1, of_text), (3, of_format), (4, of_number), (7, of_format)]);
    }

    #[test]
    fn a_width_counts_against_the_memory() {
        let mut heap = Heap::new(false, 1 << 16);
        let format = Value::Str(O::NONE, heap.push(b"%999999d", O::NONE));
        assert!(printf(&mut heap, format, &[Value::int(1)]).is_err_and(|failure| failure.kind == crate::func::FailureKind::Limit));
    }
}
