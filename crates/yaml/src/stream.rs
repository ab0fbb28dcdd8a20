//! Owns what callers see: streams, documents, and nodes as cheap references.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use plumb_world::Position;

use crate::arena::{Arena, Kind, Node, flag};
use crate::error::{ByteSpan, Error, ErrorCode};
use crate::limits::{MAX_BYTES, Options};
use crate::lines::Lines;
use crate::names::Sym;
use crate::read::{Read, read};
use crate::reader::Input;
use crate::resolve::{Resolved, resolve_plain};
use crate::token::Style;

/// What is known of one document.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) start: u32,
    pub(crate) end: u32,
    /// The tree as it is written; 0 when there is none.
    pub(crate) raw: u32,
    /// The tree as it is meant; 0 when there are errors.
    pub(crate) root: u32,
    pub(crate) duplicates: Vec<(u32, u32)>,
    pub(crate) errors: Vec<Error>,
}

impl Record {
    pub(crate) fn failed(start: u32, end: u32, errors: Vec<Error>) -> Self {
        Self { start, end, raw: 0, root: 0, duplicates: Vec::new(), errors }
    }
}

/// A text that was read: its documents, all in one arena. It can be shared between threads.
pub struct Stream {
    text: Arc<str>,
    arena: Arena,
    records: Vec<Record>,
    lines: OnceLock<Lines>,
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream").field("bytes", &self.text.len()).field("documents", &self.records).finish_non_exhaustive()
    }
}

/// Reads all documents of a text: UTF-8, or UTF-16 with a byte-order mark.
///
/// It always gives a stream: what is wrong with a document is that document's errors, and reading goes on at the next line
/// that begins with `---`. Spans are byte ranges of [`Stream::text`], which for UTF-8 input are those of the input.
pub fn parse(text: &[u8], options: &Options) -> Stream {
    if let Some(error) = too_long(text.len(), options) {
        return Stream::refused(Arc::from(""), error);
    }
    Stream::read(Input::decode(text), options, Arena::new(0))
}

fn too_long(bytes: usize, options: &Options) -> Option<Error> {
    let limit = options.max_bytes.min(MAX_BYTES);
    let span = ByteSpan { start: 0, end: 0 };
    let message = format!("a stream has {bytes} bytes; it may have {limit}");
    (bytes > limit).then_some(Error { code: ErrorCode::Limit, message, go_line: None, span })
}

/// Reads all documents of a text without copying it.
pub fn parse_str(text: Arc<str>, options: &Options) -> Stream {
    Stream::read(Input::from_text(text), options, Arena::new(0))
}

/// Memory for texts that are read one after the other.
#[derive(Default)]
pub struct Memory(Option<Arena>);

impl Memory {
    /// Reads all documents of a text without copying it.
    pub fn parse_str(&mut self, text: Arc<str>, options: &Options) -> Stream {
        let arena = self.0.take().unwrap_or_else(|| Arena::new(0));
        Stream::read(Input::from_text(text), options, arena)
    }

    /// Takes the memory of a text that nobody looks at any more.
    pub fn take_back(&mut self, stream: Stream) {
        self.0 = Some(stream.arena);
    }
}

impl Stream {
    fn refused(text: Arc<str>, error: Error) -> Self {
        Self { text, arena: Arena::new(0), records: vec![Record::failed(0, 0, vec![error])], lines: OnceLock::new() }
    }

    fn read(input: Input, options: &Options, memory: Arena) -> Self {
        // UTF-16 can grow by half.
        if let Some(error) = too_long(input.text.len(), options) {
            return Self::refused(input.text, error);
        }
        let Read { arena, records } = read(&input, options, memory);
        Self { text: input.text, arena, records, lines: OnceLock::new() }
    }

    /// Returns the documents in order; for one that cannot be read, all that is wrong with it (at least one error).
    pub fn documents(&self) -> impl ExactSizeIterator<Item = Result<Document<'_>, &[Error]>> {
        self.records.iter().map(
            |record| {
                if record.root == 0 { Err(record.errors.as_slice()) } else { Ok(Document { stream: self, record }) }
            },
        )
    }

    /// Returns the errors of all documents in order.
    pub fn errors(&self) -> impl Iterator<Item = &Error> {
        self.records.iter().flat_map(|record| &record.errors)
    }

    /// Returns the byte range of each document, with those that cannot be read; [`Stream::documents`] has the same order.
    pub fn document_spans(&self) -> impl ExactSizeIterator<Item = ByteSpan> {
        self.records.iter().map(|record| ByteSpan { start: record.start, end: record.end })
    }

    /// Returns how many nodes there are in memory, expanded aliases included.
    pub fn node_count(&self) -> usize {
        self.arena.nodes.len()
    }

    /// Returns the text that spans are ranges of.
    pub fn text(&self) -> &Arc<str> {
        &self.text
    }

    /// Returns the line and column of an offset.
    pub fn position(&self, offset: u32) -> Position {
        self.lines.get_or_init(|| Lines::of(&self.text)).position(&self.text, offset)
    }

    /// Returns the node of an id that one of this stream's nodes gave.
    pub fn node(&self, id: NodeId) -> Option<NodeRef<'_>> {
        (id.0 != 0 && (id.0 as usize) < self.arena.nodes.len()).then_some(NodeRef { stream: self, id: id.0 })
    }

    /// Returns the interned form of a key, when any map of the stream has it.
    pub fn sym(&self, key: &str) -> Option<Sym> {
        self.arena.names.find(key)
    }

    /// Returns the text of an interned key.
    pub fn key(&self, sym: Sym) -> &str {
        self.arena.names.get(sym)
    }
}

/// A key that stands twice in one map. The later one wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Duplicate<'s> {
    /// The key.
    pub key: &'s str,
    /// Where it stands first.
    pub first: ByteSpan,
    /// Where it stands again.
    pub again: ByteSpan,
}

/// One document that can be read.
#[derive(Clone, Copy)]
pub struct Document<'s> {
    stream: &'s Stream,
    record: &'s Record,
}

impl<'s> Document<'s> {
    /// Returns the tree as `sigs.k8s.io/yaml` means it: aliases and merges expanded, each key once (the last one wins).
    pub fn root(&self) -> NodeRef<'s> {
        NodeRef { stream: self.stream, id: self.record.root }
    }

    /// Returns the tree as it is written, with aliases, `<<` and duplicate keys.
    pub fn raw(&self) -> NodeRef<'s> {
        NodeRef { stream: self.stream, id: self.record.raw }
    }

    /// Returns whether there is nothing in it but comments. A written `null` is not nothing.
    pub fn is_empty(&self) -> bool {
        self.root().node().is(flag::ABSENT)
    }

    /// Returns the document's byte range, from its first token (or `---`) to its end.
    pub fn span(&self) -> ByteSpan {
        ByteSpan { start: self.record.start, end: self.record.end }
    }

    /// Returns the keys that are set twice in one map.
    pub fn duplicates(&self) -> impl ExactSizeIterator<Item = Duplicate<'s>> {
        let stream = self.stream;
        self.record.duplicates.iter().map(move |(first, again)| {
            let span = |id: u32| NodeRef { stream, id }.span();
            Duplicate { key: stream.key(stream.arena.node(*again).key), first: span(*first), again: span(*again) }
        })
    }
}

/// Names a node within its stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(u32);

/// What a scalar means.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar<'s> {
    /// Nothing.
    Null,
    /// A boolean.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// An integer above `i64::MAX`.
    Uint(u64),
    /// A float; may be infinite or no number.
    Float(f64),
    /// Text. `!!binary` values are decoded; what is not UTF-8 in them is replaced by U+FFFD.
    Str(Cow<'s, str>),
}

/// A node of a stream.
#[derive(Clone, Copy)]
pub struct NodeRef<'s> {
    stream: &'s Stream,
    id: u32,
}

impl std::fmt::Debug for NodeRef<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NodeRef").field("id", &self.id).field("kind", &self.kind()).field("span", &self.span()).finish()
    }
}

impl<'s> NodeRef<'s> {
    pub(crate) fn node(&self) -> &'s Node {
        self.stream.arena.node(self.id)
    }

    pub(crate) fn arena(&self) -> &'s Arena {
        &self.stream.arena
    }

    pub(crate) fn index(&self) -> u32 {
        self.id
    }

    fn other(&self, id: u32) -> Option<Self> {
        (id != 0).then_some(Self { stream: self.stream, id })
    }

    /// Returns the stream the node is of.
    pub fn stream(&self) -> &'s Stream {
        self.stream
    }

    /// Returns a name for the node that can be kept beside the stream.
    pub fn id(&self) -> NodeId {
        NodeId(self.id)
    }

    /// Returns what the node is.
    pub fn kind(&self) -> Kind {
        self.node().kind
    }

    /// Returns how the node is written.
    pub fn style(&self) -> Style {
        self.node().style
    }

    /// Returns the byte range of the node's content, quotes included, without anchor and tag.
    pub fn span(&self) -> ByteSpan {
        let node = self.node();
        ByteSpan { start: node.start, end: node.end }
    }

    /// Returns whether the node stands here through an alias, merge or duplicate, or near one; its span is where it is written.
    pub fn is_expanded(&self) -> bool {
        self.node().is(flag::EXPANDED)
    }

    /// Returns the interned key that a value has in its map, and a key's own.
    pub fn sym(&self) -> Sym {
        self.node().key
    }

    /// Returns the anchor's name without `&`.
    pub fn anchor(&self) -> Option<&'s str> {
        let (start, end) = self.stream.arena.props(self.id)?.anchor;
        self.stream.text.get(start as usize..end as usize).filter(|name| !name.is_empty())
    }

    /// Returns the explicit tag in full (`tag:yaml.org,2002:str`).
    pub fn tag(&self) -> Option<&'s str> {
        Some(self.stream.arena.tag(self.id)).filter(|tag| !tag.is_empty())
    }

    /// Returns what an alias in a raw tree stands for.
    pub fn alias_target(&self) -> Option<NodeRef<'s>> {
        if self.kind() == Kind::Alias { self.other(self.node().a) } else { None }
    }

    /// Returns whether this is the key of a merge in a raw tree.
    pub fn is_merge(&self) -> bool {
        self.node().is(flag::MERGE)
    }

    /// Returns how many items a list or entries a map has; 0 for others.
    pub fn len(&self) -> usize {
        if self.node().is_collection() { self.node().b as usize } else { 0 }
    }

    /// Returns whether there are no items or entries.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns a map's entries in the order of the text; nothing for others.
    pub fn entries(&self) -> Entries<'s> {
        let first = if self.kind() == Kind::Map { self.node().a } else { 0 };
        Entries { stream: self.stream, key: first }
    }

    /// Returns a list's items; nothing for others.
    pub fn items(&self) -> Items<'s> {
        let first = if self.kind() == Kind::List { self.node().a } else { 0 };
        Items { stream: self.stream, item: first }
    }

    /// Returns the value of a map's key. In a raw tree, the first one with that key.
    pub fn get(&self, key: &str) -> Option<NodeRef<'s>> {
        let sym = self.stream.sym(key)?;
        self.get_sym(sym)
    }

    /// Returns the value of a map's key.
    pub fn get_sym(&self, sym: Sym) -> Option<NodeRef<'s>> {
        self.entries().find(|entry| entry.key.sym() == sym).map(|entry| entry.value)
    }

    /// Returns a scalar's text as it is after unquoting and folding, before it is resolved; empty for others.
    pub fn text(&self) -> &'s str {
        if self.node().is_collection() || self.kind() == Kind::Alias { "" } else { self.stream.arena.text(&self.stream.text, self.id) }
    }

    /// Returns what a scalar means; nothing for lists, maps and aliases.
    pub fn scalar(&self) -> Option<Scalar<'s>> {
        let node = self.node();
        Some(match node.kind {
            Kind::Null => Scalar::Null,
            Kind::Bool => Scalar::Bool(node.is(flag::TRUE)),
            Kind::Str if node.is(flag::BINARY) => {
                let bytes = plumb_go::base64::decode(self.text().as_bytes()).unwrap_or_default();
                Scalar::Str(Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()))
            }
            Kind::Str => Scalar::Str(Cow::Borrowed(self.text())),
            Kind::Int | Kind::Uint | Kind::Float => match resolve_plain(self.text()) {
                Resolved::Int(value) if node.is(flag::FLOAT_TAG) => Scalar::Float(value as f64),
                Resolved::Int(value) => Scalar::Int(value),
                Resolved::Uint(value) => Scalar::Uint(value),
                Resolved::Float(value) => Scalar::Float(value),
                _ => Scalar::Null,
            },
            Kind::List | Kind::Map | Kind::Alias => return None,
        })
    }

    /// Returns a text; nothing for all that is not text, and for `!!binary`.
    pub fn as_str(&self) -> Option<&'s str> {
        (self.kind() == Kind::Str && !self.node().is(flag::BINARY)).then(|| self.text())
    }

    /// Returns an integer.
    pub fn as_i64(&self) -> Option<i64> {
        match self.scalar() {
            Some(Scalar::Int(value)) => Some(value),
            _ => None,
        }
    }

    /// Returns a boolean.
    pub fn as_bool(&self) -> Option<bool> {
        (self.kind() == Kind::Bool).then(|| self.node().is(flag::TRUE))
    }
}

/// One entry of a map.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'s> {
    /// The key's node.
    pub key: NodeRef<'s>,
    /// The value's node.
    pub value: NodeRef<'s>,
}

impl<'s> Entry<'s> {
    /// Returns the key as JSON names it: `true` for `yes`, `8` for `010`.
    pub fn name(&self) -> &'s str {
        self.key.stream.key(self.key.sym())
    }
}

/// The entries of a map.
#[derive(Clone)]
pub struct Entries<'s> {
    stream: &'s Stream,
    key: u32,
}

impl<'s> Iterator for Entries<'s> {
    type Item = Entry<'s>;

    fn next(&mut self) -> Option<Entry<'s>> {
        if self.key == 0 {
            return None;
        }
        let key = NodeRef { stream: self.stream, id: self.key };
        let value = NodeRef { stream: self.stream, id: key.node().next };
        self.key = value.node().next;
        Some(Entry { key, value })
    }
}

/// The items of a list.
#[derive(Clone)]
pub struct Items<'s> {
    stream: &'s Stream,
    item: u32,
}

impl<'s> Iterator for Items<'s> {
    type Item = NodeRef<'s>;

    fn next(&mut self) -> Option<NodeRef<'s>> {
        let item = NodeRef { stream: self.stream, id: self.item };
        if self.item == 0 {
            return None;
        }
        self.item = item.node().next;
        Some(item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(stream: &Stream) -> Vec<String> {
        let text = |document: Result<Document<'_>, &[Error]>| match document {
            Ok(document) => {
                let mut json = Vec::new();
                crate::to_json(document.root(), &mut json).map_err(|error| error.to_string())?;
                Ok(String::from_utf8_lossy(&json).into_owned())
            }
            Err(errors) => Err(errors[0].to_string()),
        };
        stream.documents().map(|document| text(document).unwrap_or_else(|error: String| error)).collect()
    }

    #[test]
    fn nothing_of_a_text_is_left_in_memory() {
        let mut memory = Memory::default();
        let many: String = (0..2000).map(|key| format!("key{key}: &a{key} !!str \"\\t{key}\"\n")).collect();
        for text in ["a: &x {b: 1}\nc: *x\n", &many, "a: *x\n", "c: !t 'd'\na: [1, \"\\n\"]\n---\nb: [", "", "key7: 1\nkey7: 2\n"] {
            let stream = memory.parse_str(text.into(), &Options::default());
            let fresh = parse(text.as_bytes(), &Options::default());
            assert_eq!(json(&stream), json(&fresh));
            assert_eq!(stream.sym("b"), fresh.sym("b"));
            memory.take_back(stream);
        }
    }
}
