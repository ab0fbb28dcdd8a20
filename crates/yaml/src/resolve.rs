//! Owns what a scalar means: go-yaml v2's `resolve.go`, without the times that `sigs.k8s.io/yaml` leaves as text.

use plumb_go::strconv;

use crate::timestamp::is_timestamp;

/// What kind of value a scalar is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Resolved {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Float(f64),
    Str,
    /// Base64 after `!!binary`.
    Binary,
}

pub(crate) const LONG_TAG_PREFIX: &str = "tag:yaml.org,2002:";

const OTHER: u8 = 0;
const SIGN: u8 = 1;
const DIGIT: u8 = 2;
/// May begin a word such as `yes` or `null`.
const WORD: u8 = 3;
const POINT: u8 = 4;

const HINT: [u8; 256] = {
    let mut table = [OTHER; 256];
    table[b'+' as usize] = SIGN;
    table[b'-' as usize] = SIGN;
    table[b'.' as usize] = POINT;
    let mut c = b'0';
    while c <= b'9' {
        table[c as usize] = DIGIT;
        c += 1;
    }
    let words = b"yYnNtTfFoO~";
    let mut i = 0;
    while i < words.len() {
        table[words[i] as usize] = WORD;
        i += 1;
    }
    table
};

/// Resolves a plain scalar without a tag.
#[inline]
pub(crate) fn resolve_plain(text: &str) -> Resolved {
    let bytes = text.as_bytes();
    let Some(first) = bytes.first() else { return Resolved::Null };
    match HINT[*first as usize] {
        OTHER => Resolved::Str,
        WORD if bytes.len() > 5 => Resolved::Str,
        WORD => resolve_word(text).unwrap_or(Resolved::Str),
        _ => resolve_number(text),
    }
}

fn resolve_word(text: &str) -> Option<Resolved> {
    Some(match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Resolved::Bool(true),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Resolved::Bool(false),
        "" | "~" | "null" | "Null" | "NULL" => Resolved::Null,
        ".nan" | ".NaN" | ".NAN" => Resolved::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Resolved::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => Resolved::Float(f64::NEG_INFINITY),
        _ => return None,
    })
}

/// Resolves text that begins with a digit, a sign or a point.
fn resolve_number(text: &str) -> Resolved {
    let bytes = text.as_bytes();
    // Up to 18 digits fit; a leading 0 makes it octal.
    if bytes.len() <= 18 && (bytes[0] != b'0' || bytes.len() == 1) && bytes.iter().all(u8::is_ascii_digit) {
        return Resolved::Int(bytes.iter().fold(0, |value, digit| value * 10 + i64::from(digit - b'0')));
    }
    if !bytes
        .iter()
        .all(|b| b.is_ascii_hexdigit() || matches!(b, b'+' | b'-' | b'.' | b'_' | b'x' | b'X' | b'o' | b'O' | b'i' | b'I' | b'n' | b'N'))
    {
        return Resolved::Str;
    }
    if let Some(word) = resolve_word(text) {
        return word;
    }
    if bytes[0] == b'.' {
        return strconv::parse_float(text).map_or(Resolved::Str, Resolved::Float);
    }
    if bytes.contains(&b'_') { resolve_digits(&text.replace('_', "")) } else { resolve_digits(text) }
}

fn resolve_digits(plain: &str) -> Resolved {
    if let Ok(value) = strconv::parse_int(plain, 0) {
        return Resolved::Int(value);
    }
    if let Ok(value) = strconv::parse_uint(plain, 0) {
        return Resolved::Uint(value);
    }
    if is_float(plain.as_bytes())
        && let Ok(value) = strconv::parse_float(plain)
    {
        return Resolved::Float(value);
    }
    // go-yaml's own reading of binary digits lets a sign stand behind the prefix.
    match plain.strip_prefix("0b").map(|digits| strconv::parse_int(digits, 2)) {
        Some(Ok(value)) => Resolved::Int(value),
        _ => Resolved::Str,
    }
}

/// Returns whether a text is a float as YAML 1.2 writes it: `^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$`
pub fn is_float(bytes: &[u8]) -> bool {
    let digits = |from: usize| bytes[from..].iter().take_while(|b| b.is_ascii_digit()).count();
    let mut at = usize::from(matches!(bytes.first(), Some(b'+' | b'-')));
    let whole = digits(at);
    at += whole;
    if bytes.get(at) == Some(&b'.') {
        let fraction = digits(at + 1);
        if whole == 0 && fraction == 0 {
            return false;
        }
        at += 1 + fraction;
    } else if whole == 0 {
        return false;
    }
    if let Some(b'e' | b'E') = bytes.get(at) {
        at += 1 + usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        let exponent = digits(at.min(bytes.len()));
        if exponent == 0 {
            return false;
        }
        at += exponent;
    }
    at == bytes.len()
}

/// Resolves a scalar with an explicit tag, written in full. The error is Go's message.
pub(crate) fn resolve_tagged(tag: &str, text: &str) -> Result<Resolved, String> {
    let Some(name) = tag.strip_prefix(LONG_TAG_PREFIX) else { return Ok(Resolved::Str) };
    let resolved = match name {
        "binary" => {
            let valid = plumb_go::base64::decode(text.as_bytes()).is_some();
            return if valid { Ok(Resolved::Binary) } else { Err("!!binary value contains invalid base64 data".to_owned()) };
        }
        "timestamp" if is_timestamp(text) => return Ok(Resolved::Str),
        "bool" | "int" | "float" | "null" | "timestamp" => resolve_plain(text),
        _ => return Ok(Resolved::Str),
    };
    match (name, resolved) {
        ("bool", Resolved::Bool(_)) | ("int", Resolved::Int(_) | Resolved::Uint(_)) => Ok(resolved),
        ("float", Resolved::Float(_)) | ("null", Resolved::Null) => Ok(resolved),
        ("float", Resolved::Int(value)) => Ok(Resolved::Float(value as f64)),
        _ => Err(format!("cannot decode !!{} `{text}` as a !!{name}", tag_name(resolved))),
    }
}

fn tag_name(resolved: Resolved) -> &'static str {
    match resolved {
        Resolved::Null => "null",
        Resolved::Bool(_) => "bool",
        Resolved::Int(_) | Resolved::Uint(_) => "int",
        Resolved::Float(_) => "float",
        Resolved::Str | Resolved::Binary => "str",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_are_read_as_go_reads_them() {
        use Resolved::{Bool, Float, Int, Null, Str, Uint};
        for (text, expect) in [
            ("", Null),
            ("~", Null),
            ("nULL", Str),
            ("y", Bool(true)),
            ("Off", Bool(false)),
            ("oN", Str),
            ("12", Int(12)),
            ("0", Int(0)),
            ("-0", Int(0)),
            ("0755", Int(493)),
            ("0o755", Int(493)),
            ("0b101", Int(5)),
            ("0b-101", Int(-5)),
            ("-0b101", Int(-5)),
            ("-0b-101", Str),
            ("0x1F", Int(31)),
            ("1_000", Int(1000)),
            ("08", Float(8.0)),
            ("1__0", Int(10)),
            ("_1", Str),
            ("1:30", Str),
            ("1.5", Float(1.5)),
            (".5", Float(0.5)),
            ("+.5", Float(0.5)),
            ("1.", Float(1.0)),
            (".", Str),
            ("1e3", Float(1000.0)),
            ("1e400", Str),
            ("1.2.3", Str),
            ("10.0.0.1", Str),
            ("100m", Str),
            ("-", Str),
            ("+", Str),
            (".inf", Float(f64::INFINITY)),
            ("-.INF", Float(f64::NEG_INFINITY)),
            (".iNf", Str),
            ("18446744073709551615", Uint(u64::MAX)),
            ("18446744073709551616", Float(18_446_744_073_709_552_000.0)),
            ("9223372036854775808", Uint(1 << 63)),
            ("2001-01-01", Str),
            ("0x", Str),
            ("0x1p3", Str),
        ] {
            assert_eq!(resolve_plain(text), expect, "{text}");
        }
    }

    #[test]
    fn a_tag_must_fit() {
        let tag = |name: &str| format!("{LONG_TAG_PREFIX}{name}");
        assert_eq!(resolve_tagged(&tag("str"), "12"), Ok(Resolved::Str));
        assert_eq!(resolve_tagged(&tag("float"), "1"), Ok(Resolved::Float(1.0)));
        assert_eq!(resolve_tagged(&tag("int"), "1.5"), Err("cannot decode !!float `1.5` as a !!int".to_owned()));
        assert_eq!(resolve_tagged(&tag("timestamp"), "x"), Err("cannot decode !!str `x` as a !!timestamp".to_owned()));
        assert_eq!(resolve_tagged("!mine", "12"), Ok(Resolved::Str));
    }
}
