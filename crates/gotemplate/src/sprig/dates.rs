//! Owns Sprig's dates and durations (date.go) and Helm's durations (helm: pkg/engine/funcs.go). The local zone is UTC: a render does not depend on
//! where it is made. What time it is, the [`Host`](crate::Host) says.

use plumb_go::strconv::{self, NumberError};
use plumb_go::time::{Time, Zone, duration, parse_duration, round_duration, truncate_duration};

use crate::func::{Call, Failure, Function, function};
use crate::object::Object;
use crate::origin::O;
use crate::value::{IntKind, Value};

type Given = Result<Value, Failure>;

pub(crate) static ALL: &[&Function] = &[
    &NOW,
    &DATE,
    &DATE_IN_ZONE,
    &DATE_IN_ZONE_OLD,
    &HTML_DATE,
    &HTML_DATE_IN_ZONE,
    &DATE_MODIFY,
    &DATE_MODIFY_OLD,
    &MUST_DATE_MODIFY,
    &MUST_DATE_MODIFY_OLD,
    &AGO,
    &DURATION,
    &DURATION_ROUND,
    &TO_DATE,
    &MUST_TO_DATE,
    &UNIX_EPOCH,
];

/// Helm's own.
pub(crate) static HELM: &[&Function] = &[
    &MUST_TO_DURATION,
    &DURATION_SECONDS,
    &DURATION_MILLISECONDS,
    &DURATION_MICROSECONDS,
    &DURATION_NANOSECONDS,
    &DURATION_MINUTES,
    &DURATION_HOURS,
    &DURATION_DAYS,
    &DURATION_WEEKS,
    &DURATION_ROUND_TO,
    &DURATION_TRUNCATE_TO,
];

const SECOND: i64 = 1_000_000_000;

fn now(c: &mut Call<'_>) -> Result<Time, Failure> {
    let (seconds, nanos, offset) = c.host.now()?;
    let zone = if offset == 0 { Zone::Utc } else { Zone::fixed(offset, b"") };
    Ok(Time { seconds, nanos, zone })
}

/// A time as it is.
pub(crate) fn as_time(c: &Call<'_>, value: Value) -> Option<Time> {
    match value {
        Value::Obj(_, id) => match c.heap.obj(id) {
            Object::Time(time) => Some(*time),
            _ => None,
        },
        _ => None,
    }
}

/// A time, or seconds since 1970; anything else is now.
fn moment(c: &mut Call<'_>, value: Value) -> Result<Time, Failure> {
    match (as_time(c, value), value) {
        (Some(time), _) => Ok(time),
        (None, Value::Int(_, IntKind::Int | IntKind::Int32 | IntKind::Int64, seconds)) => Ok(Time::unix(seconds, 0)),
        _ => now(c),
    }
}

fn time_value(c: &mut Call<'_>, time: Time) -> Value {
    c.heap.object(Object::Time(time))
}

fn shown(c: &mut Call<'_>, layout: &str, date: Value, zone: &str) -> Given {
    // A zone that is not known is UTC.
    let zone = Zone::find(zone).unwrap_or(Zone::Utc);
    let text = moment(c, date)?.in_zone(zone).format(layout);
    c.text(text.as_bytes())
}

fn utf8(c: &Call<'_>, value: &Value) -> String {
    c.heap.utf8(c.str(value)).into_owned()
}

const HTML: &str = "2006-01-02";

function!(NOW, "now", [], , Coarse, |c, _| {
    let now = now(c)?;
    Ok(time_value(c, now))
});
function!(DATE, "date", [Str, Any], , Union, |c, a| {
    let layout = utf8(c, &a[0]);
    shown(c, &layout, a[1], "Local")
});

fn date_in_zone(c: &mut Call<'_>, a: &[Value]) -> Given {
    let (layout, zone) = (utf8(c, &a[0]), utf8(c, &a[2]));
    shown(c, &layout, a[1], &zone)
}

function!(DATE_IN_ZONE, "dateInZone", [Str, Any, Str], , Union, date_in_zone);
function!(DATE_IN_ZONE_OLD, "date_in_zone", [Str, Any, Str], , Union, date_in_zone);
function!(HTML_DATE, "htmlDate", [Any], , Union, |c, a| shown(c, HTML, a[0], "Local"));
function!(HTML_DATE_IN_ZONE, "htmlDateInZone", [Any, Str], , Union, |c, a| {
    let zone = utf8(c, &a[1]);
    shown(c, HTML, a[0], &zone)
});

fn modified(c: &mut Call<'_>, a: &[Value], strict: bool) -> Given {
    let time = as_time(c, a[1]).unwrap_or(Time::ZERO);
    match parse_duration(&utf8(c, &a[0])) {
        Ok(nanos) => Ok(time_value(c, time.plus(nanos))),
        Err(error) if strict => Err(Failure::new(error)),
        Err(_) => Ok(time_value(c, time)),
    }
}

function!(DATE_MODIFY, "dateModify", [Str, Time], , Union, |c, a| modified(c, a, false));
function!(DATE_MODIFY_OLD, "date_modify", [Str, Time], , Union, |c, a| modified(c, a, false));
function!(MUST_DATE_MODIFY, "mustDateModify", [Str, Time], , Union, |c, a| modified(c, a, true));
function!(MUST_DATE_MODIFY_OLD, "must_date_modify", [Str, Time], , Union, |c, a| modified(c, a, true));

function!(AGO, "ago", [Any], , Union, |c, a| {
    let now = now(c)?;
    let then = match a[0] {
        Value::Int(_, IntKind::Int | IntKind::Int64, seconds) => Time::unix(seconds, 0),
        other => as_time(c, other).unwrap_or(now),
    };
    let text = duration(round_duration(now.since(then), SECOND));
    c.text(text.as_bytes())
});

// Sprig knows texts and `int64`, not `int`: a constant gives 0s.
function!(DURATION, "duration", [Any], , Union, |c, a| {
    let seconds = match &a[0] {
        Value::Str(..) => {
            let text = utf8(c, &a[0]);
            match strconv::parse_int(&text, 10) {
                Ok(seconds) => seconds,
                Err(NumberError::Syntax) => 0,
                // Go gives the nearest number with the error, which Sprig drops.
                Err(NumberError::Range) if text.starts_with('-') => i64::MIN,
                Err(NumberError::Range) => i64::MAX,
            }
        }
        Value::Int(_, IntKind::Int64, seconds) => *seconds,
        _ => 0,
    };
    let text = duration(seconds.wrapping_mul(SECOND));
    c.text(text.as_bytes())
});

function!(DURATION_ROUND, "durationRound", [Any], , Union, |c, a| {
    let nanos = match (as_time(c, a[0]), &a[0]) {
        (Some(then), _) => now(c)?.since(then),
        (None, Value::Str(..)) => parse_duration(&utf8(c, &a[0])).unwrap_or(0),
        (None, Value::Int(_, IntKind::Int64, nanos)) => *nanos,
        _ => 0,
    };
    const HOUR: u64 = 3_600_000_000_000;
    const UNITS: [(u64, &str); 6] =
        [(HOUR * 24 * 365, "y"), (HOUR * 24 * 30, "mo"), (HOUR * 24, "d"), (HOUR, "h"), (HOUR / 60, "m"), (HOUR / 3_600, "s")];
    let all = nanos.unsigned_abs();
    let text = UNITS.iter().find(|(unit, _)| all > *unit).map_or("0s".to_owned(), |(unit, name)| format!("{}{name}", all / unit));
    c.text(text.as_bytes())
});

fn to_date(c: &mut Call<'_>, a: &[Value], strict: bool) -> Given {
    match Time::parse(&utf8(c, &a[0]), c.bytes(&a[1])) {
        Ok(time) => Ok(time_value(c, time)),
        Err(error) if strict => Err(Failure::new(error)),
        Err(_) => Ok(time_value(c, Time::ZERO)),
    }
}

function!(TO_DATE, "toDate", [Str, Str], , Union, |c, a| to_date(c, a, false));
function!(MUST_TO_DATE, "mustToDate", [Str, Str], , Union, |c, a| to_date(c, a, true));

function!(UNIX_EPOCH, "unixEpoch", [Time], , Union, |c, a| {
    let seconds = as_time(c, a[0]).unwrap_or(Time::ZERO).seconds;
    c.text(seconds.to_string().as_bytes())
});

/// What Helm takes for a duration: one, a text of one, or a number of seconds.
fn nanos(c: &Call<'_>, value: &Value) -> Result<i64, Failure> {
    let overflow = |seconds: String| Failure::new(format!("duration seconds overflow: {seconds}"));
    match value {
        Value::Nil(_) => Err(Failure::new("invalid duration")),
        Value::Int(_, IntKind::Duration, nanos) => Ok(*nanos),
        Value::Int(_, kind, bits) if kind.is_unsigned() => {
            let seconds = *bits as u64;
            i64::try_from(seconds).ok().and_then(|seconds| seconds.checked_mul(SECOND)).ok_or_else(|| overflow(seconds.to_string()))
        }
        Value::Int(_, _, seconds) => seconds.checked_mul(SECOND).ok_or_else(|| overflow(seconds.to_string())),
        Value::Float(_, seconds) => nanos_of_seconds(*seconds),
        Value::Str(..) => {
            let text = utf8(c, value);
            let trimmed = text.trim();
            if trimmed.is_empty() {
                return Err(Failure::new("empty duration"));
            }
            if let Ok(nanos) = parse_duration(trimmed) {
                return Ok(nanos);
            }
            match strconv::parse_float(trimmed) {
                Ok(seconds) => nanos_of_seconds(seconds),
                Err(_) => Err(Failure::new(format!("could not parse duration {}", strconv::quote_bytes(c.bytes(value))))),
            }
        }
        other => Err(Failure::new(format!("unsupported duration type {}", c.heap.type_name(*other)))),
    }
}

fn nanos_of_seconds(seconds: f64) -> Result<i64, Failure> {
    const MOST: f64 = i64::MAX as f64 / 1e9;
    if !seconds.is_finite() {
        return Err(Failure::new(format!("invalid duration seconds: {}", strconv::format_float_g64(seconds))));
    }
    if !(-MOST..=MOST).contains(&seconds) {
        return Err(Failure::new(format!("duration seconds overflow: {}", strconv::format_float_g64(seconds))));
    }
    Ok((seconds * 1e9) as i64)
}

/// Whole units and the rest apart, so that no more is lost than must be (`Duration.Hours`).
pub(crate) fn in_units(nanos: i64, unit: i64) -> f64 {
    (nanos / unit) as f64 + (nanos % unit) as f64 / unit as f64
}

/// A number of units; 0 for what is no duration.
fn measured(c: &Call<'_>, value: &Value, unit: i64) -> f64 {
    nanos(c, value).map_or(0.0, |nanos| in_units(nanos, unit))
}

fn duration_value(nanos: i64) -> Value {
    Value::Int(O::NONE, IntKind::Duration, nanos)
}

function!(MUST_TO_DURATION, "mustToDuration", [Any], , Union, |c, a| Ok(duration_value(nanos(c, &a[0])?)));
function!(DURATION_SECONDS, "durationSeconds", [Any], , Union, |c, a| Ok(Value::float(measured(c, &a[0], SECOND))));
function!(DURATION_MILLISECONDS, "durationMilliseconds", [Any], , Union, |c, a| {
    Ok(Value::int64(nanos(c, &a[0]).unwrap_or(0) / 1_000_000))
});
function!(DURATION_MICROSECONDS, "durationMicroseconds", [Any], , Union, |c, a| Ok(Value::int64(nanos(c, &a[0]).unwrap_or(0) / 1_000)));
function!(DURATION_NANOSECONDS, "durationNanoseconds", [Any], , Union, |c, a| Ok(Value::int64(nanos(c, &a[0]).unwrap_or(0))));
function!(DURATION_MINUTES, "durationMinutes", [Any], , Union, |c, a| Ok(Value::float(measured(c, &a[0], SECOND * 60))));
function!(DURATION_HOURS, "durationHours", [Any], , Union, |c, a| Ok(Value::float(measured(c, &a[0], SECOND * 3_600))));
function!(DURATION_DAYS, "durationDays", [Any], , Union, |c, a| Ok(Value::float(measured(c, &a[0], SECOND * 3_600) / 24.0)));
function!(DURATION_WEEKS, "durationWeeks", [Any], , Union, |c, a| {
    Ok(Value::float(measured(c, &a[0], SECOND * 3_600) / 24.0 / 7.0))
});

/// A duration to a multiple; what is no duration is 0, and what is no multiple leaves it as it is.
fn to_multiple(c: &Call<'_>, a: &[Value], change: fn(i64, i64) -> i64) -> Value {
    let Ok(given) = nanos(c, &a[0]) else { return duration_value(0) };
    duration_value(nanos(c, &a[1]).map_or(given, |multiple| change(given, multiple)))
}

function!(DURATION_ROUND_TO, "durationRoundTo", [Any, Any], , Union, |c, a| Ok(to_multiple(c, a, round_duration)));
function!(DURATION_TRUNCATE_TO, "durationTruncateTo", [Any, Any], , Union, |c, a| Ok(to_multiple(c, a, truncate_duration)));
