//! Owns reading a map strictly: each field is taken by name and type, what nobody took is an error with the nearest known name, what is known
//! and not carried yet is noted with its reason. Must not know any resource.

use std::time::Duration;

use plumb_build::limits::MAX_COLLECTED;
use plumb_build::{Kind, Member, Node};
use plumb_world::{Diagnostic, RelPath, Span};

use super::suggest::nearest;

/// What reading one resource found out beside its values.
pub(crate) struct Log<'a> {
    path: &'a RelPath,
    /// What is wrong.
    pub(crate) errors: Vec<Diagnostic>,
    /// Fields that are known and not carried, each with reason and place.
    pub(crate) unsupported: Vec<String>,
    /// What no excerpt may show.
    pub(crate) hidden: Vec<Span>,
}

impl<'a> Log<'a> {
    pub(crate) fn new(path: &'a RelPath) -> Self {
        Self { path, errors: Vec::new(), unsupported: Vec::new(), hidden: Vec::new() }
    }

    /// Notes an error at a place, with a hint unless that is empty.
    pub(crate) fn error(&mut self, code: &'static str, message: String, at: Span, hint: &str) {
        if self.errors.len() >= MAX_COLLECTED {
            return;
        }
        let diagnostic = Diagnostic::error(code, message).at(at, "");
        self.errors.push(if hint.is_empty() { diagnostic } else { diagnostic.hint(hint) });
    }

    /// Notes a field that is known and not carried.
    pub(crate) fn unsupported(&mut self, field: &Field<'_>, reason: &str) {
        let place = self.place(field.value);
        self.unsupported.push(format!("`{}`: {reason} ({place})", field.path));
    }

    /// Returns `path:line:column` of a node.
    pub(crate) fn place(&self, node: Node<'_>) -> String {
        let position = node.position();
        format!("{}:{}:{}", self.path, position.line, position.column)
    }
}

/// A field that was there.
#[derive(Clone)]
pub(crate) struct Field<'n> {
    /// The whole path: `spec.policy.timeout`.
    pub(crate) path: String,
    /// Where its name is.
    pub(crate) key_span: Span,
    /// Its value, never null: a field that is null counts as left out, as everywhere in Kubernetes.
    pub(crate) value: Node<'n>,
}

impl<'n> Field<'n> {
    /// Notes that the value has the wrong type.
    fn mistyped(&self, log: &mut Log<'_>, wanted: &str, hint: &str) {
        let message = format!("`{}` is {}, not {wanted}", self.path, self.value.kind().described());
        log.error("type", message, self.value.span(), hint);
    }

    pub(crate) fn text(&self, log: &mut Log<'_>) -> Option<&'n str> {
        let text = self.value.text();
        match text {
            None => {
                let hint = self.value.scalar().map_or_else(String::new, |text| format!("Quote it: `\"{text}\"`."));
                self.mistyped(log, "a string", &hint);
            }
            Some("") => log.error("value", format!("`{}` is empty", self.path), self.value.span(), ""),
            Some(_) => {}
        }
        text.filter(|text| !text.is_empty())
    }

    pub(crate) fn boolean(&self, log: &mut Log<'_>) -> Option<bool> {
        let value = self.value.boolean();
        if value.is_none() {
            self.mistyped(log, "a boolean", "Write `true` or `false`, without quotes.");
        }
        value
    }

    /// Reads one of some words.
    pub(crate) fn word<T: Copy>(&self, log: &mut Log<'_>, words: &[(&str, T)]) -> Option<T> {
        let names: Vec<String> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
        let Some(text) = self.value.text() else {
            self.mistyped(log, "a word", &format!("Write one of {}.", names.join(", ")));
            return None;
        };
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        if found.is_none() {
            let hint = match nearest(text, words.iter().map(|(word, _)| *word)) {
                Some(word) => format!("Did you mean `{word}`?"),
                None => format!("Write one of {}.", names.join(", ")),
            };
            log.error("value", format!("`{}` is `{text}`, which is none of {}", self.path, names.join(", ")), self.value.span(), &hint);
        }
        found
    }

    /// Reads a duration as Go writes it, within bounds.
    pub(crate) fn duration(&self, log: &mut Log<'_>, least: Duration, most: Duration) -> Option<Duration> {
        const HINT: &str = "Write it as `90s`, `5m` or `1h30m`.";
        let Some(text) = self.value.text() else {
            self.mistyped(log, "a duration", HINT);
            return None;
        };
        let Some(duration) = super::duration::parse(text) else {
            log.error("value", format!("`{}` is `{text}`, which is no duration", self.path), self.value.span(), HINT);
            return None;
        };
        if duration < least || duration > most {
            let (least, most) = (super::duration::show(least), super::duration::show(most));
            let message = format!("`{}` is `{text}`, which is not between {least} and {most}", self.path);
            log.error("value", message, self.value.span(), "");
            return None;
        }
        Some(duration)
    }

    /// Reads a list, giving each item its place in the path.
    pub(crate) fn list(&self, log: &mut Log<'_>) -> Vec<Field<'n>> {
        if self.value.kind() != Kind::List {
            self.mistyped(log, "a list", "");
            return Vec::new();
        }
        let items = self.value.items().enumerate();
        items.map(|(at, value)| Field { path: format!("{}[{at}]", self.path), key_span: value.span(), value }).collect()
    }

    pub(crate) fn map(&self, log: &mut Log<'_>) -> Option<Fields<'n>> {
        if self.value.kind() != Kind::Map {
            self.mistyped(log, "a map", "");
            return None;
        }
        Some(Fields::new(&self.path, self.key_span, self.value))
    }
}

/// A map that is being read. [`Fields::finish`] ends it.
pub(crate) struct Fields<'n> {
    path: String,
    /// Where the map's own name is: the place of what is missing in it.
    pub(crate) at: Span,
    members: Vec<Member<'n>>,
    known: Vec<&'static str>,
}

impl<'n> Fields<'n> {
    pub(crate) fn new(path: &str, at: Span, map: Node<'n>) -> Self {
        Self { path: path.to_owned(), at, members: map.members().collect(), known: Vec::new() }
    }

    /// Returns the path of a field of this map.
    pub(crate) fn path(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// Takes a field by name; none when it is left out or null.
    pub(crate) fn take(&mut self, name: &'static str) -> Option<Field<'n>> {
        self.known.push(name);
        let member = self.members.iter().find(|member| member.key == name).filter(|member| member.value.kind() != Kind::Null)?;
        Some(Field { path: self.path(name), key_span: member.key_span, value: member.value })
    }

    /// Takes a field that must be there.
    pub(crate) fn need(&mut self, name: &'static str, log: &mut Log<'_>) -> Option<Field<'n>> {
        let field = self.take(name);
        if field.is_none() {
            log.error("missing", format!("`{}` is missing", self.path(name)), self.at, "");
        }
        field
    }

    /// Notes those of the named fields that are there as known and not carried.
    pub(crate) fn unsupported(&mut self, names: &[(&'static str, &str)], log: &mut Log<'_>) -> bool {
        let mut found = false;
        for (name, reason) in names {
            if let Some(field) = self.take(name) {
                log.unsupported(&field, reason);
                found = true;
            }
        }
        found
    }

    /// Takes all fields, whatever they are called.
    pub(crate) fn take_all(self) -> Vec<(String, Field<'n>)> {
        let path = |name: &str| self.path(name);
        self.members
            .iter()
            .map(|member| (member.key.to_owned(), Field { path: path(member.key), key_span: member.key_span, value: member.value }))
            .collect()
    }

    /// Notes every field that nobody asked for.
    pub(crate) fn finish(self, log: &mut Log<'_>) {
        for member in self.members.iter().filter(|member| !self.known.contains(&member.key)) {
            let hint = match nearest(member.key, self.known.iter().copied()) {
                Some(name) => format!("Did you mean `{name}`?"),
                None if self.known.is_empty() => String::new(),
                None => format!("Known here: {}.", self.known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")),
            };
            log.error("unknown-field", format!("`{}` is no field of a unit", self.path(member.key)), member.key_span, &hint);
        }
    }
}
