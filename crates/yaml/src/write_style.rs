//! Owns how a scalar is written: what is in it (`yaml_emitter_analyze_scalar`), which style that allows (`stringv` of encode.go and
//! `yaml_emitter_select_scalar_style`), outside of flow collections.

use crate::resolve::{Resolved, resolve_plain};
use crate::timestamp::is_timestamp;
use crate::write::Dialect;

/// How a scalar is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ScalarStyle {
    Plain,
    Single,
    Double,
    Literal,
}

const COLON: u16 = 1;
const HASH: u16 = 1 << 1;
const SPACE: u16 = 1 << 2;
const NEWLINE: u16 = 1 << 3;
const NON_ASCII: u16 = 1 << 4;
const TAB: u16 = 1 << 5;
/// Not printable and not ASCII's tab or line feed.
const BAD: u16 = 1 << 6;
/// `"` or `\`.
const ESCAPED: u16 = 1 << 7;
/// U+2028 or U+2029, which count as breaks.
const SEPARATOR: u16 = 1 << 8;
/// The first character decides something: an indicator, or what may be no text when it is plain.
const FIRST: u16 = 1 << 9;

const BYTES: [u8; 256] = {
    let mut table = [0_u8; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match byte as u8 {
            b':' => COLON as u8,
            b'#' => HASH as u8,
            b' ' => SPACE as u8,
            b'\n' => NEWLINE as u8,
            b'\t' => TAB as u8,
            b'"' | b'\\' => ESCAPED as u8,
            0x80..=0xff => NON_ASCII as u8,
            0..=0x1f | 0x7f => BAD as u8,
            _ => 0,
        };
        byte += 1;
    }
    table
};

/// What is in a scalar.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Shape(u16);

impl Shape {
    #[inline]
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let Some(first) = bytes.first() else { return Self(FIRST) };
        let mut all = 0;
        for byte in bytes {
            all |= BYTES[*byte as usize];
        }
        let mut all = u16::from(all);
        // Letters that begin no word of YAML's are by far the most common.
        if !matches!(first, b'a'..=b'z' | b'A'..=b'Z' | b'/') || matches!(first | 0x20, b'y' | b'n' | b't' | b'f' | b'o') {
            all |= FIRST;
        }
        if all & NON_ASCII != 0 {
            all |= beyond_ascii(bytes);
        }
        Self(all)
    }

    fn has(self, any: u16) -> bool {
        self.0 & any != 0
    }

    /// Returns whether it is plain whatever is asked.
    #[inline]
    pub(crate) fn is_simple(self) -> bool {
        self.0 & !ESCAPED == 0
    }

    /// Returns whether there is a break in it.
    pub(crate) fn is_multiline(self, text: &str) -> bool {
        self.has(NEWLINE | SEPARATOR) || self.has(BAD) && text.contains(['\r', '\u{85}'])
    }

    pub(crate) fn is_ascii(self) -> bool {
        !self.has(NON_ASCII)
    }

    pub(crate) fn has_space(self) -> bool {
        self.has(SPACE)
    }

    pub(crate) fn has_separator(self) -> bool {
        self.has(SEPARATOR)
    }

    /// Returns whether between double quotes something has to be escaped.
    pub(crate) fn needs_escapes(self) -> bool {
        self.has(NEWLINE | TAB | BAD | ESCAPED | SEPARATOR)
    }

    /// Returns the style of a text.
    pub(crate) fn style(self, text: &str, dialect: Dialect) -> ScalarStyle {
        let bytes = text.as_bytes();
        // For v2 a tab is a character that cannot be printed.
        let special = self.has(BAD) || dialect == Dialect::V2 && self.has(TAB);
        let space_break = || {
            self.has(NEWLINE) && text.contains(" \n") || self.has(SEPARATOR) && (text.contains(" \u{2028}") || text.contains(" \u{2029}"))
        };
        if self.has(NEWLINE) {
            let literal = !special && !text.ends_with(' ') && !space_break();
            return if literal { ScalarStyle::Literal } else { ScalarStyle::Double };
        }
        if self.has(FIRST) && !can_be_plain(text, dialect) {
            return ScalarStyle::Double;
        }
        let single = !special && !self.has(TAB) && !space_break() && !self.break_space(text);
        if single && !self.has(SEPARATOR) && self.plain_allowed(bytes) {
            ScalarStyle::Plain
        } else if single {
            ScalarStyle::Single
        } else {
            ScalarStyle::Double
        }
    }

    fn break_space(self, text: &str) -> bool {
        self.has(SEPARATOR) && (text.contains("\u{2028} ") || text.contains("\u{2029} "))
    }

    /// Returns whether no character in its place means something else, on one line of printable characters.
    fn plain_allowed(self, bytes: &[u8]) -> bool {
        let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else { return true };
        if self.has(SPACE) && (*first == b' ' || *last == b' ') {
            return false;
        }
        if self.has(FIRST) {
            let blank_follows = bytes.get(1).is_none_or(|byte| matches!(byte, b' ' | b'\t'));
            match first {
                b'#' | b',' | b'[' | b']' | b'{' | b'}' | b'&' | b'*' | b'!' | b'|' | b'>' | b'\'' | b'"' | b'%' | b'@' | b'`' => {
                    return false;
                }
                b'?' | b':' | b'-' if blank_follows => return false,
                _ => {}
            }
            if bytes.starts_with(b"---") || bytes.starts_with(b"...") {
                return false;
            }
        }
        let blank = |byte: Option<&u8>| byte.is_none_or(|byte| matches!(byte, b' ' | b'\t'));
        if self.has(COLON) && memchr::memchr_iter(b':', bytes).any(|at| blank(bytes.get(at + 1))) {
            return false;
        }
        !self.has(HASH) || !memchr::memchr_iter(b'#', bytes).any(|at| at > 0 && blank(bytes.get(at - 1)))
    }
}

/// What characters outside of ASCII a text has: libyaml's `is_printable`, which knows none above U+FFFF, and its breaks.
fn beyond_ascii(bytes: &[u8]) -> u16 {
    let mut all = 0;
    for (at, byte) in bytes.iter().enumerate() {
        let second = bytes.get(at + 1).copied().unwrap_or(0);
        let third = bytes.get(at + 2).copied().unwrap_or(0);
        all |= match byte {
            0xc2 if second < 0xa0 => BAD,
            0xe2 if second == 0x80 && matches!(third, 0xa8 | 0xa9) => SEPARATOR,
            0xef if second == 0xbb && third == 0xbf || second == 0xbf && matches!(third, 0xbe | 0xbf) => BAD,
            0xf0..=0xff => BAD,
            _ => 0,
        };
    }
    all
}

/// Returns whether a character stands between double quotes as it is.
pub(crate) fn is_printable(rune: char) -> bool {
    match rune {
        '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => false,
        ' '..='~' | '\u{a0}'..='\u{ffff}' => true,
        _ => false,
    }
}

/// Returns whether a text, written plain, would be read back as a text: `stringv`.
fn can_be_plain(text: &str, dialect: Dialect) -> bool {
    if !matches!(text.as_bytes().first(), None | Some(b'0'..=b'9' | b'+' | b'-' | b'.' | b'~' | b'a'..=b'z' | b'A'..=b'Z')) {
        return true;
    }
    // v3 reads `yes` and its like as texts and quotes them all the same.
    let plain = matches!(resolve_plain(text), Resolved::Str) && !is_timestamp(text) && !is_base60(text);
    plain && !(dialect != Dialect::V2 && is_octal(text))
}

/// `0o` with a sign behind it, which only v3 reads.
fn is_octal(text: &str) -> bool {
    let plain = text.replace('_', "");
    plain.strip_prefix("0o").is_some_and(|digits| plumb_go::strconv::parse_int(digits, 8).is_ok())
}

/// `[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?`: floats to base 60, which readers of YAML 1.1 know.
fn is_base60(text: &str) -> bool {
    let rest = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !rest.starts_with(|c: char| c.is_ascii_digit()) || !rest.contains(':') {
        return false;
    }
    let mut parts = rest.split(':');
    let whole = parts.next().unwrap_or_default();
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return false };
    let (last, fraction) = last.split_once('.').unwrap_or((last, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
    let sixtieth = |text: &&str| match text.as_bytes() {
        [ones] => ones.is_ascii_digit(),
        [tens, ones] => (b'0'..=b'5').contains(tens) && ones.is_ascii_digit(),
        _ => false,
    };
    digits(whole) && digits(fraction) && parts.iter().chain([&last]).all(sixtieth)
}
