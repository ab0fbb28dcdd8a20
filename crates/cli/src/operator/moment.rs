//! Owns how times and durations are written and read: `3m`, `2h10m`, `in 40s`, `1h30m`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Returns milliseconds since 1970.
pub(crate) fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// Returns how long ago a time was, as kubectl writes ages; times to come are `0s`.
pub(crate) fn age(then_ms: u64, now_ms: u64) -> String {
    seconds(now_ms.saturating_sub(then_ms) / 1000)
}

/// Returns how long it is until a time: `in 40s`, or `now`.
pub(crate) fn until(then_ms: u64, now_ms: u64) -> String {
    match then_ms.saturating_sub(now_ms) {
        0 => "now".to_owned(),
        // A time that is less than a second away is not "in 0s".
        left => format!("in {}", seconds(left.div_ceil(1000))),
    }
}

/// Returns how long something took: `840ms`, `1.24s`, `2m3s`.
pub(crate) fn took(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms}ms"),
        1_000..60_000 => format!("{}.{:02}s", ms / 1_000, ms % 1_000 / 10),
        _ => seconds(ms / 1_000),
    }
}

/// Two units at most, the second one only while the first is small.
fn seconds(total: u64) -> String {
    let pair = |big: u64, big_unit: &str, small: u64, small_unit: &str| {
        if small == 0 { format!("{big}{big_unit}") } else { format!("{big}{big_unit}{small}{small_unit}") }
    };
    match total {
        0..120 => format!("{total}s"),
        120..600 => pair(total / 60, "m", total % 60, "s"),
        600..10_800 => format!("{}m", total / 60),
        10_800..28_800 => pair(total / 3_600, "h", total % 3_600 / 60, "m"),
        28_800..172_800 => format!("{}h", total / 3_600),
        172_800..691_200 => pair(total / 86_400, "d", total % 86_400 / 3_600, "h"),
        _ => format!("{}d", total / 86_400),
    }
}

/// Returns a time as the API server writes it (`2026-01-02T03:04:05.678901Z`, always UTC) in milliseconds since 1970.
pub(crate) fn rfc3339_ms(text: &str) -> Option<u64> {
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<u64>().ok();
    let marks = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if !text.ends_with('Z') || marks.iter().any(|(at, mark)| text.as_bytes().get(*at) != Some(mark)) {
        return None;
    }
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    if year < 1970 || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Days since 1970 by Howard Hinnant's `days_from_civil`: years that begin in March have their leap day at the end.
    let shifted = if month <= 2 { year - 1 } else { year };
    let (era, in_era) = (shifted / 400, shifted % 400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * 146_097 + in_era * 365 + in_era / 4 - in_era / 100 + of_year - 719_468;
    let seconds = days * 86_400 + number(11, 13)? * 3_600 + number(14, 16)? * 60 + number(17, 19)?;
    let fraction = text.get(20..text.len() - 1).unwrap_or_default();
    let ms = format!("{fraction:0<3}").get(..3).and_then(|digits| digits.parse::<u64>().ok()).unwrap_or(0);
    Some(seconds * 1_000 + ms)
}

/// Reads a duration as Go writes it, with days beside its units: `90s`, `5m`, `1h30m`, `2d`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is not a duration; write one like `90s`, `5m`, `1h30m` or `2d`");
    let mut rest = text;
    let mut total = Duration::ZERO;
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let number: u64 = rest[..digits].parse().map_err(|_| wrong())?;
        rest = &rest[digits..];
        let letters = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_alphabetic()).len();
        let unit_ms: u64 = match &rest[..letters] {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(wrong()),
        };
        rest = &rest[letters..];
        let part = number.checked_mul(unit_ms).map(Duration::from_millis).ok_or_else(wrong)?;
        total = total.checked_add(part).ok_or_else(wrong)?;
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_writes_them() {
        let ms = |text: &str| duration(text).ok().map(|duration| duration.as_millis());
        assert_eq!(ms("90s"), Some(90_000));
        assert_eq!(ms("1h30m"), Some(5_400_000));
        assert_eq!(ms("2d"), Some(172_800_000));
        assert_eq!(ms("250ms"), Some(250));
        for bad in ["", "5", "m", "1x", "-5m", "1h 30m", "99999999999999999999s", "999999999999999999d"] {
            assert_eq!(ms(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_servers_times_are_read() {
        assert_eq!(rfc3339_ms("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(rfc3339_ms("2024-02-29T12:34:56Z"), Some(1_709_210_096_000));
        assert_eq!(rfc3339_ms("2026-01-02T03:04:05.678901Z"), Some(1_767_323_045_678));
        for bad in ["", "2026-01-02", "2026-13-02T03:04:05Z", "2026-01-02T03:04:05+01:00", "1969-01-02T03:04:05Z", "2026-01-02Tü3:04:05Z"]
        {
            assert_eq!(rfc3339_ms(bad), None, "{bad}");
        }
    }

    #[test]
    fn ages_have_two_units_at_most() {
        let ago = |ms| age(0, ms);
        assert_eq!([ago(0), ago(119_000), ago(121_000), ago(540_000)], ["0s", "119s", "2m1s", "9m"]);
        assert_eq!([ago(7_200_000), ago(11_400_000), ago(90_000_000), ago(180_000_000)], ["120m", "3h10m", "25h", "2d2h"]);
        assert_eq!(until(1_001, 1_000), "in 1s");
        assert_eq!(until(900, 1_000), "now");
        assert_eq!([took(840), took(1_249), took(123_000)], ["840ms", "1.24s", "2m3s"]);
    }
}
