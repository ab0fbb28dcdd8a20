//! Owns the syntax of Go's expressions: reads one with Go's rules and errors (regexp/syntax, parse.go) and writes it for the `regex` crate.
//!
//! Flags are not carried over: each atom is written in the way that the flags at its place mean, so `(?i)`, `(?U)` and the like need no scope of their own.

use super::SyntaxError;

/// Go's largest repeat count, alone and nested.
const MAX_REPEAT: u32 = 1000;
/// Groups inside groups.
const MAX_DEPTH: usize = 250;

/// What an expression is for the `regex` crate.
pub(super) struct Translated {
    pub(super) pattern: String,
    /// Each group's name, empty for none; the first is the whole match.
    pub(super) names: Vec<String>,
}

#[derive(Clone, Copy, Default)]
struct Flags {
    fold: bool,
    lines: bool,
    dot_all: bool,
    lazy: bool,
}

/// What was written last and can be repeated.
#[derive(Clone, Copy)]
struct Atom {
    start: usize,
    /// How often its innermost part is copied.
    copies: u32,
    /// Whether it is a repetition itself.
    repeated: bool,
}

struct Group {
    start: usize,
    flags: Flags,
    copies: u32,
}

struct Translator<'p> {
    pattern: &'p str,
    at: usize,
    out: String,
    names: Vec<String>,
    flags: Flags,
    open: Vec<Group>,
    last: Option<Atom>,
    /// The most copies in the group so far.
    copies: u32,
}

/// One item of a class.
enum Item {
    Range(u32, u32),
    Written(String),
}

pub(super) fn translate(pattern: &[u8]) -> Result<Translated, SyntaxError> {
    let text = match std::str::from_utf8(pattern) {
        Ok(text) => text,
        Err(error) => return Err(SyntaxError { code: "invalid UTF-8", part: pattern[error.valid_up_to()..].to_vec() }),
    };
    let mut translator = Translator {
        pattern: text,
        at: 0,
        out: String::with_capacity(text.len() * 2),
        names: vec![String::new()],
        flags: Flags::default(),
        open: Vec::new(),
        last: None,
        copies: 1,
    };
    translator.run()?;
    Ok(Translated { pattern: translator.out, names: translator.names })
}

fn error<T>(code: &'static str, part: &str) -> Result<T, SyntaxError> {
    Err(SyntaxError { code, part: part.as_bytes().to_vec() })
}

impl<'p> Translator<'p> {
    fn rest(&self) -> &'p str {
        &self.pattern[self.at..]
    }

    fn next(&mut self) -> Option<char> {
        let rune = self.rest().chars().next()?;
        self.at += rune.len_utf8();
        Some(rune)
    }

    fn run(&mut self) -> Result<(), SyntaxError> {
        // The repetition right before this place, if there is one: two in a row are refused.
        let mut last_repeat: Option<usize> = None;
        while let Some(rune) = self.rest().chars().next() {
            let before = self.at;
            let mut repeat = None;
            match rune {
                '(' => self.open()?,
                '|' => {
                    self.at += 1;
                    self.out.push('|');
                    self.last = None;
                }
                ')' => self.close()?,
                '^' => self.plain(if self.flags.lines { "(?m:^)" } else { r"\A" }, 1),
                '$' => self.plain(if self.flags.lines { "(?m:$)" } else { r"\z" }, 1),
                '.' => self.plain(if self.flags.dot_all { "(?s:.)" } else { r"[^\n]" }, 1),
                '[' => self.class()?,
                '*' | '+' | '?' => {
                    self.at += 1;
                    self.repeat(before, last_repeat, &rune.to_string(), None)?;
                    repeat = Some(before);
                }
                '{' => match self.counts() {
                    None => {
                        self.at += 1;
                        self.literal('{');
                    }
                    Some((least, most)) => {
                        let too_many = |count: Option<u32>| count.is_some_and(|count| count > MAX_REPEAT);
                        if too_many(Some(least)) || too_many(most) || most.is_some_and(|most| least > most) {
                            return error("invalid repeat count", &self.pattern[before..self.at]);
                        }
                        let written = match most {
                            None => format!("{{{least},}}"),
                            Some(most) => format!("{{{least},{most}}}"),
                        };
                        self.repeat(before, last_repeat, &written, Some((least, most)))?;
                        repeat = Some(before);
                    }
                },
                '\\' => self.escape()?,
                rune => {
                    self.at += rune.len_utf8();
                    self.literal(rune);
                }
            }
            last_repeat = repeat;
        }
        if self.open.is_empty() { Ok(()) } else { error("missing closing )", self.pattern) }
    }

    /// Writes an atom that took so many bytes of the expression.
    fn plain(&mut self, written: &str, bytes: usize) {
        self.at += bytes;
        self.last = Some(Atom { start: self.out.len(), copies: 1, repeated: false });
        self.out.push_str(written);
    }

    fn literal(&mut self, rune: char) {
        let start = self.out.len();
        if rune.is_ascii_alphanumeric() || !rune.is_ascii() {
            let folds = self.flags.fold && rune.is_alphabetic();
            if folds {
                self.out.push_str("(?i:");
            }
            self.out.push(rune);
            if folds {
                self.out.push(')');
            }
        } else {
            self.out.push_str(&format!(r"\x{{{:X}}}", rune as u32));
        }
        self.last = Some(Atom { start, copies: 1, repeated: false });
    }

    /// A character by its number; half of a surrogate pair matches nothing.
    fn code_point(&mut self, code: u32) {
        match char::from_u32(code) {
            Some(rune) => self.literal(rune),
            None => self.plain(NEVER, 0),
        }
    }

    fn repeat(
        &mut self,
        before: usize,
        last_repeat: Option<usize>,
        written: &str,
        counts: Option<(u32, Option<u32>)>,
    ) -> Result<(), SyntaxError> {
        let question = self.rest().starts_with('?');
        if question {
            self.at += 1;
        }
        if let Some(start) = last_repeat {
            return error("invalid nested repetition operator", &self.pattern[start..self.at]);
        }
        let Some(atom) = self.last else {
            return error("missing argument to repetition operator", &self.pattern[before..self.at]);
        };
        let mut copies = atom.copies;
        if let Some((least, most)) = counts {
            let times = most.unwrap_or(least);
            copies = copies.saturating_mul(times.max(1));
            if times >= 2 && copies > MAX_REPEAT {
                return error("invalid repeat count", &self.pattern[before..self.at]);
            }
        }
        if atom.repeated {
            self.out.insert_str(atom.start, "(?:");
            self.out.push(')');
        }
        self.out.push_str(written);
        if question != self.flags.lazy {
            self.out.push('?');
        }
        self.copies = self.copies.max(copies);
        self.last = Some(Atom { start: atom.start, copies, repeated: true });
        Ok(())
    }

    /// `{n}`, `{n,}` and `{n,m}`; anything else is a brace. Numbers that are too large come out as larger than any that is allowed.
    fn counts(&mut self) -> Option<(u32, Option<u32>)> {
        let (inner, _) = self.rest().strip_prefix('{')?.split_once('}')?;
        let number = |text: &str| -> Option<u32> {
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            let padded = text.len() > 1 && text.starts_with('0');
            (digits && !padded).then(|| text.parse().unwrap_or(u32::MAX))
        };
        let counts = match inner.split_once(',') {
            None => number(inner).map(|count| (count, Some(count))),
            Some((least, "")) => number(least).map(|least| (least, None)),
            Some((least, most)) => Some((number(least)?, Some(number(most)?))),
        }?;
        self.at += inner.len() + 2;
        Some(counts)
    }

    fn open(&mut self) -> Result<(), SyntaxError> {
        if !self.rest().starts_with("(?") {
            self.at += 1;
            self.names.push(String::new());
            return self.enter("(");
        }
        let text = self.rest();
        let named = [("(?P<", 4), ("(?<", 3)].into_iter().find(|(prefix, len)| text.starts_with(prefix) && text.len() > *len);
        if let Some((_, from)) = named {
            let Some(end) = text.find('>') else { return error("invalid named capture", text) };
            let name = &text[from..end];
            if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
                return error("invalid named capture", &text[..=end]);
            }
            self.names.push(name.to_owned());
            self.at += end + 1;
            return self.enter("(");
        }
        self.set_flags(text)
    }

    /// `(?i-s)` and `(?i:`.
    fn set_flags(&mut self, text: &str) -> Result<(), SyntaxError> {
        let start = self.at;
        self.at += 2;
        let (mut flags, mut on, mut seen) = (self.flags, true, false);
        while let Some(rune) = self.next() {
            match rune {
                'i' => (flags.fold, seen) = (on, true),
                'm' => (flags.lines, seen) = (on, true),
                's' => (flags.dot_all, seen) = (on, true),
                'U' => (flags.lazy, seen) = (on, true),
                '-' if on => (on, seen) = (false, false),
                ':' | ')' if on || seen => {
                    if rune == ':' {
                        self.enter("(?:")?;
                    }
                    self.flags = flags;
                    return Ok(());
                }
                _ => break,
            }
        }
        error("invalid or unsupported Perl syntax", &text[..self.at - start])
    }

    fn enter(&mut self, written: &str) -> Result<(), SyntaxError> {
        if self.open.len() >= MAX_DEPTH {
            return error("expression nests too deeply", self.pattern);
        }
        self.open.push(Group { start: self.out.len(), flags: self.flags, copies: self.copies });
        self.out.push_str(written);
        (self.last, self.copies) = (None, 1);
        Ok(())
    }

    fn close(&mut self) -> Result<(), SyntaxError> {
        let Some(group) = self.open.pop() else { return error("unexpected )", self.pattern) };
        self.at += 1;
        self.out.push(')');
        self.flags = group.flags;
        self.last = Some(Atom { start: group.start, copies: self.copies, repeated: false });
        self.copies = self.copies.max(group.copies);
        Ok(())
    }

    fn escape(&mut self) -> Result<(), SyntaxError> {
        let text = self.rest();
        match text[1..].chars().next() {
            Some('A') => self.plain(r"\A", 2),
            Some('z') => self.plain(r"\z", 2),
            // Go's words are ASCII.
            Some('b') => self.plain(r"(?-u:\b)", 2),
            Some('B') => self.plain(r"(?-u:\B)", 2),
            Some('C') => return error("invalid escape sequence", r"\C"),
            Some('Q') => {
                let (literal, len) =
                    text[2..].split_once(r"\E").map_or((&text[2..], text.len()), |(literal, _)| (literal, literal.len() + 4));
                self.at += len;
                literal.chars().for_each(|rune| self.literal(rune));
            }
            Some('p' | 'P') => {
                let class = self.unicode_class()?;
                self.folded(&class);
            }
            Some('d' | 'D' | 's' | 'S' | 'w' | 'W') => {
                let class = perl_class(&text[1..]).unwrap_or_default();
                self.at += 2;
                self.folded(&class);
            }
            _ => {
                let code = self.escaped()?;
                self.code_point(code);
            }
        }
        Ok(())
    }

    fn folded(&mut self, class: &str) {
        let start = self.out.len();
        if self.flags.fold {
            self.out.push_str(&format!("(?i:{class})"));
        } else {
            self.out.push_str(class);
        }
        self.last = Some(Atom { start, copies: 1, repeated: false });
    }

    /// An escape that stands for one character.
    fn escaped(&mut self) -> Result<u32, SyntaxError> {
        let start = self.at;
        self.at += 1;
        let Some(rune) = self.next() else { return error("trailing backslash at end of expression", "") };
        let octal = |text: &str| text.bytes().next().filter(|byte| (b'0'..=b'7').contains(byte)).map(|byte| u32::from(byte - b'0'));
        match rune {
            '0' | '1'..='7' if rune == '0' || octal(self.rest()).is_some() => {
                let mut code = rune as u32 - '0' as u32;
                for _ in 1..3 {
                    let Some(digit) = octal(self.rest()) else { break };
                    code = code * 8 + digit;
                    self.at += 1;
                }
                return Ok(code);
            }
            'x' => {
                if let Some(code) = self.hexadecimal() {
                    return Ok(code);
                }
            }
            'a' => return Ok(7),
            'f' => return Ok(12),
            'n' => return Ok(10),
            'r' => return Ok(13),
            't' => return Ok(9),
            'v' => return Ok(11),
            rune if rune.is_ascii() && !rune.is_ascii_alphanumeric() => return Ok(rune as u32),
            _ => {}
        }
        error("invalid escape sequence", &self.pattern[start..self.at])
    }

    /// What follows `\x`: two digits, or any number of them in braces.
    fn hexadecimal(&mut self) -> Option<u32> {
        let first = self.next()?;
        if first != '{' {
            let second = self.next()?;
            return Some(first.to_digit(16)? * 16 + second.to_digit(16)?);
        }
        let (mut code, mut digits) = (0_u32, 0);
        loop {
            let rune = self.next()?;
            if rune == '}' {
                return (digits > 0).then_some(code);
            }
            code = code * 16 + rune.to_digit(16)?;
            if code > 0x0010_ffff {
                return None;
            }
            digits += 1;
        }
    }

    /// `\pL`, `\p{Greek}`, `\P{^Greek}`.
    fn unicode_class(&mut self) -> Result<String, SyntaxError> {
        let text = self.rest();
        let mut negative = text.starts_with(r"\P");
        let Some(first) = text[2..].chars().next() else { return error("invalid UTF-8", "") };
        let (written, name) = if first == '{' {
            let Some(end) = text.find('}') else { return error("invalid character class range", text) };
            (&text[..=end], &text[3..end])
        } else {
            (&text[..2 + first.len_utf8()], &text[2..2 + first.len_utf8()])
        };
        let bare = name.strip_prefix('^').unwrap_or(name);
        negative ^= bare.len() != name.len();
        let class = format!(r"\{}{{{bare}}}", if negative { 'P' } else { 'p' });
        let good = bare.bytes().all(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'-' | b' '));
        if !good || regex::Regex::new(&class).is_err() {
            return error("invalid character class range", written);
        }
        self.at += written.len();
        Ok(class)
    }

    fn class(&mut self) -> Result<(), SyntaxError> {
        let whole = self.rest();
        self.at += 1;
        let negative = self.rest().starts_with('^');
        if negative {
            self.at += 1;
        }
        let (mut items, mut first) = (Vec::new(), true);
        while first || !self.rest().starts_with(']') {
            first = false;
            items.push(self.class_item(whole)?);
        }
        self.at += 1;
        let mut inner = String::new();
        for item in items {
            match item {
                Item::Written(class) => inner.push_str(&class),
                Item::Range(low, high) => push_range(&mut inner, low, high),
            }
        }
        let class = match (inner.is_empty(), negative) {
            (true, false) => NEVER.to_owned(),
            (true, true) => r"(?s:.)".to_owned(),
            (false, false) => format!("[{inner}]"),
            (false, true) => format!("[^{inner}]"),
        };
        self.folded(&class);
        Ok(())
    }

    fn class_item(&mut self, whole: &str) -> Result<Item, SyntaxError> {
        let text = self.rest();
        if text.len() > 2
            && text.starts_with("[:")
            && let Some(end) = text[2..].find(":]")
        {
            let written = &text[..end + 4];
            const NAMES: [&str; 14] = [
                "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper", "word",
                "xdigit",
            ];
            let name = &text[2..end + 2];
            if !NAMES.contains(&name.strip_prefix('^').unwrap_or(name)) {
                return error("invalid character class range", written);
            }
            self.at += written.len();
            return Ok(Item::Written(written.to_owned()));
        }
        if let Some(escape) = text.strip_prefix('\\') {
            if escape.starts_with(['p', 'P']) {
                return Ok(Item::Written(self.unicode_class()?));
            }
            if let Some(class) = perl_class(escape) {
                self.at += 2;
                return Ok(Item::Written(class));
            }
        }
        let low = self.class_character(whole)?;
        let next = self.rest();
        if !(next.len() >= 2 && next.starts_with('-') && !next.starts_with("-]")) {
            return Ok(Item::Range(low, low));
        }
        self.at += 1;
        let high = self.class_character(whole)?;
        if high < low {
            return error("invalid character class range", &text[..text.len() - self.rest().len()]);
        }
        Ok(Item::Range(low, high))
    }

    fn class_character(&mut self, whole: &str) -> Result<u32, SyntaxError> {
        if self.rest().starts_with('\\') {
            return self.escaped();
        }
        match self.next() {
            Some(rune) => Ok(rune as u32),
            None => error("missing closing ]", whole),
        }
    }
}

/// Matches nothing.
const NEVER: &str = r"[^\x{0}-\x{10FFFF}]";

/// Writes a range without the halves of surrogate pairs, which no text has.
fn push_range(out: &mut String, low: u32, high: u32) {
    for (low, high) in [(low, high.min(0xd7ff)), (low.max(0xe000), high)] {
        if low <= high {
            out.push_str(&format!(r"\x{{{low:X}}}-\x{{{high:X}}}"));
        }
    }
}

/// Go's `\d`, `\s` and `\w` are ASCII.
fn perl_class(escape: &str) -> Option<String> {
    let class = match escape.bytes().next()?.to_ascii_lowercase() {
        b'd' => "0-9",
        b's' => r"\t\n\x0C\r\x20",
        b'w' => "0-9A-Za-z_",
        _ => return None,
    };
    let negative = if escape.starts_with(|c: char| c.is_ascii_uppercase()) { "^" } else { "" };
    Some(format!("[{negative}{class}]"))
}
