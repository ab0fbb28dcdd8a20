//! Owns Go's `regexp`: its syntax ([`syntax`]), its choice of matches, and templates of replacements, over the `regex` crate.
//!
//! Texts are any bytes. Go takes a byte that is no UTF-8 for U+FFFD, one byte wide; so such a text is matched with those bytes replaced, and what is
//! found is told in the places of the original.

mod syntax;

use std::borrow::Cow;
use std::ops::Range;

use regex::bytes::{CaptureLocations, Regex, RegexBuilder};

use crate::strconv;

/// How large a compiled expression may be, in bytes.
const MAX_SIZE_BYTES: usize = 32 << 20;

/// A compiled expression.
#[derive(Clone, Debug)]
pub struct Regexp {
    inner: Regex,
    /// Each group's name, empty for none; the first is the whole match.
    names: Vec<String>,
    is_empty: bool,
}

/// Why an expression does not compile, in Go's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// What is wrong.
    pub code: &'static str,
    /// Where: the part of the expression.
    pub part: Vec<u8>,
}

impl SyntaxError {
    /// Returns the text that `regexp.Compile` gives.
    pub fn message(&self) -> Vec<u8> {
        [b"error parsing regexp: ", self.code.as_bytes(), b": `", &self.part, b"`"].concat()
    }

    /// Returns the text that `regexp.MustCompile` panics with.
    pub fn panic(&self, pattern: &[u8]) -> Vec<u8> {
        let quoted =
            if strconv::can_backquote(pattern) { [b"`", pattern, b"`"].concat() } else { strconv::quote_bytes(pattern).into_bytes() };
        [b"regexp: Compile(", quoted.as_slice(), b"): ", &self.message()].concat()
    }
}

/// A part of what a replacement gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// A range of the text.
    Text(Range<usize>),
    /// A range of the replacement.
    Replacement(Range<usize>),
}

/// A text as it is matched, and where its bytes are in the original.
struct Haystack<'t> {
    bytes: Cow<'t, [u8]>,
    /// The original's place of each byte; nothing when they are the same.
    places: Vec<usize>,
}

impl<'t> Haystack<'t> {
    fn new(text: &'t [u8]) -> Self {
        if std::str::from_utf8(text).is_ok() {
            return Self { bytes: Cow::Borrowed(text), places: Vec::new() };
        }
        let (mut bytes, mut places, mut at) = (Vec::new(), Vec::new(), 0);
        for chunk in text.utf8_chunks() {
            bytes.extend_from_slice(chunk.valid().as_bytes());
            places.extend(at..at + chunk.valid().len());
            at += chunk.valid().len();
            for _ in chunk.invalid() {
                bytes.extend_from_slice("\u{fffd}".as_bytes());
                places.extend([at; 3]);
                at += 1;
            }
        }
        places.push(at);
        Self { bytes: Cow::Owned(bytes), places }
    }

    fn range(&self, range: Range<usize>) -> Range<usize> {
        let place = |at: usize| if self.places.is_empty() { at } else { self.places.get(at).copied().unwrap_or(at) };
        place(range.start)..place(range.end)
    }

    fn is_boundary(&self, at: usize) -> bool {
        self.bytes.get(at).is_none_or(|byte| !(0x80..0xc0).contains(byte))
    }

    /// Where the next character begins; past the end after the last one.
    fn after(&self, at: usize) -> usize {
        let mut next = at + 1;
        while !self.is_boundary(next) {
            next += 1;
        }
        next
    }
}

impl Regexp {
    /// Compiles an expression.
    pub fn compile(pattern: &[u8]) -> Result<Self, SyntaxError> {
        let translated = syntax::translate(pattern)?;
        let inner = RegexBuilder::new(&translated.pattern)
            .size_limit(MAX_SIZE_BYTES)
            .dfa_size_limit(MAX_SIZE_BYTES)
            .build()
            .map_err(|_| SyntaxError { code: "expression too large", part: pattern.to_vec() })?;
        Ok(Self { inner, names: translated.names, is_empty: pattern.is_empty() })
    }

    /// Returns whether there is a match.
    pub fn is_match(&self, text: &[u8]) -> bool {
        self.inner.is_match(&Haystack::new(text).bytes)
    }

    /// Returns the first match.
    pub fn find(&self, text: &[u8]) -> Option<Range<usize>> {
        let text = Haystack::new(text);
        self.at(&text, 0).map(|range| text.range(range))
    }

    /// Returns matches one after another, at most `limit` of them unless it is negative.
    pub fn find_all(&self, text: &[u8], limit: i64) -> Vec<Range<usize>> {
        let text = Haystack::new(text);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let (mut found, mut at, mut before) = (Vec::new(), 0, None);
        while found.len() < limit && at <= text.bytes.len() {
            let Some(range) = self.at(&text, at) else { break };
            // An empty match right behind another one does not count.
            let counts = range.end != at || Some(range.start) != before;
            at = if range.end == at { text.after(at) } else { range.end };
            before = Some(range.end);
            if counts {
                found.push(text.range(range));
            }
        }
        found
    }

    /// Returns what stands between matches, at most `limit` parts unless it is negative.
    pub fn split(&self, text: &[u8], limit: i64) -> Vec<Range<usize>> {
        if limit == 0 {
            return Vec::new();
        }
        if !self.is_empty && text.is_empty() {
            // One empty part.
            return std::iter::once(0..0).collect();
        }
        let (mut parts, mut begin, mut end) = (Vec::new(), 0, 0);
        for range in self.find_all(text, limit) {
            if limit > 0 && parts.len() as i64 == limit - 1 {
                break;
            }
            end = range.start;
            if range.end != 0 {
                parts.push(begin..end);
            }
            begin = range.end;
        }
        if end != text.len() {
            parts.push(begin..text.len());
        }
        parts
    }

    /// Returns the text with each match replaced; unless it is `literal`, `$1`, `${1}` and `$name` in the replacement stand for groups.
    pub fn replace_all(&self, text: &[u8], replacement: &[u8], literal: bool) -> Vec<Piece> {
        let text = Haystack::new(text);
        let template = if literal { vec![Template::Literal(0..replacement.len())] } else { self.template(replacement) };
        let groups = template.iter().any(|part| matches!(part, Template::Group(_)));
        let mut locations = self.inner.capture_locations();
        let (mut pieces, mut behind, mut at) = (Vec::new(), 0, 0);
        while at <= text.bytes.len() {
            let found = if groups { self.groups_at(&text, at, &mut locations) } else { self.at(&text, at) };
            let Some(range) = found else { break };
            push(&mut pieces, Piece::Text(text.range(behind..range.start)));
            if range.end > behind || range.start == 0 {
                for part in &template {
                    match part {
                        Template::Literal(range) => push(&mut pieces, Piece::Replacement(range.clone())),
                        Template::Group(nth) => {
                            if let Some((start, end)) = locations.get(*nth) {
                                push(&mut pieces, Piece::Text(text.range(start..end)));
                            }
                        }
                    }
                }
            }
            behind = range.end;
            let next = text.after(at);
            at = if next > range.end { next } else { range.end };
        }
        push(&mut pieces, Piece::Text(text.range(behind..text.bytes.len())));
        pieces
    }

    /// The first match from a place on; an empty one never lies inside a character.
    fn at(&self, text: &Haystack<'_>, from: usize) -> Option<Range<usize>> {
        let mut at = from;
        loop {
            let found = self.inner.find_at(&text.bytes, at)?;
            if !found.is_empty() || text.is_boundary(found.start()) {
                return Some(found.range());
            }
            at = text.after(found.start());
        }
    }

    fn groups_at(&self, text: &Haystack<'_>, from: usize, locations: &mut CaptureLocations) -> Option<Range<usize>> {
        let mut at = from;
        loop {
            let found = self.inner.captures_read_at(locations, &text.bytes, at)?;
            if !found.is_empty() || text.is_boundary(found.start()) {
                return Some(found.range());
            }
            at = text.after(found.start());
        }
    }

    /// Reads a replacement as `Regexp.Expand` does.
    fn template(&self, replacement: &[u8]) -> Vec<Template> {
        let (mut parts, mut at) = (Vec::new(), 0);
        while let Some(dollar) = replacement[at..].iter().position(|byte| *byte == b'$').map(|found| at + found) {
            parts.push(Template::Literal(at..dollar));
            at = dollar + 1;
            if replacement.get(at) == Some(&b'$') {
                parts.push(Template::Literal(at..at + 1));
                at += 1;
            } else if let Some((name, len)) = reference(&replacement[at..]) {
                at += len;
                let nth = match number(name) {
                    Some(nth) => Some(nth).filter(|nth| *nth < self.names.len()),
                    None => self.names.iter().position(|known| known.as_bytes() == name),
                };
                parts.extend(nth.map(Template::Group));
            } else {
                parts.push(Template::Literal(dollar..dollar + 1));
            }
        }
        parts.push(Template::Literal(at..replacement.len()));
        parts
    }
}

/// A part of a replacement.
enum Template {
    Literal(Range<usize>),
    Group(usize),
}

/// Adds a part unless there is nothing in it.
fn push(pieces: &mut Vec<Piece>, piece: Piece) {
    let (Piece::Text(range) | Piece::Replacement(range)) = &piece;
    if !range.is_empty() {
        pieces.push(piece);
    }
}

/// `name` or `{name}` behind a dollar sign, and how many bytes it takes.
fn reference(text: &[u8]) -> Option<(&[u8], usize)> {
    let brace = usize::from(text.first() == Some(&b'{'));
    let mut end = brace;
    while let Some(rune) = text[end..text.len().min(end + 4)].utf8_chunks().next().and_then(|chunk| chunk.valid().chars().next()) {
        if !(strconv::is_letter(rune) || strconv::is_digit(rune) || rune == '_') {
            break;
        }
        end += rune.len_utf8();
    }
    if end == brace || brace == 1 && text.get(end) != Some(&b'}') {
        return None;
    }
    Some((&text[brace..end], end + brace))
}

/// A group's number; names that begin with 0 or are too large for a number are names.
fn number(name: &[u8]) -> Option<usize> {
    if name.len() > 1 && name[0] == b'0' {
        return None;
    }
    let text = std::str::from_utf8(name).ok().filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()))?;
    text.parse().ok().filter(|number| *number < 1_000_000_000)
}

/// Returns the text as an expression that matches it and nothing else, as `regexp.QuoteMeta` does: the places to put a backslash before.
pub fn quote_meta(text: &[u8]) -> Vec<usize> {
    (0..text.len()).filter(|at| br"\.+*?()|[]{}^$".contains(&text[*at])).collect()
}

#[cfg(test)]
mod tests {
    //! The answers are Go 1.26's.

    use super::*;

    /// Expression, text, places of the matches, what stands between them.
    type Match = (&'static [u8], &'static [u8], &'static str, &'static [u8]);
    /// Expression, text, replacement, and what it gives as a template and literally.
    type Replacement = (&'static [u8], &'static [u8], &'static [u8], &'static [u8], &'static [u8]);

    #[test]
    fn wrong_expressions_are_told_in_gos_words() {
        let cases: &[(&[u8], &[u8])] = &[
            (b"a**", b"error parsing regexp: invalid nested repetition operator: `**`"),
            (b"a*+", b"error parsing regexp: invalid nested repetition operator: `*+`"),
            (b"a{2}{3}", b"error parsing regexp: invalid nested repetition operator: `{2}{3}`"),
            (b"*", b"error parsing regexp: missing argument to repetition operator: `*`"),
            (b"(*)", b"error parsing regexp: missing argument to repetition operator: `*`"),
            (b"a|*", b"error parsing regexp: missing argument to repetition operator: `*`"),
            (b"(", b"error parsing regexp: missing closing ): `(`"),
            (b"a)", b"error parsing regexp: unexpected ): `a)`"),
            (b"[a", b"error parsing regexp: missing closing ]: `[a`"),
            (b"[b-a]", b"error parsing regexp: invalid character class range: `b-a`"),
            (b"[[:foo:]]", b"error parsing regexp: invalid character class range: `[:foo:]`"),
            (b"\\y", b"error parsing regexp: invalid escape sequence: `\\y`"),
            (b"\\", b"error parsing regexp: trailing backslash at end of expression: ``"),
            (b"a{1001}", b"error parsing regexp: invalid repeat count: `{1001}`"),
            (b"a{2,1}", b"error parsing regexp: invalid repeat count: `{2,1}`"),
            (b"(a{100}){100}", b"error parsing regexp: invalid repeat count: `{100}`"),
            (b"(?P<n", b"error parsing regexp: invalid named capture: `(?P<n`"),
            (b"(?P<>a)", b"error parsing regexp: invalid named capture: `(?P<>`"),
            (b"(?P<n!>a)", b"error parsing regexp: invalid named capture: `(?P<n!>`"),
            (b"(?x)", b"error parsing regexp: invalid or unsupported Perl syntax: `(?x`"),
            (b"(?i-)", b"error parsing regexp: invalid or unsupported Perl syntax: `(?i-)`"),
            (b"(?i", b"error parsing regexp: invalid or unsupported Perl syntax: `(?i`"),
            (b"\\8", b"error parsing regexp: invalid escape sequence: `\\8`"),
            (b"\\1", b"error parsing regexp: invalid escape sequence: `\\1`"),
            (b"\\C", b"error parsing regexp: invalid escape sequence: `\\C`"),
            (b"\\pX", b"error parsing regexp: invalid character class range: `\\pX`"),
            (b"\\p{Foo}", b"error parsing regexp: invalid character class range: `\\p{Foo}`"),
            (b"\\x{110000}", b"error parsing regexp: invalid escape sequence: `\\x{110000`"),
            (b"\\xg", b"error parsing regexp: invalid escape sequence: `\\xg`"),
            (b"x{1001}{2}", b"error parsing regexp: invalid repeat count: `{1001}`"),
            (b"a???", b"error parsing regexp: invalid nested repetition operator: `???`"),
            (b"(?<n>a", b"error parsing regexp: missing closing ): `(?<n>a`"),
            (b"\xff", b"error parsing regexp: invalid UTF-8: `\xff`"),
            (b"a\xffb", b"error parsing regexp: invalid UTF-8: `\xffb`"),
            (b"(?=a)", b"error parsing regexp: invalid or unsupported Perl syntax: `(?=`"),
            (b"[\\8]", b"error parsing regexp: invalid escape sequence: `\\8`"),
            (b"[a-\\d]", b"error parsing regexp: invalid escape sequence: `\\d`"),
            (b"a{,2}?*", b"error parsing regexp: invalid nested repetition operator: `?*`"),
            (b" \\Z", b"error parsing regexp: invalid escape sequence: `\\Z`"),
        ];
        for (pattern, expect) in cases {
            let found = Regexp::compile(pattern).map(|_| ()).map_err(|error| String::from_utf8_lossy(&error.message()).into_owned());
            assert_eq!(found, Err(String::from_utf8_lossy(expect).into_owned()), "{}", String::from_utf8_lossy(pattern));
        }
    }

    #[test]
    fn matches_are_gos() {
        let cases: &[Match] = &[
            (b"a+", b"baaac", "1-4", b"b|c"),
            (b"", b"abc", "0-0 1-1 2-2 3-3", b"a|b|c"),
            (b"", b"\xc3\xa9!", "0-0 2-2 3-3", b"\xc3\xa9|!"),
            (b"a*", b"baac", "0-0 1-3 4-4", b"b|c"),
            (b"a{,2}", b"a{,2}", "0-5", b"|"),
            (b"(?i)stra\xc3\x9fe", b"STRA\xc3\x9fE", "0-7", b"|"),
            (b"(?i)k", b"\xe2\x84\xaa K k", "0-3 4-5 6-7", b"| | |"),
            (b"^a", b"aa\na", "0-1", b"|a\na"),
            (b"(?m)^a$", b"a\nb\na", "0-1 4-5", b"|\nb\n|"),
            (b"a$", b"a\n", "", b"a\n"),
            (b".", b"\n\xff\xe9x", "1-2 2-3 3-4", b"\n|||"),
            (b"(?s).", b"\n\xff", "0-1 1-2", b"||"),
            (b"[^a]", b"a\xffb\n", "1-2 2-3 3-4", b"a|||"),
            (b"\\bfoo\\b", b"foo \xc3\xa9foo\xc3\xa9 foo_ foo", "0-3 6-9 17-20", b"| \xc3\xa9|\xc3\xa9 foo_ |"),
            (b"\\B", b"ab \xc3\xa9", "1-1 3-3 5-5", b"a|b |\xc3\xa9"),
            (b"\\w+", b"h\xc3\xa9llo w\xc3\xb6rld_1", "0-1 3-6 7-8 10-15", b"|\xc3\xa9| |\xc3\xb6|"),
            (b"\\d+", b"12 \xd9\xa34", "0-2 5-6", b"| \xd9\xa3|"),
            (b"\\s+", b"a \xc2\xa0\x09b\x0b", "1-2 4-5", b"a|\xc2\xa0|b\x0b"),
            (b"[]a]+", b"]a[]", "0-2 3-4", b"|[|"),
            (b"[a-]+", b"a-b", "0-2", b"|b"),
            (b"[a\\-z]+", b"a-bz", "0-2 3-4", b"|b|"),
            (b"[[:alpha:]_]+", b"ab_1", "0-3", b"|1"),
            (b"[^[:^alpha:]]+", b"ab1c", "0-2 3-4", b"|1|"),
            (b"[a&&b~~cd]+", b"a&b~c-d", "0-5 6-7", b"|-|"),
            (b"[a[b]+", b"[ab", "0-3", b"|"),
            (b"\\Qa.b\\E+", b"a.bbb a-b", "0-5", b"| a-b"),
            (b"\\Qa.b", b"a.b", "0-3", b"|"),
            (b"(?U)a+", b"aaa", "0-1 1-2 2-3", b"|||"),
            (b"(?U)a+?", b"aaa", "0-3", b"|"),
            (b"a+?", b"aaa", "0-1 1-2 2-3", b"|||"),
            (b"a(?i)*", b"aaAA", "0-2 3-3 4-4", b"|A|A"),
            (b"x*(?i)?y", b"xxy y", "0-3 4-5", b"| |"),
            (b"a|ab", b"ab", "0-1", b"|b"),
            (b"(a|ab)(c|bcd)", b"abcd", "0-4", b"|"),
            (b"\\p{Greek}+", b"ab\xce\xb3\xce\xb4", "2-6", b"ab|"),
            (b"\\PL+", b"ab12c", "2-4", b"ab|c"),
            (b"\\p{^Lu}+", b"ABcD", "2-3", b"AB|D"),
            (b"[\\p{Lu}\\d]+", b"aBC9", "1-4", b"a|"),
            (b"\\x41\\x{1F600}", b"A\xf0\x9f\x98\x80", "0-5", b"|"),
            (b"\\101\\0", b"A\x00", "0-2", b"|"),
            (b"a{2}", b"aaaaa", "0-2 2-4", b"||a"),
            (b"a{2,}", b"aaaaa a", "0-5", b"| a"),
            (b"a{0}b", b"ab", "1-2", b"a|"),
            (b"()*", b"ab", "0-0 1-1 2-2", b"a|b"),
            (b"(?:a|)+", b"aab", "0-2 3-3", b"|b"),
            (b"a{", b"a{", "0-2", b"|"),
            (b"a{1", b"a{1", "0-3", b"|"),
            (b"a{01}", b"a{01}", "0-5", b"|"),
            (b"[\\D]", b"1a", "1-2", b"1|"),
            (b"(?i)[^k]", b"kK\xe2\x84\xaaj", "5-6", b"kK\xe2\x84\xaa|"),
            (b"(?i:a)b", b"Ab AB", "0-2", b"| AB"),
            (b"((?i)a)b", b"Ab AB", "0-2", b"| AB"),
            (b"\\_\\-\\@", b"_-@", "0-3", b"|"),
            (b"(a*)*", b"aab", "0-2 3-3", b"|b"),
            (b"(?m)^", b"a\nb\n", "0-0 2-2 4-4", b"a\n|b\n"),
            (b"$", b"ab", "2-2", b"ab"),
            (b"\\z", b"ab", "2-2", b"ab"),
            (b"[\\n]", b"a\nb", "1-2", b"a|b"),
            (b"\\a\\f\\t\\r\\v", b"\x07\x0c\x09\x0d\x0b", "0-5", b"|"),
            (b"a#b c", b"a#b c", "0-5", b"|"),
            (b"~<>&\"'/:;=!%,`", b"~<>&\"'/:;=!%,`", "0-14", b"|"),
            (b"\xef\xbf\xbd", b"a\xffb", "1-2", b"a|b"),
            (b"[\\x00-\\x7f]+", b"a\xff\xc3\xa9", "0-1", b"|\xff\xc3\xa9"),
            (b"[\\x{D7FF}-\\x{E000}]", b"\xee\x80\x80", "0-3", b"|"),
            (b"\\p{L}", b"a", "0-1", b"|"),
            (b"\\p{letter}", b"a1", "0-1", b"|1"),
            (b"\\p{Any}", b"a", "0-1", b"|"),
        ];
        for (pattern, text, expect, parts) in cases {
            let shown = String::from_utf8_lossy(pattern);
            let regexp = Regexp::compile(pattern).unwrap_or_else(|error| panic!("{shown}: {}", String::from_utf8_lossy(&error.message())));
            let found: Vec<String> = regexp.find_all(text, -1).into_iter().map(|range| format!("{}-{}", range.start, range.end)).collect();
            assert_eq!(found.join(" "), *expect, "{shown}");
            let split: Vec<&[u8]> = regexp.split(text, -1).into_iter().map(|range| &text[range]).collect();
            assert_eq!(split.join(b"|".as_slice()), *parts, "{shown}");
        }
    }

    #[test]
    fn replacements_are_gos() {
        let cases: &[Replacement] = &[
            (b"a(x*)b", b"-ab-axxb-", b"T", b"-T-T-", b"-T-T-"),
            (b"a(x*)b", b"-ab-axxb-", b"$1", b"--xx-", b"-$1-$1-"),
            (b"a(x*)b", b"-ab-axxb-", b"$1W", b"---", b"-$1W-$1W-"),
            (b"a(x*)b", b"-ab-axxb-", b"${1}W", b"-W-xxW-", b"-${1}W-${1}W-"),
            (b"", b"abc", b"-", b"-a-b-c-", b"-a-b-c-"),
            (b"x*", b"abc", b"-", b"-a-b-c-", b"-a-b-c-"),
            (b"", b"\xc3\xa9", b"-", b"-\xc3\xa9-", b"-\xc3\xa9-"),
            (
                b"(?P<n>b)(c)?",
                b"abcbd",
                b"<$n|$2|$3|$$|$|${n}|${n|$x>",
                b"a<b|c||$|$|b|${n|><b|||$|$|b|${n|>d",
                b"a<$n|$2|$3|$$|$|${n}|${n|$x><$n|$2|$3|$$|$|${n}|${n|$x>d",
            ),
            (b"a", b"a", b"$10", b"", b"$10"),
            (b"(a)", b"a", b"$01", b"", b"$01"),
            (b"b*", b"abbc", b"[$0]", b"[]a[bb]c[]", b"[$0]a[$0]c[$0]"),
            (b"(.)", b"a\xff", b"$1$1", b"aa\xff\xff", b"$1$1$1$1"),
            (b"^", b"ab", b"x", b"xab", b"xab"),
            (b"$", b"ab", b"x", b"abx", b"abx"),
            (b"(?P<1a>b)", b"b", b"${1a}", b"b", b"${1a}"),
            (b"(b)", b"b", b"$1\xc3\xa9", b"", b"$1\xc3\xa9"),
            (b"a", b"aaa", b"", b"", b""),
            (b"\\B", b"abc", b"-", b"a-b-c", b"a-b-c"),
            (b"[\\s]+", b" a  b ", b"_", b"_a_b_", b"_a_b_"),
        ];
        for (pattern, text, replacement, expect, literal) in cases {
            let regexp = Regexp::compile(pattern).unwrap();
            for (is_literal, expect) in [(false, expect), (true, literal)] {
                let pieces = regexp.replace_all(text, replacement, is_literal);
                let bytes: Vec<u8> = pieces
                    .iter()
                    .flat_map(|piece| match piece {
                        Piece::Text(range) => &text[range.clone()],
                        Piece::Replacement(range) => &replacement[range.clone()],
                    })
                    .copied()
                    .collect();
                assert_eq!(bytes, *expect, "{} {}", String::from_utf8_lossy(pattern), String::from_utf8_lossy(replacement));
            }
        }
    }

    #[test]
    fn limits_count_matches_and_parts() {
        let regexp = Regexp::compile(b",").unwrap();
        let split = |text: &str, limit| -> String {
            regexp.split(text.as_bytes(), limit).into_iter().map(|range| &text[range]).collect::<Vec<_>>().join("|")
        };
        for (limit, found, parts, empty, edges) in [
            (-1, ",,,", "a|b|c|d", "", "|a|"),
            (0, "", "", "", ""),
            (1, ",", "a,b,c,d", "", ",a,"),
            (2, ",,", "a|b,c,d", "", "|a,"),
            (3, ",,,", "a|b|c,d", "", "|a|"),
            (4, ",,,", "a|b|c|d", "", "|a|"),
        ] {
            assert_eq!(regexp.find_all(b"a,b,c,d", limit).len(), found.len(), "{limit}");
            assert_eq!(split("a,b,c,d", limit), parts, "{limit}");
            assert_eq!(split("", limit), empty, "{limit}");
            assert_eq!(split(",a,", limit), edges, "{limit}");
        }
    }
}
