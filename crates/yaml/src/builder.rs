//! Owns the making of nodes: resolution, keys, anchors and duplicates, one document at a time.

use std::collections::BTreeMap;

use plumb_go::strconv;

use crate::arena::{Arena, Kind, Node, Props, flag};
use crate::error::{ByteSpan, ErrorCode, Fault, Scanned};
use crate::names::Sym;
use crate::resolve::{LONG_TAG_PREFIX, Resolved, resolve_plain, resolve_tagged};
use crate::token::{Style, TextRef, Token};

/// A collection whose end has not been seen.
#[derive(Clone, Copy)]
struct Open {
    node: u32,
    last: u32,
    is_map: bool,
    /// The key that waits for its value.
    key: Option<Sym>,
}

/// What stands before a node's content.
#[derive(Clone, Debug, Default)]
pub(crate) struct Properties {
    /// Where the first of them begins.
    pub(crate) start: u32,
    pub(crate) anchor: Option<TextRef>,
    /// The tag in full; empty for none.
    pub(crate) tag: String,
}

/// What the builder learns about one document.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    pub(crate) root: u32,
    /// Key nodes: the earlier and the later one.
    pub(crate) duplicates: Vec<(u32, u32)>,
    /// There are aliases, merges, duplicates, keys that are collections or values that do not fit their tag.
    pub(crate) needs_expansion: bool,
    /// The first key that JSON conversion refuses.
    pub(crate) refused_key: Option<u32>,
    /// How deep lists and maps nest, aliases not expanded, and the first of the innermost ones.
    pub(crate) deepest: (usize, u32),
    first_node: usize,
    first_props: usize,
    cooked: usize,
}

/// Makes the nodes of a stream.
pub(crate) struct Builder<'t> {
    source: &'t str,
    pub(crate) arena: Arena,
    max_nodes: usize,
    stack: Vec<Open>,
    anchors: BTreeMap<&'t str, u32>,
    /// By key: the map that had it last, and the key's node there.
    seen: Vec<(u32, u32)>,
    draft: Draft,
}

impl<'t> Builder<'t> {
    pub(crate) fn new(source: &'t str, max_nodes: usize, arena: Arena) -> Self {
        let arena = arena.emptied(source.len());
        Self { source, arena, max_nodes, stack: Vec::new(), anchors: BTreeMap::new(), seen: Vec::new(), draft: Draft::default() }
    }

    /// Begins a document; what was made of one that is not finished is dropped.
    pub(crate) fn begin(&mut self, cooked: usize) {
        self.stack.clear();
        self.anchors.clear();
        let (first_node, first_props) = (self.arena.nodes.len(), self.arena.props.len());
        self.draft = Draft { first_node, first_props, cooked, ..Draft::default() };
    }

    /// Ends a document.
    pub(crate) fn finish(&mut self) -> Draft {
        std::mem::take(&mut self.draft)
    }

    /// Drops what was made of the document at hand. Returns how much of the cooked text belongs to earlier ones.
    pub(crate) fn abort(&mut self) -> usize {
        self.stack.clear();
        self.arena.nodes.truncate(self.draft.first_node.max(1));
        self.arena.props.truncate(self.draft.first_props);
        self.draft.cooked
    }

    #[inline]
    fn push(&mut self, node: Node) -> Scanned<u32> {
        let id = self.arena.nodes.len();
        if id >= self.max_nodes {
            let span = ByteSpan { start: node.start, end: node.end };
            return Err(Fault::plain(ErrorCode::Limit, span, format!("more than {} nodes", self.max_nodes)));
        }
        self.arena.nodes.push(node);
        Ok(id as u32)
    }

    /// Hangs a node below the innermost open collection. Returns whether it is a key there.
    #[inline]
    fn attach(&mut self, id: u32) -> bool {
        let nodes = &mut self.arena.nodes;
        let Some(open) = self.stack.last_mut() else {
            self.draft.root = id;
            return false;
        };
        if open.last == 0 {
            nodes[open.node as usize].a = id;
        } else {
            nodes[open.last as usize].next = id;
        }
        open.last = id;
        if open.is_map && open.key.is_none() {
            open.key = Some(Sym::NONE);
            nodes[id as usize].flags |= flag::KEY;
            return true;
        }
        if let Some(key) = open.key.take() {
            nodes[id as usize].key = key;
        }
        nodes[open.node as usize].b += 1;
        false
    }

    /// Makes a plain scalar of a range of the source, without anchor or tag.
    #[inline]
    pub(crate) fn plain(&mut self, start: usize, end: usize) -> Scanned<()> {
        let resolved = resolve_plain(self.source.get(start..end).unwrap_or(""));
        let text = TextRef { at: start as u32, len: (end - start) as u32, cooked: false };
        self.resolved(resolved, Style::Plain, (start as u32, end as u32), text, 0, true)
    }

    /// Makes a quoted scalar of a range of the source that includes the quotes, without anchor or tag.
    pub(crate) fn quoted(&mut self, style: Style, start: usize, end: usize) -> Scanned<()> {
        let text = TextRef { at: start as u32 + 1, len: (end - start - 2) as u32, cooked: false };
        self.resolved(Resolved::Str, style, (start as u32, end as u32), text, 0, false)
    }

    /// Makes a null that has no text.
    pub(crate) fn absent(&mut self, at: u32) -> Scanned<()> {
        // A mark at the end of the stream may lie on the line break that go-yaml adds there.
        let at = at.min(self.source.len() as u32);
        let text = TextRef { at, len: 0, cooked: false };
        self.resolved(Resolved::Null, Style::Plain, (at, at), text, flag::ABSENT, true)
    }

    /// Makes a scalar of a token.
    pub(crate) fn scalar(&mut self, token: &Token, cooked: &str, properties: Option<Properties>) -> Scanned<()> {
        let text = token.text;
        let range = text.at as usize..(text.at + text.len) as usize;
        let content = if text.cooked { cooked.get(range).unwrap_or("") } else { self.content(text) };
        let tag = properties.as_ref().map_or("", |p| p.tag.as_str());
        let implicit = tag == "!" || tag.is_empty() && token.style == Style::Plain;
        let mut flags = if text.cooked { flag::COOKED } else { 0 };
        let resolved = match tag {
            "" if implicit => resolve_plain(content),
            "" => Resolved::Str,
            _ => match resolve_tagged(tag, content) {
                Ok(Resolved::Float(value)) => {
                    flags |= if matches!(resolve_plain(content), Resolved::Int(_)) { flag::FLOAT_TAG } else { 0 };
                    Resolved::Float(value)
                }
                Ok(resolved) => resolved,
                Err(_) => {
                    flags |= flag::BAD_TAG;
                    self.draft.needs_expansion = true;
                    Resolved::Str
                }
            },
        };
        let merges = implicit || tag.strip_prefix(LONG_TAG_PREFIX) == Some("merge");
        let id = self.add(resolved, token.style, (token.start, token.end), text, flags)?;
        if let Some(properties) = properties {
            self.add_properties(id, &properties);
        }
        if self.attach(id) {
            self.key(id, resolved, content, merges);
        }
        Ok(())
    }

    fn content(&self, text: TextRef) -> &'t str {
        self.source.get(text.at as usize..text.at as usize + text.len as usize).unwrap_or("")
    }

    #[inline]
    fn resolved(&mut self, resolved: Resolved, style: Style, span: (u32, u32), text: TextRef, flags: u16, merges: bool) -> Scanned<()> {
        let id = self.add(resolved, style, span, text, flags)?;
        if self.attach(id) {
            self.key(id, resolved, self.content(text), merges);
        }
        Ok(())
    }

    #[inline]
    fn add(&mut self, resolved: Resolved, style: Style, span: (u32, u32), text: TextRef, flags: u16) -> Scanned<u32> {
        let (kind, more) = match resolved {
            Resolved::Null => (Kind::Null, 0),
            Resolved::Bool(value) => (Kind::Bool, if value { flag::TRUE } else { 0 }),
            Resolved::Int(_) => (Kind::Int, 0),
            Resolved::Uint(_) => (Kind::Uint, 0),
            Resolved::Float(_) => (Kind::Float, 0),
            Resolved::Str => (Kind::Str, 0),
            Resolved::Binary => (Kind::Str, flag::BINARY),
        };
        self.push(Node { kind, style, flags: flags | more, key: Sym::NONE, start: span.0, end: span.1, a: text.at, b: text.len, next: 0 })
    }

    /// Names the key that a scalar is.
    #[inline]
    fn key(&mut self, id: u32, resolved: Resolved, text: &str, merges: bool) {
        if text == "<<" && merges {
            self.arena.nodes[id as usize].flags |= flag::MERGE;
            self.draft.needs_expansion = true;
        }
        let sym = self.intern(resolved, text);
        self.arena.nodes[id as usize].key = sym;
        if let Some(open) = self.stack.last_mut() {
            open.key = Some(sym);
        }
        if matches!(resolved, Resolved::Null | Resolved::Uint(_)) {
            self.draft.refused_key.get_or_insert(id);
        }
    }

    /// Interns a key as JSON names it.
    #[inline]
    fn intern(&mut self, resolved: Resolved, text: &str) -> Sym {
        match resolved {
            Resolved::Str | Resolved::Null => self.arena.names.intern(text),
            _ => self.arena.names.intern(&key_text(resolved, text)),
        }
    }

    fn add_properties(&mut self, id: u32, properties: &Properties) {
        let tag = if properties.tag.is_empty() {
            0
        } else {
            let tags = &mut self.arena.tags;
            let known = tags.iter().rev().take(MAX_TAG_SEARCH).position(|tag| *tag == properties.tag);
            if known.is_none() {
                tags.push(properties.tag.clone());
            }
            (tags.len() - known.unwrap_or(0)) as u32
        };
        let anchor = properties.anchor.map_or((0, 0), |name| (name.at, name.at + name.len));
        self.arena.props.push(Props { node: id, start: properties.start, anchor, tag });
        self.arena.nodes[id as usize].flags |= flag::PROPS;
        if let Some(name) = properties.anchor {
            let name = self.content(name);
            self.anchors.insert(name, id);
        }
    }

    /// Makes an alias of a token.
    pub(crate) fn alias(&mut self, token: &Token) -> Scanned<()> {
        let name = self.content(token.text);
        let Some(target) = self.anchors.get(name).copied() else {
            let span = ByteSpan { start: token.start, end: token.end };
            return Err(Fault::plain(ErrorCode::UnknownAnchor, span, format!("unknown anchor '{name}' referenced")));
        };
        let alias = Node {
            kind: Kind::Alias,
            style: Style::Plain,
            flags: 0,
            key: Sym::NONE,
            start: token.start,
            end: token.end,
            a: target,
            b: 0,
            next: 0,
        };
        let id = self.push(alias)?;
        self.draft.needs_expansion = true;
        self.attach(id);
        Ok(())
    }

    /// Begins a list or map.
    pub(crate) fn open(&mut self, is_map: bool, style: Style, start: u32, properties: Option<Properties>) -> Scanned<()> {
        let kind = if is_map { Kind::Map } else { Kind::List };
        let id = self.push(Node { kind, style, flags: 0, key: Sym::NONE, start, end: start, a: 0, b: 0, next: 0 })?;
        if let Some(properties) = properties {
            self.add_properties(id, &properties);
        }
        if self.attach(id) {
            self.draft.needs_expansion = true;
        }
        self.stack.push(Open { node: id, last: 0, is_map, key: None });
        if self.stack.len() > self.draft.deepest.0 {
            self.draft.deepest = (self.stack.len(), id);
        }
        Ok(())
    }

    /// Ends the innermost list or map: at an offset, or with its last child.
    pub(crate) fn close(&mut self, end: Option<u32>) {
        let Some(open) = self.stack.pop() else { return };
        let nodes = &mut self.arena.nodes;
        let last = nodes[open.last as usize].end;
        let node = &mut nodes[open.node as usize];
        node.end = end.unwrap_or(if open.last == 0 { node.end } else { last.max(node.start) });
        if open.is_map && node.b > 1 {
            self.find_duplicates(open.node);
        }
    }

    fn find_duplicates(&mut self, map: u32) {
        let nodes = &self.arena.nodes;
        self.seen.resize(self.arena.names.len(), (0, 0));
        let mut key = nodes[map as usize].a;
        while key != 0 {
            let node = &nodes[key as usize];
            if node.key != Sym::NONE && !node.is(flag::MERGE) {
                let seen = &mut self.seen[node.key.0 as usize];
                if seen.0 == map {
                    self.draft.duplicates.push((seen.1, key));
                    self.draft.needs_expansion = true;
                }
                *seen = (map, key);
            }
            key = nodes[node.next as usize].next;
        }
    }
}

/// How many of the latest tags are looked through for an equal one.
const MAX_TAG_SEARCH: usize = 16;

/// Returns a key as `sigs.k8s.io/yaml` turns it into text.
pub(crate) fn key_text(resolved: Resolved, text: &str) -> String {
    match resolved {
        Resolved::Bool(value) => value.to_string(),
        Resolved::Int(value) => value.to_string(),
        Resolved::Uint(value) => value.to_string(),
        Resolved::Float(value) if value.is_nan() => ".nan".to_owned(),
        Resolved::Float(value) => match strconv::format_float_g32(value) {
            inf if inf == "+Inf" => ".inf".to_owned(),
            inf if inf == "-Inf" => "-.inf".to_owned(),
            number => number,
        },
        Resolved::Binary => String::from_utf8_lossy(&plumb_go::base64::decode(text.as_bytes()).unwrap_or_default()).into_owned(),
        Resolved::Null | Resolved::Str => text.to_owned(),
    }
}
