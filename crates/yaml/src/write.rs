//! Owns writing: block YAML byte for byte as go-yaml writes it, v2 (what `sigs.k8s.io/yaml.Marshal` prints) or v3 (encode.go and
//! emitterc.go of both). Must not know where values come from: callers walk theirs, without making a tree of ours first.

use std::ops::Range;

use crate::write_style::{ScalarStyle, Shape};

/// Columns after which v2 breaks a scalar at the next space; v3 never does.
pub(crate) const WIDTH: usize = 80;
/// A key longer than this is written behind `?`.
const MAX_SIMPLE_KEY: usize = 128;
/// v2's columns of a level, and v3's inside a list.
const STEP: usize = 2;
/// The bytes of `!!binary`.
const BINARY_TAG: &str = "!!binary";

/// Whose bytes are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Dialect {
    /// go-yaml v2: lists are not indented under their key, long scalars are folded.
    #[default]
    V2,
    /// go-yaml v3.
    V3 {
        /// Columns of a level, from 2 to 9: 4 unless `SetIndent` said otherwise.
        indent: u8,
        /// `CompactSeqIndent`: the dash counts as part of the indentation.
        compact: bool,
    },
}

impl Dialect {
    /// v3 as an encoder with `SetIndent(2)` writes: Helm's `toYamlPretty`.
    pub const PRETTY: Self = Self::V3 { indent: 2, compact: false };
}

/// Writes one document. Callers open and close collections around what is in them:
///
/// ```
/// use plumb_yaml::Emitter;
///
/// let mut out = Emitter::new();
/// out.begin_map(2);
/// out.key("name");
/// out.text("yes");
/// let value = out.written();
/// out.key("ports");
/// out.begin_list(1);
/// out.plain("80");
/// out.end();
/// out.end();
/// let out = out.finish();
/// assert_eq!(out, b"name: \"yes\"\nports:\n- 80\n");
/// assert_eq!(&out[value], b"\"yes\"");
/// ```
#[derive(Debug)]
pub struct Emitter {
    pub(crate) out: Vec<u8>,
    /// Where the line begins in `out`.
    line_at: usize,
    /// Bytes of the line that are no column of their own.
    wide: usize,
    /// The indentation of the open collection; none outside of any.
    indent: Option<usize>,
    open: Vec<Open>,
    pub(crate) dialect: Dialect,
    /// The last byte was whitespace that separates.
    pub(crate) whitespace: bool,
    /// Nothing but indentation and dashes is on the line.
    pub(crate) indention: bool,
    /// The value that comes next belongs to a key.
    after_key: bool,
    written: Range<usize>,
}

#[derive(Clone, Copy, Debug)]
struct Open {
    map: bool,
    /// What the indentation is once it is closed.
    outer: Option<usize>,
    /// It has nothing in it and is written already.
    empty: bool,
}

impl Default for Emitter {
    fn default() -> Self {
        Self::new()
    }
}

impl Emitter {
    /// Returns a writer of a document as v2 writes it.
    pub fn new() -> Self {
        Self::with(Dialect::V2, Vec::new())
    }

    /// Returns a writer of a document in a dialect, into an empty buffer that may have room already.
    pub fn with(dialect: Dialect, mut buffer: Vec<u8>) -> Self {
        buffer.clear();
        Self {
            out: buffer,
            line_at: 0,
            wide: 0,
            indent: None,
            open: Vec::new(),
            dialect,
            whitespace: true,
            indention: true,
            after_key: false,
            written: 0..0,
        }
    }

    /// Returns how many bytes are written.
    pub fn position(&self) -> usize {
        self.out.len()
    }

    /// Returns where the last key, scalar or empty collection was written: with its quotes, without the space before it.
    pub fn written(&self) -> Range<usize> {
        self.written.clone()
    }

    /// Begins a map of so many entries; [`key`](Self::key) and a value follow for each, in the order of [`sort_keys`](crate::sort_keys).
    pub fn begin_map(&mut self, entries: usize) {
        self.begin(true, entries);
    }

    /// Begins a list of so many items.
    pub fn begin_list(&mut self, items: usize) {
        self.begin(false, items);
    }

    fn begin(&mut self, map: bool, len: usize) {
        let in_map = self.after_key;
        let in_list = self.item();
        let outer = self.indent;
        if len == 0 {
            self.space();
            let from = self.out.len();
            self.out.extend_from_slice(if map { b"{}" } else { b"[]" });
            self.written = from..self.out.len();
            self.whitespace = false;
            self.indention = false;
        } else {
            let list_under_key = !map && in_map && !self.indention;
            self.indent = Some(match (self.indent, self.dialect) {
                (None, _) => 0,
                (Some(indent), Dialect::V2) => indent + if list_under_key { 0 } else { STEP },
                (Some(indent), Dialect::V3 { compact, .. }) => {
                    let deeper = self.deeper(indent, in_list);
                    let under_key = list_under_key || !map && in_map && self.column() == 0;
                    if compact && under_key && !in_list { deeper.saturating_sub(2) } else { deeper }
                }
            });
        }
        self.open.push(Open { map, outer, empty: len == 0 });
    }

    /// What comes behind an indentation.
    fn deeper(&self, indent: usize, in_list: bool) -> usize {
        match self.dialect {
            Dialect::V3 { indent: step, .. } if !in_list => {
                let step = usize::from(step).max(1);
                step * ((indent + step) / step)
            }
            _ => indent + STEP,
        }
    }

    /// The indentation of a scalar's further lines.
    pub(crate) fn inner(&self) -> usize {
        let in_list = self.open.last().is_some_and(|open| !open.map && !open.empty);
        match self.indent {
            Some(indent) => self.deeper(indent, in_list),
            None => self.step(),
        }
    }

    /// The columns of a level: also what a block says where its indentation cannot be seen.
    pub(crate) fn step(&self) -> usize {
        match self.dialect {
            Dialect::V2 => STEP,
            Dialect::V3 { indent, .. } => usize::from(indent),
        }
    }

    /// Ends the innermost collection.
    pub fn end(&mut self) {
        if let Some(open) = self.open.pop() {
            self.indent = open.outer;
        }
        self.after_key = false;
    }

    /// Begins an item of a list: its dash. Values of maps have their key. Returns whether it is one.
    fn item(&mut self) -> bool {
        let in_list = self.open.last().is_some_and(|open| !open.map && !open.empty);
        if in_list {
            self.line();
            self.indicator(b'-', true);
        }
        self.after_key = false;
        in_list
    }

    /// Writes a key.
    pub fn key(&mut self, key: &str) {
        self.line();
        let shape = Shape::of(key.as_bytes());
        if key.len() <= MAX_SIMPLE_KEY && !shape.is_multiline(key) {
            self.scalar(key, shape, true);
            self.simple_key_ends();
        } else {
            self.indicator(b'?', true);
            self.scalar(key, shape, false);
            self.line();
            self.indicator(b':', true);
        }
        self.after_key = true;
    }

    /// Writes a key whose text the caller has quoted where it has to be.
    pub fn plain_key(&mut self, key: &str) {
        self.line();
        self.write_as_is(key.as_bytes());
        self.simple_key_ends();
        self.after_key = true;
    }

    fn simple_key_ends(&mut self) {
        self.out.push(b':');
        self.whitespace = false;
        self.indention = false;
    }

    /// Writes a scalar that is no text: `null`, `true`, a number.
    pub fn plain(&mut self, text: &str) {
        self.item();
        self.write_as_is(text.as_bytes());
    }

    /// Writes a text as a block, if it can be one: also one of a single line.
    pub fn literal(&mut self, text: &str) {
        let shape = Shape::of(text.as_bytes());
        if text.is_empty()
            || text.ends_with(' ')
            || shape.is_multiline(text)
            || shape.needs_escapes() && text.contains(|c: char| c.is_control())
        {
            return self.text(text);
        }
        self.item();
        self.write_literal(text.as_bytes(), shape);
    }

    /// Writes a scalar that is nothing at all, as v3 does with a plain null that was left out.
    pub fn nothing(&mut self) {
        self.item();
        self.wrote(self.out.len());
    }

    /// Writes a text, quoted where it has to be.
    pub fn text(&mut self, text: &str) {
        self.item();
        self.scalar(text, Shape::of(text.as_bytes()), false);
    }

    /// Writes bytes that are no text, as v3 does: Base64 behind a tag.
    pub fn binary(&mut self, bytes: &[u8]) {
        self.item();
        self.tagged(&base64_lines(bytes));
    }

    /// Writes a key that is no text, as v3 does.
    pub fn binary_key(&mut self, bytes: &[u8]) {
        self.line();
        let text = base64_lines(bytes);
        if BINARY_TAG.len() + text.len() <= MAX_SIMPLE_KEY && !text.contains('\n') {
            self.tagged(&text);
            self.simple_key_ends();
        } else {
            self.indicator(b'?', true);
            self.tagged(&text);
            self.line();
            self.indicator(b':', true);
        }
        self.after_key = true;
    }

    fn tagged(&mut self, base64: &str) {
        self.space();
        let from = self.out.len();
        self.out.extend_from_slice(BINARY_TAG.as_bytes());
        self.whitespace = false;
        self.indention = false;
        if base64.contains('\n') {
            self.write_literal(base64.as_bytes(), Shape::of(base64.as_bytes()));
        } else {
            self.write_as_is(base64.as_bytes());
        }
        self.written = from..self.out.len();
    }

    /// Hands the lines over that are complete, and forgets them: positions count from there.
    pub fn hand_over(&mut self, take: &mut dyn FnMut(&[u8])) {
        take(self.out.get(..self.line_at).unwrap_or_default());
        self.out.drain(..self.line_at);
        self.line_at = 0;
        self.written = 0..0;
    }

    /// Ends the document and returns it.
    pub fn finish(mut self) -> Vec<u8> {
        self.indent = None;
        self.line();
        self.out
    }

    #[inline]
    fn scalar(&mut self, text: &str, shape: Shape, key: bool) {
        if shape.is_simple() {
            self.write_as_is(text.as_bytes());
            return;
        }
        let bytes = text.as_bytes();
        match shape.style(text, self.dialect) {
            ScalarStyle::Plain => self.write_plain(bytes, shape, !key),
            ScalarStyle::Single => self.write_single(bytes, shape, !key),
            ScalarStyle::Literal if !key => self.write_literal(bytes, shape),
            ScalarStyle::Literal | ScalarStyle::Double => self.write_double(text, shape, !key),
        }
    }

    /// Writes ASCII as it stands.
    #[inline]
    fn write_as_is(&mut self, bytes: &[u8]) {
        self.space();
        let from = self.out.len();
        self.out.extend_from_slice(bytes);
        self.wrote(from);
    }

    /// A scalar is written, from there on.
    #[inline]
    pub(crate) fn wrote(&mut self, from: usize) {
        self.written = from..self.out.len();
        self.whitespace = false;
        self.indention = false;
    }

    /// Parts what comes from what is there.
    #[inline]
    pub(crate) fn space(&mut self) {
        if !self.whitespace {
            self.out.push(b' ');
        }
    }

    pub(crate) fn column(&self) -> usize {
        self.out.len() - self.line_at - self.wide
    }

    /// Appends part of a scalar as it stands, on one line.
    pub(crate) fn copy(&mut self, bytes: &[u8], ascii: bool) {
        self.out.extend_from_slice(bytes);
        if !ascii {
            self.wide += bytes.iter().filter(|byte| **byte & 0xc0 == 0x80).count();
        }
    }

    pub(crate) fn line_break(&mut self) {
        self.out.push(b'\n');
        self.new_line();
    }

    /// A break is written; columns count from here.
    pub(crate) fn new_line(&mut self) {
        self.line_at = self.out.len();
        self.wide = 0;
    }

    /// Appends spaces up to a column; nothing when it is beyond.
    pub(crate) fn pad(&mut self, column: usize) {
        const SPACES: [u8; 64] = [b' '; 64];
        let mut missing = column.saturating_sub(self.column());
        while missing > 0 {
            let some = missing.min(SPACES.len());
            self.out.extend_from_slice(SPACES.get(..some).unwrap_or(&SPACES));
            missing -= some;
        }
    }

    /// Goes to the indentation, on a new line unless this one is still empty.
    fn line(&mut self) {
        let indent = self.indent.unwrap_or(0);
        let column = self.column();
        if !self.indention || column > indent || column == indent && !self.whitespace {
            self.line_break();
        }
        self.pad(indent);
        self.whitespace = true;
        self.indention = true;
    }

    fn indicator(&mut self, indicator: u8, is_indention: bool) {
        self.space();
        self.out.push(indicator);
        self.whitespace = false;
        self.indention = self.indention && is_indention;
    }
}

/// Returns bytes in base64 as go-yaml and kyaml write it: in lines of 70 if it is that long.
pub fn base64_lines(bytes: &[u8]) -> String {
    const LINE: usize = 70;
    let whole = plumb_go::base64::encode(bytes);
    if whole.len() < LINE {
        return whole;
    }
    let mut lines = String::with_capacity(whole.len() + whole.len() / LINE + 1);
    let mut rest = whole.as_str();
    while !rest.is_empty() {
        let (line, more) = rest.split_at(LINE.min(rest.len()));
        lines.push_str(line);
        lines.push('\n');
        rest = more;
    }
    lines
}
