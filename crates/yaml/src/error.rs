//! Owns what can be wrong with a document: Go's own texts, a stable code, and the place.

use std::borrow::Cow;
use std::fmt;

use plumb_world::{FileId, Span};

/// A byte range of a stream's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSpan {
    /// The first byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl ByteSpan {
    /// Returns the same range in a file.
    pub fn in_file(self, file: FileId) -> Span {
        Span { file, start: self.start, end: self.end }
    }
}

/// The kinds of errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ErrorCode {
    /// The input is not UTF-8 or UTF-16, or has a control character.
    Encoding,
    /// The text is not YAML.
    Syntax,
    /// An alias names an anchor that is not there.
    UnknownAnchor,
    /// An anchor's value contains an alias to itself.
    AliasCycle,
    /// Aliases expand to too much.
    AliasBudget,
    /// `<<` has a value that is no map.
    Merge,
    /// A map or list stands as a key.
    CollectionKey,
    /// A key is null or an integer above the signed range: JSON conversion refuses it.
    KeyType,
    /// A value does not fit its explicit tag.
    Tag,
    /// A key is set twice (strict reading only).
    DuplicateKey,
    /// One of this crate's own limits.
    Limit,
    /// JSON has no such value (infinities, not-a-number).
    NotJson,
}

impl ErrorCode {
    /// Returns the stable name, kebab-case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Encoding => "yaml-encoding",
            Self::Syntax => "yaml-syntax",
            Self::UnknownAnchor => "yaml-unknown-anchor",
            Self::AliasCycle => "yaml-alias-cycle",
            Self::AliasBudget => "yaml-alias-budget",
            Self::Merge => "yaml-merge",
            Self::CollectionKey => "yaml-collection-key",
            Self::KeyType => "yaml-key-type",
            Self::Tag => "yaml-tag",
            Self::DuplicateKey => "yaml-duplicate-key",
            Self::Limit => "yaml-limit",
            Self::NotJson => "yaml-not-json",
        }
    }
}

/// One thing that is wrong with a document. Its text is Go's: `yaml: line 3: mapping values are not allowed in this context`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// What kind of error.
    pub code: ErrorCode,
    /// Go's message without the prefix and the line.
    pub message: String,
    /// The line that Go's message names. It can be one off, or missing: [`Error::span`] is where the problem is.
    pub go_line: Option<u32>,
    /// Where the problem is.
    pub span: ByteSpan,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.code, self.go_line) {
            (ErrorCode::KeyType, _) => f.write_str(&self.message),
            (ErrorCode::NotJson, _) => write!(f, "json: {}", self.message),
            (ErrorCode::DuplicateKey, Some(line)) => write!(f, "yaml: unmarshal errors:\n  line {line}: {}", self.message),
            (_, Some(line)) => write!(f, "yaml: line {line}: {}", self.message),
            (_, None) => write!(f, "yaml: {}", self.message),
        }
    }
}

impl std::error::Error for Error {}

/// How Go counts the line of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counting {
    /// The scanner: the problem's line from 1.
    Scanner,
    /// The parser: the problem's line from 0, which reads as the line before.
    Parser,
    /// No line at all.
    None,
}

/// An error on its way out of the scanner or parser, with offsets that still have to become lines.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) code: ErrorCode,
    pub(crate) message: Cow<'static, str>,
    pub(crate) counting: Counting,
    /// The offset of the problem; one past the text's length when Go has added a line break at its end.
    pub(crate) problem: u32,
    /// Where the construct began that the problem is in; Go falls back to its line.
    pub(crate) context: u32,
    /// Where the place to show ends; the problem itself when not larger.
    pub(crate) end: u32,
}

impl Fault {
    pub(crate) fn scanner(problem: u32, context: u32, message: impl Into<Cow<'static, str>>) -> Box<Self> {
        Box::new(Self { code: ErrorCode::Syntax, message: message.into(), counting: Counting::Scanner, problem, context, end: problem })
    }

    pub(crate) fn parser(problem: u32, context: u32, message: &'static str) -> Box<Self> {
        let message = Cow::Borrowed(message);
        Box::new(Self { code: ErrorCode::Syntax, message, counting: Counting::Parser, problem, context, end: problem })
    }

    /// An error whose text names no line.
    pub(crate) fn plain(code: ErrorCode, span: ByteSpan, message: impl Into<Cow<'static, str>>) -> Box<Self> {
        Box::new(Self { code, message: message.into(), counting: Counting::None, problem: span.start, context: 0, end: span.end })
    }
}

/// What the scanner and parser return.
pub(crate) type Scanned<T> = Result<T, Box<Fault>>;
