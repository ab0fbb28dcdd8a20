//! Owns the way from bytes to text: byte-order marks, UTF-16, and what Go's reader refuses.
//! Bytes that are no UTF-8 are replaced one by one, so that offsets stay those of the input, and remembered as problems.

use std::cell::Cell;
use std::sync::Arc;

use crate::limits::MAX_ENCODING_ERRORS;

/// A stream's text and what the scanner must know about it.
pub(crate) struct Input {
    pub(crate) text: Arc<str>,
    /// Where the content starts: behind a byte-order mark.
    pub(crate) start: usize,
    /// Places that are no text, in order.
    broken: Vec<(usize, &'static str)>,
    /// The first control character or place that is no text.
    first_problem: Option<(usize, &'static str)>,
    /// Line breaks are `\n` only: no `\r`, NEL, LS or PS anywhere.
    pub(crate) plain_breaks: bool,
    pub(crate) ascii: bool,
    /// Where a control character was looked for last, and where it was found.
    asked: Cell<Option<(usize, Option<usize>)>>,
}

const CONTROL: &str = "control characters are not allowed";

impl Input {
    /// Decodes UTF-8, or UTF-16 by its byte-order mark. Offsets into UTF-16 input are those of the UTF-8 text made of it.
    pub(crate) fn decode(bytes: &[u8]) -> Self {
        if let [0xff, 0xfe, rest @ ..] = bytes {
            return Self::decode_utf16(rest, u16::from_le_bytes);
        }
        if let [0xfe, 0xff, rest @ ..] = bytes {
            return Self::decode_utf16(rest, u16::from_be_bytes);
        }
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::new(Arc::from(text), Vec::new()),
            Err(_) => {
                let (text, broken) = replace_broken(bytes);
                Self::new(Arc::from(text), broken)
            }
        }
    }

    /// Takes text that is already known to be UTF-8.
    pub(crate) fn from_text(text: Arc<str>) -> Self {
        Self::new(text, Vec::new())
    }

    fn new(text: Arc<str>, broken: Vec<(usize, &'static str)>) -> Self {
        let bytes = text.as_bytes();
        const MARK: &[u8] = b"\xef\xbb\xbf";
        // One mark is usual. Go trips over a second one (it then loses the first character of lines); here all are left out.
        let start = bytes.chunks(MARK.len()).take_while(|chunk| *chunk == MARK).count() * MARK.len();
        let mut seen = Seen::default();
        let control = seen.scan(bytes, start);
        // The pass ends at a control character: what comes behind it was not seen.
        let (plain_breaks, ascii) = (control.is_none() && seen.plain_breaks(bytes), control.is_none() && !seen.high);
        let mut input = Self { text, start, broken, first_problem: None, plain_breaks, ascii, asked: Cell::new(Some((start, control))) };
        input.first_problem = input.earlier(control, input.broken.first().copied());
        input
    }

    fn decode_utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Self {
        let mut text = String::with_capacity(bytes.len());
        let mut problem = None;
        let (pairs, odd) = bytes.as_chunks::<2>();
        let mut units = pairs.iter().map(|pair| unit(*pair));
        while let Some(first) = units.next() {
            let decoded = match first {
                0xdc00..=0xdfff => Err("unexpected low surrogate area"),
                0xd800..=0xdbff => match units.next() {
                    None => Err("incomplete UTF-16 surrogate pair"),
                    Some(low @ 0xdc00..=0xdfff) => {
                        let code = 0x10000 + ((u32::from(first) & 0x3ff) << 10) + (u32::from(low) & 0x3ff);
                        char::from_u32(code).ok_or("invalid Unicode character")
                    }
                    Some(_) => Err("expected low surrogate area"),
                },
                _ => char::from_u32(u32::from(first)).ok_or("invalid Unicode character"),
            };
            match decoded {
                Ok(c) => text.push(c),
                Err(why) => {
                    problem = Some((text.len(), why));
                    break;
                }
            }
        }
        if !odd.is_empty() && problem.is_none() {
            problem = Some((text.len(), "incomplete UTF-16 character"));
        }
        if problem.is_some() {
            // Something must stand where the problem is.
            text.push('?');
        }
        Self::new(Arc::from(text), problem.into_iter().collect())
    }

    /// Returns the first place at or after the offset that is no text, and Go's word for it.
    pub(crate) fn problem_from(&self, from: usize) -> Option<(usize, &'static str)> {
        let first = self.first_problem?;
        if first.0 >= from {
            return Some(first);
        }
        let broken = self.broken.get(self.broken.partition_point(|(at, _)| *at < from)).copied();
        self.earlier(self.control_from(from), broken)
    }

    /// Returns the first control character from an offset on. Offsets rise, so that all questions together are one pass.
    fn control_from(&self, from: usize) -> Option<usize> {
        if let Some((asked, found)) = self.asked.get()
            && asked <= from
            && found.is_none_or(|found| found >= from)
        {
            return found;
        }
        let found = Seen::default().scan(self.text.as_bytes(), from);
        self.asked.set(Some((from, found)));
        found
    }

    /// Returns whether reading may go on behind the problem.
    pub(crate) fn readable_after(&self, problem: usize) -> bool {
        self.broken.len() < MAX_ENCODING_ERRORS || self.broken.last().is_none_or(|last| last.0 > problem)
    }

    fn earlier(&self, control: Option<usize>, broken: Option<(usize, &'static str)>) -> Option<(usize, &'static str)> {
        match (control, broken) {
            (Some(control), Some(broken)) if broken.0 <= control => Some(broken),
            (Some(control), _) => Some((control, CONTROL)),
            (None, broken) => broken,
        }
    }
}

/// Replaces each byte that belongs to no character by `?`.
fn replace_broken(bytes: &[u8]) -> (String, Vec<(usize, &'static str)>) {
    let mut text = String::with_capacity(bytes.len());
    let mut broken = Vec::new();
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        if chunk.invalid().is_empty() {
            continue;
        }
        if broken.len() < MAX_ENCODING_ERRORS {
            broken.push((text.len(), why_broken(&bytes[text.len()..])));
        }
        text.extend(std::iter::repeat_n('?', chunk.invalid().len()));
    }
    (text, broken)
}

/// Go's reader decodes the lead byte first and then complains in this order.
fn why_broken(at: &[u8]) -> &'static str {
    let width = match at.first() {
        Some(0xc0..=0xdf) => 2,
        Some(0xe0..=0xef) => 3,
        Some(0xf0..=0xf7) => 4,
        _ => return "invalid leading UTF-8 octet",
    };
    if at.len() < width {
        return "incomplete UTF-8 octet sequence";
    }
    if at[1..width].iter().any(|b| b & 0xc0 != 0x80) {
        return "invalid trailing UTF-8 octet";
    }
    let overlong = match at[0] {
        0xc0 | 0xc1 => true,
        0xe0 => at[1] < 0xa0,
        0xf0 => at[1] < 0x90,
        _ => false,
    };
    if overlong { "invalid length of a UTF-8 sequence" } else { "invalid Unicode character" }
}

/// What a pass over the text has met.
#[derive(Default)]
struct Seen {
    high: bool,
    carriage_return: bool,
}

impl Seen {
    const BLOCK: usize = 64;

    /// Returns the first character that Go's reader refuses, from an offset on.
    fn scan(&mut self, bytes: &[u8], from: usize) -> Option<usize> {
        let mut at = from.min(bytes.len());
        while at < bytes.len() {
            if let Some(block) = bytes[at..].first_chunk::<{ Self::BLOCK }>() {
                let odd = block.iter().fold(false, |odd, byte| odd | Self::is_odd(*byte));
                if !odd {
                    at += Self::BLOCK;
                    continue;
                }
            }
            match self.scan_odd(bytes, at, Self::BLOCK) {
                Ok(next) => at = next,
                Err(bad) => return Some(bad),
            }
        }
        None
    }

    /// Returns whether a byte is neither printable ASCII nor a tab or line feed.
    #[inline]
    fn is_odd(byte: u8) -> bool {
        (byte < 0x20) & (byte != b'\n') & (byte != b'\t') | (byte >= 0x7f)
    }

    /// Looks at each character of a block that has more than plain ASCII in it; returns where the last one ends.
    fn scan_odd(&mut self, bytes: &[u8], from: usize, len: usize) -> Result<usize, usize> {
        let mut at = from;
        while at < from + len && at < bytes.len() {
            let rest = &bytes[at..];
            at += match rest {
                [b'\t' | b'\n' | 0x20..=0x7e, ..] => 1,
                [b'\r', ..] => {
                    self.carriage_return = true;
                    1
                }
                [..=0x7f, ..] => return Err(at),
                [0xc2, 0x80..=0x9f, ..] if rest[1] != 0x85 => return Err(at),
                [0xef, 0xbf, 0xbe | 0xbf, ..] => return Err(at),
                _ => {
                    self.high = true;
                    1 + rest[1..].iter().take_while(|b| **b & 0xc0 == 0x80).count()
                }
            };
        }
        Ok(at)
    }

    fn plain_breaks(&self, bytes: &[u8]) -> bool {
        let exotic = || {
            memchr::memmem::find(bytes, b"\xc2\x85").is_some()
                || memchr::memmem::find_iter(bytes, b"\xe2\x80").any(|at| matches!(bytes.get(at + 2), Some(0xa8 | 0xa9)))
        };
        !(self.carriage_return || self.high && exotic())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], text: &str, problem: Option<(usize, &str)>) {
        let input = Input::decode(bytes);
        assert_eq!(&*input.text, text);
        assert_eq!(input.problem_from(0), problem);
    }

    #[test]
    fn text_is_decoded_by_its_mark() {
        check(b"a: 1", "a: 1", None);
        check(b"\xef\xbb\xbfa", "\u{feff}a", None);
        check(b"\xff\xfea\0:\0", "a:", None);
        check(b"\xfe\xff\0a\0:", "a:", None);
        check(b"\xff\xfe\x3d\xd8\x00\xde", "😀", None);
        check(b"\xff\xfea\0b", "a?", Some((1, "incomplete UTF-16 character")));
        check(b"\xff\xfe\x00\xdc", "?", Some((0, "unexpected low surrogate area")));
        check(b"\xff\xfe\x00\xd8a\0", "?", Some((0, "expected low surrogate area")));
        check(b"\xff\xfe\x00\xd8", "?", Some((0, "incomplete UTF-16 surrogate pair")));
    }

    #[test]
    fn what_go_refuses_is_found() {
        check(b"a\0", "a\0", Some((1, CONTROL)));
        check(b"a\x7f", "a\u{7f}", Some((1, CONTROL)));
        check("a\u{85}\u{a0}\u{feff}".as_bytes(), "a\u{85}\u{a0}\u{feff}", None);
        check("é\u{81}".as_bytes(), "é\u{81}", Some((2, CONTROL)));
        check("\u{ffff}".as_bytes(), "\u{ffff}", Some((0, CONTROL)));
        check(b"a\xffb", "a?b", Some((1, "invalid leading UTF-8 octet")));
        check(b"a\xe2\x80", "a??", Some((1, "incomplete UTF-8 octet sequence")));
        check(b"a\xe2xxx", "a?xxx", Some((1, "invalid trailing UTF-8 octet")));
        check(b"a\xc0\x80", "a??", Some((1, "invalid length of a UTF-8 sequence")));
        check(b"a\xed\xa0\x80", "a???", Some((1, "invalid Unicode character")));
    }

    #[test]
    fn reading_stops_behind_the_last_reported_place() {
        let input = Input::decode(&[0xff; MAX_ENCODING_ERRORS + 10]);
        assert_eq!(input.broken.len(), MAX_ENCODING_ERRORS);
        assert!(input.readable_after(0));
        assert!(!input.readable_after(MAX_ENCODING_ERRORS - 1));
    }

    #[test]
    fn later_problems_are_found_from_their_place_on() {
        let input = Input::decode(b"a\x01b\xffc\x02");
        assert_eq!(input.problem_from(0), Some((1, CONTROL)));
        assert_eq!(input.problem_from(2), Some((3, "invalid leading UTF-8 octet")));
        assert_eq!(input.problem_from(4), Some((5, CONTROL)));
        assert_eq!(input.problem_from(6), None);
    }
}
