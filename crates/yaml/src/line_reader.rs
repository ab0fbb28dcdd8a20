//! Owns the short cut through usual manifests: lines such as `key: value` and `- name: value` become nodes by their shape,
//! without tokens. What it does not recognise it leaves untouched to the scanner, so it decides nothing and reports no error;
//! a test reads everything with and without it.

use crate::builder::Builder;
use crate::error::Scanned;
use crate::limits::{MAX_DEPTH, MAX_SIMPLE_KEY_CHARS};
use crate::parser::{Parser, State};
use crate::scanner::Scanner;
use crate::token::Style;

/// The first line with something on it.
#[derive(Clone, Copy)]
pub(crate) struct Line {
    start: usize,
    /// Its first character that is no space.
    content: usize,
    /// How many line breaks come before it.
    breaks: u32,
}

impl Line {
    fn column(self) -> i64 {
        (self.content - self.start) as i64
    }
}

/// A plain scalar on one line.
struct PlainValue {
    end: usize,
    line_end: usize,
    /// The next line, when the look behind this one has found it already.
    next: Option<Line>,
}

/// What may begin a plain scalar and needs no second look: no indicator, and no `.` that could be a document's end.
const BEGINS_PLAIN: [bool; 256] = {
    let mut table = [false; 256];
    let mut c = 0;
    while c < 256 {
        let byte = c as u8;
        table[c] = byte.is_ascii_alphanumeric()
            || byte >= 0x80
            || matches!(byte, b'_' | b'/' | b'$' | b'(' | b'<' | b'=' | b'~' | b'+' | b'^' | b';');
        c += 1;
    }
    table
};

const LOW: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// Returns the high bit of each byte that equals `byte`; those above the first one may be wrong.
const fn equal(word: u64, byte: u8) -> u64 {
    let x = word ^ (LOW * byte as u64);
    x.wrapping_sub(LOW) & !x & HIGH
}

/// Returns the high bit of each byte that a plain scalar cannot simply run through: `:`, `#` and what is below 14, that is
/// tabs and line breaks; those above the first one may be wrong.
const fn stops(word: u64) -> u64 {
    let control = word.wrapping_sub(LOW * 14) & !word & HIGH;
    control | equal(word, b':') | equal(word, b'#')
}

impl Scanner<'_> {
    /// Returns the next line with content, from an offset on that is at the start of a line or behind all of one's content.
    /// Nothing when there is a tab in the way, or the text ends.
    fn next_line(&self, from: usize, at_start: bool) -> Option<Line> {
        let (mut at, mut start, mut breaks) = (from, from, 0);
        if !at_start {
            at = self.line_end(from)? + 1;
            (start, breaks) = (at, 1);
        }
        loop {
            at = self.skip_spaces(at);
            match *self.src.get(at)? {
                b'\n' => {
                    at += 1;
                    (start, breaks) = (at, breaks + 1);
                }
                b'#' => at += memchr::memchr(b'\n', &self.src[at..])?,
                b'\t' => return None,
                _ => return Some(Line { start, content: at, breaks }),
            }
        }
    }

    /// Returns the first offset from one on that is no space.
    #[inline]
    fn skip_spaces(&self, mut at: usize) -> usize {
        while let Some(chunk) = self.src.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
            let others = u64::from_le_bytes(*chunk) ^ (LOW * b' ' as u64);
            if others != 0 {
                return at + others.trailing_zeros() as usize / 8;
            }
            at += 8;
        }
        while self.at(at) == b' ' {
            at += 1;
        }
        at
    }

    /// Returns the first offset from one on where a plain scalar needs a closer look, or the end of the text.
    #[inline]
    fn skip_ordinary(&self, mut at: usize) -> usize {
        while let Some(chunk) = self.src.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
            let found = stops(u64::from_le_bytes(*chunk));
            if found != 0 {
                return at + found.trailing_zeros() as usize / 8;
            }
            at += 8;
        }
        while !matches!(self.at(at), b':' | b'#' | ..14) {
            at += 1;
        }
        at
    }

    /// Returns where the line ends, when only spaces and a comment are left of it.
    fn line_end(&self, mut at: usize) -> Option<usize> {
        at = self.skip_spaces(at);
        match self.at(at) {
            b'\n' => Some(at),
            b'#' => memchr::memchr(b'\n', &self.src[at..]).map(|len| at + len),
            _ => None,
        }
    }

    /// Returns the `:` of a plain key that begins here.
    #[inline]
    fn plain_key(&self, start: usize) -> Option<usize> {
        let mut at = start;
        loop {
            at = self.skip_ordinary(at);
            match self.at(at) {
                b':' => match self.at(at + 1) {
                    b' ' | b'\n' => break,
                    b'\t' | 0 => return None,
                    _ => {}
                },
                b'#' if self.at(at - 1) != b' ' => {}
                _ => return None,
            }
            at += 1;
        }
        (self.at(at - 1) != b' ' && at - start < MAX_SIMPLE_KEY_CHARS).then_some(at)
    }

    /// Returns a plain scalar that begins here, when it has this one line. Its collection is indented by `indent`.
    #[inline]
    fn plain_value(&self, start: usize, indent: i64) -> Option<PlainValue> {
        let mut at = start;
        let (line_end, next) = loop {
            at = self.skip_ordinary(at);
            match self.at(at) {
                b'\n' => break (at, self.line_behind(at + 1, indent)?),
                b':' if !matches!(self.at(at + 1), b' ' | b'\n' | b'\t' | 0) => {}
                b'#' if self.at(at - 1) != b' ' => {}
                b'#' => break (at + memchr::memchr(b'\n', &self.src[at..])?, None),
                _ => return None,
            }
            at += 1;
        };
        while self.at(at - 1) == b' ' {
            at -= 1;
        }
        Some(PlainValue { end: at, line_end, next })
    }

    /// Returns the line with content behind the end of a plain scalar's line, if it is known after one look. Nothing when the
    /// scalar goes on there, or a tab is in the way.
    #[inline]
    fn line_behind(&self, mut at: usize, indent: i64) -> Option<Option<Line>> {
        let (mut start, mut breaks) = (at, 0);
        loop {
            at = self.skip_spaces(at);
            match self.at(at) {
                b'\n' => {
                    at += 1;
                    (start, breaks) = (at, breaks + 1);
                }
                b'\t' => return None,
                b'#' | 0 => return Some(None),
                _ => {
                    let line = Line { start, content: at, breaks };
                    return (line.column() <= indent).then_some(Some(line));
                }
            }
        }
    }

    fn go_to(&mut self, line: Line) {
        self.pos = line.start;
        self.line_start = line.start;
        self.line += line.breaks;
        self.simple_key_allowed = true;
    }

    /// Goes behind a line break, to the start of a line.
    fn go_behind(&mut self, line_break: usize) {
        self.pos = line_break + 1;
        self.line_start = self.pos;
        self.line += 1;
        self.simple_key_allowed = true;
    }
}

impl Parser<'_> {
    /// Reads lines as long as they have a usual shape. Returns whether anything was done.
    pub(crate) fn read_lines(&mut self) -> Scanned<bool> {
        let mut done = false;
        loop {
            if !matches!(self.state, State::BlockMappingKey | State::BlockSequenceEntry | State::IndentlessSequenceEntry) {
                return Ok(done);
            }
            if !done && !self.scanner.idle_in_block() {
                return Ok(false);
            }
            let Some(line) = self.ahead.take().or_else(|| self.line_here()) else { return Ok(done) };
            let moved = match self.state {
                State::BlockMappingKey => self.mapping_line(line)?,
                _ => self.sequence_line(line)?,
            };
            if !moved {
                return Ok(done);
            }
            done = true;
        }
    }

    fn line_here(&self) -> Option<Line> {
        let scanner = &self.scanner;
        let at_start = scanner.simple_key_allowed && scanner.src[scanner.line_start..scanner.pos].iter().all(|b| *b == b' ');
        scanner.next_line(if at_start { scanner.line_start } else { scanner.pos }, at_start)
    }

    fn close_block(&mut self, line: Line) {
        self.scanner.go_to(line);
        self.scanner.indent = self.scanner.indents.pop().unwrap_or(-1);
        self.marks.pop();
        self.builder.close(None);
        self.pop_state();
    }

    fn mapping_line(&mut self, line: Line) -> Scanned<bool> {
        let indent = self.scanner.indent;
        if line.column() < indent {
            self.close_block(line);
            return Ok(true);
        }
        if line.column() > indent || !BEGINS_PLAIN[self.scanner.at(line.content) as usize] {
            return Ok(false);
        }
        let Some(colon) = self.scanner.plain_key(line.content) else { return Ok(false) };
        self.scanner.go_to(line);
        self.entry(line.content, colon)?;
        Ok(true)
    }

    fn sequence_line(&mut self, line: Line) -> Scanned<bool> {
        let indent = self.scanner.indent;
        let (at, indentless) = (line.content, self.state == State::IndentlessSequenceEntry);
        let dash = self.scanner.at(at) == b'-' && matches!(self.scanner.at(at + 1), b' ' | b'\n' | b'\t' | 0);
        if line.column() < indent && !indentless {
            self.close_block(line);
            return Ok(true);
        }
        if indentless && (line.column() < indent || line.column() == indent && !dash) {
            self.scanner.go_to(line);
            self.builder.close(None);
            self.pop_state();
            return Ok(true);
        }
        if line.column() != indent || !dash || self.scanner.at(at + 1) != b' ' {
            return Ok(false);
        }
        let item = self.scanner.skip_spaces(at + 2);
        if BEGINS_PLAIN[self.scanner.at(item) as usize]
            && let Some(colon) = self.scanner.plain_key(item)
        {
            if self.scanner.indents.len() >= MAX_DEPTH {
                return Ok(false);
            }
            self.scanner.go_to(line);
            self.states.push(self.state);
            self.open_block(true, item, (item - line.start) as i64)?;
            self.entry(item, colon)?;
            return Ok(true);
        }
        let state = self.state;
        if !self.scalar_line(item, indent, Some(line))? {
            return Ok(false);
        }
        self.state = state;
        Ok(true)
    }

    fn open_block(&mut self, is_map: bool, start: usize, column: i64) -> Scanned<()> {
        self.scanner.indents.push(self.scanner.indent);
        self.scanner.indent = column;
        self.marks.push(start as u32);
        self.state = if is_map { State::BlockMappingKey } else { State::BlockSequenceEntry };
        self.builder.open(is_map, Style::Block, start as u32, None)
    }

    /// Reads a key, and its value as far as that is on the same line or begins in the next. What it leaves of the value is
    /// for the scanner, which then stands behind the `:`.
    fn entry(&mut self, key: usize, colon: usize) -> Scanned<()> {
        let (mut key, mut colon) = (key, colon);
        loop {
            self.builder.plain(key, colon)?;
            let indent = self.scanner.indent;
            let value = self.scanner.skip_spaces(colon + 1);
            if !matches!(self.scanner.at(value), b'\n' | b'#') {
                if !self.scalar_line(value, indent, None)? {
                    self.leave_value(colon);
                }
                return Ok(());
            }
            let Some(line) = self.scanner.next_line(value, false) else {
                self.leave_value(colon);
                return Ok(());
            };
            let at = line.content;
            let deeper = line.column() > indent && self.scanner.indents.len() < MAX_DEPTH;
            if self.scanner.at(at) == b'-' && self.scanner.at(at + 1) == b' ' && (deeper || line.column() == indent) {
                self.scanner.go_to(line);
                self.states.push(State::BlockMappingKey);
                if deeper {
                    return self.open_block(false, at, line.column());
                }
                self.state = State::IndentlessSequenceEntry;
                return self.builder.open(false, Style::Block, at as u32, None);
            }
            let next = if deeper && BEGINS_PLAIN[self.scanner.at(at) as usize] { self.scanner.plain_key(at) } else { None };
            let Some(next) = next else {
                self.leave_value(colon);
                return Ok(());
            };
            self.scanner.go_to(line);
            self.states.push(State::BlockMappingKey);
            self.open_block(true, at, line.column())?;
            (key, colon) = (at, next);
        }
    }

    fn leave_value(&mut self, colon: usize) {
        self.scanner.pos = colon + 1;
        self.scanner.simple_key_allowed = false;
        self.state = State::BlockMappingValueContent(colon as u32 + 1);
    }

    /// Reads a scalar, or an empty flow collection, that fills the rest of its line. `line` is the one to go to first.
    fn scalar_line(&mut self, at: usize, indent: i64, line: Option<Line>) -> Scanned<bool> {
        let scanner = &mut self.scanner;
        let begin = |scanner: &mut Scanner<'_>| {
            if let Some(line) = line {
                scanner.go_to(line);
            }
        };
        let byte = scanner.at(at);
        let second = scanner.at(at + 1);
        let negative = byte == b'-' && !matches!(second, b' ' | b'\t' | b'\n' | 0);
        if BEGINS_PLAIN[byte as usize] || negative || byte == b'.' {
            let Some(value) = scanner.plain_value(at, indent) else { return Ok(false) };
            begin(scanner);
            scanner.go_behind(value.line_end);
            self.state = State::BlockMappingKey;
            self.builder.plain(at, value.end)?;
            // Only the loop that called looks at it, and the next thing it does is that.
            self.ahead = value.next;
            return Ok(true);
        }
        if byte == b'"' || byte == b'\'' {
            let Some(end) = scanner.quoted_on_one_line(at) else { return Ok(false) };
            let Some(line_end) = scanner.line_end(end + 1) else { return Ok(false) };
            begin(scanner);
            scanner.go_behind(line_end);
            self.state = State::BlockMappingKey;
            let style = if byte == b'"' { Style::DoubleQuoted } else { Style::SingleQuoted };
            self.builder.quoted(style, at, end + 1)?;
            return Ok(true);
        }
        if (byte, second) == (b'{', b'}') || (byte, second) == (b'[', b']') {
            let Some(line_end) = scanner.line_end(at + 2) else { return Ok(false) };
            begin(scanner);
            scanner.go_behind(line_end);
            self.state = State::BlockMappingKey;
            empty_flow(&mut self.builder, byte == b'{', at)?;
            return Ok(true);
        }
        Ok(false)
    }
}

fn empty_flow(builder: &mut Builder<'_>, is_map: bool, at: usize) -> Scanned<()> {
    builder.open(is_map, Style::Flow, at as u32, None)?;
    builder.close(Some(at as u32 + 2));
    Ok(())
}
