//! Owns the scanning of scalars: plain, quoted and block, with Go's folding.
//! A scalar that stands on one line as it is stays a range of the source; others are put together in `cooked`.

use crate::error::Scanned;
use crate::scanner::Scanner;
use crate::token::{Style, TextRef, Token, TokenKind};

/// The breaks between two lines of a scalar that is folded.
#[derive(Default)]
struct Breaks {
    /// The first one; empty when no line has ended.
    leading: String,
    trailing: String,
}

impl Breaks {
    /// Appends what the breaks fold to.
    fn fold(&mut self, out: &mut String) {
        match (self.leading.starts_with('\n'), self.trailing.is_empty()) {
            (true, true) => out.push(' '),
            (true, false) => out.push_str(&self.trailing),
            (false, _) => {
                out.push_str(&self.leading);
                out.push_str(&self.trailing);
            }
        }
        self.leading.clear();
        self.trailing.clear();
    }
}

const ORDINARY: u8 = 0;
/// Ends or may end a plain scalar, or a word of it, in block context.
const BLOCK_STOP: u8 = 1;
/// The same in flow context only.
const FLOW_STOP: u8 = 2;

const PLAIN_CLASS: [u8; 256] = {
    let mut table = [ORDINARY; 256];
    let mut i = 0;
    let block = [0, b' ', b'\t', b'\n', b'\r', b':', 0xc2, 0xe2];
    while i < block.len() {
        table[block[i] as usize] = BLOCK_STOP;
        i += 1;
    }
    let flow = [b',', b'?', b'[', b']', b'{', b'}'];
    i = 0;
    while i < flow.len() {
        table[flow[i] as usize] = FLOW_STOP;
        i += 1;
    }
    table
};

impl Scanner<'_> {
    /// Reads the line break that is here as Go does: everything but LS and PS becomes `\n`.
    fn read_break(&mut self, out: &mut String) {
        match self.at(self.pos + 2) {
            0xa8 if self.byte() == 0xe2 => out.push('\u{2028}'),
            0xa9 if self.byte() == 0xe2 => out.push('\u{2029}'),
            _ => out.push('\n'),
        }
        self.skip_break();
    }

    /// Appends a range of the source to the text that is put together.
    fn cook(&mut self, start: usize, end: usize) {
        // The ranges lie between ASCII bytes, so this is always whole characters.
        if let Ok(text) = std::str::from_utf8(&self.src[start..end]) {
            self.cooked.push_str(text);
        }
    }

    fn cooked_since(&self, start: usize) -> TextRef {
        TextRef { at: start as u32, len: (self.cooked.len() - start) as u32, cooked: true }
    }

    fn scalar(&self, style: Style, start: u32, end: u32, text: TextRef) -> Token {
        Token { kind: TokenKind::Scalar, style, start, end, text }
    }

    /// Steps to the end of the word of a plain scalar that is here.
    fn skip_plain_word(&mut self) {
        let flow = self.flow_level > 0;
        loop {
            let byte = self.byte();
            match PLAIN_CLASS[byte as usize] {
                ORDINARY => {}
                FLOW_STOP if !flow => {}
                FLOW_STOP => return,
                _ => match byte {
                    b':' if !self.is_blankz(self.pos + 1) => {}
                    0xc2 | 0xe2 if self.break_at(self.pos) == 0 => {}
                    _ => return,
                },
            }
            self.pos += 1;
        }
    }

    pub(crate) fn scan_plain(&mut self) -> Scanned<Token> {
        let start = self.pos;
        // The text of the line at hand; the lines before it are in `cooked`.
        let (mut line_text, mut end) = (start, start);
        let cooked = self.cooked.len();
        let indent = self.indent + 1;
        let mut breaks = Breaks::default();
        loop {
            if self.at_document_marker() || self.byte() == b'#' {
                break;
            }
            let word = self.pos;
            self.skip_plain_word();
            if self.pos > word {
                if !breaks.leading.is_empty() {
                    self.cook(line_text, end);
                    breaks.fold(&mut self.cooked);
                    line_text = word;
                }
                end = self.pos;
            }
            if !self.is_blank(self.pos) && self.break_at(self.pos) == 0 {
                break;
            }
            self.skip_plain_space(start, indent, &mut breaks)?;
            if self.flow_level == 0 && (self.column() as i64) < indent {
                break;
            }
        }
        let text = if self.cooked.len() == cooked {
            self.source_text(line_text, end)
        } else {
            self.cook(line_text, end);
            self.cooked_since(cooked)
        };
        if !breaks.leading.is_empty() {
            self.simple_key_allowed = true;
        }
        Ok(self.scalar(Style::Plain, start as u32, end as u32, text))
    }

    /// Steps over blanks and breaks inside a plain scalar.
    fn skip_plain_space(&mut self, start: usize, indent: i64, breaks: &mut Breaks) -> Scanned<()> {
        loop {
            if self.is_blank(self.pos) {
                if !breaks.leading.is_empty() && (self.column() as i64) < indent && self.byte() == b'\t' {
                    return self.fault(start as u32, "found a tab character that violates indentation");
                }
                self.pos += 1;
            } else if self.break_at(self.pos) > 0 {
                let into = if breaks.leading.is_empty() { &mut breaks.leading } else { &mut breaks.trailing };
                self.read_break(into);
            } else {
                return Ok(());
            }
        }
    }

    pub(crate) fn scan_quoted(&mut self, single: bool) -> Scanned<Token> {
        let style = if single { Style::SingleQuoted } else { Style::DoubleQuoted };
        let start = self.pos;
        if let Some(end) = self.quoted_on_one_line(start) {
            self.pos = end + 1;
            return Ok(self.scalar(style, start as u32, self.mark(), self.source_text(start + 1, end)));
        }
        self.pos += 1;
        let cooked = self.cooked.len();
        let quote = if single { b'\'' } else { b'"' };
        let mut breaks = Breaks::default();
        loop {
            if self.at_document_marker() {
                return self.fault(start as u32, "found unexpected document indicator");
            }
            if self.byte() == 0 {
                return self.fault(start as u32, "found unexpected end of stream");
            }
            let mut line_ended = self.scan_quoted_word(single, start)?;
            if self.byte() == quote {
                break;
            }
            let blanks = self.pos;
            loop {
                if self.is_blank(self.pos) {
                    self.pos += 1;
                } else if self.break_at(self.pos) > 0 {
                    let into = if line_ended { &mut breaks.trailing } else { &mut breaks.leading };
                    self.read_break(into);
                    line_ended = true;
                } else {
                    break;
                }
            }
            if line_ended {
                // After an escaped break nothing leads: what follows it is kept as it is.
                breaks.fold(&mut self.cooked);
            } else {
                self.cook(blanks, self.pos);
            }
        }
        self.pos += 1;
        let text = self.cooked_since(cooked);
        Ok(self.scalar(style, start as u32, self.mark(), text))
    }

    /// Returns where the closing quote is when the scalar has no escape and no line break.
    pub(crate) fn quoted_on_one_line(&self, start: usize) -> Option<usize> {
        if !self.plain_breaks {
            return None;
        }
        let rest = &self.src[start + 1..];
        if self.src[start] == b'\'' {
            let end = start + 1 + memchr::memchr2(b'\'', b'\n', rest)?;
            (self.src[end] == b'\'' && self.at(end + 1) != b'\'').then_some(end)
        } else {
            let end = start + 1 + memchr::memchr3(b'"', b'\\', b'\n', rest)?;
            (self.src[end] == b'"').then_some(end)
        }
    }

    /// Reads up to a blank, break or the closing quote. Returns whether it ended with an escaped line break.
    fn scan_quoted_word(&mut self, single: bool, start: usize) -> Scanned<bool> {
        let mut word = self.pos;
        loop {
            let byte = self.byte();
            match byte {
                b'\'' if single && self.at(self.pos + 1) == b'\'' => {
                    self.cook(word, self.pos + 1);
                    self.pos += 2;
                    word = self.pos;
                }
                b'\'' if single => break,
                b'"' if !single => break,
                b'\\' if !single && self.break_at(self.pos + 1) > 0 => {
                    self.cook(word, self.pos);
                    self.pos += 1;
                    self.skip_break();
                    return Ok(true);
                }
                b'\\' if !single => {
                    self.cook(word, self.pos);
                    self.scan_escape(start)?;
                    word = self.pos;
                }
                0 | b' ' | b'\t' | b'\n' | b'\r' => break,
                0xc2 | 0xe2 if self.break_at(self.pos) > 0 => break,
                _ => self.pos += 1,
            }
        }
        self.cook(word, self.pos);
        Ok(false)
    }

    fn scan_escape(&mut self, start: usize) -> Scanned<()> {
        let plain = match self.at(self.pos + 1) {
            b'0' => '\0',
            b'a' => '\x07',
            b'b' => '\x08',
            b't' | b'\t' => '\t',
            b'n' => '\n',
            b'v' => '\x0b',
            b'f' => '\x0c',
            b'r' => '\r',
            b'e' => '\x1b',
            b' ' => ' ',
            b'"' => '"',
            b'\'' => '\'',
            b'\\' => '\\',
            b'N' => '\u{85}',
            b'_' => '\u{a0}',
            b'L' => '\u{2028}',
            b'P' => '\u{2029}',
            b'x' => return self.scan_code(start, 2),
            b'u' => return self.scan_code(start, 4),
            b'U' => return self.scan_code(start, 8),
            _ => return self.fault(start as u32, "found unknown escape character"),
        };
        self.cooked.push(plain);
        self.pos += 2;
        Ok(())
    }

    fn scan_code(&mut self, start: usize, length: usize) -> Scanned<()> {
        self.pos += 2;
        let mut value = 0_u32;
        for k in 0..length {
            let Some(digit) = (self.at(self.pos + k) as char).to_digit(16) else {
                return self.fault(start as u32, "did not find expected hexdecimal number");
            };
            value = value << 4 | digit;
        }
        let Some(c) = char::from_u32(value) else {
            return self.fault(start as u32, "found invalid Unicode character escape code");
        };
        self.cooked.push(c);
        self.pos += length;
        Ok(())
    }

    pub(crate) fn scan_block_scalar(&mut self, literal: bool) -> Scanned<Token> {
        let start = self.mark();
        self.pos += 1;
        let (chomping, increment) = self.scan_block_header(start)?;
        self.skip_blanks();
        if self.byte() == b'#' {
            self.skip_comment();
        }
        if !self.is_breakz(self.pos) {
            return self.fault(start, "did not find expected comment or line break");
        }
        self.skip_break();
        let mut end = self.mark();
        let mut indent = if increment > 0 { self.indent.max(0) + increment } else { 0 };
        let cooked = self.cooked.len();
        let (mut leading, mut trailing) = (String::new(), String::new());
        self.scan_block_breaks(&mut indent, &mut trailing, start, &mut end)?;
        let mut leading_blank = false;
        while self.column() as i64 == indent && self.byte() != 0 {
            let blank = self.is_blank(self.pos);
            if !literal && !leading_blank && !blank && leading.starts_with('\n') {
                if trailing.is_empty() {
                    self.cooked.push(' ');
                }
            } else {
                self.cooked.push_str(&leading);
            }
            self.cooked.push_str(&trailing);
            leading.clear();
            trailing.clear();
            leading_blank = blank;
            let line = self.pos;
            self.skip_comment();
            self.cook(line, self.pos);
            if self.break_at(self.pos) > 0 {
                self.read_break(&mut leading);
            }
            self.scan_block_breaks(&mut indent, &mut trailing, start, &mut end)?;
        }
        if chomping != Chomping::Strip {
            self.cooked.push_str(&leading);
        }
        if chomping == Chomping::Keep {
            self.cooked.push_str(&trailing);
        }
        let style = if literal { Style::Literal } else { Style::Folded };
        Ok(self.scalar(style, start, end, self.cooked_since(cooked)))
    }

    /// Reads the indicators after `|` or `>`: chomping, and how much deeper the content lies (0 when not told).
    fn scan_block_header(&mut self, start: u32) -> Scanned<(Chomping, i64)> {
        let (mut chomping, mut increment) = (None, 0);
        for _ in 0..2 {
            match self.byte() {
                sign @ (b'+' | b'-') if chomping.is_none() => {
                    chomping = Some(if sign == b'+' { Chomping::Keep } else { Chomping::Strip });
                }
                b'0' if increment == 0 => return self.fault(start, "found an indentation indicator equal to 0"),
                digit @ b'1'..=b'9' if increment == 0 => increment = i64::from(digit - b'0'),
                _ => break,
            }
            self.pos += 1;
        }
        Ok((chomping.unwrap_or(Chomping::Clip), increment))
    }

    /// Steps over indentation and empty lines; finds the indentation out when it is 0.
    fn scan_block_breaks(&mut self, indent: &mut i64, breaks: &mut String, start: u32, end: &mut u32) -> Scanned<()> {
        *end = self.mark();
        let mut deepest = 0;
        loop {
            let limit = if *indent == 0 { usize::MAX } else { *indent as usize };
            while self.column() < limit && self.byte() == b' ' {
                self.pos += 1;
            }
            deepest = deepest.max(self.column() as i64);
            if self.column() < limit && self.byte() == b'\t' {
                return self.fault(start, "found a tab character where an indentation space is expected");
            }
            if self.break_at(self.pos) == 0 {
                break;
            }
            self.read_break(breaks);
            *end = self.mark();
        }
        if *indent == 0 {
            *indent = deepest.max(self.indent + 1).max(1);
        }
        Ok(())
    }
}

/// What happens to the line breaks at the end of a block scalar.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Chomping {
    Clip,
    Strip,
    Keep,
}
