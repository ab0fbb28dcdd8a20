//! Owns Go's `strconv` (and the number format of `encoding/json`) as far as it is needed: integers with base prefixes,
//! decimal floats, the shortest float formats, quoting.
//! Bases other than 0, 2, 8, 10 and 16 and hexadecimal floats are refused as a syntax error.

use std::fmt::Write;

/// Why a text is no number: the two errors of Go's `strconv`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NumberError {
    /// The text is not written as a number.
    #[error("invalid syntax")]
    Syntax,
    /// The number does not fit.
    #[error("value out of range")]
    Range,
}

/// Returns what Go's `strconv.ParseUint(text, base, 64)` returns. Base 0 takes the base from the prefix and allows underscores.
pub fn parse_uint(text: &str, base: u32) -> Result<u64, NumberError> {
    let bytes = text.as_bytes();
    if bytes.is_empty() {
        return Err(NumberError::Syntax);
    }
    let (radix, digits) = match base {
        0 => split_prefix(bytes),
        2 | 8 | 10 | 16 => (base, bytes),
        _ => return Err(NumberError::Syntax),
    };
    let mut value = 0_u64;
    let mut underscores = false;
    for byte in digits {
        if *byte == b'_' && base == 0 {
            underscores = true;
            continue;
        }
        let digit = (*byte as char).to_digit(radix).ok_or(NumberError::Syntax)?;
        // A later bad digit does not matter any more: Go returns at the overflow too.
        value = value.checked_mul(u64::from(radix)).and_then(|v| v.checked_add(u64::from(digit))).ok_or(NumberError::Range)?;
    }
    if underscores && !underscores_separate_digits(bytes) { Err(NumberError::Syntax) } else { Ok(value) }
}

fn split_prefix(bytes: &[u8]) -> (u32, &[u8]) {
    if bytes[0] != b'0' {
        return (10, bytes);
    }
    match bytes.get(1).map(u8::to_ascii_lowercase) {
        Some(b'b') if bytes.len() >= 3 => (2, &bytes[2..]),
        Some(b'o') if bytes.len() >= 3 => (8, &bytes[2..]),
        Some(b'x') if bytes.len() >= 3 => (16, &bytes[2..]),
        _ => (8, &bytes[1..]),
    }
}

/// Returns what Go's `strconv.ParseInt(text, base, 64)` returns.
pub fn parse_int(text: &str, base: u32) -> Result<i64, NumberError> {
    let (negative, digits) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        Some(_) => (false, text),
        None => return Err(NumberError::Syntax),
    };
    let magnitude = parse_uint(digits, base)?;
    if negative { 0_i64.checked_sub_unsigned(magnitude) } else { i64::try_from(magnitude).ok() }.ok_or(NumberError::Range)
}

/// Returns what Go's `strconv.ParseFloat(text, 64)` returns for everything but hexadecimal floats.
/// A value too large for a float is [`NumberError::Range`]; one too small is 0.
pub fn parse_float(text: &str) -> Result<f64, NumberError> {
    if let Some(special) = special_float(text) {
        return Ok(special);
    }
    let bytes = text.as_bytes();
    let mut at = usize::from(matches!(bytes.first(), Some(b'+' | b'-')));
    let (mut digits, mut dot, mut underscores) = (false, false, false);
    loop {
        match bytes.get(at) {
            Some(b'_') => underscores = true,
            Some(b'.') if !dot => dot = true,
            Some(b'0'..=b'9') => digits = true,
            _ => break,
        }
        at += 1;
    }
    if !digits {
        return Err(NumberError::Syntax);
    }
    if let Some(b'e' | b'E') = bytes.get(at) {
        at += 1 + usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        if !bytes.get(at).is_some_and(u8::is_ascii_digit) {
            return Err(NumberError::Syntax);
        }
        while let Some(b'0'..=b'9' | b'_') = bytes.get(at) {
            underscores |= bytes[at] == b'_';
            at += 1;
        }
    }
    if at != bytes.len() || underscores && !underscores_separate_digits(bytes) {
        return Err(NumberError::Syntax);
    }
    let parsed: f64 = if underscores { text.replace('_', "").parse() } else { text.parse() }.map_err(|_| NumberError::Syntax)?;
    if parsed.is_infinite() { Err(NumberError::Range) } else { Ok(parsed) }
}

fn special_float(text: &str) -> Option<f64> {
    let (sign, name) = match text.as_bytes().first()? {
        b'-' => (-1.0, &text[1..]),
        b'+' => (1.0, &text[1..]),
        _ => (1.0, text),
    };
    if name.eq_ignore_ascii_case("inf") || name.eq_ignore_ascii_case("infinity") {
        Some(sign * f64::INFINITY)
    } else {
        text.eq_ignore_ascii_case("nan").then_some(f64::NAN)
    }
}

/// Go's `underscoreOK`: an underscore stands between digits, or between a base prefix and a digit.
fn underscores_separate_digits(bytes: &[u8]) -> bool {
    let bytes = if let Some(b'-' | b'+') = bytes.first() { &bytes[1..] } else { bytes };
    let prefix = (bytes.first() == Some(&b'0')).then(|| bytes.get(1).map(u8::to_ascii_lowercase)).flatten();
    let (mut saw, start) = if matches!(prefix, Some(b'b' | b'o' | b'x')) { (b'0', 2) } else { (b'^', 0) };
    for byte in &bytes[start..] {
        let digit = byte.is_ascii_digit() || prefix == Some(b'x') && byte.is_ascii_hexdigit();
        saw = match (digit, *byte, saw) {
            (true, ..) => b'0',
            (_, b'_', b'0') => b'_',
            (_, b'_', _) | (_, _, b'_') => return false,
            _ => b'!',
        };
    }
    saw != b'_'
}

/// Returns the shortest decimal digits that give the value back, without point, and the power of ten of the first one.
fn shortest(scientific: &str) -> (String, i32) {
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
    (mantissa.chars().filter(char::is_ascii_digit).collect(), exponent.parse().unwrap_or(0))
}

/// Appends `d.ddde±dd`, the exponent with at least two digits, as Go's verb `e` does.
fn push_exponent_form(out: &mut String, digits: &str, exponent: i32) {
    out.push_str(&digits[..1]);
    if digits.len() > 1 {
        out.push('.');
        out.push_str(&digits[1..]);
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    let _ = write!(out, "e{sign}{:02}", exponent.unsigned_abs());
}

/// Returns Go's `strconv.FormatFloat(value, 'g', -1, 64)`.
pub fn format_float_g64(value: f64) -> String {
    format_g(&format!("{value:e}"), &format!("{value}"), value)
}

/// Returns Go's `strconv.FormatFloat(value, 'g', -1, 32)`: the shortest text for the value as a 32-bit float.
pub fn format_float_g32(value: f64) -> String {
    let single = value as f32;
    format_g(&format!("{single:e}"), &format!("{single}"), f64::from(single))
}

fn format_g(scientific: &str, fixed: &str, value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let (digits, exponent) = shortest(scientific);
    // `%e` from this exponent on is Go's rule for the shortest precision.
    const EXPONENT_LIMIT: i32 = 6;
    if (-4..EXPONENT_LIMIT).contains(&exponent) {
        return fixed.to_owned();
    }
    let mut out = String::new();
    if value.is_sign_negative() {
        out.push('-');
    }
    push_exponent_form(&mut out, &digits, exponent);
    out
}

/// Returns a float as Go's `encoding/json` writes it, or nothing for NaN and the infinities, which it refuses.
pub fn format_float_json(value: f64) -> Option<String> {
    if !value.is_finite() {
        return None;
    }
    let magnitude = value.abs();
    if magnitude == 0.0 || (1e-6..1e21).contains(&magnitude) {
        return Some(format!("{value}"));
    }
    let (digits, exponent) = shortest(&format!("{value:e}"));
    let mut out = String::new();
    if value < 0.0 {
        out.push('-');
    }
    push_exponent_form(&mut out, &digits, exponent);
    // encoding/json cleans `e-09` up to `e-9`.
    if let Some(short) = out.strip_suffix(|c: char| c.is_ascii_digit()).filter(|o| o.ends_with("e-0")).map(|o| o.len() - 1) {
        out.remove(short);
    }
    Some(out)
}

/// Returns the text as a Go string literal, as `strconv.Quote` does; what Unicode does not call printable is escaped
/// only for control characters, format characters and separators.
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\x07' => out.push_str("\\a"),
            '\x08' => out.push_str("\\b"),
            '\x0c' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\x0b' => out.push_str("\\v"),
            '\0'..='\x1f' | '\x7f' => {
                let _ = write!(out, "\\x{:02x}", c as u32);
            }
            '\u{80}'..='\u{a0}'
            | '\u{ad}'
            | '\u{2000}'..='\u{200f}'
            | '\u{2028}'..='\u{202f}'
            | '\u{205f}'..='\u{206f}'
            | '\u{3000}'
            | '\u{feff}' => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            _ => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_take_their_base_from_the_prefix() {
        for (text, expect) in [
            ("0", Ok(0)),
            ("0755", Ok(493)),
            ("0o17", Ok(15)),
            ("0O17", Ok(15)),
            ("0b101", Ok(5)),
            ("0B1", Ok(1)),
            ("0x1F", Ok(31)),
            ("-0x1f", Ok(-31)),
            ("+7", Ok(7)),
            ("1_000", Ok(1000)),
            ("0_7", Ok(7)),
            ("0x_1", Ok(1)),
            ("1__0", Err(NumberError::Syntax)),
            ("_1", Err(NumberError::Syntax)),
            ("1_", Err(NumberError::Syntax)),
            ("08", Err(NumberError::Syntax)),
            ("0x", Err(NumberError::Syntax)),
            ("-", Err(NumberError::Syntax)),
            ("", Err(NumberError::Syntax)),
            ("9223372036854775807", Ok(i64::MAX)),
            ("-9223372036854775808", Ok(i64::MIN)),
            ("9223372036854775808", Err(NumberError::Range)),
            ("-9223372036854775809", Err(NumberError::Range)),
        ] {
            assert_eq!(parse_int(text, 0), expect, "{text}");
        }
        assert_eq!(parse_uint("18446744073709551615", 0), Ok(u64::MAX));
        assert_eq!(parse_uint("18446744073709551616", 0), Err(NumberError::Range));
        assert_eq!(parse_uint("+1", 0), Err(NumberError::Syntax));
        assert_eq!(parse_int("-1", 2), Ok(-1));
        assert_eq!(parse_int("1_0", 10), Err(NumberError::Syntax));
    }

    #[test]
    fn floats_are_read_as_go_reads_them() {
        for (text, expect) in [
            ("1", Ok(1.0)),
            (".5", Ok(0.5)),
            ("5.", Ok(5.0)),
            ("-1.5e3", Ok(-1500.0)),
            ("1E+2", Ok(100.0)),
            ("1e-400", Ok(0.0)),
            ("1e400", Err(NumberError::Range)),
            ("inf", Ok(f64::INFINITY)),
            ("-Infinity", Ok(f64::NEG_INFINITY)),
            (".5_0", Ok(0.5)),
            ("._5", Err(NumberError::Syntax)),
            (".", Err(NumberError::Syntax)),
            ("1e", Err(NumberError::Syntax)),
            ("1e+", Err(NumberError::Syntax)),
            ("1.2.3", Err(NumberError::Syntax)),
            ("", Err(NumberError::Syntax)),
        ] {
            assert_eq!(parse_float(text), expect, "{text}");
        }
    }

    #[test]
    fn floats_are_written_as_go_writes_them() {
        for (value, g32, json) in [
            (0.0, "0", "0"),
            (-0.0, "-0", "-0"),
            (1.0, "1", "1"),
            (0.1, "0.1", "0.1"),
            (100_000.0, "100000", "100000"),
            (1_000_000.0, "1e+06", "1000000"),
            (1e20, "1e+20", "100000000000000000000"),
            (1e21, "1e+21", "1e+21"),
            (1e-5, "1e-05", "0.00001"),
            (1e-7, "1e-07", "1e-7"),
            (-1.5e-10, "-1.5e-10", "-1.5e-10"),
            (0.0001, "0.0001", "0.0001"),
            (123_456_789.0, "1.2345679e+08", "123456789"),
        ] {
            assert_eq!(format_float_g32(value), g32);
            assert_eq!(format_float_json(value).as_deref(), Some(json));
        }
        assert_eq!(format_float_g64(123_456_789.0), "1.23456789e+08");
        assert_eq!(format_float_json(f64::NAN), None);
        assert_eq!(format_float_g32(f64::NEG_INFINITY), "-Inf");
    }

    #[test]
    fn strings_are_quoted_as_go_literals() {
        assert_eq!(quote("a\"b\\\n\u{1}é\u{2028}"), "\"a\\\"b\\\\\\n\\x01é\\u2028\"");
    }
}
