//! Owns values on the command line: `--set a.b[0]=c,d=e` and its kin (helm: pkg/strvals/parser.go, literal_parser.go).

use plumb_gotemplate::{Heap, ListType, MAP, MapId, O, Sym, Value};
use plumb_world::FileId;
use serde_json::Value as Json;

use crate::sources::{Layer, Naming, at};
use crate::values::merged;

/// How the text after `=` is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `--set`: truths, `null` and whole numbers are such.
    Typed,
    /// `--set-string`.
    Text,
    /// `--set-file`: the content of the file of that name.
    File,
    /// `--set-json`.
    Json,
    /// `--set-literal`: everything after the first `=`, as it stands.
    Literal,
}

impl Form {
    /// Returns Helm's flag.
    pub fn flag(self) -> &'static str {
        match self {
            Self::Typed => "--set",
            Self::Text => "--set-string",
            Self::File => "--set-file",
            Self::Json => "--set-json",
            Self::Literal => "--set-literal",
        }
    }
}

/// Reads a file that `--set-file` names. The error is a message.
pub type ReadFile<'r> = dyn Fn(&str) -> Result<Vec<u8>, String> + 'r;

/// The largest index of a list.
const MAX_INDEX: usize = 65_536;
/// Names inside names.
const MAX_LEVEL: usize = 30;
/// Lists inside lists.
const MAX_LISTS: usize = 1_000;

/// Sets what one argument says, as `--set` and its kin do. The error is Helm's.
pub(crate) fn argument(
    heap: &mut Heap,
    values: MapId,
    form: Form,
    text: &str,
    read: &ReadFile<'_>,
    file: Option<Written<'_>>,
) -> Result<(), String> {
    if form == Form::Json && text.trim_start().starts_with('{') {
        let whole = serde_json::from_str(text).map_err(|_| format!("failed parsing --set-json data JSON: {text}"))?;
        let origin = at(heap, file.map(|(file, _)| file), 0, text.len());
        if let Value::Map(_, over) = from_json(heap, &whole, origin) {
            let all = merged(heap, values, over);
            for entry in heap.get(all).entries().to_vec() {
                heap.get_mut(values).set(entry.key, entry.key_origin, entry.value);
            }
        }
        return Ok(());
    }
    let name = form.flag();
    set(heap, values, form, text, read, file).map_err(|error| match form {
        Form::Json => format!("failed parsing --set-json data {text}"),
        _ => format!("failed parsing {name} data: {error}"),
    })
}

/// The file that an argument is, and who names the files that it names.
type Written<'w> = (FileId, &'w Naming<'w>);

/// Sets what a text says. The error is Helm's.
pub(crate) fn set(
    heap: &mut Heap,
    values: MapId,
    form: Form,
    text: &str,
    read: &ReadFile<'_>,
    file: Option<Written<'_>>,
) -> Result<(), String> {
    let offsets = if file.is_some() { text.char_indices().map(|(at, _)| at).chain([text.len()]).collect() } else { Vec::new() };
    let mut parser = Parser { heap, text: text.chars().collect(), at: 0, form, read, file, offsets };
    loop {
        match parser.key(values, 0) {
            Ok(()) => {}
            Err(Stop::End) => return Ok(()),
            Err(Stop::Failed(error)) => return Err(error),
        }
    }
}

enum Stop {
    /// The text is over; what was read until then holds.
    End,
    Failed(String),
}

fn failed<T>(message: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::Failed(message.into()))
}

struct Parser<'p, 'r> {
    heap: &'p mut Heap,
    text: Vec<char>,
    at: usize,
    form: Form,
    read: &'p ReadFile<'r>,
    file: Option<Written<'p>>,
    /// The byte that each character begins at; nothing without a file.
    offsets: Vec<usize>,
}

impl Parser<'_, '_> {
    /// Returns the origin of a range of characters.
    fn origin(&mut self, from: usize, to: usize) -> O {
        let Some((file, _)) = self.file else { return O::NONE };
        let offset = |at: usize| self.offsets.get(at).copied().unwrap_or_default();
        let (from, to) = (offset(from), offset(to));
        at(self.heap, Some(file), from, to)
    }

    fn next(&mut self) -> Option<char> {
        let next = self.text.get(self.at).copied();
        self.at += usize::from(next.is_some());
        next
    }

    /// Returns the text up to one of the characters, and which it was; nothing where the text is over.
    fn until(&mut self, stops: &[char]) -> (String, Option<char>) {
        let mut out = String::new();
        while let Some(c) = self.next() {
            if stops.contains(&c) {
                return (out, Some(c));
            }
            if c != '\\' || self.form == Form::Literal {
                out.push(c);
                continue;
            }
            match self.next() {
                Some(escaped) => out.push(escaped),
                None => break,
            }
        }
        (out, None)
    }

    fn key(&mut self, map: MapId, level: usize) -> Result<(), Stop> {
        let stops: &[char] = if self.form == Form::Literal { &['=', '[', '.'] } else { &['=', '[', ',', '.'] };
        let from = self.at;
        let (name, stop) = self.until(stops);
        let key = self.heap.sym(name.as_bytes());
        let written = self.origin(from, self.at - usize::from(stop.is_some()));
        match stop {
            None if name.is_empty() => Err(Stop::End),
            None => failed(format!("key {name:?} has no value")),
            Some('[') => {
                let index = self.index()?;
                let list = match self.at_key(map, key) {
                    None => Vec::new(),
                    Some(Value::List(_, _, items)) => self.heap.items(items).to_vec(),
                    Some(other) => return Err(self.unlike(other, "[]interface {}")),
                };
                let (list, done) = self.item(list, index, level, 0);
                let list = self.heap.list(ListType::Any, &list).with(written);
                self.set(map, key, written, list);
                done
            }
            Some('=') => {
                let (value, done) = self.value()?;
                self.set(map, key, written, value);
                done
            }
            Some(',') => {
                self.set(map, key, written, Value::EMPTY);
                failed(format!("key {name:?} has no value (cannot end with ,)"))
            }
            Some(_) => self.inside(map, key, written, &name, level + 1),
        }
    }

    /// A name inside the map of a name.
    fn inside(&mut self, map: MapId, key: Sym, written: O, name: &str, level: usize) -> Result<(), Stop> {
        if level > MAX_LEVEL {
            return failed(format!("value name nested level is greater than maximum supported nested level of {MAX_LEVEL}"));
        }
        let (origin, inner) = match self.at_key(map, key) {
            None => (written, self.heap.map(&MAP)),
            Some(Value::Map(origin, inner)) => (origin, inner),
            Some(other) => return Err(self.unlike(other, "map[string]interface {}")),
        };
        let done = self.key(inner, level);
        if !self.heap.get(inner).is_empty() {
            self.set(map, key, written, Value::Map(origin, inner));
        } else if done.is_ok() {
            return failed(format!("key map {name:?} has no value"));
        }
        done
    }

    fn at_key(&self, map: MapId, key: Sym) -> Option<Value> {
        self.heap.get(map).get(key).map(|entry| entry.value)
    }

    fn set(&mut self, map: MapId, key: Sym, written: O, value: Value) {
        if !self.heap.name(key).is_empty() {
            let value = match self.at_key(map, key) {
                Some(before) if !matches!(value, Value::Map(..)) => self.heap.over(value, before.origin()),
                _ => value,
            };
            self.heap.get_mut(map).set(key, written, value);
        }
    }

    /// What Go says of a value that is no such thing.
    fn unlike(&self, value: Value, wanted: &str) -> Stop {
        let name = if value.is_nil() { "nil".to_owned() } else { self.heap.type_name(value) };
        Stop::Failed(format!("unable to parse key: interface conversion: interface {{}} is {name}, not {wanted}"))
    }

    fn index(&mut self) -> Result<usize, Stop> {
        let (text, stop) = self.until(&[']']);
        if stop.is_none() {
            return Err(Stop::End);
        }
        let Ok(index) = text.strip_prefix('+').unwrap_or(&text).parse::<i64>() else {
            return failed(format!("error parsing index: strconv.Atoi: parsing {text:?}: invalid syntax"));
        };
        match usize::try_from(index) {
            Ok(index) => Ok(index),
            Err(_) => failed(format!("negative {index} index not allowed")),
        }
    }

    /// What stands after `]`. The list is kept also where the rest is wrong or over.
    fn item(&mut self, mut list: Vec<Value>, index: usize, level: usize, lists: usize) -> (Vec<Value>, Result<(), Stop>) {
        let (rest, stop) = self.until(&['[', '.', '=']);
        if !rest.is_empty() {
            let quoted: Vec<String> = rest.chars().map(|c| plumb_go::strconv::quote_rune(c, false)).collect();
            return (list, failed(format!("unexpected data at end of array index: [{}]", quoted.join(" "))));
        }
        let known = list.get(index).copied();
        let made = match stop {
            None => Err(Stop::End),
            Some('=') => self.value().and_then(|(value, done)| match done {
                Err(Stop::Failed(error)) => Err(Stop::Failed(error)),
                // A list ends with its item; what is over is found out by the next name.
                _ => Ok(value),
            }),
            Some('[') if lists >= MAX_LISTS => failed(format!("lists lie more than {MAX_LISTS} deep in lists")),
            Some('[') => self.index().and_then(|next| {
                let inner = match known {
                    None | Some(Value::Nil(_)) => Vec::new(),
                    Some(Value::List(_, _, items)) => self.heap.items(items).to_vec(),
                    Some(other) => return Err(self.unlike(other, "[]interface {}")),
                };
                let (inner, done) = self.item(inner, next, level, lists + 1);
                done.map(|()| self.heap.list(ListType::Any, &inner))
            }),
            Some(_) => {
                let inner = match known {
                    Some(Value::Map(_, inner)) => inner,
                    _ => self.heap.map(&MAP),
                };
                if let Some(place) = list.get_mut(index) {
                    *place = Value::Map(O::NONE, inner);
                }
                self.key(inner, level).map(|()| Value::Map(O::NONE, inner))
            }
        };
        let value = match made {
            Ok(value) => value,
            Err(stop) => return (list, Err(stop)),
        };
        if index > MAX_INDEX {
            return (list, failed(format!("index of {index} is greater than maximum supported index of {MAX_INDEX}")));
        }
        if list.len() <= index {
            list.resize(index + 1, Value::NIL);
        }
        list[index] = value;
        (list, Ok(()))
    }

    /// What stands after `=`, and whether anything comes after it.
    fn value(&mut self) -> Result<(Value, Result<(), Stop>), Stop> {
        match self.form {
            Form::Json => return self.json().map(|value| (value, Ok(()))),
            Form::Literal => {
                let (from, text): (usize, String) = (self.at, self.text.get(self.at..).unwrap_or_default().iter().collect());
                self.at = self.text.len();
                let origin = self.origin(from, self.at);
                return Ok((self.text_value(&text, origin), Ok(())));
            }
            Form::Typed | Form::Text | Form::File => {}
        }
        match self.text.get(self.at) {
            None => Ok((Value::EMPTY.with(self.origin(self.at, self.at)), Err(Stop::End))),
            Some('{') => {
                self.at += 1;
                self.list().map(|list| (list, Ok(())))
            }
            Some(_) => {
                let from = self.at;
                let (text, stop) = self.until(&[',']);
                let origin = self.origin(from, self.at - usize::from(stop.is_some()));
                Ok((self.read(&text, origin)?, Ok(())))
            }
        }
    }

    fn list(&mut self) -> Result<Value, Stop> {
        let mut items = Vec::new();
        let begin = self.at;
        loop {
            let from = self.at;
            let (text, stop) = self.until(&[',', '}']);
            match stop {
                None => return failed("list must terminate with '}'"),
                Some(stop) => {
                    let origin = self.origin(from, self.at - 1);
                    items.push(self.read(&text, origin)?);
                    if stop == '}' {
                        break;
                    }
                }
            }
        }
        if self.text.get(self.at) == Some(&',') {
            self.at += 1;
        }
        let origin = self.origin(begin - 1, self.at);
        Ok(self.heap.list(ListType::Any, &items).with(origin))
    }

    fn text_value(&mut self, text: &str, origin: O) -> Value {
        Value::Str(origin, self.heap.push(text.as_bytes(), origin))
    }

    fn read(&mut self, text: &str, origin: O) -> Result<Value, Stop> {
        match self.form {
            Form::File => {
                let content = (self.read)(text).map_err(Stop::Failed)?;
                let file = self.file.and_then(|(_, naming)| naming.name(text, &content.as_slice().into(), Layer::Content));
                if file.is_none() {
                    return Ok(Value::Str(O::NONE, self.heap.push(&content, O::NONE)));
                }
                let of = at(self.heap, file, 0, content.len());
                Ok(Value::Str(of, self.heap.push_linear(&content, of, 0)))
            }
            Form::Typed => Ok(match text {
                "0" => Value::int64(0).with(origin),
                _ if text.eq_ignore_ascii_case("true") => Value::Bool(origin, true),
                _ if text.eq_ignore_ascii_case("false") => Value::Bool(origin, false),
                _ if text.eq_ignore_ascii_case("null") => Value::Nil(origin),
                // A zero in front makes it a text.
                _ if text.starts_with('0') => self.text_value(text, origin),
                _ => match text.parse::<i64>() {
                    Ok(int) => Value::int64(int).with(origin),
                    Err(_) => self.text_value(text, origin),
                },
            }),
            _ => Ok(self.text_value(text, origin)),
        }
    }

    /// A JSON value and the comma after it.
    fn json(&mut self) -> Result<Value, Stop> {
        if self.blanks() {
            return Ok(Value::NIL);
        }
        let rest: String = self.text.get(self.at..).unwrap_or_default().iter().collect();
        let mut values = serde_json::Deserializer::from_str(&rest).into_iter::<Json>();
        let value = match values.next() {
            Some(Ok(value)) => value,
            Some(Err(error)) => return failed(error.to_string()),
            None => return failed("EOF"),
        };
        let end = values.byte_offset();
        let from = self.at;
        self.at += rest.get(..end).unwrap_or_default().chars().count();
        let origin = self.origin(from, self.at);
        self.blanks();
        Ok(from_json(self.heap, &value, origin))
    }

    /// Skips blanks and a comma. Returns whether there was nothing else.
    fn blanks(&mut self) -> bool {
        while let Some(c) = self.text.get(self.at) {
            if *c == ',' {
                self.at += 1;
                return true;
            }
            if !c.is_whitespace() {
                return false;
            }
            self.at += 1;
        }
        true
    }
}

/// Returns JSON as values, all of one origin: numbers are floats.
pub(crate) fn from_json(heap: &mut Heap, json: &Json, origin: O) -> Value {
    match json {
        Json::Null => Value::Nil(origin),
        Json::Bool(truth) => Value::Bool(origin, *truth),
        Json::Number(number) => Value::Float(origin, number.as_f64().unwrap_or_default()),
        Json::String(text) => Value::Str(origin, heap.push(text.as_bytes(), origin)),
        Json::Array(items) => {
            let items: Vec<Value> = items.iter().map(|item| from_json(heap, item, origin)).collect();
            heap.list(ListType::Any, &items).with(origin)
        }
        Json::Object(entries) => {
            let map = heap.map(&MAP);
            for (key, entry) in entries {
                let (key, entry) = (heap.sym(key.as_bytes()), from_json(heap, entry, origin));
                heap.get_mut(map).set(key, origin, entry);
            }
            Value::Map(origin, map)
        }
    }
}
