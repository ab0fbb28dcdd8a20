//! Owns a node's own text (kyaml's `RNode.String`): as go-yaml v3 writes a tree of nodes, which keeps order, quotes, blocks and brackets. Comments, anchors
//! and folded blocks are not kept, because nothing here knows them.

use plumb_yaml::{Dialect, Emitter, Style};

use super::scalar::{Scalar, Tag, resolve};
use super::view::{Key, Kind, View};

/// Returns the text of a node, with the line break at its end.
pub(crate) fn node_text(view: View<'_, '_>) -> String {
    let mut out = Emitter::with(Dialect::V3 { indent: 2, compact: true }, Vec::new());
    write(view, &mut out);
    String::from_utf8_lossy(&out.finish()).into_owned()
}

fn write(view: View<'_, '_>, out: &mut Emitter) {
    if view.len() > 0 && view.is_flow() {
        let mut line = String::new();
        write_flow(view, &mut line);
        out.plain(&line);
        return;
    }
    match view.kind() {
        Kind::Map => {
            out.begin_map(view.len());
            for (key, value) in view.fields() {
                out.plain_key(&one_line(key.text, key_style(key), false));
                write(value, out);
            }
            out.end();
        }
        Kind::List => {
            out.begin_list(view.len());
            for item in view.items() {
                write(item, out);
            }
            out.end();
        }
        Kind::Scalar => write_scalar(view.scalar().unwrap_or(Scalar::untagged("")), out),
    }
}

fn key_style(key: Key<'_>) -> Style {
    // A block is no key on one line.
    if matches!(key.style, Style::Literal | Style::Folded) { Style::DoubleQuoted } else { key.style }
}

/// How a scalar is written, after what `encode.go` decides.
fn style_of(scalar: &Scalar<'_>) -> Style {
    match scalar.style {
        Style::Plain if scalar.text.contains('\n') => Style::Literal,
        Style::Plain if scalar.tag == Tag::Str && resolve(scalar.text).0 != Tag::Str => Style::DoubleQuoted,
        style => style,
    }
}

/// The tag that has to be written, since reading would not find it.
fn tag_of(scalar: &Scalar<'_>) -> &'static str {
    let found = resolve(scalar.text).0;
    let name = match scalar.tag {
        Tag::None | Tag::Other | Tag::Merge => return "",
        Tag::Str => "!!str ",
        Tag::Null => "!!null ",
        Tag::Bool => "!!bool ",
        Tag::Int => "!!int ",
        Tag::Float => "!!float ",
        Tag::Timestamp => "!!timestamp ",
        Tag::Binary => "!!binary ",
    };
    if scalar.tagged || scalar.tag != Tag::Str && scalar.tag != found { name } else { "" }
}

fn write_scalar(scalar: Scalar<'_>, out: &mut Emitter) {
    let (style, tag) = (style_of(&scalar), tag_of(&scalar));
    match style {
        Style::Literal | Style::Folded if tag.is_empty() && !scalar.text.is_empty() => out.literal(scalar.text),
        Style::Plain if tag.is_empty() && scalar.text.is_empty() => out.nothing(),
        Style::Plain if scalar.text.is_empty() => out.plain(tag.trim_end()),
        _ => out.plain(&format!("{tag}{}", one_line(scalar.text, style, false))),
    }
}

/// A scalar on one line. A plain one that could be read as something else is quoted.
fn one_line(text: &str, style: Style, flow: bool) -> String {
    let is_printable = |c: char| matches!(c, ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fefe}' | '\u{ff00}'..='\u{fffd}');
    let one_line = text.chars().all(is_printable);
    match style {
        Style::SingleQuoted if one_line => single(text),
        Style::Plain | Style::Block | Style::Flow if one_line && text.is_empty() && !flow => String::new(),
        Style::Plain | Style::Block | Style::Flow if one_line && is_plain(text, flow) => text.to_owned(),
        Style::Plain | Style::Block | Style::Flow if one_line => single(text),
        _ => double(text),
    }
}

fn single(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn double(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            '\0' => out.push_str("\\0"),
            '\x07' => out.push_str("\\a"),
            '\x08' => out.push_str("\\b"),
            '\x0b' => out.push_str("\\v"),
            '\x0c' => out.push_str("\\f"),
            '\x1b' => out.push_str("\\e"),
            '\u{85}' => out.push_str("\\N"),
            '\u{a0}' => out.push(c),
            '\u{2028}' => out.push_str("\\L"),
            '\u{2029}' => out.push_str("\\P"),
            '\0'..='\x1f' | '\x7f'..='\u{9f}' => out.push_str(&format!("\\x{:02X}", c as u32)),
            '\u{feff}' => out.push_str("\\uFEFF"),
            '\u{10000}'.. => out.push_str(&format!("\\U{:08X}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Whether no character of a text on one line means something else in its place (`yaml_emitter_analyze_scalar`).
fn is_plain(text: &str, flow: bool) -> bool {
    let bytes = text.as_bytes();
    let blank = |at: usize| bytes.get(at).is_none_or(|byte| matches!(byte, b' ' | b'\t'));
    if text.starts_with(' ') || text.ends_with(' ') || text.starts_with("---") || text.starts_with("...") || text.is_empty() {
        return false;
    }
    match bytes.first() {
        Some(b'#' | b',' | b'[' | b']' | b'{' | b'}' | b'&' | b'*' | b'!' | b'|' | b'>' | b'\'' | b'"' | b'%' | b'@' | b'`') => {
            return false;
        }
        Some(b'?' | b':' | b'-') if blank(1) || flow && bytes.first() != Some(&b'-') => return false,
        _ => {}
    }
    let inside = |(at, byte): (usize, &u8)| match byte {
        b':' => blank(at + 1) || flow,
        b'#' => at > 0 && blank(at - 1),
        b',' | b'?' | b'[' | b']' | b'{' | b'}' => flow,
        _ => false,
    };
    !bytes.iter().enumerate().any(inside)
}

fn write_flow(view: View<'_, '_>, out: &mut String) {
    match view.kind() {
        Kind::Map => {
            out.push('{');
            for (at, (key, value)) in view.fields().enumerate() {
                out.push_str(if at > 0 { ", " } else { "" });
                out.push_str(&one_line(key.text, key_style(key), true));
                out.push_str(": ");
                write_flow(value, out);
            }
            out.push('}');
        }
        Kind::List => {
            out.push('[');
            for (at, item) in view.items().enumerate() {
                out.push_str(if at > 0 { ", " } else { "" });
                write_flow(item, out);
            }
            out.push(']');
        }
        Kind::Scalar => {
            let scalar = view.scalar().unwrap_or(Scalar::untagged(""));
            out.push_str(tag_of(&scalar));
            out.push_str(&one_line(scalar.text, style_of(&scalar), true));
        }
    }
}
