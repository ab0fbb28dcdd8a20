//! Owns which texts go-yaml takes as times: what `time.Parse` accepts by its four layouts.

/// Returns whether go-yaml v2 reads the text as a time.
pub(crate) fn is_timestamp(text: &str) -> bool {
    let bytes = text.as_bytes();
    if bytes.len() < 5 || !bytes[..4].iter().all(u8::is_ascii_digit) || bytes[4] != b'-' {
        return false;
    }
    let mut rest = Rest(&bytes[5..]);
    let year = bytes[..4].iter().fold(0, |year, d| year * 10 + u32::from(d - b'0'));
    let Some(month) = rest.number(1, 12).filter(|_| rest.take(b'-')) else { return false };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    if rest.number(1, days).is_none() {
        return false;
    }
    match rest.0.first() {
        None => true,
        Some(b'T' | b't') => rest.skip(1) && rest.clock() && rest.zone(),
        Some(b' ') => {
            // A space in a layout stands for any number of them.
            while rest.take(b' ') {}
            rest.clock() && rest.0.is_empty()
        }
        Some(_) => false,
    }
}

struct Rest<'t>(&'t [u8]);

impl Rest<'_> {
    fn skip(&mut self, count: usize) -> bool {
        self.0 = self.0.get(count..).unwrap_or_default();
        true
    }

    fn take(&mut self, byte: u8) -> bool {
        self.0.first() == Some(&byte) && self.skip(1)
    }

    /// Takes one or two digits.
    fn number(&mut self, low: u32, high: u32) -> Option<u32> {
        let count = self.0.iter().take(2).take_while(|b| b.is_ascii_digit()).count();
        let value = self.0[..count].iter().fold(0, |value, d| value * 10 + u32::from(d - b'0'));
        self.skip(count);
        (count > 0 && (low..=high).contains(&value)).then_some(value)
    }

    fn clock(&mut self) -> bool {
        // The hour is `15` in all layouts: two digits, as Go reads it, or one.
        let ok = self.number(0, 23).is_some()
            && self.take(b':')
            && self.number(0, 59).is_some()
            && self.take(b':')
            && self.number(0, 59).is_some();
        let fraction = self.0.iter().skip(1).take_while(|b| b.is_ascii_digit()).count();
        if ok && fraction > 0 && matches!(self.0[0], b'.' | b',') {
            self.skip(1 + fraction);
        }
        ok
    }

    fn zone(&mut self) -> bool {
        if self.take(b'Z') {
            return self.0.is_empty();
        }
        let [b'+' | b'-', h1, h2, b':', m1, m2] = self.0 else { return false };
        let number = |a: &u8, b: &u8| (a.is_ascii_digit() && b.is_ascii_digit()).then(|| (a - b'0') * 10 + b - b'0');
        number(h1, h2).is_some_and(|h| h <= 24) && number(m1, m2).is_some_and(|m| m <= 60)
    }
}

#[cfg(test)]
mod tests {
    use super::is_timestamp;

    #[test]
    fn times_are_those_of_go() {
        for text in ["2001-01-01", "2001-1-1", "2001-12-14T21:59:43.10Z", "2001-12-14t1:5:4-05:00", "2001-12-14 21:59:43.1", "2024-02-29"] {
            assert!(is_timestamp(text), "{text}");
        }
        for text in [
            "",
            "2001",
            "2001-",
            "01-01-2001",
            "2001-13-01",
            "2023-02-29",
            "2001-01-01T",
            "2001-12-14T21:59:43",
            "2001-12-14 21:59:43.10 -5",
        ] {
            assert!(!is_timestamp(text), "{text}");
        }
    }
}
