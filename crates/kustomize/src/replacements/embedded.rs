//! Owns replacing inside of texts that are JSON or YAML themselves: they are read, changed and written again in the way they were written.

use plumb_world::Diagnostic;

use super::{Value, comments, stamp};
use crate::path::{Walk, lookup, lookup_mut};
use crate::tree::{Kind, Node, Scalar, node_text, write_json};

/// Puts a value into a text that a path goes through. Returns whether there is one and it worked; else the path is taken for one without.
pub(super) fn put<'a>(root: &mut Node<'a>, parts: &[String], create: Option<Kind>, value: &Value<'a>, walk: Walk<'_, 'a>) -> bool {
    let is_text = |end: &usize| {
        let found = parts.get(..*end).and_then(|parts| lookup(root.view(), parts).ok().flatten());
        found.is_some_and(|found| found.kind() == Kind::Scalar && is_yaml(found.text()))
    };
    let Some(end) = (1..parts.len()).find(is_text) else { return false };
    let (Some(outer), Some(inner)) = (parts.get(..end), parts.get(end..)) else { return false };
    let Ok(Some(node)) = lookup_mut(root, outer, None, walk) else { return false };
    let Some(old) = node.view().scalar() else { return false };
    let Ok(mut tree) = walk.parse(old.text) else { return false };
    let bare = old.text.contains('#').then(|| node_text(tree.view()));
    let changed = walk.each(&mut tree, inner, create, &mut |node| {
        let new = match node.view().scalar() {
            Some(old) => Node::scalar(Scalar { text: value.node.view().text(), ..old }),
            None => value.node.clone(),
        };
        *node = new;
        Ok(())
    });
    if !matches!(changed, Ok(1..)) {
        return false;
    }
    let Some(mut text) = written_as(&tree, old.text) else { return false };
    if let Some(bare) = bare.filter(|_| !is_json(old.text)) {
        match comments::put_back(old.text, &bare, &text) {
            Some(with_comments) => text = with_comments.trim().to_owned(),
            None => walk.run.warn(lost_comments(walk)),
        }
    }
    stamp(node, Node::scalar(Scalar { text: walk.run.texts.keep(text), ..old }), value, walk);
    true
}

fn is_yaml(text: &str) -> bool {
    let stream = plumb_yaml::parse(text.as_bytes(), &plumb_yaml::Options::default());
    stream.documents().next().is_none_or(|document| document.is_ok())
}

fn is_json(text: &str) -> bool {
    text.trim_start().starts_with(['{', '['])
}

fn lost_comments(walk: Walk<'_, '_>) -> Diagnostic {
    let message = "a text that is YAML lost its comments, or what looked like some, when a value in it was replaced";
    let warning =
        Diagnostic::warning("lost-comments", message).hint("Write that text with an indentation of two spaces and one value a line.");
    match walk.stamp.place {
        Some(place) => warning.at(place, ""),
        None => warning,
    }
}

/// Writes a tree as JSON or YAML, whichever it was before.
fn written_as(tree: &Node<'_>, before: &str) -> Option<String> {
    if !is_json(before) {
        return Some(node_text(tree.view()).trim().to_owned());
    }
    let mut json = String::new();
    write_json(tree.view(), &mut json, false).ok()?;
    Some(if before.contains('\n') && before.contains("  ") { indented(&json) } else { json })
}

/// Indents JSON that has no spaces, as Go's `MarshalIndent` does with two.
fn indented(json: &str) -> String {
    let mut out = String::with_capacity(json.len() * 2);
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    let mut runes = json.chars().peekable();
    let line = |out: &mut String, depth: usize| {
        out.push('\n');
        out.extend(std::iter::repeat_n("  ", depth));
    };
    while let Some(rune) = runes.next() {
        if in_text {
            out.push(rune);
            in_text = escaped || rune != '"';
            escaped = !escaped && rune == '\\';
            continue;
        }
        match rune {
            '{' | '[' => {
                out.push(rune);
                if let Some(close) = runes.next_if(|next| matches!(next, '}' | ']')) {
                    out.push(close);
                } else {
                    depth += 1;
                    line(&mut out, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                line(&mut out, depth);
                out.push(rune);
            }
            ',' => {
                out.push(rune);
                line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            rune => {
                in_text = rune == '"';
                out.push(rune);
            }
        }
    }
    out
}
