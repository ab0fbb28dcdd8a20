//! Owns reading JSON as Go's encoding/json reads it into an `interface {}`: its error texts, and each leaf with the origin of its bytes.

use plumb_go::strconv;

use super::{MAX_DEPTH, whole};
use crate::func::{Call, Failure};
use crate::object::MAP;
use crate::origin::O;
use crate::text::Str;
use crate::value::{ListType, Value};

/// What was read, and what is wrong with it: Go gives both for a number that is too large.
pub(super) struct Decoded {
    pub(super) value: Value,
    pub(super) error: Option<String>,
}

/// What encoding/json calls a value in a message.
pub(super) fn word(value: Value) -> &'static str {
    match value {
        Value::Bool(..) => "bool",
        Value::Int(..) | Value::Float(..) => "number",
        Value::Str(..) | Value::Bytes(..) => "string",
        Value::List(..) => "array",
        Value::Map(..) | Value::Obj(..) | Value::Nil(_) => "object",
    }
}

/// Reads a text; the error is Go's.
pub(super) fn decoded(c: &mut Call<'_>, text: &Value) -> Result<Decoded, Failure> {
    let (range, own) = (c.str(text), text.origin());
    c.heap.reserve(range.len as usize * 8)?;
    let bytes = c.heap.bytes(range).to_vec();
    let mut reader = Reader { c, bytes: &bytes, at: 0, range, own, saved: None };
    let value = reader.value(0).and_then(|value| {
        reader.space();
        match reader.peek() {
            Some(byte) => Err(format!("invalid character {} after top-level value", shown(byte))),
            None => Ok(value),
        }
    });
    let error = reader.saved.take();
    Ok(match value {
        // Which keys there are is up to all of the text.
        Ok(Value::Map(_, id)) => Decoded { value: Value::Map(whole(c.heap, *text), id), error },
        Ok(Value::List(_, ty, items)) => Decoded { value: Value::List(whole(c.heap, *text), ty, items), error },
        Ok(value) => Decoded { value, error },
        Err(error) => Decoded { value: Value::Nil(whole(c.heap, *text)), error: Some(error) },
    })
}

fn shown(byte: u8) -> String {
    match byte {
        b'\'' => "'\\''".to_owned(),
        b'"' => "'\"'".to_owned(),
        other => {
            let quoted = strconv::quote(&(other as char).to_string());
            format!("'{}'", &quoted[1..quoted.len() - 1])
        }
    }
}

struct Reader<'r, 'c> {
    c: &'r mut Call<'c>,
    bytes: &'r [u8],
    at: usize,
    range: Str,
    own: O,
    /// The first value that does not fit: Go goes on behind it.
    saved: Option<String>,
}

impl Reader<'_, '_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn space(&mut self) {
        while self.peek().is_some_and(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn unexpected<T>(&self, context: &str) -> Result<T, String> {
        match self.peek() {
            None => Err("unexpected end of JSON input".to_owned()),
            Some(byte) => Err(format!("invalid character {} {context}", shown(byte))),
        }
    }

    /// Where a part of the text is from.
    fn origin(&mut self, from: usize) -> O {
        let part = Value::Str(self.own, self.range.slice(from, self.at));
        whole(self.c.heap, part)
    }

    fn value(&mut self, depth: usize) -> Result<Value, String> {
        if depth > MAX_DEPTH {
            return Err("exceeded max depth".to_owned());
        }
        self.space();
        let from = self.at;
        let value = match self.peek() {
            Some(b'{') => return self.object(depth),
            Some(b'[') => return self.array(depth),
            Some(b'"') => {
                let text = self.string()?;
                let origin = self.origin(from);
                let inner = self.range.slice(from + 1, self.at - 1);
                // What stands there as it is keeps the origin of each byte.
                if !text.is_empty() && self.c.heap.bytes(inner) == text {
                    return Ok(Value::Str(origin, self.c.heap.settled(inner, self.own)));
                }
                return Ok(Value::Str(origin, self.c.heap.push(&text, origin)));
            }
            Some(b't') => self.literal("true", Value::bool(true))?,
            Some(b'f') => self.literal("false", Value::bool(false))?,
            Some(b'n') => self.literal("null", Value::NIL)?,
            Some(b'-' | b'0'..=b'9') => self.number()?,
            _ => return self.unexpected("looking for beginning of value"),
        };
        let origin = self.origin(from);
        Ok(value.with(origin))
    }

    fn literal(&mut self, word: &str, value: Value) -> Result<Value, String> {
        for (nth, letter) in word.bytes().enumerate() {
            if self.peek() != Some(letter) {
                let expected = if nth == 0 { letter } else { word.as_bytes()[nth] };
                return self.unexpected(&format!("in literal {word} (expecting {})", shown(expected)));
            }
            self.at += 1;
        }
        Ok(value)
    }

    fn number(&mut self) -> Result<Value, String> {
        let from = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.digits(),
            _ => return self.unexpected("in numeric literal"),
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            if !self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
                return self.unexpected("after decimal point in numeric literal");
            }
            self.digits();
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            if !self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
                return self.unexpected("in exponent of numeric literal");
            }
            self.digits();
        }
        let text = String::from_utf8_lossy(&self.bytes[from..self.at]).into_owned();
        match strconv::parse_float(&text) {
            Ok(float) => Ok(Value::float(float)),
            Err(_) => {
                self.saved.get_or_insert_with(|| format!("json: cannot unmarshal number {text} into Go value of type float64"));
                Ok(Value::NIL)
            }
        }
    }

    fn digits(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
    }

    fn string(&mut self) -> Result<Vec<u8>, String> {
        self.at += 1;
        let mut out = Vec::new();
        loop {
            match self.peek() {
                None => return self.unexpected(""),
                Some(b'"') => {
                    self.at += 1;
                    return Ok(readable(out));
                }
                Some(0..=0x1f) => return self.unexpected("in string literal"),
                Some(b'\\') => {
                    self.at += 1;
                    self.escape(&mut out)?;
                }
                Some(byte) => {
                    out.push(byte);
                    self.at += 1;
                }
            }
        }
    }

    fn escape(&mut self, out: &mut Vec<u8>) -> Result<(), String> {
        let byte = match self.peek() {
            Some(b'b') => 8,
            Some(b'f') => 12,
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(byte @ (b'"' | b'\\' | b'/')) => byte,
            Some(b'u') => {
                self.at += 1;
                let mut code = self.hex()?;
                if (0xd800..0xdc00).contains(&code) && self.bytes[self.at..].starts_with(b"\\u") {
                    let before = self.at;
                    self.at += 2;
                    let low = self.hex()?;
                    if (0xdc00..0xe000).contains(&low) {
                        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
                    } else {
                        self.at = before;
                    }
                }
                let rune = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
                out.extend_from_slice(rune.encode_utf8(&mut [0; 4]).as_bytes());
                return Ok(());
            }
            _ => return self.unexpected("in string escape code"),
        };
        out.push(byte);
        self.at += 1;
        Ok(())
    }

    fn hex(&mut self) -> Result<u32, String> {
        let mut code = 0;
        for _ in 0..4 {
            match self.peek().and_then(|byte| (byte as char).to_digit(16)) {
                Some(digit) => code = code * 16 + digit,
                None => return self.unexpected("in \\u hexadecimal character escape"),
            }
            self.at += 1;
        }
        Ok(code)
    }

    fn array(&mut self, depth: usize) -> Result<Value, String> {
        let from = self.at;
        self.at += 1;
        let mut items = Vec::new();
        self.space();
        if self.peek() == Some(b']') {
            self.at += 1;
        } else {
            loop {
                items.push(self.value(depth + 1)?);
                self.space();
                match self.peek() {
                    Some(b',') => self.at += 1,
                    Some(b']') => {
                        self.at += 1;
                        break;
                    }
                    _ => return self.unexpected("after array element"),
                }
            }
        }
        let origin = self.edge(from);
        Ok(self.c.heap.list(ListType::Any, &items).with(origin))
    }

    fn object(&mut self, depth: usize) -> Result<Value, String> {
        let from = self.at;
        self.at += 1;
        let id = self.c.heap.map(&MAP);
        self.space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            let origin = self.edge(from);
            return Ok(Value::Map(origin, id));
        }
        loop {
            self.space();
            let start = self.at;
            if self.peek() != Some(b'"') {
                return self.unexpected("looking for beginning of object key string");
            }
            let name = self.string()?;
            let key_origin = self.origin(start);
            let key = self.c.heap.sym(&name);
            self.space();
            if self.peek() != Some(b':') {
                return self.unexpected("after object key");
            }
            self.at += 1;
            let value = self.value(depth + 1)?;
            self.c.heap.get_mut(id).set(key, key_origin, value);
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    break;
                }
                _ => return self.unexpected("after object key:value pair"),
            }
            self.space();
            if self.peek() == Some(b'}') {
                return self.unexpected("looking for beginning of object key string");
            }
        }
        let origin = self.edge(from);
        Ok(Value::Map(origin, id))
    }

    /// The origin of a collection itself: of the bracket that opens it.
    fn edge(&mut self, from: usize) -> O {
        let part = Value::Str(self.own, self.range.slice(from, from + 1));
        whole(self.c.heap, part)
    }
}

/// Each byte that is no UTF-8 becomes U+FFFD.
fn readable(bytes: Vec<u8>) -> Vec<u8> {
    if std::str::from_utf8(&bytes).is_ok() {
        return bytes;
    }
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    text.into_bytes()
}
