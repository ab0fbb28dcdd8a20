//! Owns the view of YAML that the build and the dialects share: documents of a file with places in that file, mistakes as diagnostics.
//! Reading itself is `plumb-yaml`'s; what a document means is the caller's.

use plumb_world::{Diagnostic, FileId, FileTable, Position, Span};
use plumb_yaml::{Error, ErrorCode, NodeRef, Options, Stream};
use serde_json::Value;

use crate::limits::MAX_COLLECTED;

/// What a node is, in the words of JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Nothing: `null`, `~`, or no text at all.
    Null,
    /// `true`, `yes`, `on` and so on.
    Bool,
    /// A whole number.
    Integer,
    /// Any other number.
    Number,
    /// Text.
    Text,
    /// Bytes written as Base64 behind `!!binary`.
    Binary,
    /// A list.
    List,
    /// A map.
    Map,
}

impl Kind {
    /// Returns what messages call it, with its article.
    pub fn described(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool => "a boolean",
            Self::Integer => "an integer",
            Self::Number => "a number",
            Self::Text => "a string",
            Self::Binary => "binary data",
            Self::List => "a list",
            Self::Map => "a map",
        }
    }
}

/// The code of the error that a key is set twice: the document can be read all the same.
pub const DUPLICATE_KEY: &str = "yaml-duplicate-key";

/// The documents of one file.
#[derive(Debug)]
pub struct Documents {
    stream: Stream,
    file: FileId,
    /// Whether places in the file are places in the text that was read: not so for UTF-16.
    pub(crate) as_written: bool,
}

/// Reads a file. Each document that cannot be read, and each key that is set twice, becomes an error; the other documents are there.
pub fn read_documents(text: &[u8], file: FileId, errors: &mut Vec<Diagnostic>) -> Documents {
    let stream = plumb_yaml::parse(text, &Options::default());
    for document in stream.documents() {
        let room = MAX_COLLECTED.saturating_sub(errors.len());
        match document {
            Err(wrong) => errors.extend(wrong.iter().take(room).map(|error| diagnostic(error, &stream, file))),
            Ok(document) => errors.extend(document.duplicates().take(room).map(|twice| {
                Diagnostic::error(DUPLICATE_KEY, format!("the key `{}` is set twice in one map", twice.key))
                    .at(twice.again.in_file(file), "set again here")
                    .at(twice.first.in_file(file), "first set here")
                    .hint("Keep one of them: the first one would be lost.")
            })),
        }
    }
    let as_written = stream.text().as_bytes() == text;
    Documents { stream, file, as_written }
}

impl Documents {
    /// Returns the root of each document that could be read and holds anything at all (`null` is nothing).
    pub fn roots(&self) -> impl Iterator<Item = Node<'_>> {
        let documents = self.stream.documents().filter_map(Result::ok).map(|document| Node { node: document.root(), file: self.file });
        documents.filter(|root| root.kind() != Kind::Null)
    }
}

/// A node of a document; cheap to copy.
#[derive(Clone, Copy, Debug)]
pub struct Node<'a> {
    node: NodeRef<'a>,
    file: FileId,
}

/// One entry of a map.
#[derive(Clone, Copy, Debug)]
pub struct Member<'a> {
    /// The key, as JSON names it.
    pub key: &'a str,
    /// Where the key is.
    pub key_span: Span,
    /// The value.
    pub value: Node<'a>,
}

impl<'a> Node<'a> {
    /// Returns what the node is.
    pub fn kind(self) -> Kind {
        match self.node.kind() {
            plumb_yaml::Kind::Null | plumb_yaml::Kind::Alias => Kind::Null,
            plumb_yaml::Kind::Bool => Kind::Bool,
            plumb_yaml::Kind::Int | plumb_yaml::Kind::Uint => Kind::Integer,
            plumb_yaml::Kind::Float => Kind::Number,
            plumb_yaml::Kind::Str if self.node.as_str().is_some() => Kind::Text,
            plumb_yaml::Kind::Str => Kind::Binary,
            plumb_yaml::Kind::List => Kind::List,
            plumb_yaml::Kind::Map => Kind::Map,
        }
    }

    /// Returns where the node is written; for what came through an alias, where that is.
    pub fn span(self) -> Span {
        self.node.span().in_file(self.file)
    }

    /// Returns line and column of where the node is written.
    pub fn position(self) -> Position {
        self.node.stream().position(self.node.span().start)
    }

    /// Returns the first line of where the node is written: the place of what is missing in it.
    pub fn first_line(self) -> Span {
        let span = self.span();
        let text = self.node.stream().text();
        let written = text.get(span.start as usize..span.end as usize).unwrap_or("");
        let line = written.lines().next().unwrap_or("").trim_end().len();
        Span { end: span.start + u32::try_from(line).unwrap_or(0), ..span }
    }

    /// Returns a text; nothing for all that is not text.
    pub fn text(self) -> Option<&'a str> {
        self.node.as_str()
    }

    /// Returns the text a scalar is written as, whatever it means; nothing for lists and maps.
    pub fn scalar(self) -> Option<&'a str> {
        (!matches!(self.kind(), Kind::List | Kind::Map)).then(|| self.node.text())
    }

    /// Returns a boolean.
    pub fn boolean(self) -> Option<bool> {
        self.node.as_bool()
    }

    /// Returns the value of a map's key.
    pub fn get(self, key: &str) -> Option<Node<'a>> {
        self.node.get(key).map(|node| Node { node, ..self })
    }

    /// Returns a map's entry with its key's place.
    pub fn member(self, key: &str) -> Option<Member<'a>> {
        let sym = self.node.stream().sym(key)?;
        self.members_of().find(|entry| entry.key.sym() == sym).map(|entry| self.entry(entry))
    }

    /// Returns a map's entries in the order they are written; nothing for others.
    pub fn members(self) -> impl Iterator<Item = Member<'a>> + use<'a> {
        self.members_of().map(move |entry| self.entry(entry))
    }

    /// Returns a list's items; nothing for others.
    pub fn items(self) -> impl Iterator<Item = Node<'a>> + use<'a> {
        self.node.items().map(move |node| Node { node, ..self })
    }

    /// Returns the node as a JSON tree. An error is a value that JSON has not, or nesting deeper than any API server takes.
    pub fn to_value(self) -> Result<Value, Box<Diagnostic>> {
        let mut json = Vec::new();
        plumb_yaml::to_json(self.node, &mut json).map_err(|error| Box::new(diagnostic(&error, self.node.stream(), self.file)))?;
        serde_json::from_slice(&json).map_err(|_| {
            let message = format!("the object is nested deeper than {MAX_JSON_DEPTH} levels");
            Box::new(Diagnostic::error("depth", message).at(self.first_line(), ""))
        })
    }

    fn members_of(self) -> plumb_yaml::Entries<'a> {
        self.node.entries()
    }

    fn entry(self, entry: plumb_yaml::Entry<'a>) -> Member<'a> {
        Member { key: entry.name(), key_span: entry.key.span().in_file(self.file), value: Node { node: entry.value, ..self } }
    }
}

/// How deep an object may nest: what `serde_json` reads. CustomResourceDefinitions, the deepest there are, stay far below it.
pub(crate) const MAX_JSON_DEPTH: usize = 127;

/// Says what is wrong with a document. Texts that quote a value are replaced: it may be a secret.
fn diagnostic(error: &Error, stream: &Stream, file: FileId) -> Diagnostic {
    let message = match error.code {
        ErrorCode::Tag => "the value does not fit its tag".to_owned(),
        ErrorCode::KeyType => "a key is null, or a number that JSON cannot have as a key".to_owned(),
        ErrorCode::CollectionKey => "a list or map stands where a key is expected".to_owned(),
        ErrorCode::NotJson => "the value is not in JSON: infinities and not-a-number cannot be applied".to_owned(),
        _ => error.message.clone(),
    };
    let diagnostic = Diagnostic::error(error.code.as_str(), message).at(place(error, stream, file), "");
    match hint(error, stream) {
        Some(hint) => diagnostic.hint(hint),
        None => diagnostic,
    }
}

/// Returns where to point: what is missing at the end of a text is missing behind its last word, not on an empty line below.
fn place(error: &Error, stream: &Stream, file: FileId) -> Span {
    let span = error.span.in_file(file);
    let text = stream.text();
    match text.get(span.start as usize..) {
        Some(rest) if rest.trim().is_empty() => {
            let end = u32::try_from(text.trim_end().len()).unwrap_or(span.start).min(span.start);
            Span { start: end, end, ..span }
        }
        _ => span,
    }
}

/// Guesses what was meant, where experience tells.
fn hint(error: &Error, stream: &Stream) -> Option<&'static str> {
    let text = stream.text();
    let at = (error.span.start as usize).min(text.len());
    let before = text.get(..at)?;
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let line = text.get(line_start..)?.lines().next().unwrap_or("");
    let indent = &line[..line.len() - line.trim_start().len()];
    // Only around the place: a file may have many errors, and each would read all of it.
    const AROUND: usize = 1000;
    let nearby = &text[text.floor_char_boundary(at.saturating_sub(AROUND))..text.floor_char_boundary(at.saturating_add(AROUND))];
    match error.code {
        ErrorCode::Syntax if nearby.contains("{{") => Some("This looks like a Helm template: name the folder that has `Chart.yaml`."),
        ErrorCode::Syntax if indent.contains('\t') => Some("YAML takes no tabs for indentation: use spaces."),
        ErrorCode::Syntax if line.contains(": ") && error.message.contains("mapping values are not allowed") => {
            Some("A text with `: ` in it has to be quoted.")
        }
        ErrorCode::AliasBudget => Some("The aliases of this document expand to far more than it holds: write it out, or split it."),
        _ => None,
    }
}

/// Hides what may be secret in a file that could not be read whole: with a Secret anywhere in it, every value.
pub(crate) fn hide_secrets_of_text(text: &[u8], file: FileId, files: &mut FileTable) {
    if !mentions_secret(text) {
        return;
    }
    let mut start = 0;
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        let end = start + line.len();
        let open = [&b"apiVersion:"[..], b"kind:", b"metadata:", b"---", b"#"].iter().any(|head| line.starts_with(head));
        let value = line.iter().position(|byte| *byte == b':').map_or(0, |at| at + 1);
        let value = value + line[value..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        if !open && value < line.len() {
            let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
            files.hide(Span { file, start: place(start + value), end: place(start + line.trim_ascii_end().len()) });
        }
        start = end;
    }
}

/// Returns whether a text says `kind: Secret`, in YAML's or JSON's way.
fn mentions_secret(text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text);
    text.match_indices("Secret").any(|(at, word)| {
        let before = text[..at].trim_end_matches(|c: char| c.is_whitespace() || c == '"' || c == '\'');
        let key = before.strip_suffix(':').map(|before| before.trim_end_matches([' ', '"', '\'']));
        let whole = !text[at + word.len()..].starts_with(|c: char| c.is_alphanumeric());
        whole && key.is_some_and(|key| key.ends_with("kind"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_found_in_texts_that_do_not_parse() {
        for text in ["kind: Secret\n", "{\"kind\": \"Secret\"", "kind:   'Secret'", "a: [\n---\nkind: Secret"] {
            assert!(mentions_secret(text.as_bytes()), "{text}");
        }
        for text in ["kind: SecretStore", "name: Secret", "Secret", "kind: ConfigMap # a Secret"] {
            assert!(!mentions_secret(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn nesting_deeper_than_json_reads_is_an_error() {
        let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        let value =
            |text: &str| read_documents(text.as_bytes(), FileId(0), &mut Vec::new()).roots().next().expect("a document").to_value().is_ok();
        assert!(value(&nested(MAX_JSON_DEPTH)));
        assert!(!value(&nested(MAX_JSON_DEPTH + 1)));
    }
}
