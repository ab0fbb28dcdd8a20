//! Owns what is wrong with values, and how it is said (santhosh-tekuri/jsonschema v6: kind/kind.go, output.go).

use plumb_go::strconv::{format_float, quote as go_quote};

use super::draft::escaped;
use super::json::Json;

/// What one place of the values does not meet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Keys and indices from the values of the chart whose schema it is.
    pub path: Vec<String>,
    /// What is wrong there.
    pub message: String,
    /// Where the schema asks for it: a document and a JSON pointer in it.
    pub schema: String,
    /// Why, where it is a schema made of others that is not met.
    pub causes: Vec<Violation>,
}

/// Returns the lines that tell of violations, in Helm's form.
pub(super) fn lines(violations: &[Violation]) -> String {
    let mut out = Vec::new();
    violations.iter().for_each(|violation| add(violation, 0, &mut out));
    out.join("\n")
}

fn add(violation: &Violation, depth: usize, out: &mut Vec<String>) {
    let pointer: String = violation.path.iter().map(|part| format!("/{}", escaped(part))).collect();
    out.push(format!("{}- at {}: {}", "  ".repeat(depth), quote(&pointer), violation.message));
    violation.causes.iter().for_each(|cause| add(cause, depth + 1, out));
}

/// Quotes a text with `'`.
pub(super) fn quote(text: &str) -> String {
    let quoted = go_quote(text);
    let inner = quoted[1..quoted.len() - 1].replace("\\\"", "\"").replace('\'', "\\'");
    format!("'{inner}'")
}

pub(super) fn quoted_list<T: AsRef<str>>(texts: &[T]) -> String {
    texts.iter().map(|text| quote(text.as_ref())).collect::<Vec<_>>().join(", ")
}

/// Writes a value where a schema names it.
pub(super) fn display(value: &Json) -> String {
    match value {
        Json::Null => "<nil>".to_owned(),
        Json::Bool(truth) => truth.to_string(),
        Json::Number(number) => number.clone(),
        Json::Text(text) => quote(text),
        Json::List(_) | Json::Map(_) => "value".to_owned(),
    }
}

/// Writes digits in groups of three, as English does.
fn grouped(digits: &str) -> String {
    let mut out = String::with_capacity(digits.len() * 4 / 3);
    for (nth, digit) in digits.chars().enumerate() {
        if nth > 0 && (digits.len() - nth).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Writes a count as golang.org/x/text does in English.
pub(super) fn count(count: i64) -> String {
    let sign = if count < 0 { "-" } else { "" };
    format!("{sign}{}", grouped(&count.unsigned_abs().to_string()))
}

/// Writes a number as golang.org/x/text does in English: `1,234.5`, `1.5×10⁰⁶`.
pub(super) fn number(value: f64) -> String {
    const SUPERSCRIPTS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    let text = format_float(value, 'g', None);
    let raised = |c: char| c.to_digit(10).and_then(|digit| SUPERSCRIPTS.get(digit as usize)).copied().unwrap_or('⁻');
    let (mantissa, power) = match text.split_once('e') {
        Some((mantissa, power)) => {
            let power = power.trim_start_matches('+').chars().map(raised).collect::<String>();
            (mantissa.to_owned(), format!("×10{power}"))
        }
        None => (text, String::new()),
    };
    let (sign, bare) = mantissa.strip_prefix('-').map_or(("", mantissa.as_str()), |bare| ("-", bare));
    let (whole, part) = bare.split_once('.').map_or((bare, String::new()), |(whole, part)| (whole, format!(".{part}")));
    format!("{sign}{}{part}{power}", grouped(whole))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_english() {
        // As golang.org/x/text v0.40 prints them.
        for (value, text) in [
            (0.0, "0"),
            (-5.0, "-5"),
            (12345.678, "12,345.678"),
            (1_234_567.0, "1.234567×10⁰⁶"),
            (0.0001, "0.0001"),
            (0.00001, "1×10⁻⁰⁵"),
            (1e300, "1×10³⁰⁰"),
            (-0.000_001_234, "-1.234×10⁻⁰⁶"),
            (999_999.0, "999,999"),
        ] {
            assert_eq!(number(value), text);
        }
        assert_eq!((count(999), count(-1234), count(1_234_567)), ("999".to_owned(), "-1,234".to_owned(), "1,234,567".to_owned()));
    }

    #[test]
    fn texts_are_quoted_once() {
        assert_eq!(quote("it's \"x\"\n"), "'it\\'s \"x\"\\n'");
    }
}
