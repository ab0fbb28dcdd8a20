//! Owns layouts: times as text and back (`Time.Format`, `time.Parse`, src/time/format.go).

use std::fmt::Write as _;

use super::{Civil, DAYS, MONTHS, Time, Zone, days_in, is_leap, quote};

impl Time {
    /// Returns the moment as a layout shows it (`Time.Format`).
    pub fn format(self, layout: &str) -> String {
        let (civil, mut out, mut rest) = (self.civil(), String::new(), layout);
        while !rest.is_empty() {
            let (before, part, after) = next_part(rest);
            out.push_str(before);
            rest = after;
            if let Some(part) = part {
                self.push(part, &civil, &mut out);
            }
        }
        out
    }

    fn push(&self, part: Part, civil: &Civil, out: &mut String) {
        let hour12 = if civil.hour.is_multiple_of(12) { 12 } else { civil.hour % 12 };
        let month = MONTHS[(civil.month as usize).clamp(1, 12) - 1];
        let day = DAYS[civil.weekday as usize % 7];
        // Writing to a string cannot fail.
        let _ = match part {
            Part::Year4 if civil.year < 0 => write!(out, "-{:04}", -civil.year),
            Part::Year4 => write!(out, "{:04}", civil.year),
            Part::Year2 => write!(out, "{:02}", civil.year.unsigned_abs() % 100),
            Part::MonthLong => write!(out, "{month}"),
            Part::MonthShort => write!(out, "{}", &month[..3]),
            Part::Month => write!(out, "{}", civil.month),
            Part::Month2 => write!(out, "{:02}", civil.month),
            Part::DayLong => write!(out, "{day}"),
            Part::DayShort => write!(out, "{}", &day[..3]),
            Part::Day => write!(out, "{}", civil.day),
            Part::DayPadded => write!(out, "{:2}", civil.day),
            Part::Day2 => write!(out, "{:02}", civil.day),
            Part::YearDayPadded => write!(out, "{:3}", civil.year_day),
            Part::YearDay3 => write!(out, "{:03}", civil.year_day),
            Part::Hour24 => write!(out, "{:02}", civil.hour),
            Part::Hour12 => write!(out, "{hour12}"),
            Part::Hour12Two => write!(out, "{hour12:02}"),
            Part::Minute => write!(out, "{}", civil.minute),
            Part::Minute2 => write!(out, "{:02}", civil.minute),
            Part::Second => write!(out, "{}", civil.second),
            Part::Second2 => write!(out, "{:02}", civil.second),
            Part::UpperPm => write!(out, "{}", if civil.hour >= 12 { "PM" } else { "AM" }),
            Part::LowerPm => write!(out, "{}", if civil.hour >= 12 { "pm" } else { "am" }),
            Part::Zone => {
                let period = self.zone.at(self.seconds);
                if period.name.is_empty() {
                    // A zone without a name is shown by its offset.
                    push_offset(out, period.offset, false, true, false);
                } else {
                    out.push_str(period.name);
                }
                Ok(())
            }
            Part::Offset { z, colon, minutes, seconds } => {
                let offset = self.offset();
                if z && offset == 0 {
                    out.push('Z');
                } else {
                    push_offset(out, offset, colon, minutes, seconds);
                }
                Ok(())
            }
            Part::Fraction { separator, digits, trim } => {
                let text = format!("{:09}", self.nanos);
                let mut text = &text[..digits.min(9)];
                if trim {
                    text = text.trim_end_matches('0');
                }
                if text.is_empty() { Ok(()) } else { write!(out, "{separator}{text}") }
            }
        };
    }
}

fn push_offset(out: &mut String, offset: i32, colon: bool, minutes: bool, seconds: bool) {
    let (in_minutes, all) = (offset / 60, offset.unsigned_abs());
    let colon = if colon { ":" } else { "" };
    out.push(if in_minutes < 0 { '-' } else { '+' });
    let _ = write!(out, "{:02}", in_minutes.unsigned_abs() / 60);
    if minutes {
        let _ = write!(out, "{colon}{:02}", in_minutes.unsigned_abs() % 60);
    }
    if seconds {
        let _ = write!(out, "{colon}{:02}", all % 60);
    }
}

/// A part of a layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Year4,
    Year2,
    MonthLong,
    MonthShort,
    Month,
    Month2,
    DayLong,
    DayShort,
    Day,
    DayPadded,
    Day2,
    YearDayPadded,
    YearDay3,
    Hour24,
    Hour12,
    Hour12Two,
    Minute,
    Minute2,
    Second,
    Second2,
    UpperPm,
    LowerPm,
    Zone,
    Offset { z: bool, colon: bool, minutes: bool, seconds: bool },
    Fraction { separator: char, digits: usize, trim: bool },
}

/// Splits a layout at its first part, as `nextStdChunk` does.
fn next_part(layout: &str) -> (&str, Option<Part>, &str) {
    let bytes = layout.as_bytes();
    for at in 0..bytes.len() {
        if !layout.is_char_boundary(at) {
            continue;
        }
        let rest = &layout[at..];
        if let Some((part, len)) = part_at(rest) {
            return (&layout[..at], Some(part), &rest[len..]);
        }
    }
    (layout, None, "")
}

fn part_at(rest: &str) -> Option<(Part, usize)> {
    const OFFSETS: [(&str, bool, bool, bool); 5] = [
        ("070000", false, true, true),
        ("07:00:00", true, true, true),
        ("0700", false, true, false),
        ("07:00", true, true, false),
        ("07", false, false, false),
    ];
    let is_digit = |at: usize| rest.as_bytes().get(at).is_some_and(u8::is_ascii_digit);
    let lower = |at: usize| rest.as_bytes().get(at).is_some_and(u8::is_ascii_lowercase);
    match *rest.as_bytes().first()? {
        b'J' if rest.starts_with("January") => Some((Part::MonthLong, 7)),
        b'J' if rest.starts_with("Jan") && !lower(3) => Some((Part::MonthShort, 3)),
        b'M' if rest.starts_with("Monday") => Some((Part::DayLong, 6)),
        b'M' if rest.starts_with("Mon") && !lower(3) => Some((Part::DayShort, 3)),
        b'M' if rest.starts_with("MST") => Some((Part::Zone, 3)),
        b'0' if rest.starts_with("002") => Some((Part::YearDay3, 3)),
        b'0' => match rest.as_bytes().get(1)? {
            b'1' => Some((Part::Month2, 2)),
            b'2' => Some((Part::Day2, 2)),
            b'3' => Some((Part::Hour12Two, 2)),
            b'4' => Some((Part::Minute2, 2)),
            b'5' => Some((Part::Second2, 2)),
            b'6' => Some((Part::Year2, 2)),
            _ => None,
        },
        b'1' if rest.starts_with("15") => Some((Part::Hour24, 2)),
        b'1' => Some((Part::Month, 1)),
        b'2' if rest.starts_with("2006") => Some((Part::Year4, 4)),
        b'2' => Some((Part::Day, 1)),
        b'_' if rest.starts_with("_2006") => None,
        b'_' if rest.starts_with("__2") => Some((Part::YearDayPadded, 3)),
        b'_' if rest.starts_with("_2") => Some((Part::DayPadded, 2)),
        b'3' => Some((Part::Hour12, 1)),
        b'4' => Some((Part::Minute, 1)),
        b'5' => Some((Part::Second, 1)),
        b'P' if rest.starts_with("PM") => Some((Part::UpperPm, 2)),
        b'p' if rest.starts_with("pm") => Some((Part::LowerPm, 2)),
        sign @ (b'-' | b'Z') => {
            let (text, colon, minutes, seconds) = OFFSETS.into_iter().find(|(text, ..)| rest[1..].starts_with(text))?;
            Some((Part::Offset { z: sign == b'Z', colon, minutes, seconds }, 1 + text.len()))
        }
        separator @ (b'.' | b',') => {
            let digit = *rest.as_bytes().get(1)?;
            let count = rest.as_bytes()[1..].iter().take_while(|byte| **byte == digit).count();
            let whole = matches!(digit, b'0' | b'9') && !is_digit(1 + count);
            whole.then_some((Part::Fraction { separator: separator as char, digits: count, trim: digit == b'9' }, 1 + count))
        }
        _ => None,
    }
}

/// Why a part of a text is not what the layout has there.
enum Wrong {
    /// It does not look like that.
    Form,
    /// It is too large or too small: which part.
    Range(&'static str),
}

/// What was read so far.
#[derive(Default)]
struct Reading {
    year: i64,
    month: Option<u32>,
    day: Option<u32>,
    year_day: Option<u32>,
    hour: u32,
    minute: u32,
    second: u32,
    nanos: u32,
    morning: bool,
    evening: bool,
    utc: bool,
    offset: Option<i32>,
    zone_name: Vec<u8>,
}

impl Time {
    /// Returns what `time.Parse` returns; the error is Go's text. A text without a zone is in UTC, as is Go's local time here.
    pub fn parse(layout: &str, text: &[u8]) -> Result<Self, String> {
        let (mut rest, mut value, mut reading) = (layout, text, Reading::default());
        let failed = |part: &[u8], at: &[u8]| {
            let [text, layout, at, part] = [text, layout.as_bytes(), at, part].map(quote);
            format!("parsing time {text} as {layout}: cannot parse {at} as {part}")
        };
        let refused = |problem: &str| format!("parsing time {}: {problem}", quote(text));
        loop {
            let (before, part, after) = next_part(rest);
            let written = &rest[before.len()..rest.len() - after.len()];
            value = match skip(value, before.as_bytes()) {
                Ok(value) => value,
                Err(at) => return Err(failed(before.as_bytes(), at)),
            };
            let Some(part) = part else {
                if !value.is_empty() {
                    return Err(refused(&format!("extra text: {}", quote(value))));
                }
                break;
            };
            rest = after;
            let hold = value;
            match reading.read(part, &mut value, rest) {
                Ok(()) => {}
                Err(Wrong::Form) => return Err(failed(written.as_bytes(), hold)),
                Err(Wrong::Range(what)) => return Err(refused(&format!("{what} out of range"))),
            }
        }
        reading.finish().map_err(refused)
    }
}

impl Reading {
    fn read(&mut self, part: Part, value: &mut &[u8], rest: &str) -> Result<(), Wrong> {
        let in_range = |good: bool, what: &'static str| if good { Ok(()) } else { Err(Wrong::Range(what)) };
        match part {
            Part::Year2 => {
                let year = i64::from(digits(take(value, 2)?)?);
                self.year = if year >= 69 { year + 1900 } else { year + 2000 };
            }
            Part::Year4 => {
                if !value.first().is_some_and(u8::is_ascii_digit) {
                    return Err(Wrong::Form);
                }
                self.year = i64::from(digits(take(value, 4)?)?);
            }
            Part::MonthShort => self.month = Some(name(value, &MONTHS, 3)? + 1),
            Part::MonthLong => self.month = Some(name(value, &MONTHS, usize::MAX)? + 1),
            Part::Month | Part::Month2 => {
                let month = number(value, part == Part::Month2)?;
                in_range((1..=12).contains(&month), "month")?;
                self.month = Some(month);
            }
            Part::DayShort => drop(name(value, &DAYS, 3)?),
            Part::DayLong => drop(name(value, &DAYS, usize::MAX)?),
            Part::Day | Part::DayPadded | Part::Day2 => {
                if part == Part::DayPadded {
                    *value = value.strip_prefix(b" ").unwrap_or(value);
                }
                self.day = Some(number(value, part == Part::Day2)?);
            }
            Part::YearDayPadded | Part::YearDay3 => {
                for _ in 0..2 {
                    if part == Part::YearDayPadded {
                        *value = value.strip_prefix(b" ").unwrap_or(value);
                    }
                }
                self.year_day = Some(number3(value, part == Part::YearDay3)?);
            }
            Part::Hour24 => {
                self.hour = number(value, false)?;
                in_range(self.hour < 24, "hour")?;
            }
            Part::Hour12 | Part::Hour12Two => {
                self.hour = number(value, part == Part::Hour12Two)?;
                in_range(self.hour <= 12, "hour")?;
            }
            Part::Minute | Part::Minute2 => {
                self.minute = number(value, part == Part::Minute2)?;
                in_range(self.minute < 60, "minute")?;
            }
            Part::Second | Part::Second2 => {
                self.second = number(value, part == Part::Second2)?;
                in_range(self.second < 60, "second")?;
                self.unasked_fraction(value, rest)?;
            }
            Part::UpperPm | Part::LowerPm => {
                let (am, pm): (&[u8], &[u8]) = if part == Part::UpperPm { (b"AM", b"PM") } else { (b"am", b"pm") };
                let found = take(value, 2)?;
                if found == pm {
                    self.evening = true;
                } else if found == am {
                    self.morning = true;
                } else {
                    return Err(Wrong::Form);
                }
            }
            Part::Offset { z, colon, minutes, seconds } => {
                if let Some(after) = value.strip_prefix(b"Z").filter(|_| z) {
                    *value = after;
                    self.utc = true;
                } else {
                    self.offset = Some(offset(value, colon, minutes, seconds)?);
                }
            }
            Part::Zone => {
                if let Some(after) = value.strip_prefix(b"UTC") {
                    *value = after;
                    self.utc = true;
                } else {
                    let len = zone_name_len(value).ok_or(Wrong::Form)?;
                    self.zone_name = take(value, len)?.to_vec();
                }
            }
            Part::Fraction { digits, trim: false, .. } => {
                let text = take(value, digits + 1)?;
                self.nanos = fraction(text)?;
            }
            Part::Fraction { .. } => {
                // It may be left out.
                if value.len() >= 2 && matches!(value[0], b'.' | b',') && value[1].is_ascii_digit() {
                    let len = 1 + value[1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
                    self.nanos = fraction(take(value, len)?)?;
                }
            }
        }
        Ok(())
    }

    /// A fraction behind the seconds is read even if the layout has none.
    fn unasked_fraction(&mut self, value: &mut &[u8], rest: &str) -> Result<(), Wrong> {
        let there = matches!(value.first(), Some(b'.' | b',')) && value.get(1).is_some_and(u8::is_ascii_digit);
        if !there || matches!(next_part(rest).1, Some(Part::Fraction { .. })) {
            return Ok(());
        }
        let len = 1 + value[1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.nanos = fraction(take(value, len)?)?;
        Ok(())
    }

    fn finish(mut self) -> Result<Time, &'static str> {
        if self.evening && self.hour < 12 {
            self.hour += 12;
        } else if self.morning && self.hour == 12 {
            self.hour = 0;
        }
        let (month, day) = match self.year_day {
            Some(nth) => self.date_of_year(nth)?,
            None => (self.month.unwrap_or(1), self.day.unwrap_or(1)),
        };
        if day < 1 || day > days_in(month, self.year) {
            return Err("day out of range");
        }
        let of_day = i64::from(self.hour) * 3_600 + i64::from(self.minute) * 60 + i64::from(self.second);
        let time = |zone| Time::date(self.year, i64::from(month), i64::from(day), of_day, self.nanos, zone);
        if self.utc {
            return Ok(time(Zone::Utc));
        }
        Ok(match self.offset {
            Some(0) if self.zone_name.is_empty() => time(Zone::Utc),
            Some(offset) => time(Zone::fixed(offset, &self.zone_name)),
            None if self.zone_name.is_empty() => time(Zone::Utc),
            None => {
                // A name says nothing of the offset, but for `GMT+3`.
                let hours = self.zone_name.strip_prefix(b"GMT").and_then(|hours| std::str::from_utf8(hours).ok()?.parse::<i32>().ok());
                // And Go does not shift the time by it.
                time(Zone::Utc).in_zone(Zone::fixed(hours.unwrap_or(0) * 3_600, &self.zone_name))
            }
        })
    }

    fn date_of_year(&self, nth: u32) -> Result<(u32, u32), &'static str> {
        let days = if is_leap(self.year) { 366 } else { 365 };
        if !(1..=days).contains(&nth) {
            return Err("day-of-year out of range");
        }
        let (mut month, mut day) = (1, nth);
        while day > days_in(month, self.year) {
            day -= days_in(month, self.year);
            month += 1;
        }
        if self.month.is_some_and(|known| known != month) {
            return Err("day-of-year does not match month");
        }
        if self.day.is_some_and(|known| known != day) {
            return Err("day-of-year does not match day");
        }
        Ok((month, day))
    }
}

fn take<'v>(value: &mut &'v [u8], len: usize) -> Result<&'v [u8], Wrong> {
    let (taken, rest) = value.split_at_checked(len).ok_or(Wrong::Form)?;
    *value = rest;
    Ok(taken)
}

/// A whole text of digits, maybe with a sign.
fn digits(text: &[u8]) -> Result<i32, Wrong> {
    std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()).ok_or(Wrong::Form)
}

/// One or two digits; `fixed` means two.
fn number(value: &mut &[u8], fixed: bool) -> Result<u32, Wrong> {
    let count = value.iter().take(2).take_while(|byte| byte.is_ascii_digit()).count();
    if count == 0 || fixed && count < 2 {
        return Err(Wrong::Form);
    }
    Ok(take(value, count)?.iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0')))
}

/// One to three digits; `fixed` means three.
fn number3(value: &mut &[u8], fixed: bool) -> Result<u32, Wrong> {
    let count = value.iter().take(3).take_while(|byte| byte.is_ascii_digit()).count();
    if count == 0 || fixed && count < 3 {
        return Err(Wrong::Form);
    }
    Ok(take(value, count)?.iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0')))
}

/// Which of the names (or of their first letters) the value begins with, in any case.
fn name(value: &mut &[u8], names: &[&str], letters: usize) -> Result<u32, Wrong> {
    for (nth, name) in names.iter().enumerate() {
        let name = &name.as_bytes()[..name.len().min(letters)];
        if value.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name)) {
            *value = &value[name.len()..];
            return Ok(nth as u32);
        }
    }
    Err(Wrong::Form)
}

/// `-07:00` and the like.
fn offset(value: &mut &[u8], colon: bool, minutes: bool, seconds: bool) -> Result<i32, Wrong> {
    let parts = 1 + usize::from(minutes) + usize::from(seconds);
    let text = take(value, 1 + 2 * parts + if colon { parts - 1 } else { 0 })?;
    let (sign, mut rest) = (text[0], &text[1..]);
    let (mut numbers, mut good) = ([0; 3], matches!(sign, b'+' | b'-'));
    for (nth, part) in numbers.iter_mut().enumerate().take(parts) {
        if nth > 0 && colon {
            rest = rest.strip_prefix(b":").ok_or(Wrong::Form)?;
        }
        match number(&mut rest, true) {
            Ok(number) => *part = number,
            Err(_) => {
                good = false;
                break;
            }
        }
    }
    // What is out of range is told first, even if something else is wrong too.
    for (part, most, what) in [
        (numbers[0], 24, "time zone offset hour"),
        (numbers[1], 60, "time zone offset minute"),
        (numbers[2], 60, "time zone offset second"),
    ] {
        if part > most {
            return Err(Wrong::Range(what));
        }
    }
    if !good {
        return Err(Wrong::Form);
    }
    let all = (numbers[0] * 3_600 + numbers[1] * 60 + numbers[2]) as i32;
    Ok(if sign == b'-' { -all } else { all })
}

/// How long the name of a zone is that the value begins with (`parseTimeZone`).
fn zone_name_len(value: &[u8]) -> Option<usize> {
    let signed = |value: &[u8]| -> usize {
        let digits = value.iter().skip(1).take_while(|byte| byte.is_ascii_digit()).count();
        let hours = value.get(1..=digits).and_then(|digits| std::str::from_utf8(digits).ok()?.parse::<u64>().ok());
        let good = matches!(value.first(), Some(b'+' | b'-')) && hours.is_some_and(|hours| hours <= 23);
        if good { 1 + digits } else { 0 }
    };
    if value.len() < 3 {
        return None;
    }
    if value.starts_with(b"ChST") || value.starts_with(b"MeST") {
        return Some(4);
    }
    if let Some(after) = value.strip_prefix(b"GMT") {
        return Some(3 + signed(after));
    }
    if matches!(value[0], b'+' | b'-') {
        return Some(signed(value)).filter(|len| *len > 0);
    }
    match value.iter().take(6).take_while(|byte| byte.is_ascii_uppercase()).count() {
        5 if value[4] == b'T' => Some(5),
        4 if value[3] == b'T' || value.starts_with(b"WITA") => Some(4),
        3 => Some(3),
        _ => None,
    }
}

/// `.123` in nanoseconds; digits beyond are dropped. Go reads a number there, so a sign is taken for a digit.
fn fraction(text: &[u8]) -> Result<u32, Wrong> {
    if !matches!(text.first(), Some(b'.' | b',')) {
        return Err(Wrong::Form);
    }
    let text = text[1..].get(..9).unwrap_or(&text[1..]);
    let digits = text.strip_prefix(b"-").or_else(|| text.strip_prefix(b"+")).unwrap_or(text);
    if !digits.iter().all(u8::is_ascii_digit) {
        return Err(Wrong::Form);
    }
    let number = digits.iter().fold(0_u32, |number, digit| number * 10 + u32::from(digit - b'0'));
    if number > 0 && text.starts_with(b"-") {
        return Err(Wrong::Range("fractional second"));
    }
    Ok(number * 10_u32.pow(9 - text.len() as u32))
}

/// Passes over what the layout has between its parts; spaces stand for any number of them.
fn skip<'v>(mut value: &'v [u8], mut before: &[u8]) -> Result<&'v [u8], &'v [u8]> {
    let trimmed = |text: &[u8]| text.iter().take_while(|byte| **byte == b' ').count();
    while let Some(first) = before.first() {
        if *first == b' ' {
            if value.first().is_some_and(|byte| *byte != b' ') {
                return Err(value);
            }
            before = &before[trimmed(before)..];
            value = &value[trimmed(value)..];
            continue;
        }
        value = value.strip_prefix(&[*first]).ok_or(value)?;
        before = &before[1..];
    }
    Ok(value)
}
