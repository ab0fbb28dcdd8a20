//! Owns the nodes of a stream: one arena, first child and next sibling, texts as ranges.

use crate::names::{Names, Sym};
use crate::token::{Style, TextRef};

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Nothing: `null`, `~`, or no text at all.
    Null,
    /// `true`, `yes`, `on` and so on.
    Bool,
    /// An integer that fits in 64 bits with a sign.
    Int,
    /// An integer that fits in 64 bits only without a sign.
    Uint,
    /// A float.
    Float,
    /// Text.
    Str,
    /// A list.
    List,
    /// A map.
    Map,
    /// An alias; only in raw trees.
    Alias,
}

/// What is true of a node, as bits.
pub(crate) mod flag {
    /// The text is in the arena's own text.
    pub(crate) const COOKED: u16 = 1;
    /// A `<<` that merges.
    pub(crate) const MERGE: u16 = 2;
    /// There is an anchor or a tag: look in `props`.
    pub(crate) const PROPS: u16 = 4;
    /// The text is Base64 after `!!binary`.
    pub(crate) const BINARY: u16 = 8;
    /// A boolean's value.
    pub(crate) const TRUE: u16 = 16;
    /// The explicit tag does not fit.
    pub(crate) const BAD_TAG: u16 = 32;
    /// A null without any text.
    pub(crate) const ABSENT: u16 = 64;
    /// Made by expanding an alias, merge or duplicate.
    pub(crate) const EXPANDED: u16 = 128;
    /// A node in the place of a key.
    pub(crate) const KEY: u16 = 256;
    /// An integer by its text, made a float by its tag.
    pub(crate) const FLOAT_TAG: u16 = 512;
}

/// One node. A map's children are its keys and values in turn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    pub(crate) style: Style,
    pub(crate) flags: u16,
    /// The key a value has in its map, and the key's own text.
    pub(crate) key: Sym,
    pub(crate) start: u32,
    pub(crate) end: u32,
    /// Scalars: where the text is. Lists and maps: the first child. Aliases: the target.
    pub(crate) a: u32,
    /// Scalars: the text's length. Lists and maps: how many items or entries.
    pub(crate) b: u32,
    /// The next sibling, 0 for none.
    pub(crate) next: u32,
}

impl Node {
    pub(crate) fn is(&self, flags: u16) -> bool {
        self.flags & flags != 0
    }

    pub(crate) fn is_collection(&self) -> bool {
        matches!(self.kind, Kind::List | Kind::Map)
    }

    pub(crate) fn text(&self) -> TextRef {
        TextRef { at: self.a, len: self.b, cooked: self.is(flag::COOKED) }
    }
}

/// The anchor and tag of a node.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Props {
    pub(crate) node: u32,
    /// Where the anchor or tag begins, whichever is first.
    pub(crate) start: u32,
    /// The anchor's name as a range of the source; empty for none.
    pub(crate) anchor: (u32, u32),
    /// An index into `tags` plus 1; 0 for none.
    pub(crate) tag: u32,
}

/// The nodes of all documents of a stream. Node 0 is never used.
pub(crate) struct Arena {
    pub(crate) nodes: Vec<Node>,
    /// By node, ascending.
    pub(crate) props: Vec<Props>,
    /// Tags in full.
    pub(crate) tags: Vec<String>,
    pub(crate) names: Names,
    pub(crate) cooked: String,
}

impl Arena {
    pub(crate) fn new(text_bytes: usize) -> Self {
        let arena = Self { nodes: Vec::new(), props: Vec::new(), tags: Vec::new(), names: Names::new(), cooked: String::new() };
        arena.emptied(text_bytes)
    }

    /// Returns its memory for another text.
    pub(crate) fn emptied(mut self, text_bytes: usize) -> Self {
        // Usual manifests have a node per 10 to 15 bytes.
        const BYTES_PER_NODE: usize = 12;
        self.nodes.clear();
        self.nodes.reserve(text_bytes / BYTES_PER_NODE + 16);
        let unused =
            Node { kind: Kind::Null, style: Style::Plain, flags: flag::ABSENT, key: Sym::NONE, start: 0, end: 0, a: 0, b: 0, next: 0 };
        self.nodes.push(unused);
        self.props.clear();
        self.tags.clear();
        self.names.clear();
        self.cooked.clear();
        self
    }

    pub(crate) fn node(&self, id: u32) -> &Node {
        &self.nodes[id as usize]
    }

    pub(crate) fn props(&self, id: u32) -> Option<&Props> {
        if !self.node(id).is(flag::PROPS) {
            return None;
        }
        self.props.binary_search_by_key(&id, |props| props.node).ok().map(|index| &self.props[index])
    }

    pub(crate) fn tag(&self, id: u32) -> &str {
        let tag = self.props(id).map_or(0, |props| props.tag);
        tag.checked_sub(1).and_then(|index| self.tags.get(index as usize)).map_or("", String::as_str)
    }

    /// Returns a scalar's text.
    pub(crate) fn text<'a>(&'a self, source: &'a str, id: u32) -> &'a str {
        self.resolve_text(source, self.node(id).text())
    }

    pub(crate) fn resolve_text<'a>(&'a self, source: &'a str, text: TextRef) -> &'a str {
        let from = if text.cooked { &self.cooked } else { source };
        from.get(text.at as usize..text.at as usize + text.len as usize).unwrap_or("")
    }
}
