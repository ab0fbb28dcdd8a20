//! Owns the methods of Go types that templates can call: times, durations, versions, errors. Each gets its receiver as the first argument.
//!
//! Go's methods with more than one result (`Clock`, `ISOWeek`) cannot be called from a template, and are left out.

use plumb_go::semver::Version;
use plumb_go::time::{Time, Zone, round_duration, truncate_duration};

use crate::func::{Call, Failure, Function, Ty, function};
use crate::object::Object;
use crate::sprig::{as_time, in_units};
use crate::value::{IntKind, Value};

type Given = Result<Value, Failure>;

/// `time.Time`.
pub(crate) static TIME: &[&Function] = &[
    &FORMAT,
    &UNIX,
    &UNIX_MILLI,
    &UNIX_MICRO,
    &UNIX_NANO,
    &YEAR,
    &MONTH,
    &DAY,
    &HOUR,
    &MINUTE,
    &SECOND,
    &NANOSECOND,
    &WEEKDAY,
    &YEAR_DAY,
    &ADD,
    &ADD_DATE,
    &SUB,
    &BEFORE,
    &AFTER,
    &EQUAL,
    &TIME_COMPARE,
    &IS_ZERO,
    &IS_DST,
    &TO_UTC,
    &TO_LOCAL,
    &TIME_ROUND,
    &TIME_TRUNCATE,
    &TIME_STRING,
];
/// `time.Duration`.
pub(crate) static DURATION: &[&Function] =
    &[&SECONDS, &MINUTES, &HOURS, &MILLISECONDS, &MICROSECONDS, &NANOSECONDS, &ABS, &DURATION_ROUND, &DURATION_TRUNCATE, &NAMED_STRING];
/// `time.Month` and `time.Weekday`.
pub(crate) static NAMED_INT: &[&Function] = &[&NAMED_STRING];
/// `*semver.Version`.
pub(crate) static VERSION: &[&Function] = &[
    &MAJOR,
    &MINOR,
    &PATCH,
    &PRERELEASE,
    &METADATA,
    &ORIGINAL,
    &VERSION_STRING,
    &COMPARE,
    &VERSION_EQUAL,
    &LESS_THAN,
    &LESS_THAN_EQUAL,
    &GREATER_THAN,
    &GREATER_THAN_EQUAL,
    &INC_MAJOR,
    &INC_MINOR,
    &INC_PATCH,
    &SET_PRERELEASE,
    &SET_METADATA,
];
/// `error`.
pub(crate) static ERROR: &[&Function] = &[&ERROR_TEXT];
/// `common.VersionSet`.
pub(crate) static VERSIONS: &[&Function] = &[&HAS];

// Times.

fn time(c: &Call<'_>, value: &Value) -> Time {
    as_time(c, *value).unwrap_or(Time::ZERO)
}

fn given(c: &mut Call<'_>, time: Time) -> Given {
    Ok(c.heap.object(Object::Time(time)))
}

fn named(kind: IntKind, value: i64) -> Value {
    Value::Int(crate::O::NONE, kind, value)
}

function!(FORMAT, "Format", [Str], , Union, |c, a| {
    let layout = c.heap.utf8(c.str(&a[1])).into_owned();
    let text = time(c, &a[0]).format(&layout);
    c.text(text.as_bytes())
});

fn unix(c: &Call<'_>, a: &[Value], nanos: i64) -> Value {
    let time = time(c, &a[0]);
    Value::int64(time.seconds.wrapping_mul(1_000_000_000 / nanos).wrapping_add(i64::from(time.nanos) / nanos))
}

function!(UNIX, "Unix", [], , Union, |c, a| Ok(unix(c, a, 1_000_000_000)));
function!(UNIX_MILLI, "UnixMilli", [], , Union, |c, a| Ok(unix(c, a, 1_000_000)));
function!(UNIX_MICRO, "UnixMicro", [], , Union, |c, a| Ok(unix(c, a, 1_000)));
function!(UNIX_NANO, "UnixNano", [], , Union, |c, a| Ok(unix(c, a, 1)));
function!(YEAR, "Year", [], , Union, |c, a| Ok(Value::int(time(c, &a[0]).civil().year)));
function!(MONTH, "Month", [], , Union, |c, a| Ok(named(IntKind::Month, i64::from(time(c, &a[0]).civil().month))));
function!(DAY, "Day", [], , Union, |c, a| Ok(Value::int(i64::from(time(c, &a[0]).civil().day))));
function!(HOUR, "Hour", [], , Union, |c, a| Ok(Value::int(i64::from(time(c, &a[0]).civil().hour))));
function!(MINUTE, "Minute", [], , Union, |c, a| Ok(Value::int(i64::from(time(c, &a[0]).civil().minute))));
function!(SECOND, "Second", [], , Union, |c, a| Ok(Value::int(i64::from(time(c, &a[0]).civil().second))));
function!(NANOSECOND, "Nanosecond", [], , Union, |c, a| Ok(Value::int(i64::from(time(c, &a[0]).nanos))));
function!(WEEKDAY, "Weekday", [], , Union, |c, a| Ok(named(IntKind::Weekday, i64::from(time(c, &a[0]).civil().weekday))));
function!(YEAR_DAY, "YearDay", [], , Union, |c, a| Ok(Value::int(i64::from(time(c, &a[0]).civil().year_day))));
function!(ADD, "Add", [Duration], , Union, |c, a| {
    let later = time(c, &a[0]).plus(c.int(&a[1]));
    given(c, later)
});
function!(ADD_DATE, "AddDate", [Int, Int, Int], , Union, |c, a| {
    let later = time(c, &a[0]).plus_date(c.int(&a[1]), c.int(&a[2]), c.int(&a[3]));
    given(c, later)
});
function!(SUB, "Sub", [Time], , Union, |c, a| Ok(named(IntKind::Duration, time(c, &a[0]).since(time(c, &a[1])))));

fn order(c: &Call<'_>, a: &[Value]) -> std::cmp::Ordering {
    let (one, other) = (time(c, &a[0]), time(c, &a[1]));
    (one.seconds, one.nanos).cmp(&(other.seconds, other.nanos))
}

function!(BEFORE, "Before", [Time], , Union, |c, a| Ok(Value::bool(order(c, a).is_lt())));
function!(AFTER, "After", [Time], , Union, |c, a| Ok(Value::bool(order(c, a).is_gt())));
function!(EQUAL, "Equal", [Time], , Union, |c, a| Ok(Value::bool(order(c, a).is_eq())));
function!(TIME_COMPARE, "Compare", [Time], , Union, |c, a| Ok(Value::int(order(c, a) as i64)));
function!(IS_ZERO, "IsZero", [], , Union, |c, a| Ok(Value::bool(time(c, &a[0]) == Time::ZERO)));
function!(IS_DST, "IsDST", [], , Union, |c, a| {
    let time = time(c, &a[0]);
    Ok(Value::bool(time.zone.is_summer(time.seconds)))
});

fn in_utc(c: &mut Call<'_>, a: &[Value]) -> Given {
    let time = time(c, &a[0]).in_zone(Zone::Utc);
    given(c, time)
}

function!(TO_UTC, "UTC", [], , Union, in_utc);
function!(TO_LOCAL, "Local", [], , Union, in_utc);
function!(TIME_ROUND, "Round", [Duration], , Union, |c, a| {
    let time = time(c, &a[0]).rounded(c.int(&a[1]));
    given(c, time)
});
function!(TIME_TRUNCATE, "Truncate", [Duration], , Union, |c, a| {
    let time = time(c, &a[0]).truncated(c.int(&a[1]));
    given(c, time)
});
function!(TIME_STRING, "String", [], , Union, |c, a| {
    let text = time(c, &a[0]).to_string();
    c.text(text.as_bytes())
});

// Durations.

function!(SECONDS, "Seconds", [], , Union, |c, a| Ok(Value::float(in_units(c.int(&a[0]), 1_000_000_000))));
function!(MINUTES, "Minutes", [], , Union, |c, a| Ok(Value::float(in_units(c.int(&a[0]), 60_000_000_000))));
function!(HOURS, "Hours", [], , Union, |c, a| Ok(Value::float(in_units(c.int(&a[0]), 3_600_000_000_000))));
function!(MILLISECONDS, "Milliseconds", [], , Union, |c, a| Ok(Value::int64(c.int(&a[0]) / 1_000_000)));
function!(MICROSECONDS, "Microseconds", [], , Union, |c, a| Ok(Value::int64(c.int(&a[0]) / 1_000)));
function!(NANOSECONDS, "Nanoseconds", [], , Union, |c, a| Ok(Value::int64(c.int(&a[0]))));
function!(ABS, "Abs", [], , Union, |c, a| Ok(named(IntKind::Duration, c.int(&a[0]).saturating_abs())));
function!(DURATION_ROUND, "Round", [Duration], , Union, |c, a| {
    Ok(named(IntKind::Duration, round_duration(c.int(&a[0]), c.int(&a[1]))))
});
function!(DURATION_TRUNCATE, "Truncate", [Duration], , Union, |c, a| {
    Ok(named(IntKind::Duration, truncate_duration(c.int(&a[0]), c.int(&a[1]))))
});
function!(NAMED_STRING, "String", [], , Union, |c, a| {
    let text = crate::print::default(c.heap, a[0]);
    c.text(&text)
});

// Versions.

fn version(c: &Call<'_>, value: &Value) -> Option<Version> {
    match value {
        Value::Obj(_, id) => match c.heap.obj(*id) {
            Object::Version(version) => Some((**version).clone()),
            _ => None,
        },
        _ => None,
    }
}

fn part(c: &Call<'_>, a: &[Value], part: fn(Version) -> u64) -> Given {
    Ok(named(IntKind::Uint64, version(c, &a[0]).map_or(0, part) as i64))
}

fn word(c: &mut Call<'_>, a: &[Value], part: fn(Version) -> String) -> Given {
    let text = version(c, &a[0]).map(part).unwrap_or_default();
    c.text(text.as_bytes())
}

function!(MAJOR, "Major", [], , Union, |c, a| part(c, a, |version| version.major));
function!(MINOR, "Minor", [], , Union, |c, a| part(c, a, |version| version.minor));
function!(PATCH, "Patch", [], , Union, |c, a| part(c, a, |version| version.patch));
function!(PRERELEASE, "Prerelease", [], , Union, |c, a| word(c, a, |version| version.pre));
function!(METADATA, "Metadata", [], , Union, |c, a| word(c, a, |version| version.metadata));
function!(ORIGINAL, "Original", [], , Union, |c, a| word(c, a, |version| version.original));
function!(VERSION_STRING, "String", [], , Union, |c, a| word(c, a, |version| version.to_string()));

/// What Go's runtime says where the library follows a nil pointer.
const NIL_POINTER: &str = "runtime error: invalid memory address or nil pointer dereference";

fn compared(c: &Call<'_>, a: &[Value]) -> Result<std::cmp::Ordering, Failure> {
    match (version(c, &a[0]), version(c, &a[1])) {
        (Some(one), Some(other)) => Ok(one.compare(&other)),
        _ => Err(Failure::new(NIL_POINTER)),
    }
}

/// Declares a method that compares with another version.
macro_rules! comparison {
    ($id:ident, $name:literal, $run:expr) => {
        static $id: Function =
            Function { name: $name, params: &[Ty::Named("*semver.Version")], variadic: None, trace: crate::func::Trace::Union, run: $run };
    };
}

comparison!(COMPARE, "Compare", |c, a| Ok(Value::int(compared(c, a)? as i64)));
// The one that takes nil.
comparison!(VERSION_EQUAL, "Equal", |c, a| Ok(Value::bool(compared(c, a).is_ok_and(std::cmp::Ordering::is_eq))));
comparison!(LESS_THAN, "LessThan", |c, a| Ok(Value::bool(compared(c, a)?.is_lt())));
comparison!(LESS_THAN_EQUAL, "LessThanEqual", |c, a| Ok(Value::bool(compared(c, a)?.is_le())));
comparison!(GREATER_THAN, "GreaterThan", |c, a| Ok(Value::bool(compared(c, a)?.is_gt())));
comparison!(GREATER_THAN_EQUAL, "GreaterThanEqual", |c, a| Ok(Value::bool(compared(c, a)?.is_ge())));

fn made(c: &mut Call<'_>, version: Version) -> Given {
    Ok(c.heap.object(Object::Version(Box::new(version))))
}

fn incremented(c: &mut Call<'_>, a: &[Value], what: &str, next: fn(&Version) -> Option<Version>) -> Given {
    let given = version(c, &a[0]).ok_or_else(|| Failure::new(NIL_POINTER))?;
    match next(&given) {
        Some(version) => made(c, version),
        None => Err(Failure::new(format!("{what} version increment would overflow uint64"))),
    }
}

function!(INC_MAJOR, "IncMajor", [], , Union, |c, a| incremented(c, a, "major", Version::next_major));
function!(INC_MINOR, "IncMinor", [], , Union, |c, a| incremented(c, a, "minor", Version::next_minor));
function!(INC_PATCH, "IncPatch", [], , Union, |c, a| incremented(c, a, "patch", Version::next_patch));

function!(SET_PRERELEASE, "SetPrerelease", [Str], , Union, |c, a| {
    let given = version(c, &a[0]).ok_or_else(|| Failure::new(NIL_POINTER))?;
    let changed = given.with_pre(&c.heap.utf8(c.str(&a[1]))).map_err(|error| Failure::new(error.to_string()))?;
    made(c, changed)
});
function!(SET_METADATA, "SetMetadata", [Str], , Union, |c, a| {
    let given = version(c, &a[0]).ok_or_else(|| Failure::new(NIL_POINTER))?;
    let changed = given.with_metadata(&c.heap.utf8(c.str(&a[1]))).map_err(|error| Failure::new(error.to_string()))?;
    made(c, changed)
});

// Others.

function!(ERROR_TEXT, "Error", [], , Union, |c, a| {
    let text = crate::print::default(c.heap, a[0]);
    c.text(&text)
});

function!(HAS, "Has", [Str], , Union, |c, a| {
    let items = c.items(&a[0]).unwrap_or_default();
    let wanted = c.bytes(&a[1]).to_vec();
    Ok(Value::bool(items.iter().any(|item| c.bytes(item) == wanted)))
});
