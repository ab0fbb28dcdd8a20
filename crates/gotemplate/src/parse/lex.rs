//! Owns the lexer: a template's bytes become items, as `text/template/parse`'s `lex.go` cuts them. Trim markers and comments end here.

/// What an item is. Keywords come last, from [`Kind::Block`] on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Kind {
    Error,
    Bool,
    Char,
    CharConstant,
    Complex,
    Assign,
    Declare,
    Eof,
    Field,
    Identifier,
    LeftDelim,
    LeftParen,
    Number,
    Pipe,
    RawString,
    RightDelim,
    RightParen,
    Space,
    String,
    Text,
    Variable,
    Block,
    Break,
    Continue,
    Dot,
    Define,
    Else,
    End,
    If,
    Nil,
    Range,
    Template,
    With,
}

/// An item: its kind and its range in the source.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item {
    pub(super) kind: Kind,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// Cuts a source into items.
pub(super) struct Lexer<'s> {
    src: &'s [u8],
    /// Where the next item begins.
    start: usize,
    pos: usize,
    inside: bool,
    parens: i32,
    /// The text of the error that ended the scan.
    failed: Option<String>,
    left: memchr::memmem::Finder<'static>,
    /// `break` and `continue` are keywords unless functions have these names.
    break_is_keyword: bool,
    continue_is_keyword: bool,
}

const MARKER: usize = 2;

/// Which bytes are ASCII letters, digits or an underscore.
const WORD: [bool; 256] = {
    let (mut table, mut byte) = ([false; 256], 0_usize);
    while byte < 256 {
        table[byte] = (byte as u8).is_ascii_alphanumeric() || byte as u8 == b'_';
        byte += 1;
    }
    table
};

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// Go's `unicode.IsLetter`, `unicode.IsDigit` or an underscore.
fn is_alphanumeric(c: char) -> bool {
    c == '_' || plumb_go::strconv::is_letter(c) || plumb_go::strconv::is_digit(c)
}

/// Decodes the first character; a byte that is no UTF-8 counts as one character, as in Go.
pub(super) fn decode(bytes: &[u8]) -> Option<(char, usize)> {
    let first = *bytes.first()?;
    if first < 0x80 {
        return Some((first as char, 1));
    }
    let some = &bytes[..bytes.len().min(4)];
    let valid = match std::str::from_utf8(some) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(&some[..error.valid_up_to()]).unwrap_or_default(),
    };
    Some(valid.chars().next().map_or((char::REPLACEMENT_CHARACTER, 1), |c| (c, c.len_utf8())))
}

/// Go's `%#U`.
fn shown(c: Option<char>) -> String {
    match c {
        // Go's end of input is -1.
        None => "U+FFFFFFFFFFFFFFFF".to_owned(),
        Some(c) if c.is_control() => format!("U+{:04X}", c as u32),
        Some(c) => format!("U+{:04X} '{c}'", c as u32),
    }
}

impl<'s> Lexer<'s> {
    pub(super) fn new(src: &'s [u8], break_is_keyword: bool, continue_is_keyword: bool) -> Self {
        Self {
            src,
            start: 0,
            pos: 0,
            inside: false,
            parens: 0,
            failed: None,
            left: memchr::memmem::Finder::new(b"{{"),
            break_is_keyword,
            continue_is_keyword,
        }
    }

    /// Returns an item's bytes.
    pub(super) fn bytes(&self, item: Item) -> &'s [u8] {
        &self.src[item.start..item.end]
    }

    /// Returns the line, from 1, that a position is on.
    pub(super) fn line(&self, at: usize) -> usize {
        1 + memchr::memchr_iter(b'\n', &self.src[..at]).count()
    }

    /// Returns the text of the error that ended the scan.
    pub(super) fn failure(&self) -> &str {
        self.failed.as_deref().unwrap_or("unclosed action")
    }

    pub(super) fn next(&mut self) -> Item {
        if self.failed.is_some() {
            return Item { kind: Kind::Eof, start: self.src.len(), end: self.src.len() };
        }
        if self.inside { self.action() } else { self.text() }
    }

    fn item(&mut self, kind: Kind) -> Item {
        let item = Item { kind, start: self.start, end: self.pos };
        self.start = self.pos;
        item
    }

    fn fail(&mut self, text: impl Into<String>) -> Item {
        self.failed = Some(text.into());
        Item { kind: Kind::Error, start: self.start, end: self.start }
    }

    fn rest(&self) -> &'s [u8] {
        &self.src[self.pos..]
    }

    fn peek(&self) -> Option<(char, usize)> {
        decode(self.rest())
    }

    /// `{{- `: the marker needs a space after it, so that `{{-3}}` is a number.
    fn has_left_marker(&self, at: usize) -> bool {
        self.src.get(at) == Some(&b'-') && self.src.get(at + 1).is_some_and(|byte| is_space(*byte))
    }

    /// Whether the action ends here, and whether with a trim marker.
    fn at_right_delim(&self) -> Option<bool> {
        let rest = self.rest();
        match rest {
            [space, b'-', b'}', b'}', ..] if is_space(*space) => Some(true),
            [b'}', b'}', ..] => Some(false),
            _ => None,
        }
    }

    fn skip_spaces(&mut self) {
        while self.src.get(self.pos).is_some_and(|byte| is_space(*byte)) {
            self.pos += 1;
        }
        self.start = self.pos;
    }

    fn text(&mut self) -> Item {
        loop {
            let Some(ahead) = self.left.find(self.rest()) else {
                self.pos = self.src.len();
                return if self.pos > self.start { self.item(Kind::Text) } else { self.item(Kind::Eof) };
            };
            if ahead > 0 {
                let delim = self.pos + ahead;
                let mut end = delim;
                if self.has_left_marker(delim + 2) {
                    while end > self.start && is_space(self.src[end - 1]) {
                        end -= 1;
                    }
                }
                let item = Item { kind: Kind::Text, start: self.start, end };
                (self.pos, self.start) = (delim, delim);
                if item.end > item.start {
                    return item;
                }
            }
            if let Some(item) = self.left_delim() {
                return item;
            }
        }
    }

    /// The delimiter that is known to be here; nothing when it begins a comment, which is skipped.
    fn left_delim(&mut self) -> Option<Item> {
        self.pos += 2;
        let marker = if self.has_left_marker(self.pos) { MARKER } else { 0 };
        if self.src[self.pos + marker..].starts_with(b"/*") {
            self.pos += marker;
            self.start = self.pos;
            return self.comment();
        }
        let item = self.item(Kind::LeftDelim);
        self.inside = true;
        self.pos += marker;
        self.start = self.pos;
        self.parens = 0;
        Some(item)
    }

    fn comment(&mut self) -> Option<Item> {
        self.pos += 2;
        let Some(ahead) = memchr::memmem::find(self.rest(), b"*/") else {
            return Some(self.fail("unclosed comment"));
        };
        self.pos += ahead + 2;
        let Some(trim) = self.at_right_delim() else {
            return Some(self.fail("comment ends before closing delimiter"));
        };
        self.pos += 2;
        if trim {
            self.pos += MARKER;
            self.skip_spaces();
        }
        self.start = self.pos;
        None
    }

    fn right_delim(&mut self, trim: bool) -> Item {
        if trim {
            self.pos += MARKER;
            self.start = self.pos;
        }
        self.pos += 2;
        let item = self.item(Kind::RightDelim);
        if trim {
            self.skip_spaces();
        }
        self.inside = false;
        item
    }

    fn action(&mut self) -> Item {
        let Some(&byte) = self.src.get(self.pos) else { return self.fail("unclosed action") };
        if byte == b'}' || is_space(byte) {
            if let Some(trim) = self.at_right_delim() {
                return if self.parens == 0 { self.right_delim(trim) } else { self.fail("unclosed left paren") };
            }
            if byte != b'}' {
                return self.space();
            }
        }
        if WORD[byte as usize] && !byte.is_ascii_digit() {
            return self.identifier();
        }
        let Some((c, width)) = self.peek() else { return self.fail("unclosed action") };
        self.pos += width;
        match c {
            '=' => self.item(Kind::Assign),
            ':' if self.src.get(self.pos) == Some(&b'=') => {
                self.pos += 1;
                self.item(Kind::Declare)
            }
            ':' => self.fail("expected :="),
            '|' => self.item(Kind::Pipe),
            '"' => self.quoted(b'"', Kind::String, "unterminated quoted string"),
            '\'' => self.quoted(b'\'', Kind::CharConstant, "unterminated character constant"),
            '`' => self.raw(),
            '$' => self.field_or_variable(Kind::Variable),
            '.' if self.src.get(self.pos).is_some_and(|byte| !byte.is_ascii_digit()) => self.field_or_variable(Kind::Field),
            '.' | '+' | '-' | '0'..='9' => {
                self.pos -= width;
                self.number()
            }
            c if is_alphanumeric(c) => self.identifier(),
            '(' => {
                self.parens += 1;
                self.item(Kind::LeftParen)
            }
            ')' => {
                self.parens -= 1;
                if self.parens < 0 { self.fail("unexpected right paren") } else { self.item(Kind::RightParen) }
            }
            ' '..='~' => self.item(Kind::Char),
            other => self.fail(format!("unrecognized character in action: {}", shown(Some(other)))),
        }
    }

    /// Spaces, of which the last may belong to a closing ` -}}`.
    fn space(&mut self) -> Item {
        while self.src.get(self.pos).is_some_and(|byte| is_space(*byte)) {
            self.pos += 1;
        }
        let count = self.pos - self.start;
        if self.src[self.pos..].starts_with(b"-}}") {
            self.pos -= 1;
            if count == 1 {
                return self.right_delim(true);
            }
        }
        self.item(Kind::Space)
    }

    /// Skips what a word is made of.
    fn word(&mut self) {
        loop {
            let len = self.rest().iter().position(|byte| !WORD[*byte as usize]);
            self.pos = len.map_or(self.src.len(), |len| self.pos + len);
            match self.src.get(self.pos) {
                Some(byte) if !byte.is_ascii() => {}
                _ => return,
            }
            match self.peek() {
                Some((c, width)) if is_alphanumeric(c) => self.pos += width,
                _ => return,
            }
        }
    }

    fn bad_character(&mut self) -> Item {
        let after = self.peek().map(|(c, _)| c);
        self.fail(format!("bad character {}", shown(after)))
    }

    fn identifier(&mut self) -> Item {
        self.word();
        if !self.at_terminator() {
            return self.bad_character();
        }
        let kind = match &self.src[self.start..self.pos] {
            b"block" => Kind::Block,
            b"break" if self.break_is_keyword => Kind::Break,
            b"continue" if self.continue_is_keyword => Kind::Continue,
            b"define" => Kind::Define,
            b"else" => Kind::Else,
            b"end" => Kind::End,
            b"if" => Kind::If,
            b"range" => Kind::Range,
            b"nil" => Kind::Nil,
            b"template" => Kind::Template,
            b"with" => Kind::With,
            b"true" | b"false" => Kind::Bool,
            _ => Kind::Identifier,
        };
        self.item(kind)
    }

    fn field_or_variable(&mut self, kind: Kind) -> Item {
        if self.at_terminator() {
            return self.item(if kind == Kind::Variable { Kind::Variable } else { Kind::Dot });
        }
        self.word();
        if !self.at_terminator() {
            return self.bad_character();
        }
        self.item(kind)
    }

    /// Whether a word can end here: what follows is no part of it and no operator of a language that this is not.
    fn at_terminator(&self) -> bool {
        match self.rest() {
            [] | [b' ' | b'\t' | b'\r' | b'\n' | b'.' | b',' | b'|' | b':' | b')' | b'(', ..] => true,
            rest => rest.starts_with(b"}}"),
        }
    }

    fn quoted(&mut self, quote: u8, kind: Kind, unterminated: &str) -> Item {
        loop {
            let byte = self.src.get(self.pos).copied();
            self.pos += 1;
            match byte {
                Some(b'\\') => {
                    let next = self.src.get(self.pos).copied();
                    self.pos += 1;
                    if matches!(next, None | Some(b'\n')) {
                        return self.fail(unterminated);
                    }
                }
                None | Some(b'\n') => return self.fail(unterminated),
                Some(byte) if byte == quote => return self.item(kind),
                Some(_) => {}
            }
        }
    }

    fn raw(&mut self) -> Item {
        match memchr::memchr(b'`', self.rest()) {
            Some(ahead) => {
                self.pos += ahead + 1;
                self.item(Kind::RawString)
            }
            None => self.fail("unterminated raw quoted string"),
        }
    }

    fn number(&mut self) -> Item {
        if !self.scan_number() {
            return self.bad_number();
        }
        if matches!(self.rest().first(), Some(b'+' | b'-')) {
            // Complex: `1+2i`, without spaces.
            if !self.scan_number() || self.src[self.pos - 1] != b'i' {
                return self.bad_number();
            }
            return self.item(Kind::Complex);
        }
        self.item(Kind::Number)
    }

    fn bad_number(&mut self) -> Item {
        let text = plumb_go::strconv::quote_bytes(&self.src[self.start..self.pos]);
        self.fail(format!("bad number syntax: {text}"))
    }

    fn accept(&mut self, set: &[u8]) -> bool {
        let found = self.rest().first().is_some_and(|byte| set.contains(byte));
        self.pos += usize::from(found);
        found
    }

    fn accept_run(&mut self, set: &[u8]) {
        while self.accept(set) {}
    }

    fn scan_number(&mut self) -> bool {
        const DECIMAL: &[u8] = b"0123456789_";
        const HEX: &[u8] = b"0123456789abcdefABCDEF_";
        self.accept(b"+-");
        let mut digits = DECIMAL;
        if self.accept(b"0") {
            if self.accept(b"xX") {
                digits = HEX;
            } else if self.accept(b"oO") {
                digits = b"01234567_";
            } else if self.accept(b"bB") {
                digits = b"01_";
            }
        }
        self.accept_run(digits);
        if self.accept(b".") {
            self.accept_run(digits);
        }
        if digits == DECIMAL && self.accept(b"eE") || digits == HEX && self.accept(b"pP") {
            self.accept(b"+-");
            self.accept_run(DECIMAL);
        }
        self.accept(b"i");
        match self.peek() {
            Some((c, width)) if is_alphanumeric(c) => {
                self.pos += width;
                false
            }
            _ => true,
        }
    }
}
