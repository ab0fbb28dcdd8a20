//! Owns reading configuration: maps with known fields, as `encoding/json` reads them into structs (field names in any case, null as nothing), with
//! every mistake at its place and a guess at what was meant.

use plumb_world::{Diagnostic, Span};
use plumb_yaml::Scalar as Read;

use crate::problem::{Failure, Outcome, wrong};
use crate::run::Run;
use crate::tree::{Key, Kind, Meaning, View};

/// How a configuration is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// A kustomization: scalars as `sigs.k8s.io/yaml` reads them (`yes` is true), unknown fields are mistakes.
    Kustomization,
    /// The configuration of a plugin, which is an object: scalars as go-yaml v3 reads them, unknown fields are ignored.
    Plugin,
}

/// A map with known fields, while it is read. Mistakes are gathered until [`close`](Self::close).
pub(crate) struct Fields<'r, 't, 'a> {
    run: &'r Run<'a>,
    view: View<'t, 'a>,
    /// What the map is, for messages: `images[0]`.
    what: String,
    mode: Mode,
    known: Vec<&'static str>,
    /// Whether it may have any fields.
    open: bool,
    mistakes: Vec<Diagnostic>,
}

impl<'r, 't, 'a> Fields<'r, 't, 'a> {
    /// Opens a map. A null has no fields; anything else that is no map is a mistake.
    pub(crate) fn open(run: &'r Run<'a>, view: View<'t, 'a>, what: impl Into<String>, mode: Mode) -> Self {
        let mut fields = Self { run, view, what: what.into(), mode, known: Vec::new(), open: false, mistakes: Vec::new() };
        if view.kind() != Kind::Map && !is_nothing(view) {
            let message = format!("{} is {}, not a map", fields.what, kind_name(view));
            fields.mistakes.push(wrong("kustomization-field", message, run.texts.place(view)));
        }
        fields
    }

    /// Returns where the map is.
    pub(crate) fn place(&self) -> Option<Span> {
        self.run.texts.place(self.view)
    }

    /// Returns where a field's value is.
    pub(crate) fn place_of(&self, name: &str) -> Option<Span> {
        self.view.get(name).and_then(|value| self.run.texts.place(value))
    }

    pub(crate) fn run(&self) -> &'r Run<'a> {
        self.run
    }

    /// Returns the view of a field that is not null: by its name, else by its name in another case.
    pub(crate) fn get(&mut self, name: &'static str) -> Option<View<'t, 'a>> {
        self.known.push(name);
        let found =
            self.view.get(name).or_else(|| self.view.fields().find(|(key, _)| key.text.eq_ignore_ascii_case(name)).map(|(_, value)| value));
        found.filter(|value| !is_nothing(*value))
    }

    /// Returns whether a field is there, be it null.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.view.get(name).is_some()
    }

    fn mistake(&mut self, name: &str, value: View<'t, 'a>, wanted: &str) {
        let found = match kind_name(value) {
            // What is a text for YAML 1.2, like `y`, is none where a kustomization is read.
            "a text" if wanted == "a text" => "true, false or a number in YAML 1.1",
            found => found,
        };
        let message = format!("{} is {found}, not {wanted}", self.path(name));
        let mut diagnostic = wrong("kustomization-field", message, self.run.texts.place(value));
        if wanted == "a text" && value.kind() == Kind::Scalar {
            diagnostic = diagnostic.hint(format!("Write it in quotes: \"{}\".", value.text()));
        }
        self.mistakes.push(diagnostic);
    }

    fn path(&self, name: &str) -> String {
        if self.what.is_empty() { format!("`{name}`") } else { format!("`{name}` of {}", self.what) }
    }

    /// Reads a text; empty if there is none.
    pub(crate) fn text(&mut self, name: &'static str) -> &'a str {
        self.text_if_any(name).unwrap_or("")
    }

    pub(crate) fn text_if_any(&mut self, name: &'static str) -> Option<&'a str> {
        let value = self.get(name)?;
        let text = text_of(value, self.mode, self.run);
        if text.is_none() {
            self.mistake(name, value, "a text");
        }
        text
    }

    /// Reads a text with its place; empty if there is none.
    pub(crate) fn placed(&mut self, name: &'static str) -> Placed<'a> {
        let place = self.field_place(name);
        Placed { text: self.text(name), place }
    }

    /// Returns where a field's value is.
    pub(crate) fn field_place(&self, name: &str) -> Option<Span> {
        self.view.get(name).and_then(|value| self.run.texts.place(value))
    }

    /// Reads all entries as texts, whatever their keys.
    pub(crate) fn all_texts(&mut self) -> Vec<(&'a str, Placed<'a>)> {
        let mut entries = Vec::new();
        for (key, value) in self.view.fields() {
            match text_of(value, self.mode, self.run) {
                Some(text) => entries.push((key.text, Placed { text, place: self.run.texts.place(value) })),
                None if is_nothing(value) => entries.push((key.text, Placed::default())),
                None => self.mistake(key.text, value, "a text"),
            }
        }
        self.open = true;
        entries
    }

    /// Returns whether a known field other than these has something in it.
    pub(crate) fn says_something(&self, except: &[&str]) -> bool {
        self.view.fields().any(|(key, value)| {
            let is_text = value.scalar().is_some();
            !(except.contains(&key.text) || is_nothing(value) || is_text && value.text().is_empty())
        })
    }

    pub(crate) fn truth(&mut self, name: &'static str) -> bool {
        let Some(value) = self.get(name) else { return false };
        let truth = match self.mode {
            Mode::Kustomization => value.node_ref().and_then(|node| node.as_bool()),
            Mode::Plugin => match value.meaning() {
                Some(Ok(Meaning::Bool(truth))) => Some(truth),
                _ => None,
            },
        };
        if truth.is_none() {
            self.mistake(name, value, "true or false");
        }
        truth.unwrap_or(false)
    }

    pub(crate) fn int(&mut self, name: &'static str) -> i64 {
        let Some(value) = self.get(name) else { return 0 };
        let number = match value.meaning() {
            Some(Ok(Meaning::Int(number))) => Some(number),
            _ => None,
        };
        if number.is_none() {
            self.mistake(name, value, "a whole number");
        }
        number.unwrap_or(0)
    }

    /// Reads a list of texts, each with where it is.
    pub(crate) fn texts(&mut self, name: &'static str) -> Vec<Placed<'a>> {
        let mut texts = Vec::new();
        for item in self.items(name) {
            match text_of(item, self.mode, self.run) {
                Some(text) => texts.push(Placed { text, place: self.run.texts.place(item) }),
                None if is_nothing(item) => texts.push(Placed { text: "", place: self.run.texts.place(item) }),
                None => self.mistake(name, item, "a list of texts"),
            }
        }
        texts
    }

    /// Reads a map of texts in its order.
    pub(crate) fn text_map(&mut self, name: &'static str) -> Vec<(&'a str, Placed<'a>)> {
        let Some(map) = self.get(name) else { return Vec::new() };
        if map.kind() != Kind::Map {
            self.mistake(name, map, "a map of texts");
            return Vec::new();
        }
        let mut entries = Vec::new();
        for (key, value) in map.fields() {
            let place = self.run.texts.place(value);
            let name = self.key_name(key);
            match text_of(value, self.mode, self.run) {
                Some(text) => entries.push((name, Placed { text, place })),
                None if is_nothing(value) => entries.push((name, Placed { text: "", place })),
                None => {
                    let message = format!("`{}` of {} is {}, not a text", key.text, self.path(name), kind_name(value));
                    let hint = format!("Write it in quotes: \"{}\".", value.text());
                    self.mistakes.push(wrong("kustomization-field", message, place).hint(hint));
                }
            }
        }
        entries
    }

    /// A key as JSON names it where YAML 1.1 was read: `false` for `n`.
    fn key_name(&self, key: Key<'a>) -> &'a str {
        if self.mode != Mode::Kustomization || key.is_quoted() {
            return key.text;
        }
        match key.text {
            "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" | "true" | "True" | "TRUE" => "true",
            "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" | "false" | "False" | "FALSE" => "false",
            other => other,
        }
    }

    /// Returns the items of a list.
    pub(crate) fn items(&mut self, name: &'static str) -> Vec<View<'t, 'a>> {
        let Some(value) = self.get(name) else { return Vec::new() };
        if value.kind() != Kind::List {
            self.mistake(name, value, "a list");
            return Vec::new();
        }
        value.items().collect()
    }

    /// Reads a list of maps, each by a function of its own.
    pub(crate) fn list<T>(&mut self, name: &'static str, read: impl Fn(Fields<'r, 't, 'a>) -> Outcome<T>) -> Vec<T> {
        let items = self.items(name);
        let (run, mode) = (self.run, self.mode);
        let mut values = Vec::with_capacity(items.len());
        for (index, item) in items.into_iter().enumerate() {
            match read(Fields::open(run, item, format!("{name}[{index}]"), mode)) {
                Ok(value) => values.push(value),
                Err(failure) => self.take(failure),
            }
        }
        values
    }

    /// Reads a map by a function of its own; nothing if it is not there.
    pub(crate) fn map<T>(&mut self, name: &'static str, read: impl FnOnce(Fields<'r, 't, 'a>) -> Outcome<T>) -> Option<T> {
        let value = self.get(name)?;
        let what = if self.what.is_empty() { name.to_owned() } else { format!("{}.{name}", self.what) };
        match read(Fields::open(self.run, value, what, self.mode)) {
            Ok(value) => Some(value),
            Err(failure) => {
                self.take(failure);
                None
            }
        }
    }

    fn take(&mut self, failure: Failure) {
        match failure {
            Failure::Wrong(mistakes) => self.mistakes.extend(mistakes),
            Failure::World(error) => self.mistakes.push(wrong("kustomization-field", error.to_string(), self.place())),
        }
    }

    /// Adds a mistake that the reader of a map found.
    pub(crate) fn wrong(&mut self, message: impl Into<String>) {
        self.mistakes.push(wrong("kustomization-field", message, self.place()));
    }

    /// Ends reading: all mistakes, fields that nobody knows among them.
    pub(crate) fn close(mut self) -> Outcome<()> {
        if self.mode == Mode::Kustomization && !self.open {
            for (key, value) in self.view.fields() {
                if self.known.iter().any(|known| known.eq_ignore_ascii_case(key.text)) {
                    continue;
                }
                let owner = if self.what.is_empty() { "a kustomization" } else { &self.what };
                let message = format!("unknown field `{}` of {owner}", key.text);
                let place = self.run.texts.key_place(self.view, key.text).or_else(|| self.run.texts.place(value));
                let mut diagnostic = wrong("unknown-field", message, place);
                if let Some(near) = plumb_helm::nearest(key.text, self.known.iter().copied()) {
                    diagnostic = diagnostic.hint(format!("Did you mean `{near}`?"));
                }
                self.mistakes.push(diagnostic);
            }
        }
        if self.mistakes.is_empty() { Ok(()) } else { Err(Failure::Wrong(self.mistakes)) }
    }
}

/// A text and where it is written.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Placed<'a> {
    pub(crate) text: &'a str,
    pub(crate) place: Option<Span>,
}

fn is_nothing(view: View<'_, '_>) -> bool {
    view.is_null()
}

/// Returns a scalar that is a text. The configuration of a plugin takes truths and numbers for texts as well, as `sigs.k8s.io/yaml` does where it
/// knows that a text is wanted.
fn text_of<'a>(view: View<'_, 'a>, mode: Mode, run: &Run<'a>) -> Option<&'a str> {
    match mode {
        Mode::Kustomization => match view.node_ref()?.scalar()? {
            Read::Str(_) => Some(view.text()),
            _ => None,
        },
        // Where a text is wanted, other scalars are taken for what they are written as.
        Mode::Plugin => match view.meaning()? {
            Ok(Meaning::Str(text)) if text == view.text() => Some(view.text()),
            Ok(Meaning::Str(text)) => Some(run.texts.keep(text.into_owned())),
            Ok(Meaning::Bool(truth)) => Some(if truth { "true" } else { "false" }),
            Ok(Meaning::Int(number)) => Some(run.texts.keep(number.to_string())),
            Ok(Meaning::Uint(number)) => Some(run.texts.keep(number.to_string())),
            Ok(Meaning::Float(number)) => Some(run.texts.keep(plumb_go::strconv::format_float(number, 'g', None))),
            Ok(Meaning::Null) | Err(_) => None,
        },
    }
}

fn kind_name(view: View<'_, '_>) -> &'static str {
    match view.kind() {
        Kind::Map => "a map",
        Kind::List => "a list",
        Kind::Scalar => match view.meaning() {
            Some(Ok(Meaning::Null)) => "null",
            Some(Ok(Meaning::Bool(_))) => "true or false",
            Some(Ok(Meaning::Int(_) | Meaning::Uint(_) | Meaning::Float(_))) => "a number",
            _ => "a text",
        },
    }
}
