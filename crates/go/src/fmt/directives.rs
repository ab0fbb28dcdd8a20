//! Owns how a format is read: literal parts, flags, widths, precisions, argument numbers, and what is said of a format that is wrong
//! (src/fmt/print.go, doPrintf).

use std::ops::Range;

use super::{Flags, MAX_WIDTH};

/// Takes what a format says, in its order.
pub trait Sink {
    /// Returns how many arguments there are.
    fn arguments(&self) -> usize;
    /// Returns an argument as a whole number, if it is one: a width or precision.
    fn whole(&self, nth: usize) -> Option<i64>;
    /// Takes a part of the format as it stands there.
    fn literal(&mut self, range: Range<usize>);
    /// Takes what Go says of a format that is wrong.
    fn note(&mut self, text: &str);
    /// Takes an argument with its verb.
    fn argument(&mut self, nth: usize, verb: char, flags: Flags);
    /// Takes the arguments from a number on, which no verb asked for.
    fn extra(&mut self, from: usize);
}

/// Carries a format out.
pub fn run(format: &[u8], sink: &mut impl Sink) {
    let mut reader = Reader { format, at: 0, argument: 0, reordered: false, good_index: true, sink };
    while reader.at < format.len() {
        let from = reader.at;
        reader.at = format[from..].iter().position(|byte| *byte == b'%').map_or(format.len(), |found| from + found);
        if reader.at > from {
            reader.sink.literal(from..reader.at);
        }
        if reader.at < format.len() {
            reader.at += 1;
            reader.directive();
        }
    }
    if !reader.reordered && reader.argument < reader.sink.arguments() {
        reader.sink.extra(reader.argument);
    }
}

struct Reader<'f, S: Sink> {
    format: &'f [u8],
    at: usize,
    /// The argument that comes next.
    argument: usize,
    /// Whether any was named by its number: then unused ones are not told.
    reordered: bool,
    good_index: bool,
    sink: &'f mut S,
}

impl<S: Sink> Reader<'_, S> {
    fn directive(&mut self) {
        let mut flags = Flags::default();
        self.good_index = true;
        while let Some(byte) = self.format.get(self.at) {
            match byte {
                b'#' => flags.sharp = true,
                b'0' => flags.zero = true,
                b'+' => flags.plus = true,
                b'-' => flags.minus = true,
                b' ' => flags.space = true,
                _ => break,
            }
            self.at += 1;
        }
        let after_index = self.index();
        let after_index = self.width(&mut flags, after_index);
        let after_index = self.precision(&mut flags, after_index);
        if !after_index {
            self.index();
        }
        self.verb(flags);
    }

    fn width(&mut self, flags: &mut Flags, after_index: bool) -> bool {
        if self.format.get(self.at) == Some(&b'*') {
            self.at += 1;
            match self.star() {
                Some(width) => {
                    flags.width = Some(width.unsigned_abs() as usize);
                    // A negative width fills up on the right, and never with zeros.
                    flags.minus |= width < 0;
                    flags.zero &= width >= 0;
                }
                None => self.sink.note("%!(BADWIDTH)"),
            }
            return false;
        }
        flags.width = self.number();
        // `%[3]2d`
        self.good_index &= !(after_index && flags.width.is_some());
        after_index
    }

    fn precision(&mut self, flags: &mut Flags, after_index: bool) -> bool {
        if self.at + 1 >= self.format.len() || self.format[self.at] != b'.' {
            return after_index;
        }
        self.at += 1;
        // `%[3].2d`
        self.good_index &= !after_index;
        let after_index = self.index();
        if self.format.get(self.at) == Some(&b'*') {
            self.at += 1;
            flags.precision = self.star().and_then(|precision| usize::try_from(precision).ok());
            if flags.precision.is_none() {
                self.sink.note("%!(BADPREC)");
            }
            return false;
        }
        flags.precision = Some(self.number().unwrap_or(0));
        after_index
    }

    fn verb(&mut self, flags: Flags) {
        let rest = self.format.get(self.at..).unwrap_or(&[]);
        let Some(chunk) = rest[..rest.len().min(4)].utf8_chunks().next() else {
            self.at = self.format.len();
            return self.sink.note("%!(NOVERB)");
        };
        let verb = chunk.valid().chars().next();
        self.at += verb.map_or(1, char::len_utf8);
        let verb = verb.unwrap_or(char::REPLACEMENT_CHARACTER);
        if verb == '%' {
            self.sink.note("%");
        } else if !self.good_index {
            self.sink.note(&format!("%!{verb}(BADINDEX)"));
        } else if self.argument >= self.sink.arguments() {
            self.sink.note(&format!("%!{verb}(MISSING)"));
        } else {
            self.sink.argument(self.argument, verb, flags.for_verb(verb));
            self.argument += 1;
        }
    }

    /// `[n]`: which argument comes next.
    fn index(&mut self) -> bool {
        if self.format.get(self.at) != Some(&b'[') {
            return false;
        }
        self.reordered = true;
        let rest = &self.format[self.at..];
        let Some(end) = rest.iter().position(|byte| *byte == b']').filter(|_| rest.len() >= 3) else {
            self.good_index = false;
            self.at += 1;
            return false;
        };
        let digits = &rest[1..end];
        let number = if digits.iter().all(u8::is_ascii_digit) { bounded(digits) } else { None };
        self.at += end + 1;
        match number.map(|number| number.checked_sub(1)) {
            Some(Some(nth)) if nth < self.sink.arguments() => {
                self.argument = nth;
                true
            }
            number => {
                self.good_index = false;
                number.is_some()
            }
        }
    }

    fn number(&mut self) -> Option<usize> {
        let rest = self.format.get(self.at..).unwrap_or(&[]);
        let digits = &rest[..rest.iter().take_while(|byte| byte.is_ascii_digit()).count()];
        if digits.is_empty() {
            return None;
        }
        let number = bounded(digits);
        // Go gives up at a number that is too large: there is no verb then.
        self.at = if number.is_some() { self.at + digits.len() } else { self.format.len() };
        number
    }

    fn star(&mut self) -> Option<i64> {
        if self.argument >= self.sink.arguments() {
            return None;
        }
        self.argument += 1;
        self.sink.whole(self.argument - 1).filter(|number| number.unsigned_abs() <= MAX_WIDTH as u64)
    }
}

/// Digits as a number. Go stops when what it has before another digit is too large.
fn bounded(digits: &[u8]) -> Option<usize> {
    let mut number = 0_usize;
    for digit in digits {
        if number > MAX_WIDTH as usize {
            return None;
        }
        number = number * 10 + usize::from(digit - b'0');
    }
    (!digits.is_empty()).then_some(number)
}
