//! Owns TOML's numbers and times: how far each goes in the document (lex.go), and what it stands for (parse.go).

use plumb_go::strconv::{self, NumberError};
use plumb_go::time::{Time, Zone};

use super::lex::{Bad, Lexer, Token};

/// What kind of number was read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Integer,
    Float,
    Time,
}

impl Lexer<'_> {
    /// Reads a number or time that begins with a digit.
    pub(super) fn number(&mut self) -> Result<(Kind, Token), Bad> {
        if self.next()? == '0' {
            match self.next()? {
                '0'..='9' => {}
                '_' => return self.decimal(),
                '.' | 'e' | 'E' => return self.float(),
                base @ ('b' | 'o' | 'x') => return self.based(base),
                _ => return Ok((Kind::Integer, self.stop())),
            }
        }
        loop {
            match self.next()? {
                '0'..='9' => {}
                '-' | ':' => return self.time(),
                '_' => return self.decimal(),
                '.' | 'e' | 'E' => return self.float(),
                _ => return Ok((Kind::Integer, self.stop())),
            }
        }
    }

    /// Reads a number behind its sign.
    pub(super) fn signed(&mut self) -> Result<(Kind, Token), Bad> {
        let first = self.next()?;
        let word = match first {
            'i' => Some(('n', 'f')),
            'n' => Some(('a', 'n')),
            _ => None,
        };
        if let Some((second, third)) = word {
            if !self.accept(second)? || !self.accept(third)? {
                return self.bad(format!("invalid float: '{}'", self.current_text()));
            }
            return Ok((Kind::Float, self.token()));
        }
        if first == '0'
            && let base @ ('b' | 'o' | 'x') = self.peek()?
        {
            return self.bad(format!("cannot use sign with non-decimal numbers: '{}{base}'", self.current_text()));
        }
        match first {
            '.' => self.bad("floats must start with a digit, not '.'"),
            '0'..='9' => self.decimal(),
            other => self.unexpected("expected a digit but got ", other, ""),
        }
    }

    fn stop(&mut self) -> Token {
        self.back();
        self.token()
    }

    fn decimal(&mut self) -> Result<(Kind, Token), Bad> {
        loop {
            match self.next()? {
                '0'..='9' | '_' => {}
                '.' | 'e' | 'E' => return self.float(),
                _ => return Ok((Kind::Integer, self.stop())),
            }
        }
    }

    fn float(&mut self) -> Result<(Kind, Token), Bad> {
        while matches!(self.next()?, '0'..='9' | '_' | '.' | '-' | '+' | 'e' | 'E') {}
        Ok((Kind::Float, self.stop()))
    }

    fn based(&mut self, base: char) -> Result<(Kind, Token), Bad> {
        let (name, radix) = match base {
            'b' => ("a binary", 2),
            'o' => ("an octal", 8),
            _ => ("a hexadecimal", 16),
        };
        let first = self.peek()?;
        if !first.is_digit(radix) {
            return self.bad(format!("not {name} number: '{}{first}'", self.current_text()));
        }
        while {
            let rune = self.next()?;
            rune.is_digit(radix) || rune == '_'
        } {}
        Ok((Kind::Integer, self.stop()))
    }

    fn time(&mut self) -> Result<(Kind, Token), Bad> {
        while matches!(self.next()?, '0'..='9' | '-' | ':' | 'T' | 't' | ' ' | '.' | 'Z' | 'z' | '+') {}
        let mut token = self.stop();
        let trimmed = self.slice(token.start, token.end).trim_ascii_end().len();
        token.end = token.start + trimmed;
        Ok((Kind::Time, token))
    }
}

/// Returns an integer; the error is Go's text.
pub(super) fn integer(text: &str) -> Result<i64, String> {
    if !underscores_ok(text) {
        return Err(format!("Invalid integer {}: underscores must be surrounded by digits", strconv::quote(text)));
    }
    if has_leading_zero(text) {
        return Err(format!("Invalid integer {}: cannot have leading zeroes", strconv::quote(text)));
    }
    strconv::parse_int(&text.replace('_', ""), 0).map_err(|_| format!("{text} is out of range for int64"))
}

/// Returns a float; the error is Go's text.
pub(super) fn float(text: &str) -> Result<f64, String> {
    let invalid = |why: &str| Err(format!("Invalid float {}: {why}", strconv::quote(text)));
    let mut parts = text.split(['.', 'e', 'E']).filter(|part| !part.is_empty()).peekable();
    let leading_zero = parts.peek().is_some_and(|first| has_leading_zero(first));
    if !parts.all(underscores_ok) {
        return invalid("underscores must be surrounded by digits");
    }
    if leading_zero {
        return invalid("cannot have leading zeroes");
    }
    let points_ok = text.split('.').skip(1).all(|part| part.starts_with(|rune: char| rune.is_ascii_digit()));
    if !points_ok {
        return invalid("'.' must be followed by one or more digits");
    }
    match text.replace('_', "").as_str() {
        "nan" | "+nan" => Ok(f64::NAN),
        "-nan" => Ok(-f64::NAN),
        plain => strconv::parse_float(plain).map_err(|error| match error {
            NumberError::Range => format!("{text} is out of range for float64"),
            _ => format!("Invalid float value: {}", strconv::quote(text)),
        }),
    }
}

fn has_leading_zero(text: &str) -> bool {
    match text.as_bytes() {
        [b'0', second, ..] => !matches!(second, b'b' | b'o' | b'x'),
        [b'-' | b'+', b'0', _, ..] => true,
        _ => false,
    }
}

fn underscores_ok(text: &str) -> bool {
    if matches!(text, "nan" | "+nan" | "-nan" | "inf" | "-inf" | "+inf") {
        return true;
    }
    let mut accept = false;
    for rune in text.chars() {
        if rune == '_' && !accept {
            return false;
        }
        accept = rune.is_ascii_hexdigit();
    }
    accept
}

/// Zones of what is written without one; their names are those of the Go library, which tells by them how to write a time back.
pub(super) const LOCAL: [(&str, &str); 3] =
    [("datetime-local", "2006-01-02T15:04:05.999999999"), ("date-local", "2006-01-02"), ("time-local", "15:04:05.999999999")];

fn local(at: usize) -> Zone {
    Zone::fixed(0, LOCAL[at].0.as_bytes())
}

/// Returns a time; the error is Go's text. Times without a zone are at home, which is UTC; dates begin at midnight, times are in the year 0.
pub(super) fn time(text: &str) -> Result<Time, String> {
    let text = text.replace('z', "Z").replace(['t', ' '], "T");
    moment(text.as_bytes()).ok_or_else(|| format!("invalid datetime: {}", strconv::quote(&text)))
}

fn moment(text: &[u8]) -> Option<Time> {
    let has_date = text.get(4) == Some(&b'-');
    let ((year, month, day), rest) = if has_date { date(text)? } else { ((0, 1, 1), text) };
    let rest = match rest {
        [] if has_date => return Some(Time::date(year, i64::from(month), i64::from(day), 0, 0, local(1))),
        [b'T', rest @ ..] if has_date => rest,
        rest if !has_date => rest,
        _ => return None,
    };
    let (hour, rest) = two(rest, 23)?;
    let (minute, rest) = two(rest.strip_prefix(b":")?, 59)?;
    let (second, nanos, rest) = match rest.strip_prefix(b":") {
        Some(rest) => {
            let (second, rest) = two(rest, 59)?;
            let (nanos, rest) = fraction(rest)?;
            (second, nanos, rest)
        }
        None => (0, 0, rest),
    };
    let zone = match rest {
        [] => local(if has_date { 0 } else { 2 }),
        _ if !has_date => return None,
        [b'Z'] => Zone::Utc,
        [sign @ (b'+' | b'-'), rest @ ..] => {
            let (hours, rest) = two(rest, 24)?;
            let (minutes, rest) = two(rest.strip_prefix(b":")?, 60)?;
            if !rest.is_empty() {
                return None;
            }
            let offset = (hours * 60 + minutes) as i32 * 60;
            Zone::fixed(if *sign == b'-' { -offset } else { offset }, b"")
        }
        _ => return None,
    };
    let second_of_day = i64::from((hour * 60 + minute) * 60 + second);
    Some(Time::date(year, i64::from(month), i64::from(day), second_of_day, nanos, zone))
}

type Date = (i64, u32, u32);

fn date(text: &[u8]) -> Option<(Date, &[u8])> {
    let (century, rest) = two(text, 99)?;
    let (year, rest) = two(rest, 99)?;
    let year = century * 100 + year;
    let (month, rest) = two(rest.strip_prefix(b"-")?, 12)?;
    let (day, rest) = two(rest.strip_prefix(b"-")?, 31)?;
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        0 => return None,
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    (1..=days).contains(&day).then_some(((i64::from(year), month, day), rest))
}

fn two(text: &[u8], most: u32) -> Option<(u32, &[u8])> {
    let [tens @ b'0'..=b'9', ones @ b'0'..=b'9', rest @ ..] = text else { return None };
    let value = u32::from(tens - b'0') * 10 + u32::from(ones - b'0');
    (value <= most).then_some((value, rest))
}

fn fraction(text: &[u8]) -> Option<(u32, &[u8])> {
    let Some(rest) = text.strip_prefix(b".") else { return Some((0, text)) };
    let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = rest.split_at(count);
    if digits.is_empty() {
        return None;
    }
    let nanos = (0..9).fold(0, |nanos, at| nanos * 10 + digits.get(at).map_or(0, |digit| u32::from(digit - b'0')));
    Some((nanos, rest))
}
