//! Owns constants as templates write them: quoted texts, characters, numbers and everything a number can be (`parse/node.go`, `strconv`).

use plumb_go::strconv::{parse_float, parse_int, parse_uint, quote, unquote_char};

use super::lex::Kind;
use crate::text::Str;
use crate::tree::Number;

/// What Go says of a text or character that is badly written.
pub(super) const SYNTAX: &str = "invalid syntax";

/// A piece of a quoted text: bytes as they stand (by range within the literal), or what an escape means.
pub(super) enum Piece {
    Range(usize, usize),
    Bytes(Vec<u8>),
}

/// Reads a quoted text, with its quotes: `strconv.Unquote`.
pub(super) fn unquote(literal: &[u8]) -> Option<Vec<Piece>> {
    let (first, rest) = literal.split_first()?;
    let (last, inside) = rest.split_last()?;
    if first != last {
        return None;
    }
    match first {
        b'`' => Some(raw(inside)),
        b'"' => quoted(inside),
        _ => None,
    }
}

/// Returns whether a quoted text means just what stands between its quotes.
pub(super) fn is_plain(literal: &[u8]) -> bool {
    match literal {
        [b'`', inside @ .., b'`'] => memchr::memchr(b'\r', inside).is_none(),
        [b'"', inside @ .., b'"'] => memchr::memchr3(b'\\', b'\n', b'"', inside).is_none() && std::str::from_utf8(inside).is_ok(),
        _ => false,
    }
}

/// Between backquotes nothing is special; carriage returns are dropped.
fn raw(inside: &[u8]) -> Vec<Piece> {
    let mut from = 0;
    let mut pieces = Vec::new();
    for at in memchr::memchr_iter(b'\r', inside) {
        pieces.push(Piece::Range(1 + from, 1 + at));
        from = at + 1;
    }
    pieces.push(Piece::Range(1 + from, 1 + inside.len()));
    pieces
}

fn quoted(inside: &[u8]) -> Option<Vec<Piece>> {
    let mut pieces: Vec<Piece> = Vec::new();
    let mut at = 0;
    while at < inside.len() {
        if inside[at] == b'\n' {
            return None;
        }
        let (value, is_rune, width) = unquote_char(&inside[at..], b'"').ok()?;
        let plain = inside[at] != b'\\' && value != u32::from(char::REPLACEMENT_CHARACTER);
        match pieces.last_mut() {
            Some(Piece::Range(_, end)) if plain => *end += width,
            _ if plain => pieces.push(Piece::Range(1 + at, 1 + at + width)),
            _ => pieces.push(Piece::Bytes(bytes_of(value, is_rune))),
        }
        at += width;
    }
    Some(pieces)
}

/// What an escape means: a character, or one byte as `\\x` and octal escapes give it.
fn bytes_of(value: u32, is_rune: bool) -> Vec<u8> {
    match char::from_u32(value) {
        Some(c) if is_rune => c.to_string().into_bytes(),
        _ => vec![value as u8],
    }
}

/// Reads a number or character; the error is Go's text.
pub(super) fn number(literal: &[u8], kind: Kind, text: Str) -> Result<Number, String> {
    let shown = String::from_utf8_lossy(literal);
    let mut number = Number { text, int: None, uint: None, float: None, complex: None, is_float: false };
    if kind == Kind::CharConstant {
        let (value, _, width) = unquote_char(&literal[1..], b'\'').map_err(|_| SYNTAX)?;
        if &literal[1 + width..] != b"'" {
            return Err(format!("malformed character constant: {shown}"));
        }
        (number.int, number.uint, number.float) = (Some(i64::from(value)), Some(u64::from(value)), Some(f64::from(value)));
        return Ok(number);
    }
    if kind == Kind::Complex {
        let split = shown.rfind(['+', '-']).filter(|at| *at > 0);
        // The exponent's sign is no sign of the imaginary part.
        let split = match split {
            Some(at) if shown[..at].ends_with(['e', 'E', 'p', 'P']) => shown[..at].rfind(['+', '-']),
            other => other,
        };
        let at = split.ok_or(SYNTAX)?;
        let part = |text: &str| float(text).ok_or(SYNTAX);
        number.simplify((part(&shown[..at])?, part(shown[at..].trim_end_matches('i'))?));
        return Ok(number);
    }
    if let Some(imaginary) = shown.strip_suffix('i')
        && let Some(value) = float(imaginary)
    {
        number.simplify((0.0, value));
        return Ok(number);
    }
    number.real(&shown)?;
    Ok(number)
}

impl Number {
    /// An imaginary part of zero makes it every other kind too.
    fn simplify(&mut self, value: (f64, f64)) {
        self.complex = Some(value);
        if value.1 == 0.0 {
            self.float = Some(value.0);
            self.int = whole(value.0);
            self.uint = whole_unsigned(value.0);
        }
    }

    fn real(&mut self, text: &str) -> Result<(), String> {
        self.uint = parse_uint(text, 0).ok();
        self.int = parse_int(text, 0).ok();
        if self.int == Some(0) {
            // `-0` is no text of an unsigned number.
            self.uint = Some(0);
        }
        let hexadecimal = text.starts_with("0x") || text.starts_with("0X");
        self.is_float = (!hexadecimal || text.contains(['p', 'P'])) && text.contains(['.', 'e', 'E', 'p', 'P']);
        if let Some(int) = self.int {
            self.float = Some(int as f64);
        } else if let Some(uint) = self.uint {
            self.float = Some(uint as f64);
        } else if let Some(value) = float(text) {
            if !text.contains(['.', 'e', 'E', 'p', 'P']) {
                return Err(format!("integer overflow: {}", quote(text)));
            }
            self.float = Some(value);
            self.int = whole(value);
            self.uint = whole_unsigned(value);
        } else {
            return Err(format!("illegal number syntax: {}", quote(text)));
        }
        Ok(())
    }
}

const TWO_63: f64 = 9_223_372_036_854_775_808.0;
const TWO_64: f64 = 18_446_744_073_709_551_616.0;

fn whole(value: f64) -> Option<i64> {
    (value.trunc() == value && (-TWO_63..TWO_63).contains(&value)).then_some(value as i64)
}

fn whole_unsigned(value: f64) -> Option<u64> {
    (value.trunc() == value && (0.0..TWO_64).contains(&value)).then_some(value as u64)
}

/// `strconv.ParseFloat`, hexadecimal floats too; nothing for what is none or does not fit.
fn float(text: &str) -> Option<f64> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'-' => (-1.0, &text[1..]),
        b'+' => (1.0, &text[1..]),
        _ => (1.0, text),
    };
    let Some(hex) = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) else {
        return parse_float(text).ok();
    };
    hex_float(hex).map(|value| sign * value)
}

/// A hexadecimal float needs its exponent. Underscores stand between digits, and one after the prefix.
fn hex_float(text: &str) -> Option<f64> {
    let bytes = text.as_bytes();
    for at in memchr::memchr_iter(b'_', bytes) {
        let before = at == 0 || bytes[at - 1].is_ascii_hexdigit();
        if !before || !bytes.get(at + 1).is_some_and(u8::is_ascii_hexdigit) {
            return None;
        }
    }
    let (mantissa, exponent) = text.split_once(['p', 'P'])?;
    let mut power: i32 = exponent.replace('_', "").parse().ok()?;
    let (mut value, mut point, mut digits) = (0_f64, false, 0);
    for c in mantissa.chars() {
        match c {
            '_' => continue,
            '.' if !point => point = true,
            _ => {
                value = value * 16.0 + f64::from(c.to_digit(16)?);
                digits += 1;
                if point {
                    power = power.checked_sub(4)?;
                }
            }
        }
    }
    let value = value * 2_f64.powi(power);
    (digits > 0 && value.is_finite()).then_some(value)
}
