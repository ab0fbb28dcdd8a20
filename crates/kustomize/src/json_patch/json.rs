//! Owns what going through JSON does to an object: patches are applied to its JSON, of which the object is read again.

use plumb_go::strconv::format_float_g64;
use plumb_yaml::{NodeRef, Scalar as Read, Style};

use crate::limits::MAX_DEPTH;
use crate::tree::{Field, Kind, Meaning, Node, Scalar, Tag, Texts, View, write_json};

fn scalar<'a>(text: &'a str, tag: Tag) -> Scalar<'a> {
    Scalar { text, tag, style: if tag == Tag::Str { Style::DoubleQuoted } else { Style::Plain }, tagged: false }
}

/// Returns the scalar that JSON and back makes of a meaning. All numbers are floats on the way.
fn canonical<'a>(meaning: Meaning<'_>, texts: &'a Texts) -> Scalar<'a> {
    let number = |value: f64| {
        let text = texts.keep(format_float_g64(value));
        let is_int = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
        scalar(text, if is_int { Tag::Int } else { Tag::Float })
    };
    match meaning {
        Meaning::Null => scalar("null", Tag::Null),
        Meaning::Bool(truth) => scalar(if truth { "true" } else { "false" }, Tag::Bool),
        Meaning::Int(value) => number(value as f64),
        Meaning::Uint(value) => number(value as f64),
        Meaning::Float(value) => number(value),
        Meaning::Str(text) => scalar(texts.keep(text.into_owned()), Tag::Str),
    }
}

/// Returns what JSON and back makes of a node; nothing if it stays the same. The error is Go's message.
pub(super) fn through_json<'a>(view: View<'_, 'a>, texts: &'a Texts, depth: usize) -> Result<Option<Node<'a>>, String> {
    if depth > MAX_DEPTH {
        return Err(format!("lists and maps nest more than {MAX_DEPTH} deep"));
    }
    match view.kind() {
        Kind::Scalar => {
            let Some(own) = view.scalar() else { return Ok(None) };
            // A text stays one, and most other values are written as JSON has them.
            if own.tag == Tag::Str && !own.tagged {
                return Ok(None);
            }
            let found = canonical(own.meaning()?, texts);
            let is_same = own.tag == found.tag && own.text == found.text && !own.tagged && own.style == found.style;
            Ok((!is_same).then(|| Node::scalar(found).stamped(texts.history(view))))
        }
        Kind::List => {
            // No brackets are left, which decides what a value that is added later without a text comes to.
            let mut changed: Option<Node<'a>> = view.is_flow().then(|| view.to_node());
            for (index, item) in view.items().enumerate() {
                if let Some(item) = through_json(item, texts, depth + 1)?
                    && let Some(place) =
                        changed.get_or_insert_with(|| view.to_node()).items_mut(texts).and_then(|items| items.get_mut(index))
                {
                    *place = item;
                }
            }
            Ok(changed.map(|node| node.in_block(texts)))
        }
        Kind::Map => {
            // No brackets are left, which decides what a value that is added later without a text comes to.
            let mut changed: Option<Node<'a>> = view.is_flow().then(|| view.to_node());
            for (index, (key, value)) in view.fields().enumerate() {
                if !key.is_text && depth > 0 {
                    return Err("json: unsupported type: map[interface {}]interface {}".to_owned());
                }
                if let Some(value) = through_json(value, texts, depth + 1)?
                    && let Some(field) =
                        changed.get_or_insert_with(|| view.to_node()).fields_mut(texts).and_then(|fields| fields.get_mut(index))
                {
                    field.value = value;
                }
            }
            Ok(changed.map(|node| node.in_block(texts)))
        }
    }
}

fn meaning_of(read: Read<'_>) -> Meaning<'_> {
    match read {
        Read::Null => Meaning::Null,
        Read::Bool(truth) => Meaning::Bool(truth),
        Read::Int(value) => Meaning::Int(value),
        Read::Uint(value) => Meaning::Uint(value),
        Read::Float(value) => Meaning::Float(value),
        Read::Str(text) => Meaning::Str(text),
    }
}

/// Returns a node of YAML as `sigs.k8s.io/yaml` reads it, which is not always as go-yaml v3 does: `yes` is true.
pub(super) fn from_yaml<'a>(node: NodeRef<'a>, texts: &'a Texts, depth: usize) -> Result<Node<'a>, String> {
    if depth > MAX_DEPTH || means_the_same(node, depth) {
        return Ok(Node::written(node));
    }
    let made = match node.kind() {
        plumb_yaml::Kind::List => Node::list(node.items().map(|item| from_yaml(item, texts, depth + 1)).collect::<Result<_, _>>()?),
        plumb_yaml::Kind::Map => {
            let mut fields = Vec::with_capacity(node.len());
            for entry in node.entries() {
                let text = match entry.key.scalar().map(meaning_of) {
                    Some(Meaning::Str(_)) => entry.key.text(),
                    Some(Meaning::Null) | None => return Err("a key of a map is no text".to_owned()),
                    Some(Meaning::Int(value)) => texts.keep(value.to_string()),
                    Some(meaning) => canonical(meaning, texts).text,
                };
                let mut field = Field::new(text, from_yaml(entry.value, texts, depth + 1)?);
                field.key.is_text = true;
                fields.push(field);
            }
            Node::map(fields)
        }
        _ => Node::scalar(canonical(node.scalar().map_or(Meaning::Null, meaning_of), texts)),
    };
    Ok(made.stamped(texts.written(node)))
}

fn means_the_same(node: NodeRef<'_>, depth: usize) -> bool {
    if depth > MAX_DEPTH {
        return true;
    }
    match node.kind() {
        plumb_yaml::Kind::List => node.items().all(|item| means_the_same(item, depth + 1)),
        plumb_yaml::Kind::Map => {
            View::Written(node).fields().all(|(key, _)| key.is_text)
                && node.entries().all(|entry| matches!(entry.key.scalar(), Some(Read::Str(_))) && means_the_same(entry.value, depth + 1))
        }
        _ => match (View::Written(node).meaning(), node.scalar()) {
            (Some(Ok(meaning)), Some(read)) => meaning == meaning_of(read),
            _ => false,
        },
    }
}

/// Returns whether two values are written as the same JSON; `is_raw` says that the second one is JSON that was not written by Go.
pub(super) fn same(left: View<'_, '_>, right: View<'_, '_>, is_raw: bool, depth: usize) -> bool {
    if left.kind() != right.kind() || depth > MAX_DEPTH {
        return false;
    }
    match left.kind() {
        Kind::Map => {
            left.len() == right.len()
                && left.fields().all(|(key, value)| right.get(key.text).is_some_and(|other| same(value, other, is_raw, depth + 1)))
        }
        Kind::List => {
            left.len() == right.len() && left.items().zip(right.items()).all(|(left, right)| same(left, right, is_raw, depth + 1))
        }
        Kind::Scalar => {
            let text = |view: View<'_, '_>| {
                let mut out = String::new();
                write_json(view, &mut out, false).ok().map(|()| out)
            };
            let raw = right.node_ref().filter(|_| is_raw).and_then(|node| {
                let span = node.span();
                node.stream().text().get(span.start as usize..span.end as usize).map(str::to_owned)
            });
            text(left).is_some_and(|left| raw.or_else(|| text(right)).is_some_and(|right| left == right))
        }
    }
}
