//! Owns Go's `strconv` (and the number format of `encoding/json`) as far as it is needed: integers with base prefixes,
//! decimal floats, the shortest float formats, quoting.
//! Bases other than 0 and 2 to 36 are refused as a syntax error.

use std::fmt::Write;

use crate::unicode;

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
        2..=36 => (base, bytes),
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

/// A hexadecimal float: `0x1.8p3` (src/strconv/atof.go: readFloat, atofHex).
fn hex_float(text: &str) -> Result<f64, NumberError> {
    let (negative, rest) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let rest = rest.strip_prefix("0x").or_else(|| rest.strip_prefix("0X")).ok_or(NumberError::Syntax)?;
    let (digits, power) = rest.split_once(['p', 'P']).ok_or(NumberError::Syntax)?;
    // This many digits fit; of those beyond only whether they are all zero counts.
    const DIGITS: u32 = 16;
    let (mut mantissa, mut taken, mut exponent, mut more) = (0_u64, 0, 0_i64, false);
    let (mut any, mut dot) = (false, false);
    for c in digits.chars().filter(|c| *c != '_') {
        if c == '.' && !dot {
            dot = true;
            continue;
        }
        let digit = c.to_digit(16).ok_or(NumberError::Syntax)?;
        any = true;
        if taken < DIGITS {
            mantissa = mantissa << 4 | u64::from(digit);
            taken += u32::from(mantissa != 0);
            exponent -= if dot { 4 } else { 0 };
        } else {
            more |= digit != 0;
            exponent += if dot { 0 } else { 4 };
        }
    }
    let unsigned = power.strip_prefix(['+', '-']).unwrap_or(power);
    if !any || !unsigned.starts_with(|c: char| c.is_ascii_digit()) || !unsigned.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_') {
        return Err(NumberError::Syntax);
    }
    let size = unsigned.bytes().filter(|byte| *byte != b'_').fold(0_i64, |size, digit| (size * 10 + i64::from(digit - b'0')).min(100_000));
    exponent += if power.starts_with('-') { -size } else { size };
    rounded(mantissa, exponent, more).map(|float| if negative { -float } else { float })
}

/// The nearest float to `mantissa * 2^exponent` and, with `more`, a bit beyond; half goes to the even one.
fn rounded(mut mantissa: u64, mut exponent: i64, more: bool) -> Result<f64, NumberError> {
    const BITS: u32 = 52;
    const BIAS: i64 = -1023;
    exponent += i64::from(BITS);
    // Two bits more than a float has, the last one sticky.
    while mantissa != 0 && mantissa >> (BITS + 2) == 0 {
        mantissa <<= 1;
        exponent -= 1;
    }
    mantissa |= u64::from(more);
    while mantissa >> (BITS + 3) != 0 {
        mantissa = mantissa >> 1 | mantissa & 1;
        exponent += 1;
    }
    while mantissa > 1 && exponent < BIAS - 1 {
        mantissa = mantissa >> 1 | mantissa & 1;
        exponent += 1;
    }
    let round = mantissa & 3 | mantissa >> 2 & 1;
    mantissa >>= 2;
    exponent += 2;
    if round == 3 {
        mantissa += 1;
        if mantissa == 1 << (BITS + 1) {
            mantissa >>= 1;
            exponent += 1;
        }
    }
    if mantissa >> BITS == 0 {
        exponent = BIAS;
    }
    if exponent > -BIAS {
        return Err(NumberError::Range);
    }
    let fraction = mantissa & ((1 << BITS) - 1);
    Ok(f64::from_bits(fraction | ((exponent - BIAS) as u64 & 0x7ff) << BITS))
}

/// Returns what Go's `strconv.ParseFloat(text, 64)` returns.
/// A value too large for a float is [`NumberError::Range`]; one too small is 0.
pub fn parse_float(text: &str) -> Result<f64, NumberError> {
    if text.contains(['x', 'X']) {
        return if text.contains('_') && !underscores_separate_digits(text.as_bytes()) {
            Err(NumberError::Syntax)
        } else {
            hex_float(text)
        };
    }
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

/// Returns Go's `strconv.FormatFloat(value, verb, precision, 64)` for the verbs `b`, `e`, `E`, `f`, `g`, `G`, `x` and `X`; no precision is the shortest
/// text that gives the value back.
pub fn format_float(value: f64, verb: char, precision: Option<usize>) -> String {
    if !value.is_finite() {
        return format_float_g64(value);
    }
    match verb {
        'b' => return format_binary(value),
        'x' | 'X' => return format_hexadecimal(value, verb == 'X', precision),
        _ => {}
    }
    let text = match (verb.to_ascii_lowercase(), precision) {
        ('f', Some(digits)) => {
            let text = format!("{value:.*}", digits.min(MAX_DIGITS));
            zeros_after(&text, text.len() + digits.saturating_sub(MAX_DIGITS))
        }
        ('f', None) => format!("{value}"),
        ('e', None) => exponent_form(&format!("{value:e}")),
        ('e', Some(digits)) => {
            let scientific = format!("{value:.*e}", digits.min(MAX_DIGITS));
            let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
            let mantissa = zeros_after(mantissa, mantissa.len() + digits.saturating_sub(MAX_DIGITS));
            exponent_form(&format!("{mantissa}e{exponent}"))
        }
        (_, None) => format_float_g64(value),
        (_, Some(digits)) => {
            let digits = digits.clamp(1, MAX_DIGITS);
            let scientific = format!("{value:.*e}", digits - 1);
            let exponent: i32 = scientific.split_once('e').and_then(|(_, exponent)| exponent.parse().ok()).unwrap_or(0);
            let trimmed =
                |text: &str| if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text.to_owned() };
            // `%e` is used if the exponent is below -4 or not below the precision; a precision beyond the digits there are counts as those.
            let (mantissa, _) = scientific.split_once('e').unwrap_or((&scientific, ""));
            let significant = trimmed(mantissa).chars().filter(char::is_ascii_digit).count() as i32;
            let limit = if digits as i32 > significant && significant > exponent { significant } else { digits as i32 };
            if exponent < -4 || exponent >= limit {
                exponent_form(&format!("{}e{exponent}", trimmed(mantissa)))
            } else {
                trimmed(&format!("{value:.*}", (digits as i32 - 1 - exponent).max(0) as usize))
            }
        }
    };
    if verb.is_ascii_uppercase() { text.to_ascii_uppercase() } else { text }
}

/// No `float64` has more digits behind its point, or as many in all; what is asked for beyond are zeros.
const MAX_DIGITS: usize = 1_100;

fn zeros_after(text: &str, len: usize) -> String {
    text.to_owned() + &"0".repeat(len.saturating_sub(text.len()))
}

/// The sign, the mantissa with its leading one, and the power of two of its last bit.
fn parts_of_float(value: f64) -> (&'static str, u64, i64) {
    let bits = value.to_bits();
    let (exponent, fraction) = ((bits >> 52 & 0x7ff) as i64, bits & ((1 << 52) - 1));
    let sign = if value.is_sign_negative() { "-" } else { "" };
    if exponent == 0 { (sign, fraction, -1074) } else { (sign, fraction | 1 << 52, exponent - 1075) }
}

/// `-ddddp±ddd`.
fn format_binary(value: f64) -> String {
    let (sign, mantissa, exponent) = parts_of_float(value);
    format!("{sign}{mantissa}p{exponent:+}")
}

/// `-0x1.yyyyp±dd`.
fn format_hexadecimal(value: f64, upper: bool, precision: Option<usize>) -> String {
    // The leading one, if there is any, is at this bit; fifteen digits follow.
    const ONE: u64 = 1 << 60;
    let (sign, mantissa, exponent) = parts_of_float(value);
    let (mut mantissa, mut exponent) = (mantissa << 8, if mantissa == 0 { 0 } else { exponent + 52 });
    while mantissa != 0 && mantissa & ONE == 0 {
        mantissa <<= 1;
        exponent -= 1;
    }
    if let Some(digits) = precision.filter(|digits| *digits < 15) {
        let shift = digits as u32 * 4;
        let beyond = mantissa << shift & (ONE - 1);
        mantissa >>= 60 - shift;
        // Half goes to the even neighbour.
        if beyond | mantissa & 1 > 1 << 59 {
            mantissa += 1;
        }
        mantissa <<= 60 - shift;
        if mantissa & ONE << 1 != 0 {
            mantissa >>= 1;
            exponent += 1;
        }
    }
    let mut out = format!("{sign}0x{}", mantissa >> 60 & 1);
    let fraction = format!("{:015x}", mantissa & (ONE - 1));
    let fraction = match precision {
        None => fraction.trim_end_matches('0').to_owned(),
        Some(digits) => fraction.get(..digits).map_or_else(|| zeros_after(&fraction, digits), str::to_owned),
    };
    if !fraction.is_empty() {
        out.push('.');
        out.push_str(&fraction);
    }
    let _ = write!(out, "p{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.unsigned_abs());
    if upper { out.to_ascii_uppercase() } else { out }
}

/// Gives an exponent its sign and two digits.
fn exponent_form(scientific: &str) -> String {
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    format!("{mantissa}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.unsigned_abs())
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

/// Returns the text as a Go string literal, as `strconv.Quote` does.
pub fn quote(text: &str) -> String {
    quote_bytes(text.as_bytes())
}

/// Returns bytes as a Go string literal, as `strconv.Quote` does with a string that need not be UTF-8.
pub fn quote_bytes(bytes: &[u8]) -> String {
    quote_with(bytes, '"', false)
}

/// Returns bytes as a Go string literal of ASCII only, as `strconv.QuoteToASCII` does.
pub fn quote_ascii(bytes: &[u8]) -> String {
    quote_with(bytes, '"', true)
}

/// Returns a character as a Go character literal, as `strconv.QuoteRune` or `strconv.QuoteRuneToASCII` do.
pub fn quote_rune(rune: char, ascii: bool) -> String {
    let mut out = String::from('\'');
    push_escaped(&mut out, rune, '\'', ascii);
    out.push('\'');
    out
}

fn quote_with(bytes: &[u8], quote: char, ascii: bool) -> String {
    let mut out = String::with_capacity(bytes.len() + 2);
    out.push(quote);
    for chunk in bytes.utf8_chunks() {
        for rune in chunk.valid().chars() {
            push_escaped(&mut out, rune, quote, ascii);
        }
        for byte in chunk.invalid() {
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    out.push(quote);
    out
}

fn push_escaped(out: &mut String, rune: char, quote: char, ascii: bool) {
    // Writing to a string cannot fail.
    let _ = match rune {
        '\\' => write!(out, "\\\\"),
        rune if rune == quote => write!(out, "\\{rune}"),
        rune if (rune.is_ascii() || !ascii) && is_print(rune) => write!(out, "{rune}"),
        '\x07' => write!(out, "\\a"),
        '\x08' => write!(out, "\\b"),
        '\x0c' => write!(out, "\\f"),
        '\n' => write!(out, "\\n"),
        '\r' => write!(out, "\\r"),
        '\t' => write!(out, "\\t"),
        '\x0b' => write!(out, "\\v"),
        '\0'..='\x1f' | '\x7f' => write!(out, "\\x{:02x}", rune as u32),
        '\u{80}'..='\u{ffff}' => write!(out, "\\u{:04x}", rune as u32),
        rune => write!(out, "\\U{:08x}", rune as u32),
    };
}

/// Returns whether a text can be written between backquotes on one line, as `strconv.CanBackquote` tells.
pub fn can_backquote(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes)
        .is_ok_and(|text| !text.chars().any(|rune| matches!(rune, '\u{feff}' | '`' | '\x7f') || rune < ' ' && rune != '\t'))
}

/// Returns whether Go shows a character as it is, as `strconv.IsPrint` tells: letters, marks, numbers, punctuation, symbols and the ASCII space.
pub fn is_print(rune: char) -> bool {
    if rune.is_ascii() { (' '..='~').contains(&rune) } else { unicode::contains(&unicode::PRINTABLE, rune) }
}

/// Returns whether a character is a letter (category L), as `unicode.IsLetter` tells.
pub fn is_letter(rune: char) -> bool {
    if rune.is_ascii() { rune.is_ascii_alphabetic() } else { unicode::contains(&unicode::LETTERS, rune) }
}

/// Returns whether a character is a decimal digit in Unicode (category Nd), as `unicode.IsDigit` tells.
pub fn is_digit(rune: char) -> bool {
    if rune.is_ascii() { rune.is_ascii_digit() } else { unicode::contains(&unicode::DIGITS, rune) }
}

/// Returns what a string literal in quotes, backquotes or single quotes stands for, as `strconv.Unquote` does: any bytes.
pub fn unquote(literal: &[u8]) -> Result<Vec<u8>, NumberError> {
    let (Some(quote), Some(end)) = (literal.first(), literal.last()) else { return Err(NumberError::Syntax) };
    if literal.len() < 2 || quote != end {
        return Err(NumberError::Syntax);
    }
    let inner = &literal[1..literal.len() - 1];
    match quote {
        b'`' if inner.contains(&b'`') => Err(NumberError::Syntax),
        // A carriage return is dropped, as the Go specification says of raw strings.
        b'`' => Ok(inner.iter().copied().filter(|byte| *byte != b'\r').collect()),
        b'"' | b'\'' => {
            if inner.contains(&b'\n') {
                return Err(NumberError::Syntax);
            }
            let (mut out, mut rest, mut runes) = (Vec::with_capacity(inner.len()), inner, 0);
            while !rest.is_empty() {
                let (rune, multibyte, width) = unquote_char(rest, *quote)?;
                runes += 1;
                match char::from_u32(rune).filter(|_| multibyte) {
                    Some(rune) => out.extend_from_slice(rune.encode_utf8(&mut [0; 4]).as_bytes()),
                    None => out.push(rune as u8),
                }
                rest = &rest[width..];
            }
            if *quote == b'\'' && runes != 1 { Err(NumberError::Syntax) } else { Ok(out) }
        }
        _ => Err(NumberError::Syntax),
    }
}

/// Reads the first character of a literal: its value, whether it is a character rather than a byte, and how many bytes it takes. As
/// `strconv.UnquoteChar` does.
pub fn unquote_char(text: &[u8], quote: u8) -> Result<(u32, bool, usize), NumberError> {
    let first = *text.first().ok_or(NumberError::Syntax)?;
    if first == quote && (quote == b'\'' || quote == b'"') {
        return Err(NumberError::Syntax);
    }
    if first != b'\\' {
        if first < 0x80 {
            return Ok((u32::from(first), false, 1));
        }
        let chunk = text[..text.len().min(4)].utf8_chunks().next().ok_or(NumberError::Syntax)?;
        return Ok(match chunk.valid().chars().next() {
            Some(rune) => (rune as u32, true, rune.len_utf8()),
            // Go writes U+FFFD for a byte that is no UTF-8.
            None => (0xfffd, true, 1),
        });
    }
    let escape = *text.get(1).ok_or(NumberError::Syntax)?;
    let hex = |digits: usize| -> Result<u32, NumberError> {
        let digits = text.get(2..2 + digits).ok_or(NumberError::Syntax)?;
        let digits = std::str::from_utf8(digits).map_err(|_| NumberError::Syntax)?;
        if digits.starts_with('+') {
            return Err(NumberError::Syntax);
        }
        u32::from_str_radix(digits, 16).map_err(|_| NumberError::Syntax)
    };
    Ok(match escape {
        b'a' => (7, false, 2),
        b'b' => (8, false, 2),
        b'f' => (12, false, 2),
        b'n' => (10, false, 2),
        b'r' => (13, false, 2),
        b't' => (9, false, 2),
        b'v' => (11, false, 2),
        b'x' => (hex(2)?, false, 4),
        b'u' | b'U' => {
            let digits = if escape == b'u' { 4 } else { 8 };
            let rune = char::from_u32(hex(digits)?).ok_or(NumberError::Syntax)?;
            (rune as u32, true, 2 + digits)
        }
        b'0'..=b'7' => {
            let digits =
                text.get(1..4).filter(|digits| digits.iter().all(|digit| (b'0'..=b'7').contains(digit))).ok_or(NumberError::Syntax)?;
            let value = digits.iter().fold(0, |value, digit| value * 8 + u32::from(digit - b'0'));
            if value > 255 {
                return Err(NumberError::Syntax);
            }
            (value, false, 4)
        }
        b'\\' => (u32::from(b'\\'), false, 2),
        b'\'' | b'"' if escape == quote => (u32::from(escape), false, 2),
        _ => return Err(NumberError::Syntax),
    })
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
            ("0x1p-2", Ok(0.25)),
            ("0x1.8p3", Ok(12.0)),
            ("-0X_1.F_Fp+1_0", Ok(-2044.0)),
            ("0x.8p1", Ok(1.0)),
            ("0x1", Err(NumberError::Syntax)),
            ("0xp1", Err(NumberError::Syntax)),
            ("0x1.8", Err(NumberError::Syntax)),
            ("0x1p", Err(NumberError::Syntax)),
            ("0x1p1024", Err(NumberError::Range)),
            ("0x1.fffffffffffff7p1023", Ok(f64::MAX)),
            ("0x1.fffffffffffff8p1023", Err(NumberError::Range)),
            ("0x1p-1074", Ok(5e-324)),
            ("0x1p-1075", Ok(0.0)),
            ("0x1.0000000000001p-1075", Ok(5e-324)),
            ("0x123456789abcdef01p0", Ok(20_988_295_479_420_645_121.0)),
            ("0x0.00000000000000000000001p100", Ok(256.0)),
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
    fn texts_are_quoted_as_go_literals() {
        for (text, quoted, ascii) in [
            ("a\"b\\\n\u{1}é\u{2028}".as_bytes(), r#""a\"b\\\n\x01é\u2028""#, r#""a\"b\\\n\x01\u00e9\u2028""#),
            (b"\xff'\x7f", r#""\xff'\x7f""#, r#""\xff'\x7f""#),
            (
                "\u{ad}\u{e000}\u{1f600}\u{10ffff}".as_bytes(),
                "\"\\u00ad\\ue000\u{1f600}\\U0010ffff\"",
                r#""\u00ad\ue000\U0001f600\U0010ffff""#,
            ),
        ] {
            assert_eq!(quote_bytes(text), quoted);
            assert_eq!(quote_ascii(text), ascii);
        }
        assert_eq!(quote_rune('\'', false), r"'\''");
        assert_eq!(quote_rune('"', true), "'\"'");
        assert!(can_backquote(b"a\tb") && !can_backquote(b"a`") && !can_backquote(b"\xff"));
    }

    #[test]
    fn literals_are_read() {
        for (literal, expect) in [
            (r#""a\x41\101\u00e9\U0001F600\n\\\"""#, Some("aAA\u{e9}\u{1f600}\n\\\"".as_bytes())),
            (r#""\xff""#, Some(b"\xff".as_slice())),
            (r#""\400""#, None),
            (r#""\ud800""#, None),
            (r#""\'""#, None),
            (r"'\''", Some(b"'")),
            ("'ab'", None),
            ("`a\r\n`", Some(b"a\n")),
            ("\"a\nb\"", None),
            ("\"", None),
        ] {
            assert_eq!(unquote(literal.as_bytes()).ok().as_deref(), expect, "{literal}");
        }
    }

    #[test]
    fn precisions_are_kept() {
        for (value, verb, precision, expect) in [
            (2.5, 'f', Some(0), "2"),
            (0.125, 'f', Some(2), "0.12"),
            (1e21, 'f', None, "1000000000000000000000"),
            (123_456.0, 'g', Some(3), "1.23e+05"),
            (100_000.0, 'g', Some(20), "100000"),
            (0.000_012_345, 'G', Some(2), "1.2E-05"),
            (1.0, 'e', Some(1_103), &format!("1.{}e+00", "0".repeat(1_103))),
            (1.5, 'x', None, "0x1.8p+00"),
            (-0.1, 'X', Some(3), "-0X1.99AP-04"),
            (1.0, 'b', None, "4503599627370496p-52"),
            (5e-324, 'x', None, "0x1p-1074"),
        ] {
            assert_eq!(format_float(value, verb, precision), expect);
        }
    }
}
