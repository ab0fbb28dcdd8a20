//! Owns text that knows where each byte is from: one growing buffer, and segments by absolute position.
//!
//! A text is a range of the buffer ([`Str`]), so cutting it (`trim`, `trunc`, `substr`, `split`) is a new range and keeps all origins,
//! and copying it copies the segments that lie under it. Without origins there are no segments and a copy is a `memcpy`.

use crate::origin::{CtlId, O};

/// A text: a range of its heap's buffer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub struct Str {
    /// First byte.
    pub at: u32,
    /// How many bytes.
    pub len: u32,
}

impl Str {
    /// Returns the range from `start` to `end`, both relative to this text and within it.
    #[must_use]
    pub fn slice(self, start: usize, end: usize) -> Self {
        let end = end.min(self.len as usize);
        let start = start.min(end);
        Self { at: self.at + start as u32, len: (end - start) as u32 }
    }

    /// Returns where it lies in the buffer.
    pub fn range(self) -> std::ops::Range<usize> {
        self.at as usize..self.at as usize + self.len as usize
    }

    /// Returns whether there is nothing in it.
    pub fn is_empty(self) -> bool {
        self.len == 0
    }
}

/// From `at` on (until the next one) bytes are from `origin`, under `ctl`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Seg {
    /// The first byte's position in the buffer.
    pub at: u32,
    /// Where it is from; [`O::NONE`]: the value's own origin.
    pub origin: O,
    /// The byte's offset in the text that `origin` is the place of, or [`Seg::WHOLE`].
    pub off: u32,
    /// What it was written under.
    pub ctl: CtlId,
}

impl Seg {
    /// The bytes are made of the origin as a whole, not byte by byte.
    pub const WHOLE: u32 = u32::MAX;

    /// Returns what the byte at a later position is, by this segment.
    fn at_position(self, position: u32) -> Self {
        let off = if self.off == Self::WHOLE { Self::WHOLE } else { self.off + (position - self.at) };
        Self { at: position, off, ..self }
    }

    fn goes_on(self, next: Self) -> bool {
        let here = self.at_position(next.at);
        here.origin == next.origin && here.off == next.off && here.ctl == next.ctl
    }
}

/// A growing text with its segments, ascending by position.
#[derive(Clone, Debug, Default)]
pub struct Traced {
    /// The bytes; any bytes, as in Go.
    pub bytes: Vec<u8>,
    /// What is known of them; empty when nothing is.
    pub segs: Vec<Seg>,
}

impl Traced {
    /// Returns the position of the next byte.
    pub fn position(&self) -> u32 {
        self.bytes.len() as u32
    }

    /// Says where the bytes that follow are from.
    pub fn mark(&mut self, origin: O, off: u32, ctl: CtlId) {
        self.push_seg(Seg { at: self.position(), origin, off, ctl });
    }

    fn push_seg(&mut self, seg: Seg) {
        match self.segs.last_mut() {
            None if seg.origin == O::NONE && seg.ctl == CtlId(0) => {}
            Some(last) if last.goes_on(seg) => {}
            Some(last) if last.at == seg.at => *last = seg,
            _ => self.segs.push(seg),
        }
    }

    /// Appends bytes of one origin.
    pub fn push(&mut self, bytes: &[u8], origin: O, off: u32, ctl: CtlId) {
        if bytes.is_empty() {
            return;
        }
        self.mark(origin, off, ctl);
        self.bytes.extend_from_slice(bytes);
    }

    /// Returns the segments under a range, the first one cut to its beginning. Without any, one that says nothing.
    pub fn under(&self, range: std::ops::Range<usize>) -> impl Iterator<Item = Seg> + '_ {
        let start = range.start as u32;
        let after = self.segs.partition_point(|seg| seg.at <= start);
        let first = match after.checked_sub(1) {
            // Nothing is made of nothing: whatever lies at that position is another text's.
            Some(at) if !range.is_empty() => self.segs[at].at_position(start),
            _ => Seg { at: start, origin: O::NONE, off: Seg::WHOLE, ctl: CtlId(0) },
        };
        let rest = self.segs[after..].iter().copied().take_while(move |seg| (seg.at as usize) < range.end);
        std::iter::once(first).chain(rest)
    }

    /// Appends a range of another text. Bytes that say "the value's own" get `own`; bytes under no block get `ctl`.
    pub fn copy(&mut self, from: &Self, range: std::ops::Range<usize>, own: O, ctl: CtlId) {
        if range.is_empty() {
            return;
        }
        if from.segs.is_empty() {
            self.push(&from.bytes[range], own, Seg::WHOLE, ctl);
            return;
        }
        let base = self.position();
        for seg in from.under(range.clone()) {
            let placed = Self::placed(seg, base + (seg.at - range.start as u32), own, ctl);
            self.push_seg(placed);
        }
        self.bytes.extend_from_slice(&from.bytes[range]);
    }

    /// Appends a range of this text itself, as [`copy`](Self::copy) does.
    pub fn copy_within(&mut self, range: std::ops::Range<usize>, own: O, ctl: CtlId) {
        if range.is_empty() {
            return;
        }
        let base = self.position();
        if self.segs.is_empty() {
            self.mark(own, Seg::WHOLE, ctl);
        } else {
            let under: Vec<Seg> = self.under(range.clone()).collect();
            for seg in under {
                let placed = Self::placed(seg, base + (seg.at - range.start as u32), own, ctl);
                self.push_seg(placed);
            }
        }
        self.bytes.extend_from_within(range);
    }

    fn placed(seg: Seg, at: u32, own: O, ctl: CtlId) -> Seg {
        let origin = if seg.origin == O::NONE { own } else { seg.origin };
        let ctl = if seg.ctl == CtlId(0) { ctl } else { seg.ctl };
        Seg { at, origin, off: seg.off, ctl }
    }

    /// Drops what lies behind a position.
    pub fn truncate(&mut self, position: u32) {
        self.bytes.truncate(position as usize);
        let keep = self.segs.partition_point(|seg| seg.at < position);
        self.segs.truncate(keep);
    }
}

/// Takes out every `<no value>`, as Helm does with what a template wrote.
pub fn without_no_value(text: &mut Traced) {
    const NO_VALUE: &[u8] = b"<no value>";
    let finder = memchr::memmem::Finder::new(NO_VALUE);
    if finder.find(&text.bytes).is_none() {
        return;
    }
    let mut out = Traced::default();
    let mut from = 0;
    while let Some(at) = finder.find(&text.bytes[from..]) {
        out.copy(text, from..from + at, O::NONE, CtlId(0));
        from += at + NO_VALUE.len();
    }
    out.copy(text, from..text.bytes.len(), O::NONE, CtlId(0));
    *text = out;
}
