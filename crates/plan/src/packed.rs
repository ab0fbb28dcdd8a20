//! Owns the packed bytes of settled values: a compact tree that is compared against a live object without being unpacked.
//! Must not panic on bytes that are not its own: a reader gives nothing then.

use serde_json::{Map, Number, Value};

/// How deep packed values may nest; what the API server sends nests less deep.
const MAX_DEPTH: u16 = 256;

/// Exact values.
const NULL: u8 = 0;
const FALSE: u8 = 1;
const TRUE: u8 = 2;
const INT: u8 = 3;
const UINT: u8 = 4;
const FLOAT: u8 = 5;
const STRING: u8 = 6;
const LIST: u8 = 7;
const MAP: u8 = 8;
/// What is owned of a value.
const FIELDS: u8 = 16;
const ITEMS: u8 = 17;
const SET: u8 = 18;
const EXISTS: u8 = 19;
const ABSENT: u8 = 20;
const SECRET: u8 = 21;
const ANY: u8 = 22;

/// What a node starts with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tag {
    /// A value that is owned as a whole.
    Exact,
    /// A map of which these fields are owned.
    Fields(usize),
    /// An associative list of which these items are owned.
    Items(usize),
    /// A set of which these members are owned.
    Set(usize),
    /// A map or list of which only its being there is owned.
    Exists,
    /// Nothing is there, though the path is owned: the server drops empty values.
    Absent,
    /// A secret value's keyed hash.
    Secret([u8; 16]),
    /// Nothing is owned: the manifest says `{}` where the server keeps nothing.
    Any,
}

/// Appends to packed bytes.
#[derive(Default)]
pub(crate) struct Writer(pub(crate) Vec<u8>);

impl Writer {
    pub(crate) fn fields(&mut self, count: usize) {
        self.0.push(FIELDS);
        self.number(count as u64);
    }

    pub(crate) fn items(&mut self, count: usize) {
        self.0.push(ITEMS);
        self.number(count as u64);
    }

    pub(crate) fn set(&mut self, count: usize) {
        self.0.push(SET);
        self.number(count as u64);
    }

    pub(crate) fn exists(&mut self) {
        self.0.push(EXISTS);
    }

    pub(crate) fn absent(&mut self) {
        self.0.push(ABSENT);
    }

    pub(crate) fn any(&mut self) {
        self.0.push(ANY);
    }

    pub(crate) fn secret(&mut self, hash: [u8; 16]) {
        self.0.push(SECRET);
        self.0.extend(hash);
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.0.extend(text.as_bytes());
    }

    pub(crate) fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    pub(crate) fn value(&mut self, value: &Value) {
        match value {
            Value::Null => self.0.push(NULL),
            Value::Bool(false) => self.0.push(FALSE),
            Value::Bool(true) => self.0.push(TRUE),
            Value::Number(number) => {
                if let Some(number) = number.as_i64() {
                    self.0.push(INT);
                    self.number(((number << 1) ^ (number >> 63)) as u64);
                } else if let Some(number) = number.as_u64() {
                    self.0.push(UINT);
                    self.number(number);
                } else {
                    self.0.push(FLOAT);
                    self.0.extend(number.as_f64().unwrap_or(f64::NAN).to_bits().to_le_bytes());
                }
            }
            Value::String(text) => {
                self.0.push(STRING);
                self.text(text);
            }
            Value::Array(items) => {
                self.0.push(LIST);
                self.number(items.len() as u64);
                items.iter().for_each(|item| self.value(item));
            }
            Value::Object(map) => {
                self.0.push(MAP);
                self.number(map.len() as u64);
                for (key, value) in map {
                    self.text(key);
                    self.value(value);
                }
            }
        }
    }
}

/// Reads packed bytes.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    depth: u16,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, depth: 0 }
    }

    fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        if self.depth == MAX_DEPTH {
            return None;
        }
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        result
    }

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.bytes.split_first()?;
        self.bytes = rest;
        Some(*first)
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(count)?;
        self.bytes = rest;
        Some(taken)
    }

    pub(crate) fn number(&mut self) -> Option<u64> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    fn count(&mut self) -> Option<usize> {
        // Each element takes at least one byte: a larger count is not ours.
        let count = usize::try_from(self.number()?).ok()?;
        (count <= self.bytes.len()).then_some(count)
    }

    pub(crate) fn text(&mut self) -> Option<&'a str> {
        let length = usize::try_from(self.number()?).ok()?;
        std::str::from_utf8(self.take(length)?).ok()
    }

    /// Reads a node's tag; the reader stays before an exact value.
    pub(crate) fn tag(&mut self) -> Option<Tag> {
        let tag = match *self.bytes.first()? {
            NULL..=MAP => return Some(Tag::Exact),
            tag => tag,
        };
        self.byte()?;
        Some(match tag {
            FIELDS => Tag::Fields(self.count()?),
            ITEMS => Tag::Items(self.count()?),
            SET => Tag::Set(self.count()?),
            EXISTS => Tag::Exists,
            ABSENT => Tag::Absent,
            SECRET => Tag::Secret(self.take(16)?.try_into().ok()?),
            ANY => Tag::Any,
            _ => return None,
        })
    }

    /// Reads an exact value and returns whether it equals the other one.
    pub(crate) fn equals(&mut self, other: &Value) -> Option<bool> {
        self.deeper(|reader| reader.equals_here(other))
    }

    fn equals_here(&mut self, other: &Value) -> Option<bool> {
        Some(match self.byte()? {
            NULL => other.is_null(),
            FALSE => *other == Value::Bool(false),
            TRUE => *other == Value::Bool(true),
            INT => {
                let raw = self.number()?;
                other.as_i64() == Some(unzigzag(raw))
            }
            UINT => {
                let raw = self.number()?;
                other.as_u64() == Some(raw)
            }
            FLOAT => {
                let bits = u64::from_le_bytes(self.take(8)?.try_into().ok()?);
                other.is_f64() && other.as_f64().map(f64::to_bits) == Some(bits)
            }
            STRING => {
                let text = self.text()?;
                other.as_str() == Some(text)
            }
            LIST => {
                let count = self.count()?;
                let items = other.as_array();
                let mut equal = items.is_some_and(|items| items.len() == count);
                for at in 0..count {
                    equal = self.equals_or_skip(items.and_then(|items| items.get(at)).filter(|_| equal))?;
                }
                equal
            }
            MAP => {
                let count = self.count()?;
                let map = other.as_object();
                let mut equal = map.is_some_and(|map| map.len() == count);
                for _ in 0..count {
                    let key = self.text()?;
                    equal = self.equals_or_skip(map.and_then(|map| map.get(key)).filter(|_| equal))?;
                }
                equal
            }
            _ => return None,
        })
    }

    fn equals_or_skip(&mut self, other: Option<&Value>) -> Option<bool> {
        match other {
            Some(other) => self.equals(other),
            None => {
                self.skip()?;
                Some(false)
            }
        }
    }

    /// Reads a whole node and drops it.
    pub(crate) fn skip(&mut self) -> Option<()> {
        self.deeper(|reader| reader.skip_here())
    }

    fn skip_here(&mut self) -> Option<()> {
        match self.tag()? {
            Tag::Exact => match self.byte()? {
                INT | UINT => {
                    self.number()?;
                }
                FLOAT => {
                    self.take(8)?;
                }
                STRING => {
                    self.text()?;
                }
                LIST => {
                    for _ in 0..self.count()? {
                        self.skip()?;
                    }
                }
                MAP => {
                    for _ in 0..self.count()? {
                        self.text()?;
                        self.skip()?;
                    }
                }
                _ => {}
            },
            Tag::Fields(count) => {
                for _ in 0..count {
                    self.text()?;
                    self.skip()?;
                }
            }
            Tag::Items(count) => {
                for _ in 0..count {
                    self.keys(|_, _| Some(()))?;
                    self.skip()?;
                }
            }
            Tag::Set(count) => {
                for _ in 0..count {
                    self.skip()?;
                }
            }
            Tag::Exists | Tag::Absent | Tag::Any | Tag::Secret(_) => {}
        }
        Some(())
    }

    /// Reads the keys of an item; `each` gets the name and a reader before the value, and may read it or not.
    pub(crate) fn keys(&mut self, mut each: impl FnMut(&'a str, Reader<'a>) -> Option<()>) -> Option<()> {
        for _ in 0..self.count()? {
            let name = self.text()?;
            each(name, *self)?;
            self.skip()?;
        }
        Some(())
    }

    /// Reads a node as a value: what is owned of it. Absent things give nothing; a secret gives its placeholder.
    pub(crate) fn unpack(&mut self) -> Option<Option<Value>> {
        self.deeper(|reader| reader.unpack_here())
    }

    fn unpack_here(&mut self) -> Option<Option<Value>> {
        Some(match self.tag()? {
            Tag::Exact => Some(self.exact()?),
            Tag::Fields(count) => {
                let mut map = Map::new();
                for _ in 0..count {
                    let name = self.text()?;
                    if let Some(value) = self.unpack()? {
                        map.insert(name.to_owned(), value);
                    }
                }
                Some(Value::Object(map))
            }
            Tag::Items(count) => {
                let mut items = Vec::new();
                for _ in 0..count {
                    self.keys(|_, _| Some(()))?;
                    items.extend(self.unpack()?);
                }
                Some(Value::Array(items))
            }
            Tag::Set(count) => {
                let mut members = Vec::new();
                for _ in 0..count {
                    members.push(self.exact()?);
                }
                Some(Value::Array(members))
            }
            Tag::Exists => Some(Value::Object(Map::new())),
            Tag::Absent | Tag::Any => None,
            Tag::Secret(hash) => Some(Value::String(crate::redact::show(&hash))),
        })
    }

    pub(crate) fn exact(&mut self) -> Option<Value> {
        self.deeper(|reader| reader.exact_here())
    }

    fn exact_here(&mut self) -> Option<Value> {
        Some(match self.byte()? {
            NULL => Value::Null,
            FALSE => Value::Bool(false),
            TRUE => Value::Bool(true),
            INT => Value::from(unzigzag(self.number()?)),
            UINT => Value::from(self.number()?),
            FLOAT => {
                Number::from_f64(f64::from_bits(u64::from_le_bytes(self.take(8)?.try_into().ok()?))).map_or(Value::Null, Value::Number)
            }
            STRING => Value::String(self.text()?.to_owned()),
            LIST => {
                let mut items = Vec::new();
                for _ in 0..self.count()? {
                    items.push(self.exact()?);
                }
                Value::Array(items)
            }
            MAP => {
                let mut map = Map::new();
                for _ in 0..self.count()? {
                    let key = self.text()?.to_owned();
                    map.insert(key, self.exact()?);
                }
                Value::Object(map)
            }
            _ => return None,
        })
    }
}

fn unzigzag(raw: u64) -> i64 {
    (raw >> 1) as i64 ^ -((raw & 1) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                proptest::collection::btree_map(".{0,4}", inner, 0..5).prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    #[test]
    fn bytes_that_nest_too_deep_are_not_read() {
        for (depth, read) in [(usize::from(MAX_DEPTH) - 1, true), (usize::from(MAX_DEPTH), false), (1_000_000, false)] {
            let mut bytes = [LIST, 1].repeat(depth);
            bytes.push(NULL);
            assert_eq!(Reader::new(&bytes).exact().is_some(), read, "{depth}");
            assert_eq!(Reader::new(&bytes).skip().is_some(), read, "{depth}");
        }
    }

    proptest! {
        #[test]
        fn what_is_packed_is_read_back(value in values(), other in values()) {
            let mut writer = Writer::default();
            writer.value(&value);
            let mut reader = Reader::new(&writer.0);
            prop_assert_eq!(reader.exact(), Some(value.clone()));
            prop_assert!(reader.bytes.is_empty());
            prop_assert_eq!(Reader::new(&writer.0).equals(&value), Some(true));
            prop_assert_eq!(Reader::new(&writer.0).equals(&other), Some(value == other));
            let mut skipped = Reader::new(&writer.0);
            prop_assert_eq!(skipped.skip(), Some(()));
            prop_assert!(skipped.bytes.is_empty());
        }

        #[test]
        fn foreign_bytes_do_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = Reader::new(&bytes).unpack();
            let _ = Reader::new(&bytes).skip();
            let _ = Reader::new(&bytes).equals(&json!({"a": [1]}));
        }
    }
}
