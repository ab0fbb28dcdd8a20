//! Owns what a scalar means to go-yaml v3 (its `resolve.go`, and what its encoder and decoder make of a node's tag and style together).

use std::borrow::Cow;

use plumb_go::strconv;
use plumb_go::time::Time;
use plumb_yaml::Style;

/// The short tag of a scalar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tag {
    /// Not set: a node that kustomize made from a Go string. What it means is found out from its text.
    None,
    Null,
    Bool,
    Int,
    Float,
    Str,
    Timestamp,
    Binary,
    /// `<<`.
    Merge,
    /// Somebody's own.
    Other,
}

/// A scalar: its text after unquoting, its tag, and how it is written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Scalar<'a> {
    pub(crate) text: &'a str,
    pub(crate) tag: Tag,
    /// One of the scalars' styles.
    pub(crate) style: Style,
    /// Whether the tag is written in the file.
    pub(crate) tagged: bool,
}

/// What a scalar comes to once it is encoded and read again, which is what kustomize does before it prints.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Meaning<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Float(f64),
    Str(Cow<'a, str>),
}

impl<'a> Scalar<'a> {
    /// Returns a scalar as kyaml's `NewScalarRNode` makes it: without a tag.
    pub(crate) fn untagged(text: &'a str) -> Self {
        Self { text, tag: Tag::None, style: Style::Plain, tagged: false }
    }

    /// Returns a text as kyaml's `NewStringRNode` makes it.
    pub(crate) fn string(text: &'a str) -> Self {
        let style = if text.contains('\n') { Style::Literal } else { Style::Plain };
        Self { text, tag: Tag::Str, style, tagged: false }
    }

    pub(crate) fn is_quoted(&self) -> bool {
        !matches!(self.style, Style::Plain)
    }

    /// Returns what it means. The error is Go's message.
    pub(crate) fn meaning(&self) -> Result<Meaning<'a>, String> {
        let text = self.text;
        if self.style == Style::Folded && text.contains('\n') && !matches!(self.tag, Tag::Binary) {
            return Ok(Meaning::Str(refolded(text)));
        }
        let tag = match self.tag {
            Tag::Str if self.is_quoted() && !self.tagged => return Ok(Meaning::Str(Cow::Borrowed(text))),
            Tag::Str | Tag::Other | Tag::Merge => return Ok(Meaning::Str(Cow::Borrowed(text))),
            // Without a tag a line break makes it a literal block, and so a text.
            Tag::None if self.is_quoted() || text.contains('\n') => return Ok(Meaning::Str(Cow::Borrowed(text))),
            Tag::None => return Ok(resolve(text).1),
            tag => tag,
        };
        let (found, meaning) = resolve(text);
        // The encoder leaves a tag out that reading would find again, and then only the text and its quotes decide.
        if !self.tagged && found == tag {
            return Ok(if self.is_quoted() || text.contains('\n') { Meaning::Str(Cow::Borrowed(text)) } else { meaning });
        }
        match (tag, meaning) {
            (Tag::Binary, _) => {
                let bytes = plumb_go::base64::decode(text.as_bytes())
                    .ok_or_else(|| "yaml: !!binary value contains invalid base64 data".to_owned())?;
                Ok(Meaning::Str(Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())))
            }
            (Tag::Float, Meaning::Int(value)) => Ok(Meaning::Float(value as f64)),
            (_, meaning) if found == tag => Ok(meaning),
            _ => Err(format!("yaml: cannot decode {} `{text}` as a {}", name(found), name(tag))),
        }
    }
}

/// Returns what is read of a text that go-yaml v3 wrote folded: a line break before a line that begins with a space is written twice, and stays so
/// (`yaml_emitter_write_folded_scalar`, which asks the start of the text whether what comes is blank).
fn refolded(text: &str) -> Cow<'_, str> {
    let is_special = |c: char| c.is_control() && !matches!(c, '\n' | '\t') || matches!(c, '\u{feff}' | '\u{2028}' | '\u{2029}');
    if text.contains(" \n") || text.ends_with(' ') || text.contains(is_special) {
        // Then it is written in quotes.
        return Cow::Borrowed(text);
    }
    let starts_blank = text.trim_start_matches('\n').starts_with([' ', '\t']) || text.trim_start_matches('\n').is_empty();
    let mut out = String::with_capacity(text.len() * 2);
    out.push('>');
    if text.starts_with([' ', '\n']) {
        out.push('2');
    }
    out.push_str(match text {
        "\n" => "+",
        _ if !text.ends_with('\n') => "-",
        _ if text.ends_with("\n\n") => "+",
        _ => "",
    });
    out.push('\n');
    let (mut after_break, mut leading_space) = (true, true);
    for c in text.chars() {
        if c == '\n' {
            if !after_break && !leading_space && !starts_blank {
                out.push('\n');
            }
            out.push('\n');
            after_break = true;
            continue;
        }
        if after_break {
            out.push_str("  ");
            leading_space = matches!(c, ' ' | '\t');
            after_break = false;
        }
        out.push(c);
    }
    let stream = plumb_yaml::parse(out.as_bytes(), &plumb_yaml::Options::default());
    let read = stream.documents().next().and_then(Result::ok).map(|document| document.root().text().to_owned());
    read.map_or(Cow::Borrowed(text), Cow::Owned)
}

fn name(tag: Tag) -> &'static str {
    match tag {
        Tag::None | Tag::Str | Tag::Other => "!!str",
        Tag::Null => "!!null",
        Tag::Bool => "!!bool",
        Tag::Int => "!!int",
        Tag::Float => "!!float",
        Tag::Timestamp => "!!timestamp",
        Tag::Binary => "!!binary",
        Tag::Merge => "!!merge",
    }
}

/// Returns the short form of a tag that is written in full or with `!!`.
pub(crate) fn short_tag(tag: &str) -> Tag {
    let name = tag.strip_prefix("tag:yaml.org,2002:").or_else(|| tag.strip_prefix("!!"));
    match name {
        Some("null") => Tag::Null,
        Some("bool") => Tag::Bool,
        Some("int") => Tag::Int,
        Some("float") => Tag::Float,
        Some("str") => Tag::Str,
        Some("timestamp") => Tag::Timestamp,
        Some("binary") => Tag::Binary,
        Some("merge") => Tag::Merge,
        _ => Tag::Other,
    }
}

/// Resolves a plain scalar (`resolve.go` of go-yaml v3).
pub(crate) fn resolve(text: &str) -> (Tag, Meaning<'_>) {
    let as_text = || (Tag::Str, Meaning::Str(Cow::Borrowed(text)));
    let Some(first) = text.as_bytes().first() else { return (Tag::Null, Meaning::Null) };
    match first {
        b'+' | b'-' | b'0'..=b'9' | b'.' => {}
        b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'~' if text.len() <= 5 => {}
        b'<' if text == "<<" => return (Tag::Merge, Meaning::Str(Cow::Borrowed(text))),
        _ => return as_text(),
    }
    match text {
        "true" | "True" | "TRUE" => return (Tag::Bool, Meaning::Bool(true)),
        "false" | "False" | "FALSE" => return (Tag::Bool, Meaning::Bool(false)),
        "~" | "null" | "Null" | "NULL" => return (Tag::Null, Meaning::Null),
        ".nan" | ".NaN" | ".NAN" => return (Tag::Float, Meaning::Float(f64::NAN)),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => return (Tag::Float, Meaning::Float(f64::INFINITY)),
        "-.inf" | "-.Inf" | "-.INF" => return (Tag::Float, Meaning::Float(f64::NEG_INFINITY)),
        _ => {}
    }
    match first {
        b'.' => strconv::parse_float(text).map_or_else(|_| as_text(), |value| (Tag::Float, Meaning::Float(value))),
        b'+' | b'-' | b'0'..=b'9' => number(text).unwrap_or_else(as_text),
        _ => as_text(),
    }
}

fn number(text: &str) -> Option<(Tag, Meaning<'_>)> {
    let bytes = text.as_bytes();
    if bytes.len() <= 18 && (bytes[0] != b'0' || bytes.len() == 1) && bytes.iter().all(u8::is_ascii_digit) {
        return Some((Tag::Int, Meaning::Int(bytes.iter().fold(0, |value, digit| value * 10 + i64::from(digit - b'0')))));
    }
    if let Some(time) = timestamp(text) {
        return Some((Tag::Timestamp, Meaning::Str(Cow::Owned(time))));
    }
    let plain: Cow<'_, str> = if bytes.contains(&b'_') { Cow::Owned(text.replace('_', "")) } else { Cow::Borrowed(text) };
    let int = |value| Some((Tag::Int, Meaning::Int(value)));
    let uint = |value| Some((Tag::Int, Meaning::Uint(value)));
    if let Ok(value) = strconv::parse_int(&plain, 0) {
        return int(value);
    }
    if let Ok(value) = strconv::parse_uint(&plain, 0) {
        return uint(value);
    }
    if plumb_yaml::is_float(plain.as_bytes())
        && let Ok(value) = strconv::parse_float(&plain)
    {
        return Some((Tag::Float, Meaning::Float(value)));
    }
    for (prefix, base) in [("0b", 2), ("0o", 8)] {
        if let Some(digits) = plain.strip_prefix(prefix) {
            if let Ok(value) = strconv::parse_int(digits, base) {
                return int(value);
            }
            return strconv::parse_uint(digits, base).ok().and_then(uint);
        }
        if let Some(digits) = plain.strip_prefix('-').and_then(|rest| rest.strip_prefix(prefix)) {
            return strconv::parse_int(&format!("-{digits}"), base).ok().and_then(int);
        }
    }
    None
}

/// Reads a time as go-yaml v3 does, and returns it as JSON writes it.
fn timestamp(text: &str) -> Option<String> {
    /// `allowedTimestampFormats` of go-yaml v3.
    const LAYOUTS: [&str; 4] =
        ["2006-1-2T15:4:5.999999999Z07:00", "2006-1-2t15:4:5.999999999Z07:00", "2006-1-2 15:4:5.999999999", "2006-1-2"];
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    if digits != 4 || text.as_bytes().get(4) != Some(&b'-') {
        return None;
    }
    LAYOUTS
        .iter()
        .find_map(|layout| Time::parse(layout, text.as_bytes()).ok())
        .map(|time| time.format("2006-01-02T15:04:05.999999999Z07:00"))
}

/// Returns whether a plain text is still that text for YAML 1.1, which go-yaml v2 reads (kyaml's `IsValueNonString`, turned around).
pub(crate) fn is_yaml11_text(text: &str) -> bool {
    if text.is_empty() || text.contains('\n') {
        return true;
    }
    let stream = plumb_yaml::parse(text.as_bytes(), &plumb_yaml::Options::default());
    let mut documents = stream.documents();
    match documents.next() {
        Some(Ok(document)) => document.root().kind() == plumb_yaml::Kind::Str,
        Some(Err(_)) => true,
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_mean_what_go_yaml_v3_reads() {
        for (text, tag) in [
            ("yes", Tag::Str),
            ("true", Tag::Bool),
            ("", Tag::Null),
            ("0755", Tag::Int),
            ("0o17", Tag::Int),
            ("1_000", Tag::Int),
            ("1e3", Tag::Float),
            ("2020-01-01", Tag::Timestamp),
            ("1.2.3", Tag::Str),
            ("<<", Tag::Merge),
        ] {
            assert_eq!(resolve(text).0, tag, "{text}");
        }
        assert_eq!(resolve("2020-01-01").1, Meaning::Str("2020-01-01T00:00:00Z".into()));
    }

    #[test]
    fn folded_texts_grow_where_lines_are_indented() {
        let folded = |text| Scalar { text, tag: Tag::Str, style: Style::Folded, tagged: false }.meaning();
        assert_eq!(folded("a\nb\n"), Ok(Meaning::Str("a\nb\n".into())));
        assert_eq!(folded("a\n  b\nc\n"), Ok(Meaning::Str("a\n\n  b\nc\n".into())));
    }

    #[test]
    fn quotes_and_tags_decide_together() {
        let scalar = |text, tag, style, tagged| Scalar { text, tag, style, tagged }.meaning();
        assert_eq!(scalar("3", Tag::Int, Style::DoubleQuoted, false), Ok(Meaning::Str("3".into())));
        assert_eq!(scalar("3", Tag::Str, Style::Plain, false), Ok(Meaning::Str("3".into())));
        assert_eq!(scalar("3", Tag::None, Style::Plain, false), Ok(Meaning::Int(3)));
        assert_eq!(scalar("x", Tag::Int, Style::Plain, false), Err("yaml: cannot decode !!str `x` as a !!int".to_owned()));
        assert_eq!(scalar("3", Tag::Float, Style::Plain, false), Ok(Meaning::Float(3.0)));
    }
}
