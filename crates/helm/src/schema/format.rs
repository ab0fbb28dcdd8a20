//! Owns the formats that a schema may ask of texts (santhosh-tekuri/jsonschema v6: format.go), with its messages.

use std::net::Ipv6Addr;

use plumb_go::regexp::Regexp;
use plumb_go::strconv::{quote, quote_rune};
use plumb_go::time::Time;
use plumb_go::url::Url;

/// A format by its name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Format {
    pub(super) name: &'static str,
    check: fn(&str) -> Result<(), String>,
}

const FORMATS: &[Format] = &[
    Format { name: "regex", check: regex },
    Format { name: "json-pointer", check: json_pointer },
    Format { name: "relative-json-pointer", check: relative_json_pointer },
    Format { name: "uuid", check: uuid },
    Format { name: "duration", check: duration },
    Format { name: "period", check: period },
    Format { name: "ipv4", check: ipv4 },
    Format { name: "ipv6", check: ipv6 },
    Format { name: "hostname", check: hostname },
    Format { name: "email", check: email },
    Format { name: "date", check: date },
    Format { name: "time", check: time },
    Format { name: "date-time", check: date_time },
    Format { name: "uri", check: uri },
    Format { name: "iri", check: uri },
    Format { name: "uri-reference", check: uri_reference },
    Format { name: "iri-reference", check: uri_reference },
    Format { name: "uri-template", check: uri_template },
    Format { name: "semver", check: semver },
];

impl Format {
    /// Returns a format; those that nobody knows ask nothing.
    pub(super) fn named(name: &str) -> Option<Self> {
        FORMATS.iter().find(|format| format.name == name).copied()
    }

    /// Checks a text; the error is a message.
    pub(super) fn check(&self, text: &str) -> Result<(), String> {
        (self.check)(text)
    }
}

fn wrong<T>(message: impl Into<String>) -> Result<T, String> {
    Err(message.into())
}

fn number(text: &str) -> Option<u32> {
    text.parse().ok().filter(|_| !text.is_empty())
}

fn digits(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

/// A regular expression of Go's.
fn regex(text: &str) -> Result<(), String> {
    Regexp::compile(text.as_bytes()).map(|_| ()).map_err(|error| String::from_utf8_lossy(&error.message()).into_owned())
}

fn json_pointer(text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Ok(());
    }
    if !text.starts_with('/') {
        return wrong("not starting with /");
    }
    let mut rest = text;
    while let Some((_, after)) = rest.split_once('~') {
        if !after.starts_with(['0', '1']) {
            return wrong("~ must be followed by 0 or 1");
        }
        rest = after;
    }
    Ok(())
}

fn relative_json_pointer(text: &str) -> Result<(), String> {
    let count = digits(text);
    if count == 0 {
        return wrong("must start with non-negative integer");
    }
    if count > 1 && text.starts_with('0') {
        return wrong("starts with zero");
    }
    if &text[count..] == "#" { Ok(()) } else { json_pointer(&text[count..]) }
}

fn uuid(text: &str) -> Result<(), String> {
    let groups: Vec<&str> = text.split('-').collect();
    if groups.len() != 5 {
        return wrong("must have 5 elements");
    }
    for (nth, (group, length)) in groups.iter().zip([8, 4, 4, 4, 12]).enumerate() {
        if group.len() != length {
            return wrong(format!("element {} must be {length} characters long", nth + 1));
        }
        if let Some(other) = group.chars().find(|c| !c.is_ascii_hexdigit()) {
            return wrong(format!("non-hex character {}", quote_rune(other, false)));
        }
    }
    Ok(())
}

fn duration(text: &str) -> Result<(), String> {
    const UNITS: [&str; 2] = ["YMD", "HMS"];
    let Some(text) = text.strip_prefix('P') else { return wrong("must start with P") };
    if text.is_empty() {
        return wrong("nothing after P");
    }
    if let Some(weeks) = text.strip_suffix('W') {
        if weeks.is_empty() {
            return wrong("no number in week");
        }
        return if digits(weeks) == weeks.len() { Ok(()) } else { wrong("invalid week") };
    }
    for (nth, part) in text.split('T').enumerate() {
        if nth != 0 && part.is_empty() {
            return wrong("no time elements");
        }
        let Some(all) = UNITS.get(nth) else { return wrong("more than one T") };
        let (mut units, mut rest) = (*all, part);
        while !rest.is_empty() {
            let count = digits(rest);
            if count == 0 {
                return wrong("missing number");
            }
            let Some(unit) = rest[count..].chars().next() else { return wrong("missing unit") };
            let Some(at) = units.find(unit) else {
                let unit_shown = quote_rune(unit, false);
                return wrong(if all.contains(unit) {
                    format!("unit {unit_shown} out of order")
                } else {
                    format!("invalid unit {unit_shown}")
                });
            };
            units = &units[at + 1..];
            rest = &rest[count + unit.len_utf8()..];
        }
    }
    Ok(())
}

fn period(text: &str) -> Result<(), String> {
    let Some((start, end)) = text.split_once('/') else { return wrong("missing slash") };
    let is_long = start.starts_with('P');
    if is_long {
        duration(start).map_err(|error| format!("invalid start duration: {error}"))?;
    } else {
        date_time(start).map_err(|error| format!("invalid start date-time: {error}"))?;
    }
    if !is_long && end.starts_with('P') {
        return duration(end).map_err(|error| format!("invalid end duration: {error}"));
    }
    date_time(end).map_err(|error| format!("invalid end date-time: {error}"))
}

fn ipv4(text: &str) -> Result<(), String> {
    let groups: Vec<&str> = text.split('.').collect();
    if groups.len() != 4 {
        return wrong("expected four decimals");
    }
    for group in groups {
        if group.len() > 1 && group.starts_with('0') {
            return wrong("leading zeros");
        }
        match plumb_go::strconv::parse_int(group, 10) {
            Ok(0..=255) => {}
            Ok(_) => return wrong("decimal must be between 0 and 255"),
            Err(_) => return wrong(format!("strconv.Atoi: parsing {}: invalid syntax", quote(group))),
        }
    }
    Ok(())
}

fn ipv6(text: &str) -> Result<(), String> {
    if !text.contains(':') {
        return wrong("missing colon");
    }
    let address = text.split_once('%').map_or(text, |(address, _)| address);
    if address.parse::<Ipv6Addr>().is_err() {
        return wrong(format!("ParseAddr({}): unable to parse IP", quote(text)));
    }
    if address.len() < text.len() { wrong("zone id is not a part of ipv6 address") } else { Ok(()) }
}

fn hostname(text: &str) -> Result<(), String> {
    let text = text.strip_suffix('.').unwrap_or(text);
    if text.len() > 253 {
        return wrong("more than 253 characters long");
    }
    for label in text.split('.') {
        if label.is_empty() || label.len() > 63 {
            return wrong("label must be 1 to 63 characters long");
        }
        if label.starts_with('-') {
            return wrong("label starts with hyphen");
        }
        if label.ends_with('-') {
            return wrong("label ends with hyphen");
        }
        if let Some(other) = label.chars().find(|c| !c.is_ascii_alphanumeric() && *c != '-') {
            return wrong(format!("invalid character {}", quote_rune(other, false)));
        }
    }
    Ok(())
}

fn email(text: &str) -> Result<(), String> {
    if text.len() > 254 {
        return wrong("more than 255 characters long");
    }
    let Some((local, domain)) = text.rsplit_once('@') else { return wrong("missing @") };
    if local.len() > 64 {
        return wrong("local part more than 64 characters long");
    }
    if local.len() > 1 && local.starts_with('"') && local.ends_with('"') {
        if local[1..local.len() - 1].contains(['\\', '"']) {
            return wrong("backslash and quote are not allowed within quoted local part");
        }
    } else {
        if local.starts_with('.') {
            return wrong("starts with dot");
        }
        if local.ends_with('.') {
            return wrong("ends with dot");
        }
        if local.contains("..") {
            return wrong("consecutive dots");
        }
        if let Some(other) = local.chars().find(|c| !c.is_ascii_alphanumeric() && !".!#$%&'*+-/=?^_`{|}~".contains(*c)) {
            return wrong(format!("invalid character {}", quote_rune(other, false)));
        }
    }
    if let Some(address) = domain.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return match address.strip_prefix("IPv6:") {
            Some(address) => ipv6(address).map_err(|error| format!("invalid ipv6 address: {error}")),
            None => ipv4(address).map_err(|error| format!("invalid ipv4 address: {error}")),
        };
    }
    hostname(domain).map_err(|error| format!("invalid domain: {error}"))
}

fn date(text: &str) -> Result<(), String> {
    Time::parse("2006-01-02", text.as_bytes()).map(|_| ())
}

/// A time of a day with its offset; a leap second is one at the end of a day in UTC only.
fn time(text: &str) -> Result<(), String> {
    if text.len() < 9 {
        return wrong("less than 9 characters long");
    }
    let bytes = text.as_bytes();
    if bytes[2] != b':' || bytes[5] != b':' {
        return wrong("missing colon in correct place");
    }
    let part = |from: usize| text.get(from..from + 2).and_then(number);
    let (Some(hour), Some(minute), Some(second)) = (part(0), part(3), part(6)) else { return wrong("invalid hour/min/sec") };
    if hour > 23 || minute > 59 || second > 60 {
        return wrong("hour/min/sec out of range");
    }
    let mut rest = text.get(8..).unwrap_or_default();
    if let Some(fraction) = rest.strip_prefix('.') {
        let count = digits(fraction);
        if count == 0 {
            return wrong("no digits in second fraction");
        }
        rest = &fraction[count..];
    }
    let mut minutes = i64::from(hour * 60 + minute);
    if !matches!(rest, "z" | "Z") {
        if rest.len() != 6 {
            return wrong("offset must be 6 characters long");
        }
        let sign = match rest.as_bytes()[0] {
            b'+' => -1,
            b'-' => 1,
            _ => return wrong("offset must begin with plus/minus"),
        };
        if rest.as_bytes()[3] != b':' {
            return wrong("missing colon in offset in correct place");
        }
        let part = |from: usize| rest.get(from..from + 2).and_then(number);
        let (Some(hour), Some(minute)) = (part(1), part(4)) else { return wrong("invalid hour/min in offset") };
        if hour > 23 || minute > 59 {
            return wrong("hour/min in offset out of range");
        }
        minutes += sign * i64::from(hour * 60 + minute);
        if minutes < 0 {
            minutes += 24 * 60;
        }
    }
    if second >= 60 && minutes != 23 * 60 + 59 { wrong("invalid leap second") } else { Ok(()) }
}

fn date_time(text: &str) -> Result<(), String> {
    if text.len() < 20 {
        return wrong("less than 20 characters long");
    }
    if !matches!(text.as_bytes()[10], b't' | b'T') {
        return wrong("11th character must be t or T");
    }
    let (Some(day), Some(rest)) = (text.get(..10), text.get(11..)) else { return wrong("invalid date element") };
    date(day).map_err(|error| format!("invalid date element: {error}"))?;
    time(rest).map_err(|error| format!("invalid time element: {error}"))
}

fn url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text.as_bytes())?;
    let host = String::from_utf8_lossy(url.hostname()).into_owned();
    if host.contains(':') {
        if !url.host.contains(&b'[') || !url.host.contains(&b']') {
            return wrong("ipv6 address not enclosed in brackets");
        }
        ipv6(&host).map_err(|error| format!("invalid ipv6 address: {error}"))?;
    }
    Ok(url)
}

fn uri(text: &str) -> Result<(), String> {
    if url(text)?.scheme.is_empty() { wrong("relative url") } else { Ok(()) }
}

fn uri_reference(text: &str) -> Result<(), String> {
    if text.contains('\\') {
        return wrong("contains \\");
    }
    url(text).map(|_| ())
}

/// Braces must not be nested; they are looked for in the path only, and only where it holds such as must be escaped.
fn uri_template(text: &str) -> Result<(), String> {
    let url = url(text)?;
    let is_raw = text.contains(['{', '}', '%']);
    for part in String::from_utf8_lossy(&url.path).split('/').filter(|_| is_raw) {
        let mut is_open = false;
        for brace in part.chars().filter(|c| matches!(c, '{' | '}')) {
            if (brace == '{') == is_open {
                return wrong("nested curly braces");
            }
            is_open = !is_open;
        }
        if is_open {
            return wrong("no matching closing brace");
        }
    }
    Ok(())
}

fn semver(text: &str) -> Result<(), String> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let (rest, build) = text.split_once('+').map_or((text, None), |(rest, build)| (rest, Some(build)));
    if build == Some("") {
        return wrong("build is empty");
    }
    for part in build.into_iter().flat_map(|build| build.split('.')) {
        if part.is_empty() {
            return wrong("build identifier is empty");
        }
        if let Some(other) = part.chars().find(|c| !is_word(*c)) {
            return wrong(format!("invalid character {} in build identifier", quote_rune(other, false)));
        }
    }
    let (core, before) = rest.split_once('-').map_or((rest, None), |(core, before)| (core, Some(before)));
    for part in before.into_iter().flat_map(|before| before.split('.')) {
        if part.is_empty() {
            return wrong("pre-release identifier is empty");
        }
        if let Some(other) = part.chars().find(|c| !is_word(*c)) {
            return wrong(format!("invalid character {} in pre-release identifier", quote_rune(other, false)));
        }
        if part.len() > 1 && part.starts_with('0') && digits(part) == part.len() {
            return wrong("pre-release numeric identifier starts with zero");
        }
    }
    let numbers: Vec<&str> = core.split('.').collect();
    if numbers.len() != 3 {
        return wrong("versionCore must have 3 numbers separated by dot");
    }
    for (number, name) in numbers.iter().zip(["major", "minor", "patch"]) {
        if number.is_empty() {
            return wrong(format!("{name} is empty"));
        }
        if number.len() > 1 && number.starts_with('0') {
            return wrong(format!("{name} starts with zero"));
        }
        if digits(number) != number.len() {
            return wrong(format!("{name} contains non-digit"));
        }
    }
    Ok(())
}
