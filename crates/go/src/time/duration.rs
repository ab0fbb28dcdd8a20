//! Owns Go's `time.Duration`: nanoseconds as text and back, rounding.

use super::quote;

/// Returns a duration as `Duration.String` writes it.
pub fn duration(nanos: i64) -> String {
    let (sign, all) = (if nanos < 0 { "-" } else { "" }, nanos.unsigned_abs());
    let fraction = |value: u64, digits: u32| {
        let unit = 10_u64.pow(digits);
        let text = format!("{:0width$}", value % unit, width = digits as usize);
        let text = text.trim_end_matches('0');
        if text.is_empty() { format!("{}", value / unit) } else { format!("{}.{text}", value / unit) }
    };
    if all == 0 {
        return "0s".to_owned();
    }
    if all < 1_000 {
        return format!("{sign}{all}ns");
    }
    if all < 1_000_000 {
        return format!("{sign}{}µs", fraction(all, 3));
    }
    if all < 1_000_000_000 {
        return format!("{sign}{}ms", fraction(all, 6));
    }
    let (minutes, below) = (all / 60_000_000_000, all % 60_000_000_000);
    let seconds = fraction(below, 9);
    match (minutes / 60, minutes % 60) {
        (0, 0) => format!("{sign}{seconds}s"),
        (0, minutes) => format!("{sign}{minutes}m{seconds}s"),
        (hours, minutes) => format!("{sign}{hours}h{minutes}m{seconds}s"),
    }
}

/// Returns what `time.ParseDuration` returns, in nanoseconds; the error is Go's text.
pub fn parse_duration(text: &str) -> Result<i64, String> {
    let invalid = || format!("time: invalid duration {}", quote(text.as_bytes()));
    let (negative, mut rest) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut all: u64 = 0;
    while !rest.is_empty() {
        if !rest.starts_with(|c: char| c == '.' || c.is_ascii_digit()) {
            return Err(invalid());
        }
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let mut value: u64 = if digits == 0 { 0 } else { rest[..digits].parse().map_err(|_| invalid())? };
        if value > 1 << 63 {
            return Err(invalid());
        }
        rest = &rest[digits..];
        let (mut fraction, mut scale, mut decimals) = (0_u64, 1_f64, 0);
        if let Some(after) = rest.strip_prefix('.') {
            decimals = after.bytes().take_while(u8::is_ascii_digit).count();
            for digit in after.bytes().take(decimals) {
                if fraction <= (i64::MAX as u64) / 10 {
                    fraction = fraction * 10 + u64::from(digit - b'0');
                    scale *= 10.0;
                }
            }
            rest = &after[decimals..];
        }
        if digits == 0 && decimals == 0 {
            return Err(invalid());
        }
        let unit_len = rest.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(rest.len());
        if unit_len == 0 {
            return Err(format!("time: missing unit in duration {}", quote(text.as_bytes())));
        }
        let unit: u64 = match &rest[..unit_len] {
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            other => {
                return Err(format!("time: unknown unit {} in duration {}", quote(other.as_bytes()), quote(text.as_bytes())));
            }
        };
        rest = &rest[unit_len..];
        value = value.checked_mul(unit).filter(|value| *value <= 1 << 63).ok_or_else(invalid)?;
        if fraction > 0 {
            value = value.saturating_add((fraction as f64 * (unit as f64 / scale)) as u64);
        }
        all = all.checked_add(value).filter(|all| *all <= 1 << 63).ok_or_else(invalid)?;
    }
    if negative {
        return Ok((all as i64).wrapping_neg());
    }
    i64::try_from(all).map_err(|_| invalid())
}

/// Returns a duration rounded to the nearest multiple of another; half goes away from zero, and what does not fit is the longest there is.
pub fn round_duration(nanos: i64, multiple: i64) -> i64 {
    if multiple <= 0 {
        return nanos;
    }
    let beyond = nanos % multiple;
    if beyond.unsigned_abs() * 2 < multiple as u64 {
        return nanos - beyond;
    }
    if nanos < 0 { (nanos - beyond).saturating_sub(multiple) } else { (nanos - beyond).saturating_add(multiple) }
}

/// Returns a duration cut down towards zero to a multiple of another.
pub fn truncate_duration(nanos: i64, multiple: i64) -> i64 {
    if multiple <= 0 { nanos } else { nanos - nanos % multiple }
}
