//! Owns texts that a heap only refers to: files of a chart, which a render reads and never changes. They lie behind all positions of the heap's own buffer.

use std::ops::{Deref, Range};
use std::sync::Arc;

use crate::text::Str;

/// Where positions of shared texts begin. A heap's own buffer cannot grow so far.
const FIRST: u32 = 1 << 31;

/// Texts of others, one behind the other.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shared {
    /// Where each begins, counted from [`FIRST`].
    starts: Vec<u32>,
    texts: Vec<Arc<[u8]>>,
    /// By page of positions: the text that its first position is in.
    pages: Vec<u32>,
    end: u32,
}

/// Bytes of a text that outlive a change of the heap.
pub(crate) enum Held {
    Own(Box<[u8]>),
    Shared(Arc<[u8]>, Range<usize>),
}

impl Deref for Held {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Own(bytes) => bytes,
            Self::Shared(text, range) => &text[range.clone()],
        }
    }
}

/// Positions are found by pages of two to this.
const PAGE: u32 = 12;

impl Shared {
    /// Returns whether a text is one of others.
    pub(crate) fn has(text: Str) -> bool {
        text.at >= FIRST
    }

    /// Adds a text; nothing when there is no room for its positions.
    pub(crate) fn add(&mut self, text: &Arc<[u8]>) -> Option<Str> {
        let len = u32::try_from(text.len()).ok()?;
        let end = self.end.checked_add(len).filter(|end| *end < FIRST)?;
        let at = FIRST + self.end;
        self.starts.push(self.end);
        let nth = self.texts.len() as u32;
        self.texts.push(text.clone());
        while (self.pages.len() as u32) << PAGE < end {
            self.pages.push(nth);
        }
        self.end = end;
        Some(Str { at, len })
    }

    /// Returns the bytes of a text.
    pub(crate) fn bytes(&self, text: Str) -> &[u8] {
        if text.len == 0 {
            return &[];
        }
        let (nth, start) = self.place(text);
        &self.texts[nth][start..start + text.len as usize]
    }

    /// Keeps a text's bytes.
    pub(crate) fn held(&self, text: Str) -> Held {
        if text.len == 0 {
            return Held::Own(Box::default());
        }
        let (nth, start) = self.place(text);
        Held::Shared(self.texts[nth].clone(), start..start + text.len as usize)
    }

    /// Returns which text a range is of, and where in it.
    fn place(&self, text: Str) -> (usize, usize) {
        let position = text.at - FIRST;
        let mut nth = self.pages[(position >> PAGE) as usize] as usize;
        while self.starts.get(nth + 1).is_some_and(|next| *next <= position) {
            nth += 1;
        }
        (nth, (position - self.starts[nth]) as usize)
    }
}
