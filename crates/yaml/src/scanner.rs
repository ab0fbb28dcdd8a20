//! Owns the scanner's state: the place in the text, keys that may have begun, and the queue of tokens, as go-yaml's
//! `scannerc.go` has them, quirks included. `fetch` decides what token comes next.

use std::collections::VecDeque;

use crate::error::{Fault, Scanned};
use crate::limits::{MAX_DEPTH, MAX_SIMPLE_KEY_CHARS};
use crate::reader::Input;
use crate::token::{TextRef, Token, TokenKind};

/// A place where a key without `?` may have begun.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SimpleKey {
    pub(crate) possible: bool,
    /// In block context at the current indentation only a key may stand: it must turn out to be one.
    required: bool,
    pub(crate) token_number: usize,
    pub(crate) mark: u32,
    pub(crate) column: usize,
    line: u32,
}

/// Turns text into tokens, a few at a time.
pub(crate) struct Scanner<'t> {
    pub(crate) src: &'t [u8],
    pub(crate) pos: usize,
    pub(crate) line: u32,
    pub(crate) line_start: usize,
    /// Go adds a line break at the end of a stream that has none; marks made after that lie on the next line.
    pub(crate) ended_line: bool,
    pub(crate) flow_level: usize,
    pub(crate) indent: i64,
    pub(crate) indents: Vec<i64>,
    pub(crate) simple_key_allowed: bool,
    pub(crate) simple_keys: Vec<SimpleKey>,
    /// Token number and index of the keys that hold back their token, by token number.
    waiting: VecDeque<(usize, usize)>,
    tokens: Vec<Token>,
    head: usize,
    parsed: usize,
    available: bool,
    /// Texts of scalars that are not a range of the source.
    pub(crate) cooked: String,
    /// Handles and suffixes of tags; handles and prefixes of `%TAG`.
    pub(crate) tags: Vec<(String, String)>,
    pub(crate) plain_breaks: bool,
    ascii: bool,
    /// The source ends before the text does: at something that is no text.
    pub(crate) cut: bool,
    /// How many characters there are between a key's mark and a later offset, as counted last.
    counted: (u32, usize, usize),
}

impl<'t> Scanner<'t> {
    pub(crate) fn new(input: &'t Input, end: usize) -> Self {
        Self {
            src: &input.text.as_bytes()[..end],
            pos: input.start,
            line: 0,
            line_start: input.start,
            ended_line: false,
            flow_level: 0,
            indent: -1,
            indents: Vec::new(),
            simple_key_allowed: true,
            simple_keys: vec![SimpleKey::default()],
            waiting: VecDeque::new(),
            tokens: Vec::new(),
            head: 0,
            parsed: 0,
            available: false,
            cooked: String::new(),
            tags: Vec::new(),
            plain_breaks: input.plain_breaks,
            ascii: input.ascii,
            cut: end < input.text.len(),
            counted: (0, 0, 0),
        }
    }

    /// Starts again at a line's first byte, as at the start of a stream.
    pub(crate) fn restart(&mut self, input: &'t Input, at: usize, end: usize) {
        self.src = &input.text.as_bytes()[..end];
        self.cut = end < input.text.len();
        (self.pos, self.line_start, self.ended_line) = (at, at, false);
        // Lines are compared with each other only.
        self.line += 1;
        (self.flow_level, self.indent, self.simple_key_allowed, self.available) = (0, -1, true, false);
        self.indents.clear();
        self.simple_keys.clear();
        self.simple_keys.push(SimpleKey::default());
        self.waiting.clear();
        self.tokens.clear();
        self.head = 0;
    }

    /// Returns the next token without taking it.
    pub(crate) fn peek(&mut self) -> Scanned<Token> {
        if !self.available {
            self.fetch_more()?;
        }
        Ok(self.tokens[self.head])
    }

    /// Takes the token that was peeked.
    pub(crate) fn skip_token(&mut self) {
        self.available = false;
        self.parsed += 1;
        self.head += 1;
        if self.head == self.tokens.len() {
            self.tokens.clear();
            self.head = 0;
        }
    }

    /// Returns whether the next token is still to be scanned and nothing waits for a `:`, in block context. A key that
    /// could have been in an earlier line is given up.
    pub(crate) fn idle_in_block(&mut self) -> bool {
        if !self.tokens.is_empty() || self.flow_level != 0 || !self.plain_breaks {
            return false;
        }
        let key = &mut self.simple_keys[0];
        if key.possible && (key.required || key.line == self.line) {
            return false;
        }
        key.possible = false;
        self.waiting.clear();
        true
    }

    // Reading the source. Beyond its end everything is 0, which the text cannot contain.

    #[inline]
    pub(crate) fn at(&self, at: usize) -> u8 {
        self.src.get(at).copied().unwrap_or(0)
    }

    #[inline]
    pub(crate) fn byte(&self) -> u8 {
        self.at(self.pos)
    }

    #[inline]
    pub(crate) fn column(&self) -> usize {
        self.pos - self.line_start
    }

    /// Returns how long the line break at an offset is; 0 for none.
    #[inline]
    pub(crate) fn break_at(&self, at: usize) -> usize {
        match self.at(at) {
            b'\n' => 1,
            b'\r' => 1 + usize::from(self.at(at + 1) == b'\n'),
            0xc2 if self.at(at + 1) == 0x85 => 2,
            0xe2 if self.at(at + 1) == 0x80 && matches!(self.at(at + 2), 0xa8 | 0xa9) => 3,
            _ => 0,
        }
    }

    #[inline]
    pub(crate) fn is_breakz(&self, at: usize) -> bool {
        self.at(at) == 0 || self.break_at(at) > 0
    }

    #[inline]
    pub(crate) fn is_blank(&self, at: usize) -> bool {
        matches!(self.at(at), b' ' | b'\t')
    }

    #[inline]
    pub(crate) fn is_blankz(&self, at: usize) -> bool {
        self.is_blank(at) || self.is_breakz(at)
    }

    /// Returns whether `---` or `...` stands here, at the start of a line.
    pub(crate) fn at_document_marker(&self) -> bool {
        self.column() == 0
            && self.src.get(self.pos..self.pos + 3).is_some_and(|m| m == b"---" || m == b"...")
            && self.is_blankz(self.pos + 3)
    }

    /// Steps over the line break that is here, if one is.
    pub(crate) fn skip_break(&mut self) {
        let width = self.break_at(self.pos);
        if width > 0 {
            self.pos += width;
            self.line += 1;
            self.line_start = self.pos;
        }
    }

    pub(crate) fn skip_blanks(&mut self) {
        while self.is_blank(self.pos) {
            self.pos += 1;
        }
    }

    /// Steps to the end of the line.
    pub(crate) fn skip_comment(&mut self) {
        if self.plain_breaks {
            self.pos = memchr::memchr(b'\n', &self.src[self.pos..]).map_or(self.src.len(), |len| self.pos + len);
        }
        while !self.is_breakz(self.pos) {
            self.pos += 1;
        }
    }

    /// Returns the current offset as a mark.
    pub(crate) fn mark(&self) -> u32 {
        (self.pos + usize::from(self.ended_line)) as u32
    }

    pub(crate) fn source_text(&self, start: usize, end: usize) -> TextRef {
        TextRef { at: start as u32, len: (end - start) as u32, cooked: false }
    }

    pub(crate) fn fault<T>(&self, context: u32, message: &'static str) -> Scanned<T> {
        Err(Fault::scanner(self.mark(), context, message))
    }

    // Simple keys.

    /// Returns whether a key that began at a mark would now be longer than one may be. Counts on from the last time.
    fn too_long_for_key(&mut self, mark: u32) -> bool {
        let start = mark as usize;
        if self.pos - start <= MAX_SIMPLE_KEY_CHARS || self.ascii {
            return self.pos - start > MAX_SIMPLE_KEY_CHARS;
        }
        if self.counted.0 != mark || self.counted.1 < start || self.counted.1 > self.pos {
            self.counted = (mark, start, 0);
        }
        let more = self.src[self.counted.1..self.pos].iter().filter(|b| **b & 0xc0 != 0x80).count();
        self.counted = (mark, self.pos, self.counted.2 + more);
        self.counted.2 > MAX_SIMPLE_KEY_CHARS
    }

    pub(crate) fn simple_key_is_valid(&mut self, index: usize) -> Scanned<bool> {
        let Some(key) = self.simple_keys.get(index).copied().filter(|key| key.possible) else { return Ok(false) };
        if key.line < self.line || self.too_long_for_key(key.mark) {
            if key.required {
                return self.fault(key.mark, "could not find expected ':'");
            }
            self.simple_keys[index].possible = false;
            return Ok(false);
        }
        Ok(true)
    }

    pub(crate) fn save_simple_key(&mut self) -> Scanned<()> {
        if !self.simple_key_allowed {
            return Ok(());
        }
        let column = self.column();
        let key = SimpleKey {
            possible: true,
            required: self.flow_level == 0 && self.indent == column as i64,
            token_number: self.parsed + self.tokens.len() - self.head,
            mark: self.mark(),
            column,
            line: self.line,
        };
        self.remove_simple_key()?;
        let last = self.simple_keys.len() - 1;
        self.simple_keys[last] = key;
        self.forget_waiting(key.token_number);
        self.waiting.push_back((key.token_number, last));
        Ok(())
    }

    pub(crate) fn remove_simple_key(&mut self) -> Scanned<()> {
        let last = self.simple_keys.len() - 1;
        let key = self.simple_keys[last];
        if key.possible {
            if key.required {
                return self.fault(key.mark, "could not find expected ':'");
            }
            self.simple_keys[last].possible = false;
            self.forget_waiting(key.token_number);
        }
        Ok(())
    }

    pub(crate) fn forget_waiting(&mut self, token_number: usize) {
        if self.waiting.back().is_some_and(|(number, _)| *number == token_number) {
            self.waiting.pop_back();
        } else if let Ok(index) = self.waiting.binary_search_by_key(&token_number, |(number, _)| *number) {
            self.waiting.remove(index);
        }
    }

    pub(crate) fn increase_flow_level(&mut self) -> Scanned<()> {
        let token_number = self.parsed + self.tokens.len() - self.head;
        let (mark, line) = (self.mark(), self.line);
        self.simple_keys.push(SimpleKey { token_number, mark, line, ..SimpleKey::default() });
        self.flow_level += 1;
        if self.flow_level > MAX_DEPTH {
            return Err(Fault::scanner(mark, mark, format!("exceeded max depth of {MAX_DEPTH}")));
        }
        Ok(())
    }

    pub(crate) fn decrease_flow_level(&mut self) {
        if self.flow_level > 0 {
            self.flow_level -= 1;
            if let Some(key) = self.simple_keys.pop() {
                // For an empty collection this is the number of its own first token: Go then no longer
                // waits for a `:` behind it either.
                self.forget_waiting(key.token_number);
            }
        }
    }

    // The token queue.

    pub(crate) fn push(&mut self, token: Token) {
        self.tokens.push(token);
    }

    /// Inserts before the token with that number; appends when it was taken already.
    pub(crate) fn insert(&mut self, number: Option<usize>, token: Token) {
        match number.and_then(|number| number.checked_sub(self.parsed)) {
            Some(offset) if self.head + offset <= self.tokens.len() => self.tokens.insert(self.head + offset, token),
            _ => self.tokens.push(token),
        }
    }

    /// Pushes a token of one byte and steps over it.
    pub(crate) fn push_indicator(&mut self, kind: TokenKind) {
        let start = self.mark();
        self.pos += 1;
        self.push(Token::new(kind, start, self.mark()));
    }

    fn fetch_more(&mut self) -> Scanned<()> {
        loop {
            if self.head != self.tokens.len() {
                while self.waiting.front().is_some_and(|(number, _)| *number < self.parsed) {
                    self.waiting.pop_front();
                }
                match self.waiting.front() {
                    Some((number, index)) if *number == self.parsed => {
                        if !self.simple_key_is_valid(*index)? {
                            break;
                        }
                    }
                    _ => break,
                }
            }
            self.fetch_next()?;
        }
        self.available = true;
        Ok(())
    }
}
