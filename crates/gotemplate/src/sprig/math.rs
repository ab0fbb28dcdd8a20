//! Owns Sprig's numbers (numeric.go): conversions as spf13/cast makes them, whole and decimal arithmetic.

use plumb_go::strconv;

use crate::func::{Call, Failure, Function, function};
use crate::value::{IntKind, Value};

pub(crate) static ALL: &[&Function] = &[
    &ATOI,
    &INT64,
    &INT,
    &FLOAT64,
    &TO_DECIMAL,
    &ADD1,
    &ADD,
    &SUB,
    &DIV,
    &MOD,
    &MUL,
    &MAX,
    &BIGGEST,
    &MIN,
    &MAXF,
    &MINF,
    &CEIL,
    &FLOOR,
    &ROUND,
    &ADD1F,
    &ADDF,
    &SUBF,
    &DIVF,
    &MULF,
];

/// `cast.ToInt64`: what is no number is 0.
pub(super) fn to_int(c: &Call<'_>, value: Value) -> i64 {
    match value {
        Value::Bool(_, truth) => i64::from(truth),
        Value::Int(_, _, int) => int,
        Value::Float(_, float) => float_to_int(float),
        Value::Str(_, text) => strconv::parse_int(&without_zero_decimal(&c.heap.utf8(text)), 0).unwrap_or(0),
        _ => 0,
    }
}

/// A float as Go on amd64 converts it: what does not fit is the smallest integer.
fn float_to_int(float: f64) -> i64 {
    if float.is_nan() || !(-9.223_372_036_854_776e18..9.223_372_036_854_776e18).contains(&float) { i64::MIN } else { float as i64 }
}

/// `trimZeroDecimal`: `1.00` is `1`.
fn without_zero_decimal(text: &str) -> String {
    match text.rsplit_once('.') {
        Some((whole, zeros)) if zeros.bytes().all(|byte| byte == b'0') && !zeros.is_empty() => whole.to_owned(),
        _ => text.to_owned(),
    }
}

/// `cast.ToFloat64`.
fn to_float(c: &Call<'_>, value: Value) -> f64 {
    match value {
        Value::Bool(_, truth) => f64::from(u8::from(truth)),
        Value::Int(_, kind, int) if kind.is_unsigned() => int as u64 as f64,
        Value::Int(_, _, int) => int as f64,
        Value::Float(_, float) => float,
        Value::Str(_, text) => strconv::parse_float(&c.heap.utf8(text)).unwrap_or(0.0),
        _ => 0.0,
    }
}

function!(ATOI, "atoi", [Str], , Union, |c, a| {
    let text = String::from_utf8_lossy(c.bytes(&a[0])).into_owned();
    Ok(Value::int(match strconv::parse_int(&text, 10) {
        Ok(int) => int,
        // `Atoi` gives the nearest integer along with its error.
        Err(strconv::NumberError::Range) if text.starts_with('-') => i64::MIN,
        Err(strconv::NumberError::Range) => i64::MAX,
        Err(strconv::NumberError::Syntax) => 0,
    }))
});
function!(INT64, "int64", [Any], , Union, |c, a| Ok(Value::int64(to_int(c, a[0]))));
function!(INT, "int", [Any], , Union, |c, a| Ok(Value::int(to_int(c, a[0]))));
function!(FLOAT64, "float64", [Any], , Union, |c, a| Ok(Value::float(to_float(c, a[0]))));
function!(TO_DECIMAL, "toDecimal", [Any], , Union, |c, a| {
    let text = crate::print::default(c.heap, a[0]);
    Ok(Value::int64(strconv::parse_int(&String::from_utf8_lossy(&text), 8).unwrap_or(0)))
});

function!(ADD1, "add1", [Any], , Union, |c, a| Ok(Value::int64(to_int(c, a[0]).wrapping_add(1))));
function!(ADD, "add", [], Any, Union, |c, a| Ok(Value::int64(a.iter().fold(0, |sum, value| sum.wrapping_add(to_int(c, *value))))));
function!(SUB, "sub", [Any, Any], , Union, |c, a| Ok(Value::int64(to_int(c, a[0]).wrapping_sub(to_int(c, a[1])))));

fn divisor(c: &Call<'_>, value: Value) -> Result<i64, Failure> {
    match to_int(c, value) {
        0 => Err(Failure::new("runtime error: integer divide by zero")),
        other => Ok(other),
    }
}

function!(DIV, "div", [Any, Any], , Union, |c, a| Ok(Value::int64(to_int(c, a[0]).wrapping_div(divisor(c, a[1])?))));
function!(MOD, "mod", [Any, Any], , Union, |c, a| Ok(Value::int64(to_int(c, a[0]).wrapping_rem(divisor(c, a[1])?))));
function!(MUL, "mul", [Any], Any, Union, |c, a| Ok(Value::int64(a.iter().fold(1, |all, value| all.wrapping_mul(to_int(c, *value))))));

fn most(c: &Call<'_>, a: &[Value], pick: fn(i64, i64) -> i64) -> Value {
    Value::int64(a.iter().map(|value| to_int(c, *value)).reduce(pick).unwrap_or(0))
}

function!(MAX, "max", [Any], Any, Union, |c, a| Ok(most(c, a, i64::max)));
function!(BIGGEST, "biggest", [Any], Any, Union, |c, a| Ok(most(c, a, i64::max)));
function!(MIN, "min", [Any], Any, Union, |c, a| Ok(most(c, a, i64::min)));
function!(MAXF, "maxf", [Any], Any, Union, |c, a| Ok(Value::float(
    a.iter().map(|value| to_float(c, *value)).reduce(f64::max).unwrap_or(0.0)
)));
function!(MINF, "minf", [Any], Any, Union, |c, a| Ok(Value::float(
    a.iter().map(|value| to_float(c, *value)).reduce(f64::min).unwrap_or(0.0)
)));
function!(CEIL, "ceil", [Any], , Union, |c, a| Ok(Value::float(to_float(c, a[0]).ceil())));
function!(FLOOR, "floor", [Any], , Union, |c, a| Ok(Value::float(to_float(c, a[0]).floor())));
function!(ROUND, "round", [Any, Int], Float, Union, |c, a| {
    let on = match a.get(2) {
        Some(Value::Float(_, on)) => *on,
        _ => 0.5,
    };
    let pow = 10_f64.powi(i32::try_from(c.int(&a[1])).unwrap_or(i32::MAX));
    let digit = pow * to_float(c, a[0]);
    let whole = if digit.fract() >= on { digit.ceil() } else { digit.floor() };
    Ok(Value::float(whole / pow))
});

/// A decimal as shopspring's: the digits of the shortest text, and how many of them are behind the point.
#[derive(Clone, Copy)]
struct Decimal {
    digits: i128,
    scale: u32,
}

impl Decimal {
    fn of(float: f64) -> Option<Self> {
        let text = format!("{float}");
        let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
        let digits = format!("{whole}{fraction}").parse().ok()?;
        Some(Self { digits, scale: fraction.len() as u32 })
    }

    fn float(self) -> f64 {
        let negative = if self.digits < 0 { "-" } else { "" };
        format!("{negative}{}e-{}", self.digits.unsigned_abs(), self.scale).parse().unwrap_or(0.0)
    }

    fn aligned(self, other: Self) -> Option<(i128, i128, u32)> {
        let scale = self.scale.max(other.scale);
        let up = |decimal: Self| decimal.digits.checked_mul(10_i128.checked_pow(scale - decimal.scale)?);
        Some((up(self)?, up(other)?, scale))
    }
}

/// Carries an operation out exactly where that is possible, and in floats where it is too large.
fn decimal(c: &Call<'_>, a: &[Value], exact: fn(Decimal, Decimal) -> Option<Decimal>, float: fn(f64, f64) -> f64) -> f64 {
    let mut all = a.first().map_or(0.0, |value| to_float(c, *value));
    for value in a.iter().skip(1) {
        let other = to_float(c, *value);
        all = match (Decimal::of(all), Decimal::of(other)) {
            (Some(one), Some(two)) => exact(one, two).map_or_else(|| float(all, other), Decimal::float),
            _ => float(all, other),
        };
    }
    all
}

fn add(one: Decimal, other: Decimal) -> Option<Decimal> {
    let (a, b, scale) = one.aligned(other)?;
    Some(Decimal { digits: a.checked_add(b)?, scale })
}

fn sub(one: Decimal, other: Decimal) -> Option<Decimal> {
    let (a, b, scale) = one.aligned(other)?;
    Some(Decimal { digits: a.checked_sub(b)?, scale })
}

fn mul(one: Decimal, other: Decimal) -> Option<Decimal> {
    Some(Decimal { digits: one.digits.checked_mul(other.digits)?, scale: one.scale + other.scale })
}

/// Sixteen digits behind the point, rounded half away from zero: shopspring's `DivisionPrecision`.
fn div(one: Decimal, other: Decimal) -> Option<Decimal> {
    const PRECISION: u32 = 16;
    let (a, b, _) = one.aligned(other)?;
    let scaled = a.checked_mul(10_i128.checked_pow(PRECISION + 1)?)?;
    let tenths = scaled.checked_div(b)?;
    let digits = (tenths + if tenths < 0 { -5 } else { 5 }) / 10;
    Some(Decimal { digits, scale: PRECISION })
}

fn zero_first(a: &[Value]) -> Vec<Value> {
    std::iter::once(Value::float(0.0)).chain(a.iter().copied()).collect()
}

function!(ADD1F, "add1f", [Any], , Union, |c, a| Ok(Value::float(decimal(c, &[a[0], Value::Int(crate::O::NONE, IntKind::Int, 1)], add, |x, y| x + y))));
function!(ADDF, "addf", [], Any, Union, |c, a| Ok(Value::float(decimal(c, &zero_first(a), add, |x, y| x + y))));
function!(SUBF, "subf", [Any], Any, Union, |c, a| Ok(Value::float(decimal(c, a, sub, |x, y| x - y))));
function!(MULF, "mulf", [Any], Any, Union, |c, a| Ok(Value::float(decimal(c, a, mul, |x, y| x * y))));
function!(DIVF, "divf", [Any], Any, Union, |c, a| {
    if a[1..].iter().any(|value| to_float(c, *value) == 0.0) {
        return Err(Failure::new("decimal division by 0"));
    }
    Ok(Value::float(decimal(c, a, div, |x, y| x / y)))
});
