//! Owns exact decimal numbers, as far as schemas compare and divide them.

use std::cmp::Ordering;

/// Digits after which a divisor is too long to divide by.
const MAX_DIVISOR_DIGITS: usize = 36;
/// How far a number's point may be from its digits.
const MAX_EXPONENT: i64 = 10_000;

/// `0.digits × 10^exponent`, without zeros at either end of the digits; zero has none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Decimal {
    negative: bool,
    digits: Vec<u8>,
    exponent: i64,
}

impl Decimal {
    /// Reads a number as JSON and Go write it. Nothing for what is no number, and for one that nobody means.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (mantissa, power) = match text.split_once(['e', 'E']) {
            Some((mantissa, power)) => (mantissa, power.parse::<i64>().ok().filter(|power| power.abs() <= MAX_EXPONENT)?),
            None => (text, 0),
        };
        let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits: Vec<u8> = whole.bytes().chain(part.bytes()).collect();
        if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let zeros = digits.iter().take_while(|digit| **digit == b'0').count();
        let end = digits.iter().rposition(|digit| *digit != b'0').map_or(zeros, |last| last + 1);
        let exponent = i64::try_from(whole.len()).ok()? + power - i64::try_from(zeros).ok()?;
        let digits = digits.get(zeros..end).unwrap_or_default().to_vec();
        Some(if digits.is_empty() { Self { negative: false, digits, exponent: 0 } } else { Self { negative, digits, exponent } })
    }

    /// Returns whether nothing is after the point.
    pub(super) fn is_integer(&self) -> bool {
        self.digits.len() as i64 <= self.exponent || self.digits.is_empty()
    }

    /// Returns the number as a whole one; the largest or smallest where it does not fit.
    pub(super) fn to_count(&self) -> i64 {
        let mut value: i64 = 0;
        for nth in 0..self.exponent.max(0) {
            let digit = usize::try_from(nth).ok().and_then(|nth| self.digits.get(nth)).map_or(0, |digit| i64::from(digit - b'0'));
            value = value.saturating_mul(10).saturating_add(digit);
            if value == i64::MAX {
                break;
            }
        }
        if self.negative { -value } else { value }
    }

    /// Returns the nearest `float64`.
    pub(super) fn to_f64(&self) -> f64 {
        let sign = if self.negative { "-" } else { "" };
        let digits = if self.digits.is_empty() { "0".into() } else { String::from_utf8_lossy(&self.digits) };
        format!("{sign}0.{digits}e{}", self.exponent).parse().unwrap_or_default()
    }

    fn magnitude(&self, other: &Self) -> Ordering {
        match (self.digits.is_empty(), other.digits.is_empty()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
            (false, false) => self.exponent.cmp(&other.exponent).then_with(|| self.digits.cmp(&other.digits)),
        }
    }

    /// Compares two numbers.
    pub(super) fn compare(&self, other: &Self) -> Ordering {
        match (self.negative, other.negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, false) => self.magnitude(other),
            (true, true) => other.magnitude(self),
        }
    }

    /// Returns whether it is a whole number of times another; nothing where that one is too long to tell.
    pub(super) fn is_multiple_of(&self, other: &Self) -> Option<bool> {
        if other.digits.is_empty() {
            return None;
        }
        if self.digits.is_empty() {
            return Some(true);
        }
        // Both as whole numbers in units of the smaller's last digit.
        let last = |number: &Self| number.exponent - number.digits.len() as i64;
        let unit = last(self).min(last(other));
        let zeros = |number: &Self| usize::try_from(last(number) - unit).unwrap_or(usize::MAX);
        if other.digits.len().saturating_add(zeros(other)) > MAX_DIVISOR_DIGITS {
            // A number shorter than its divisor is no multiple of it.
            return (self.magnitude(other) == Ordering::Less).then_some(false);
        }
        let padded = |number: &Self| number.digits.iter().copied().chain(std::iter::repeat_n(b'0', zeros(number))).collect::<Vec<u8>>();
        let divisor = padded(other).iter().fold(0_u128, |value, digit| value * 10 + u128::from(digit - b'0'));
        let rest = padded(self).iter().fold(0_u128, |rest, digit| (rest * 10 + u128::from(digit - b'0')) % divisor);
        Some(rest == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Decimal {
        Decimal::parse(text).unwrap()
    }

    #[test]
    fn numbers_are_compared_by_what_they_are() {
        for (one, other, order) in [
            ("1", "1.0", Ordering::Equal),
            ("1e3", "1000", Ordering::Equal),
            ("-1", "0", Ordering::Less),
            ("-0", "0", Ordering::Equal),
            ("0.09", "0.1", Ordering::Less),
            ("12345678901234567890123", "12345678901234567890124", Ordering::Less),
            ("-2", "-10", Ordering::Greater),
        ] {
            assert_eq!(decimal(one).compare(&decimal(other)), order, "{one} {other}");
        }
        assert!(Decimal::parse("").is_none() && Decimal::parse("x").is_none() && Decimal::parse("1e99999").is_none());
    }

    #[test]
    fn multiples_are_told_exactly() {
        for (number, of, is) in [("0.3", "0.1", true), ("1e20", "7", false), ("10", "2.5", true), ("0", "3", true), ("1e30", "0.01", true)]
        {
            assert_eq!(decimal(number).is_multiple_of(&decimal(of)), Some(is), "{number} {of}");
        }
        assert_eq!(decimal("1e60").is_multiple_of(&decimal("1234567890123456789012345678901234567")), None);
        assert_eq!(decimal("3").is_multiple_of(&decimal("1e40")), Some(false));
        assert!(decimal("3.0").is_integer() && !decimal("3.5").is_integer() && decimal("0.0").is_integer());
        assert_eq!((decimal("120").to_count(), decimal("-7").to_count(), decimal("1e40").to_count()), (120, -7, i64::MAX));
    }
}
