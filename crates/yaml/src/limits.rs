//! Owns the named limits of reading, and the options a caller may set.

/// The longest input in bytes. Go has no such limit; this one keeps offsets in 32 bits and memory bounded.
pub const MAX_BYTES: usize = 64 << 20;
/// How deep flow collections may nest, and how deep block collections may: Go's `max_flow_level` and `max_indents`.
pub const MAX_DEPTH: usize = 10_000;
/// The most nodes in one stream, expanded aliases included: about 220 MiB.
pub const MAX_NODES: usize = 8_000_000;
/// The most bytes [`to_json`](crate::to_json) writes for one node. A long text behind many aliases would grow without it.
pub const MAX_JSON_BYTES: usize = 256 << 20;
/// How many characters a simple key may have: YAML's own limit.
pub const MAX_SIMPLE_KEY_CHARS: usize = 1024;
/// How many places with bytes that are not UTF-8 are reported; what follows the last one is not read.
pub const MAX_ENCODING_ERRORS: usize = 1024;
/// How many duplicate keys of one document become errors in strict mode; more would say nothing new.
pub const MAX_DUPLICATE_ERRORS: usize = 1000;

/// Up to this many decoded nodes, Go lets 99 % of them come from aliases.
pub const ALIAS_RATIO_LOW_NODES: u64 = 400_000;
/// From this many decoded nodes on, Go lets 10 % of them come from aliases; between the two the share falls evenly.
pub const ALIAS_RATIO_HIGH_NODES: u64 = 4_000_000;

/// How to read a stream.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// A key that is set twice in one map is an error, as in Go's `UnmarshalStrict` (a key that a merge set too counts).
    /// Otherwise the last one wins and [`Document::duplicates`](crate::Document::duplicates) tells.
    pub strict: bool,
    /// Keys are told apart by their text and not by what they mean, and what a map says itself goes over what a merge brings, wherever that stands:
    /// what kyaml makes of go-yaml v3's nodes. Otherwise go-yaml v2's rules hold.
    pub by_text: bool,
    /// The longest input in bytes; more than [`MAX_BYTES`] is taken as that.
    pub max_bytes: usize,
    /// The most nodes in the stream; more than [`MAX_NODES`] is taken as that.
    pub max_nodes: usize,
    /// How deep lists and maps may nest, expanded aliases included; a document that is deeper cannot be read. More than [`MAX_DEPTH`] is taken as that.
    pub max_depth: usize,
    /// Reads common lines by their shape before it falls back to tokens. Only tests turn this off.
    #[doc(hidden)]
    pub line_reader: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { strict: false, by_text: false, max_bytes: MAX_BYTES, max_nodes: MAX_NODES, max_depth: MAX_DEPTH, line_reader: true }
    }
}

impl Options {
    /// Returns the options with keys told apart by their text.
    #[must_use]
    pub fn by_text(mut self) -> Self {
        self.by_text = true;
        self
    }

    /// Returns the options with a lower limit on how deep lists and maps may nest.
    #[must_use]
    pub fn max_depth(mut self, levels: usize) -> Self {
        self.max_depth = levels;
        self
    }

    /// Returns the options with duplicate keys as errors.
    #[must_use]
    pub fn strict(mut self) -> Self {
        self.strict = true;
        self
    }
}
