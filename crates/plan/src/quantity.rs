//! Owns the comparison of quantities (`1000m` is `1`), for telling an admission change from another spelling.

use serde_json::Value;

/// Returns whether two values are the same quantity: decimal or binary suffix, exponent or plain number. Exact: nothing is rounded.
pub(crate) fn same_quantity(a: &Value, b: &Value) -> bool {
    match (parse(a), parse(b)) {
        (Some(a), Some(b)) => a == b,
        _ => false,
    }
}

/// A number as mantissa × 10^exponent, without trailing zeros in the mantissa.
fn parse(value: &Value) -> Option<(i128, i32)> {
    match value {
        Value::Number(number) => read(&number.to_string()),
        Value::String(text) => read(text),
        _ => None,
    }
}

fn read(text: &str) -> Option<(i128, i32)> {
    let digits_end = text.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '+' | '-'))).unwrap_or(text.len());
    let (number, suffix) = text.split_at(digits_end);
    let (scale, power) = match suffix {
        "" => (1, 0),
        "n" => (1, -9),
        "u" => (1, -6),
        "m" => (1, -3),
        "k" => (1, 3),
        "M" => (1, 6),
        "G" => (1, 9),
        "T" => (1, 12),
        "P" => (1, 15),
        "E" => (1, 18),
        "Ki" => (1 << 10, 0),
        "Mi" => (1 << 20, 0),
        "Gi" => (1 << 30, 0),
        "Ti" => (1 << 40, 0),
        "Pi" => (1 << 50, 0),
        "Ei" => (1 << 60, 0),
        exponent => (1, exponent.strip_prefix(['e', 'E'])?.parse::<i16>().ok()?.into()),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = format!("{whole}{fraction}");
    let mut mantissa = digits.parse::<i128>().ok()?.checked_mul(scale)?;
    let mut exponent = power - i32::try_from(fraction.len()).ok()?;
    if mantissa == 0 {
        return Some((0, 0));
    }
    while mantissa % 10 == 0 {
        mantissa /= 10;
        exponent += 1;
    }
    Some((mantissa, exponent))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn spellings_of_one_quantity() {
        for (a, b, same) in [
            (json!("1000m"), json!("1"), true),
            (json!("0.5"), json!("500m"), true),
            (json!(2), json!("2"), true),
            (json!("1Gi"), json!("1024Mi"), true),
            (json!("1G"), json!("1Gi"), false),
            (json!("1e3"), json!("1k"), true),
            (json!("0"), json!("0Gi"), true),
            (json!("web"), json!("web"), false),
            (json!(""), json!("0"), false),
            (json!("170141183460469231731687303715884105727Ei"), json!("1"), false),
            (json!("1.2.3"), json!("1"), false),
        ] {
            assert_eq!(same_quantity(&a, &b), same, "{a} {b}");
        }
    }
}
