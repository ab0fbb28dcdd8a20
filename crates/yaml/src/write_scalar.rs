//! Owns the bytes of a scalar in each style (emitterc.go's `yaml_emitter_write_*_scalar`): folding, escapes, lines of blocks.

use crate::write::{Dialect, Emitter, WIDTH};
use crate::write_style::{Shape, is_printable};

impl Emitter {
    /// Goes on at a scalar's own indentation on a new line.
    fn fold(&mut self) {
        self.line_break();
        let inner = self.inner();
        self.pad(inner);
    }

    /// Returns whether so many bytes reach beyond where v2 folds.
    fn may_fold(&self, bytes: usize, shape: Shape, allow_breaks: bool) -> bool {
        allow_breaks && shape.has_space() && self.dialect == Dialect::V2 && self.column() + bytes > WIDTH
    }

    pub(crate) fn write_plain(&mut self, bytes: &[u8], shape: Shape, allow_breaks: bool) {
        self.space();
        let from = self.out.len();
        if self.may_fold(bytes.len(), shape, allow_breaks) {
            self.copy_folded(bytes, shape);
        } else {
            self.copy(bytes, shape.is_ascii());
        }
        self.wrote(from);
    }

    /// Copies words; behind the last column a single space becomes a break.
    fn copy_folded(&mut self, bytes: &[u8], shape: Shape) {
        let mut from = 0;
        for at in memchr::memchr_iter(b' ', bytes) {
            let single = at > 0 && bytes.get(at - 1) != Some(&b' ') && bytes.get(at + 1).is_some_and(|next| *next != b' ');
            if !single {
                continue;
            }
            let Some(word) = bytes.get(from..at) else { continue };
            self.copy(word, shape.is_ascii());
            from = at;
            if self.column() > WIDTH {
                self.fold();
                from = at + 1;
            }
        }
        self.copy(bytes.get(from..).unwrap_or_default(), shape.is_ascii());
    }

    pub(crate) fn write_single(&mut self, bytes: &[u8], shape: Shape, allow_breaks: bool) {
        self.space();
        let from = self.out.len();
        self.out.push(b'\'');
        let quotes = memchr::memchr(b'\'', bytes).is_some();
        if quotes || shape.has_separator() {
            self.copy_single(bytes, shape, allow_breaks);
        } else if self.may_fold(bytes.len(), shape, allow_breaks) {
            self.copy_folded(bytes, shape);
        } else {
            self.copy(bytes, shape.is_ascii());
        }
        self.out.push(b'\'');
        self.wrote(from);
    }

    fn copy_single(&mut self, bytes: &[u8], shape: Shape, allow_breaks: bool) {
        let folds = self.may_fold(usize::MAX >> 1, shape, allow_breaks);
        let (mut at, mut spaces, mut breaks) = (0, false, false);
        while let Some(byte) = bytes.get(at) {
            let width = width(*byte);
            if *byte == b' ' {
                let inside = at > 0 && bytes.get(at + 1).is_some_and(|next| *next != b' ');
                if folds && !spaces && inside && self.column() > WIDTH {
                    self.fold();
                } else {
                    self.out.push(b' ');
                }
                spaces = true;
            } else if is_separator(bytes, at) {
                self.out.extend_from_slice(bytes.get(at..at + width).unwrap_or_default());
                self.new_line();
                breaks = true;
            } else {
                if breaks {
                    let inner = self.inner();
                    self.pad(inner);
                }
                if *byte == b'\'' {
                    self.out.push(b'\'');
                }
                self.copy(bytes.get(at..at + width).unwrap_or_default(), width == 1);
                (spaces, breaks) = (false, false);
            }
            at += width;
        }
    }

    pub(crate) fn write_double(&mut self, text: &str, shape: Shape, allow_breaks: bool) {
        self.space();
        let from = self.out.len();
        self.out.push(b'"');
        // Behind a byte-order mark Go takes every character for one.
        let marked = text.starts_with('\u{feff}');
        // An escape takes at most five bytes for each that it stands for.
        let folds = self.may_fold(text.len() * if shape.needs_escapes() { 5 } else { 1 }, shape, allow_breaks);
        if folds || marked || shape.needs_escapes() {
            self.copy_double(text, folds, marked);
        } else {
            self.copy(text.as_bytes(), shape.is_ascii());
        }
        self.out.push(b'"');
        self.wrote(from);
    }

    fn copy_double(&mut self, text: &str, folds: bool, marked: bool) {
        let bytes = text.as_bytes();
        let (mut from, mut spaces) = (0, false);
        for (at, rune) in text.char_indices() {
            let stays = is_printable(rune) && rune != '"' && rune != '\\' && !marked;
            if stays && !(folds && rune == ' ') {
                spaces = false;
                continue;
            }
            let run = bytes.get(from..at).unwrap_or_default();
            self.copy(run, run.is_ascii());
            from = at + rune.len_utf8();
            if !stays {
                self.escape(rune);
                spaces = false;
            } else {
                if !spaces && self.column() > WIDTH && at > 0 && at + 1 < bytes.len() {
                    self.fold();
                    if bytes.get(at + 1) == Some(&b' ') {
                        self.out.push(b'\\');
                    }
                } else {
                    self.out.push(b' ');
                }
                spaces = true;
            }
        }
        let run = bytes.get(from..).unwrap_or_default();
        self.copy(run, run.is_ascii());
    }

    fn escape(&mut self, rune: char) {
        let short: &[u8] = match rune {
            '\0' => b"\\0",
            '\x07' => b"\\a",
            '\x08' => b"\\b",
            '\t' => b"\\t",
            '\n' => b"\\n",
            '\x0b' => b"\\v",
            '\x0c' => b"\\f",
            '\r' => b"\\r",
            '\x1b' => b"\\e",
            '"' => b"\\\"",
            '\\' => b"\\\\",
            '\u{85}' => b"\\N",
            '\u{a0}' => b"\\_",
            '\u{2028}' => b"\\L",
            '\u{2029}' => b"\\P",
            _ => b"",
        };
        if !short.is_empty() {
            self.out.extend_from_slice(short);
            return;
        }
        let code = rune as u32;
        let (letter, digits) = match code {
            0..=0xff => (b'x', 2),
            0x100..=0xffff => (b'u', 4),
            _ => (b'U', 8),
        };
        self.out.extend_from_slice(&[b'\\', letter]);
        for digit in (0..digits).rev() {
            let nibble = (code >> (4 * digit)) as u8 & 0xf;
            self.out.push(if nibble < 10 { b'0' + nibble } else { b'A' + nibble - 10 });
        }
    }

    pub(crate) fn write_literal(&mut self, bytes: &[u8], shape: Shape) {
        self.space();
        let from = self.out.len();
        self.out.push(b'|');
        if bytes.first().is_some_and(|first| matches!(first, b' ' | b'\n')) || is_separator(bytes, 0) {
            self.out.push(b'0' + self.step().min(9) as u8);
        }
        self.out.extend_from_slice(chomping(bytes));
        self.line_break();
        let inner = self.inner();
        let mut rest = bytes;
        while !rest.is_empty() {
            let (end, width) = line_end(rest, shape);
            let (line, more) = rest.split_at(end);
            if !line.is_empty() {
                self.pad(inner);
                self.copy(line, shape.is_ascii());
            }
            let (ending, more) = more.split_at(width.min(more.len()));
            if !ending.is_empty() {
                self.out.extend_from_slice(ending);
                self.new_line();
            }
            rest = more;
        }
        self.wrote(from);
        self.whitespace = true;
        self.indention = self.column() == 0;
    }
}

/// Returns where a line ends and how many bytes its break has.
fn line_end(bytes: &[u8], shape: Shape) -> (usize, usize) {
    let end = memchr::memchr(b'\n', bytes).unwrap_or(bytes.len());
    if shape.has_separator()
        && let Some(at) = (0..end).find(|at| is_separator(bytes, *at))
    {
        return (at, 3);
    }
    (end, usize::from(end < bytes.len()))
}

/// How a literal ends: without a break, with one, with more.
fn chomping(bytes: &[u8]) -> &'static [u8] {
    let before = |end: usize| (0..end).rev().find(|at| bytes[*at] & 0xc0 != 0x80).unwrap_or(0);
    let last = before(bytes.len());
    let is_break = |at: usize| bytes.get(at) == Some(&b'\n') || is_separator(bytes, at);
    if !is_break(last) {
        b"-"
    } else if last == 0 || is_break(before(last)) {
        b"+"
    } else {
        b""
    }
}

fn is_separator(bytes: &[u8], at: usize) -> bool {
    bytes.get(at) == Some(&0xe2) && bytes.get(at + 1) == Some(&0x80) && matches!(bytes.get(at + 2), Some(0xa8 | 0xa9))
}

fn width(first: u8) -> usize {
    match first {
        0xc0..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf7 => 4,
        _ => 1,
    }
}
