//! Owns reading TOML as BurntSushi's parser does (parse.go and the states of lex.go): its error texts, and each leaf with the origin of its bytes.

use super::super::{MAX_DEPTH, whole};
use super::lex::{Bad, END, Lexer, Quotes, Token};
use super::number::{self, Kind};
use super::table::{Data, Table, Tables, key_name, value_of};
use crate::func::{Call, Failure};
use crate::origin::O;
use crate::text::Str;
use crate::value::{IntKind, Value};

/// Reads a document into a map; the failure is Go's.
pub(super) fn decoded(c: &mut Call<'_>, text: &Value) -> Result<Value, Failure> {
    let (range, own) = (c.str(text), text.origin());
    let bytes = c.heap.bytes(range).to_vec();
    // Marks at the beginning are passed over.
    let at = if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        2
    } else if bytes.starts_with(b"\xef\xbb\xbf") {
        3
    } else {
        0
    };
    if bytes.iter().skip(at).take(6).any(|byte| *byte == 0) {
        return Err(Failure::new("toml: line 1: files cannot contain NULL bytes; probably using UTF-16; TOML files must be UTF-8"));
    }
    let mut reader = Reader {
        c,
        lexer: Lexer::new(&bytes, at),
        range,
        own,
        tables: Tables::default(),
        context: Vec::new(),
        current: Vec::new(),
        current_origin: O::NONE,
        line: 0,
        depth: 0,
    };
    match reader.document() {
        Ok(()) => {
            let root = std::mem::take(&mut reader.tables.root);
            Ok(value_of(reader.c.heap, Data::Table(root)))
        }
        Err(Stop::Failure(failure)) => Err(failure),
        Err(Stop::Bad(Bad { line, message })) => {
            let last = reader.last_key();
            let place = if last.is_empty() {
                format!("toml: line {line}: ")
            } else {
                format!("toml: line {line} (last key {}): ", plumb_go::strconv::quote_bytes(&last))
            };
            Err(Failure::new([place.as_bytes(), &message].concat()))
        }
    }
}

enum Stop {
    Bad(Bad),
    Failure(Failure),
}

impl From<Bad> for Stop {
    fn from(bad: Bad) -> Self {
        Self::Bad(bad)
    }
}

struct Reader<'r, 'c> {
    c: &'r mut Call<'c>,
    lexer: Lexer<'r>,
    range: Str,
    own: O,
    tables: Tables,
    /// The keys of the table that is open.
    context: Vec<(Vec<u8>, O)>,
    /// The key whose value is read; empty outside of values.
    current: Vec<u8>,
    current_origin: O,
    /// The line of the last key: where Go says that it was defined before.
    line: usize,
    depth: usize,
}

impl Reader<'_, '_> {
    fn last_key(&self) -> Vec<u8> {
        if self.current.is_empty() {
            return key_name(&self.context);
        }
        if self.context.is_empty() {
            return self.current.clone();
        }
        [key_name(&self.context).as_slice(), b".", &self.current].concat()
    }

    fn defined(&self, message: Vec<u8>) -> Stop {
        Stop::Bad(Bad { line: self.line, message })
    }

    fn document(&mut self) -> Result<(), Stop> {
        loop {
            match self.lexer.next()? {
                ' ' | '\t' | '\n' | '\r' => self.lexer.ignore(),
                '#' => self.lexer.comment()?,
                END => return Ok(()),
                '[' => {
                    self.header()?;
                    if self.line_ends()? {
                        return Ok(());
                    }
                }
                _ => {
                    self.lexer.back();
                    let outer = self.context.len();
                    self.key_value(None)?;
                    self.context.truncate(outer);
                    self.current.clear();
                    if self.line_ends()? {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Behind a table's name or a value; returns whether the document ends there.
    fn line_ends(&mut self) -> Result<bool, Stop> {
        loop {
            match self.lexer.next()? {
                ' ' | '\t' => {}
                '#' => {
                    self.lexer.comment()?;
                    return Ok(false);
                }
                '\n' | '\r' => {
                    self.lexer.ignore();
                    return Ok(false);
                }
                END => return Ok(true),
                other => {
                    let before = "expected a top-level item to end with a newline, comment, or EOF, but got ";
                    return Ok(self.lexer.unexpected(before, other, " instead")?);
                }
            }
        }
    }

    fn header(&mut self) -> Result<(), Stop> {
        let array = self.lexer.accept('[')?;
        self.lexer.ignore();
        let mut key = Vec::new();
        loop {
            self.lexer.blanks()?;
            match self.lexer.peek()? {
                ']' | END => return Ok(self.lexer.bad("unexpected end of table name (table names cannot be empty)")?),
                '.' => return Ok(self.lexer.bad("unexpected table separator (table names cannot be empty)")?),
                _ => {}
            }
            let part = self.key_part()?;
            if key.is_empty() {
                self.line = self.lexer.line;
            }
            key.push(part);
            self.lexer.blanks()?;
            match self.lexer.next()? {
                '.' => self.lexer.ignore(),
                ']' => break,
                other => return Ok(self.lexer.unexpected("expected '.' or ']' to end table name, but got ", other, " instead")?),
            }
        }
        if array {
            match self.lexer.next()? {
                ']' => {}
                other => {
                    return Ok(self.lexer.unexpected("expected end of table array name delimiter ']', but got ", other, " instead")?);
                }
            }
        }
        self.lexer.ignore();
        if let Err((parents, message)) = self.tables.open(&key, array) {
            // The message names the parent as the last key, once that is open.
            if parents {
                key.pop();
                self.context = key;
            }
            return Err(self.defined(message));
        }
        self.context = key;
        self.tables.set_array(&self.context, false);
        Ok(())
    }

    /// A part of a key, bare or in quotes, with its origin.
    fn key_part(&mut self) -> Result<(Vec<u8>, O), Stop> {
        match self.lexer.peek()? {
            '"' => {
                self.lexer.next()?;
                self.lexer.ignore();
                let (token, escaped) = self.lexer.text()?;
                let text = self.lexer.slice(token.start, token.end).to_vec();
                let text = if escaped { unescaped(&text, token)? } else { text };
                Ok((text, self.origin(token)))
            }
            '\'' => {
                self.lexer.next()?;
                self.lexer.ignore();
                let token = self.lexer.raw_text()?;
                Ok((self.lexer.slice(token.start, token.end).to_vec(), self.origin(token)))
            }
            _ => {
                let token = self.lexer.bare()?;
                Ok((self.lexer.slice(token.start, token.end).to_vec(), self.origin(token)))
            }
        }
    }

    fn origin(&mut self, token: Token) -> O {
        let end = token.end.max(token.start + 1);
        let part = self.range.slice(token.start, end);
        whole(self.c.heap, Value::Str(self.own, part))
    }

    /// A key and its value. In an inline table the value goes to that as well.
    fn key_value(&mut self, inline: Option<&mut Table>) -> Result<(), Stop> {
        let mut key = self.key()?;
        let Some((last, origin)) = key.pop() else { return Ok(()) };
        (self.current, self.current_origin) = (last.clone(), origin);
        for part in &key {
            self.context.push(part.clone());
            self.tables.add_implicit(&self.context);
            if let Err((_, message)) = self.tables.open(&self.context, false) {
                self.context.pop();
                return Err(self.defined(message));
            }
        }
        let value = self.value(false)?;
        let is_array = matches!(value, Data::Array(_));
        self.tables.set(&self.context, &last, origin, value.clone()).map_err(|message| self.defined(message))?;
        let mut full = self.context.clone();
        full.push((last.clone(), origin));
        self.tables.set_array(&full, is_array);
        let Some(mut table) = inline else { return Ok(()) };
        for (part, origin) in key {
            let slot = table.entry(part).or_insert_with(|| (origin, Data::Table(Table::new())));
            match &mut slot.1 {
                Data::Table(inner) => table = inner,
                _ => {
                    let message = format!("{} is not a table", plumb_go::strconv::quote_bytes(&key_name(&self.context)));
                    return Err(self.defined(message.into_bytes()));
                }
            }
        }
        table.insert(last, (origin, value));
        Ok(())
    }

    /// All parts of a key, up to behind its `=`.
    fn key(&mut self) -> Result<Vec<(Vec<u8>, O)>, Stop> {
        let mut key: Vec<(Vec<u8>, O)> = Vec::new();
        loop {
            self.lexer.blanks()?;
            match (self.lexer.peek()?, key.is_empty()) {
                ('=' | END, true) => return Ok(self.lexer.bad("unexpected '=': key name appears blank")?),
                ('.', true) => return Ok(self.lexer.bad("unexpected '.': keys cannot start with a '.'")?),
                ('=' | END, false) => return Ok(self.lexer.bad("unexpected '='")?),
                ('.', false) => return Ok(self.lexer.bad("unexpected '.'")?),
                _ => {}
            }
            let part = self.key_part()?;
            if key.is_empty() {
                self.line = self.lexer.line;
            }
            key.push(part);
            self.lexer.blanks()?;
            match self.lexer.next()? {
                '.' => self.lexer.ignore(),
                '=' => {
                    self.lexer.ignore();
                    return Ok(key);
                }
                END => return Ok(self.lexer.bad("unexpected EOF; expected key separator '='")?),
                other => return Ok(self.lexer.unexpected_or_break("expected '.' or '=', but got ", other, " instead")?),
            }
        }
    }

    fn value(&mut self, in_array: bool) -> Result<Data, Stop> {
        self.lexer.blanks()?;
        let rune = self.lexer.next()?;
        match rune {
            '0'..='9' => {
                self.lexer.back();
                let read = self.lexer.number()?;
                return self.number(read);
            }
            '[' => return self.nested(|reader| reader.array()),
            '{' => return self.nested(|reader| reader.inline_table(in_array)),
            '"' | '\'' => return self.quoted(rune),
            '.' => return Ok(self.lexer.bad("floats must start with a digit, not '.'")?),
            '-' | '+' => {
                let read = self.lexer.signed()?;
                return self.number(read);
            }
            'i' | 'n' => {
                let inf = self.lexer.accept('n')? && self.lexer.accept('f')?;
                if inf || self.lexer.accept('a')? && self.lexer.accept('n')? {
                    let token = self.lexer.token();
                    return self.number((Kind::Float, token));
                }
            }
            END => return Ok(self.lexer.bad("unexpected EOF; expected value")?),
            _ => {}
        }
        if !plumb_go::strconv::is_letter(rune) {
            return Ok(self.lexer.unexpected_or_break("expected value but found ", rune, " instead")?);
        }
        self.lexer.back();
        let (truth, token) = self.lexer.word()?;
        let origin = self.origin(token);
        Ok(Data::Leaf(Value::Bool(origin, truth)))
    }

    fn nested(&mut self, read: impl FnOnce(&mut Self) -> Result<Data, Stop>) -> Result<Data, Stop> {
        self.lexer.ignore();
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Stop::Failure(Failure::limit(format!("values may be {MAX_DEPTH} deep"))));
        }
        let data = read(self)?;
        self.depth -= 1;
        Ok(data)
    }

    fn number(&mut self, (kind, token): (Kind, Token)) -> Result<Data, Stop> {
        let origin = self.origin(token);
        let text = String::from_utf8_lossy(self.lexer.slice(token.start, token.end)).into_owned();
        let bad = |message: String| Stop::Bad(Bad { line: token.line, message: message.into_bytes() });
        Ok(Data::Leaf(match kind {
            Kind::Integer => Value::Int(origin, IntKind::Int64, number::integer(&text).map_err(bad)?),
            Kind::Float => Value::Float(origin, number::float(&text).map_err(bad)?),
            Kind::Time => {
                let time = number::time(&text).map_err(bad)?;
                self.c.heap.object(crate::Object::Time(time)).with(origin)
            }
        }))
    }

    fn quoted(&mut self, quote: char) -> Result<Data, Stop> {
        let mut quotes = if quote == '"' { Quotes::Basic } else { Quotes::Raw };
        if self.lexer.accept(quote)? {
            if self.lexer.accept(quote)? {
                quotes = if quote == '"' { Quotes::Lines } else { Quotes::RawLines };
            } else {
                self.lexer.back();
            }
        }
        self.lexer.ignore();
        let (token, escaped) = match quotes {
            Quotes::Basic => self.lexer.text()?,
            Quotes::Raw => (self.lexer.raw_text()?, false),
            Quotes::Lines | Quotes::RawLines => (self.lexer.lines(quotes)?, quotes == Quotes::Lines),
        };
        let mut inner = token;
        if matches!(quotes, Quotes::Lines | Quotes::RawLines) {
            let text = self.lexer.slice(inner.start, inner.end);
            inner.start += if text.starts_with(b"\n") {
                1
            } else if text.starts_with(b"\r\n") {
                2
            } else {
                0
            };
        }
        let origin = self.origin(token);
        let source = self.lexer.slice(inner.start, inner.end);
        if !escaped || !source.contains(&b'\\') {
            // What stands there as it is keeps the origin of each byte.
            let part = self.range.slice(inner.start, inner.end);
            return Ok(Data::Leaf(Value::Str(origin, self.c.heap.settled(part, self.own))));
        }
        let joined = if quotes == Quotes::Lines { without_escaped_breaks(source) } else { source.to_vec() };
        let text = unescaped(&joined, token)?;
        Ok(Data::Leaf(Value::Str(origin, self.c.heap.push(&text, origin))))
    }

    fn array(&mut self) -> Result<Data, Stop> {
        let mut full = self.context.clone();
        full.push((self.current.clone(), self.current_origin));
        self.tables.set_array(&full, true);
        let mut items = Vec::new();
        loop {
            match self.lexer.next()? {
                ' ' | '\t' | '\n' | '\r' => {
                    self.lexer.ignore();
                    continue;
                }
                '#' => {
                    self.lexer.comment()?;
                    continue;
                }
                ',' => return Ok(self.lexer.bad("unexpected comma")?),
                ']' => break,
                _ => self.lexer.back(),
            }
            items.push(self.value(true)?);
            if !self.goes_on(']', "expected a comma (',') or array terminator (']'), but got ", "")? {
                break;
            }
        }
        self.lexer.ignore();
        Ok(Data::Array(items))
    }

    /// Behind an item: whether another may follow.
    fn goes_on(&mut self, close: char, before: &str, after: &str) -> Result<bool, Stop> {
        loop {
            match self.lexer.next()? {
                ' ' | '\t' | '\n' | '\r' => self.lexer.ignore(),
                '#' => self.lexer.comment()?,
                ',' => {
                    self.lexer.ignore();
                    return Ok(true);
                }
                rune if rune == close => return Ok(false),
                END => return Ok(self.lexer.bad(format!("{before}end of file{after}"))?),
                other => return Ok(self.lexer.bad(format!("{before}'{other}'{after}"))?),
            }
        }
    }

    fn inline_table(&mut self, in_array: bool) -> Result<Data, Stop> {
        let (outer, current, current_origin) = (self.context.len(), self.current.clone(), self.current_origin);
        self.context.push((std::mem::take(&mut self.current), current_origin));
        let inside = self.context.len();
        self.tables.add_implicit(&self.context);
        if let Err((_, message)) = self.tables.open(&self.context, in_array) {
            self.context.pop();
            return Err(self.defined(message));
        }
        let mut table = Table::new();
        let before = "expected a comma or an inline table terminator '}', but got ";
        loop {
            match self.lexer.next()? {
                ' ' | '\t' | '\n' | '\r' => {
                    self.lexer.ignore();
                    continue;
                }
                '#' => {
                    self.lexer.comment()?;
                    continue;
                }
                ',' => return Ok(self.lexer.bad("unexpected comma")?),
                '}' => break,
                _ => self.lexer.back(),
            }
            self.key_value(Some(&mut table))?;
            self.context.truncate(inside);
            if !self.goes_on('}', before, " instead")? {
                break;
            }
        }
        self.lexer.ignore();
        self.context.truncate(outer);
        (self.current, self.current_origin) = (current, current_origin);
        Ok(Data::Table(table))
    }
}

/// Takes out what a backslash at a line's end joins.
fn without_escaped_breaks(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        out.push(*byte);
        at += 1;
        if *byte != b'\\' {
            continue;
        }
        if text.get(at) == Some(&b'\\') {
            out.push(b'\\');
            at += 1;
            continue;
        }
        let blank = text.get(at..).unwrap_or_default();
        let blank = blank.get(..blank.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')).count()).unwrap_or_default();
        if blank.contains(&b'\n') {
            out.pop();
            at += blank.len();
        }
    }
    out
}

/// Replaces escapes, which are known to be complete.
fn unescaped(text: &[u8], token: Token) -> Result<Vec<u8>, Stop> {
    let bad = |message: String| Stop::Bad(Bad { line: token.line, message: message.into_bytes() });
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        at += 1;
        if *byte != b'\\' {
            out.push(*byte);
            continue;
        }
        let letter = text.get(at).copied().unwrap_or(b'\\');
        at += 1;
        let digits = match letter {
            b'b' => 0x08,
            b't' => b'\t',
            b'n' => b'\n',
            b'f' => 0x0c,
            b'r' => b'\r',
            b'e' => 0x1b,
            b'"' | b'\\' => letter,
            b'x' | b'u' | b'U' => {
                let count = if letter == b'x' {
                    2
                } else if letter == b'u' {
                    4
                } else {
                    8
                };
                let digits = String::from_utf8_lossy(text.get(at..at + count).unwrap_or_default()).into_owned();
                at += count;
                let rune = u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32);
                let rune = rune.ok_or_else(|| bad(format!("Escaped character '\\u{digits}' is not valid UTF-8.")))?;
                out.extend_from_slice(rune.encode_utf8(&mut [0; 4]).as_bytes());
                continue;
            }
            other => return Err(bad(format!("invalid escape: '\\{}'", other as char))),
        };
        out.push(digits);
    }
    Ok(out)
}
