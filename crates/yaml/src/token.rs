//! Owns the tokens between scanner and parser. The names are those of libyaml.

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenKind {
    StreamEnd,
    VersionDirective,
    TagDirective,
    DocumentStart,
    DocumentEnd,
    BlockSequenceStart,
    BlockMappingStart,
    BlockEnd,
    FlowSequenceStart,
    FlowSequenceEnd,
    FlowMappingStart,
    FlowMappingEnd,
    BlockEntry,
    FlowEntry,
    Key,
    Value,
    Alias,
    Anchor,
    Tag,
    Scalar,
}

/// How a node is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Style {
    /// A scalar without quotes.
    Plain,
    /// A scalar in `'`.
    SingleQuoted,
    /// A scalar in `"`.
    DoubleQuoted,
    /// A scalar after `|`.
    Literal,
    /// A scalar after `>`.
    Folded,
    /// A list or map by indentation.
    Block,
    /// A list or map in brackets.
    Flow,
}

/// A scalar's text: a range of the source, or of the arena's own text when it had to be put together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TextRef {
    pub(crate) at: u32,
    pub(crate) len: u32,
    pub(crate) cooked: bool,
}

/// One token. Offsets are into the source.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token {
    pub(crate) kind: TokenKind,
    pub(crate) style: Style,
    pub(crate) start: u32,
    pub(crate) end: u32,
    /// Scalars: the text. Anchors and aliases: the name. Tags and directives: `at` is an index into the scanner's list.
    pub(crate) text: TextRef,
}

impl Token {
    pub(crate) fn new(kind: TokenKind, start: u32, end: u32) -> Self {
        Self { kind, style: Style::Plain, start, end, text: TextRef { at: start, len: 0, cooked: false } }
    }
}
