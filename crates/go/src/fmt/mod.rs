//! Owns Go's `fmt` as far as it does not depend on what is printed: formats are read into [`directives`], and numbers and texts are written by
//! [`Flags`]. Whoever has values walks them (src/fmt/print.go) and asks for the leaves (src/fmt/format.go).

pub mod directives;

use crate::strconv;

/// Widths and precisions beyond this are not taken.
pub const MAX_WIDTH: i64 = 1_000_000;

/// How one value is to be written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// The least number of characters.
    pub width: Option<usize>,
    /// What stands behind the dot.
    pub precision: Option<usize>,
    /// `-`: filled up on the right.
    pub minus: bool,
    /// `+`: a sign always, ASCII only.
    pub plus: bool,
    /// `#`: another form.
    pub sharp: bool,
    /// A space for a sign that is left out.
    pub space: bool,
    /// `0`: filled up with zeros.
    pub zero: bool,
    /// `%+v`.
    pub plus_v: bool,
    /// `%#v`.
    pub sharp_v: bool,
}

/// The characters as Go counts them: a byte that is no UTF-8 is one.
fn runes(text: &[u8]) -> usize {
    text.utf8_chunks().map(|chunk| chunk.valid().chars().count() + chunk.invalid().len()).sum()
}

impl Flags {
    /// Returns the flags as the verbs `v` and `w` take them: `#` and `+` ask for another syntax.
    #[must_use]
    pub fn for_verb(mut self, verb: char) -> Self {
        if matches!(verb, 'v' | 'w') {
            (self.sharp_v, self.sharp) = (self.sharp, false);
            (self.plus_v, self.plus) = (self.plus, false);
        }
        self
    }

    fn fill(&self, count: usize, out: &mut Vec<u8>) {
        // Zeros only go to the left.
        let byte = if self.zero && !self.minus { b'0' } else { b' ' };
        out.extend(std::iter::repeat_n(byte, count));
    }

    /// Writes a text in its width.
    pub fn pad(&self, text: &[u8], out: &mut Vec<u8>) {
        let Some(width) = self.width.filter(|width| *width > 0) else { return out.extend_from_slice(text) };
        let fill = width.saturating_sub(runes(text));
        if self.minus {
            out.extend_from_slice(text);
            self.fill(fill, out);
        } else {
            self.fill(fill, out);
            out.extend_from_slice(text);
        }
    }

    /// The same without zeros, which have been dealt with.
    fn pad_with_spaces(&self, text: &[u8], out: &mut Vec<u8>) {
        Self { zero: false, ..*self }.pad(text, out);
    }

    /// Writes `true` or `false`; `false` is returned for a verb that is none for this.
    pub fn boolean(&self, value: bool, verb: char, out: &mut Vec<u8>) -> bool {
        if !matches!(verb, 't' | 'v') {
            return false;
        }
        self.pad(if value { b"true" } else { b"false" }, out);
        true
    }

    /// Writes a whole number of 64 bits, signed or not.
    pub fn integer(&self, bits: u64, signed: bool, verb: char, out: &mut Vec<u8>) -> bool {
        match verb {
            'v' if self.sharp_v && !signed => Self { sharp: true, ..*self }.based(bits, 16, signed, verb, out),
            'v' | 'd' => self.based(bits, 10, signed, verb, out),
            'b' => self.based(bits, 2, signed, verb, out),
            'o' | 'O' => self.based(bits, 8, signed, verb, out),
            'x' | 'X' => self.based(bits, 16, signed, verb, out),
            'c' => self.pad(rune(bits).encode_utf8(&mut [0; 4]).as_bytes(), out),
            'q' => self.pad(strconv::quote_rune(rune(bits), self.plus).as_bytes(), out),
            'U' => self.unicode(bits, out),
            _ => return false,
        }
        true
    }

    fn based(&self, bits: u64, base: u32, signed: bool, verb: char, out: &mut Vec<u8>) {
        let negative = signed && (bits as i64) < 0;
        let magnitude = if negative { bits.wrapping_neg() } else { bits };
        if self.precision == Some(0) && magnitude == 0 {
            return Self { zero: false, ..*self }.fill(self.width.unwrap_or(0), out);
        }
        let digits = match (base, verb) {
            (2, _) => format!("{magnitude:b}"),
            (8, _) => format!("{magnitude:o}"),
            (16, 'X') => format!("{magnitude:X}"),
            (16, _) => format!("{magnitude:x}"),
            _ => magnitude.to_string(),
        };
        let least = match (self.precision, self.width) {
            (Some(precision), _) => precision,
            (None, Some(width)) if self.zero && !self.minus => width - usize::from(width > 0 && (negative || self.plus || self.space)),
            _ => 0,
        };
        let digits = zeros_before(digits, least);
        let sign = match () {
            () if negative => "-",
            () if self.plus => "+",
            () if self.space => " ",
            () => "",
        };
        let sharp = match (base, self.sharp) {
            (2, true) => "0b",
            (8, true) if !digits.starts_with('0') => "0",
            (16, true) if verb == 'X' => "0X",
            (16, true) => "0x",
            _ => "",
        };
        let octal = if verb == 'O' { "0o" } else { "" };
        self.pad_with_spaces(format!("{sign}{octal}{sharp}{digits}").as_bytes(), out);
    }

    fn unicode(&self, bits: u64, out: &mut Vec<u8>) {
        let digits = self.precision.unwrap_or(4).max(4);
        let mut text = format!("U+{}", zeros_before(format!("{bits:X}"), digits));
        let shown = u32::try_from(bits).ok().and_then(char::from_u32).filter(|rune| self.sharp && strconv::is_print(*rune));
        if let Some(rune) = shown {
            text.push_str(&format!(" '{rune}'"));
        }
        self.pad_with_spaces(text.as_bytes(), out);
    }

    /// Writes a text.
    pub fn string(&self, text: &[u8], verb: char, out: &mut Vec<u8>) -> bool {
        match verb {
            'v' if self.sharp_v => self.quoted(text, out),
            'v' | 's' => self.pad(self.cut(text), out),
            'x' | 'X' => self.hexadecimal(text, verb == 'X', out),
            'q' => self.quoted(text, out),
            _ => return false,
        }
        true
    }

    /// The text up to so many characters as the precision says.
    fn cut<'t>(&self, text: &'t [u8]) -> &'t [u8] {
        let Some(precision) = self.precision else { return text };
        let mut at = 0;
        for _ in 0..precision {
            let rest = &text[at..];
            let Some(chunk) = rest[..rest.len().min(4)].utf8_chunks().next() else { break };
            at += chunk.valid().chars().next().map_or(1, char::len_utf8);
        }
        &text[..at]
    }

    fn quoted(&self, text: &[u8], out: &mut Vec<u8>) {
        let text = self.cut(text);
        if self.sharp && strconv::can_backquote(text) {
            return self.pad(&[b"`", text, b"`"].concat(), out);
        }
        let quoted = if self.plus { strconv::quote_ascii(text) } else { strconv::quote_bytes(text) };
        self.pad(quoted.as_bytes(), out);
    }

    fn hexadecimal(&self, text: &[u8], upper: bool, out: &mut Vec<u8>) {
        let text = &text[..self.precision.unwrap_or(text.len()).min(text.len())];
        let prefix = if upper { "0X" } else { "0x" };
        let mut hex = String::with_capacity(text.len() * 2);
        for (nth, byte) in text.iter().enumerate() {
            if self.space && nth > 0 {
                hex.push(' ');
            }
            if self.sharp && (self.space || nth == 0) {
                hex.push_str(prefix);
            }
            hex.push_str(&if upper { format!("{byte:02X}") } else { format!("{byte:02x}") });
        }
        self.pad(hex.as_bytes(), out);
    }

    /// Writes a `float64`.
    pub fn float(&self, value: f64, verb: char, out: &mut Vec<u8>) -> bool {
        let (form, precision) = match verb {
            'v' => ('g', None),
            'b' | 'g' | 'G' | 'x' | 'X' => (verb, None),
            'f' | 'e' | 'E' => (verb, Some(6)),
            'F' => ('f', Some(6)),
            _ => return false,
        };
        let precision = self.precision.or(precision);
        let mut number = strconv::format_float(value, form, precision);
        if !number.starts_with(['-', '+']) {
            number.insert(0, '+');
        }
        if self.space && !self.plus && number.starts_with('+') {
            number.replace_range(..1, " ");
        }
        if !value.is_finite() {
            let shown = if value.is_nan() && !self.space && !self.plus { &number[1..] } else { &number };
            // Unlike other numbers, infinity keeps its sign.
            self.pad_with_spaces(shown.as_bytes(), out);
            return true;
        }
        if self.sharp && form != 'b' {
            number = with_point(&number, form, precision);
        }
        if !self.plus && number.starts_with('+') {
            self.pad(&number.as_bytes()[1..], out);
            return true;
        }
        match self.width.filter(|width| self.zero && !self.minus && *width > number.len()) {
            // The sign comes before the zeros.
            Some(width) => {
                out.extend_from_slice(&number.as_bytes()[..1]);
                self.fill(width - number.len(), out);
                out.extend_from_slice(&number.as_bytes()[1..]);
            }
            None => self.pad(number.as_bytes(), out),
        }
        true
    }

    /// Writes a `complex128`.
    pub fn complex(&self, real: f64, imaginary: f64, verb: char, out: &mut Vec<u8>) -> bool {
        if !matches!(verb, 'v' | 'b' | 'g' | 'G' | 'x' | 'X' | 'f' | 'F' | 'e' | 'E') {
            return false;
        }
        out.push(b'(');
        self.float(real, verb, out);
        Self { plus: true, ..*self }.float(imaginary, verb, out);
        out.extend_from_slice(b"i)");
        true
    }
}

/// Digits with zeros before them: as many as there must be.
fn zeros_before(digits: String, least: usize) -> String {
    if digits.len() >= least { digits } else { "0".repeat(least - digits.len()) + &digits }
}

/// What a number is as a character.
fn rune(bits: u64) -> char {
    u32::try_from(bits).ok().and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// `#`: a decimal point always, and the zeros that `%g` drops.
fn with_point(number: &str, form: char, precision: Option<usize>) -> String {
    let mut missing: i64 = match form {
        'g' | 'G' | 'x' => precision.map_or(6, |precision| precision as i64),
        _ => 0,
    };
    let tail_at =
        number.find(|c: char| matches!(c, 'p' | 'P') || matches!(c, 'e' | 'E') && !matches!(form, 'x' | 'X')).unwrap_or(number.len());
    let (head, tail) = number.split_at(tail_at);
    let mut significant = false;
    for digit in head.chars().skip(1).filter(|digit| *digit != '.') {
        significant |= digit != '0';
        missing -= i64::from(significant);
    }
    let mut out = head.to_owned();
    if !head.contains('.') {
        if head.len() == 2 && head.ends_with('0') {
            missing -= 1;
        }
        out.push('.');
    }
    out.extend(std::iter::repeat_n('0', usize::try_from(missing).unwrap_or(0)));
    out.push_str(tail);
    out
}
