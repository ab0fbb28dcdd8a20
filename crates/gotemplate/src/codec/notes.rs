//! Owns how the origins of what is encoded reach the text: each key and scalar is noted where it is written, and the text is put together from
//! the parts at the end. Nothing is noted without tracing.

use std::ops::Range;

use super::{uniform, whole};
use crate::func::{Call, Failure};
use crate::heap::{Builder, Heap};
use crate::origin::O;
use crate::text::Str;
use crate::value::Value;

/// What was written where.
pub(super) struct Notes {
    on: bool,
    notes: Vec<(Range<usize>, Value, O)>,
    /// What decided what is in the collections that are open, and in those around them.
    around: Vec<O>,
}

impl Notes {
    pub(super) fn new(heap: &Heap) -> Self {
        Self { on: heap.origins.tracing(), notes: Vec::new(), around: Vec::new() }
    }

    /// Notes what a value was written as. Collections are noted only where they are empty.
    pub(super) fn value(&mut self, at: Range<usize>, value: Value) {
        if self.on {
            self.notes.push((at, value, self.around.last().copied().unwrap_or(O::NONE)));
        }
    }

    /// Enters a collection. One that was changed under a block stands under it with all that is in it.
    pub(super) fn enter(&mut self, heap: &mut Heap, collection: Value) {
        if self.on {
            let (own, around) = (collection.origin(), self.around.last().copied().unwrap_or(O::NONE));
            self.around.push(if heap.origins.stands_under(own) { heap.origins.join(around, own) } else { around });
        }
    }

    /// Leaves a collection.
    pub(super) fn leave(&mut self) {
        self.around.pop();
    }

    /// Notes a key.
    pub(super) fn key(&mut self, at: Range<usize>, origin: O) {
        self.value(at, Value::Nil(origin));
    }

    /// Adds the text to the heap; what nothing was noted for is from what makes up the value's shape.
    pub(super) fn settle(self, c: &mut Call<'_>, bytes: &[u8], of: Value) -> Result<Value, Failure> {
        c.heap.reserve(bytes.len())?;
        let around = c.heap.shape(of);
        let mut parts = Vec::with_capacity(self.notes.len());
        for (at, value, decided) in self.notes {
            let value = c.heap.beside(value, decided);
            let at = at.start.min(bytes.len())..at.end.min(bytes.len());
            let (origin, text) = match value {
                Value::Str(own, text) => match uniform(c.heap, text, own) {
                    Some(origin) => (origin, None),
                    None => (whole(c.heap, value), Some((text, own))),
                },
                Value::Bytes(..) => (whole(c.heap, value), None),
                other => (other.origin(), None),
            };
            parts.push((at, origin, text));
        }
        let mut built = c.heap.build();
        let mut from = 0;
        for (at, origin, text) in parts {
            built.bytes(bytes.get(from..at.start).unwrap_or_default(), around);
            let written = bytes.get(at.clone()).unwrap_or_default();
            match text {
                Some((text, own)) => scalar(&mut built, written, text, own, origin),
                None => _ = built.bytes(written, origin),
            }
            from = from.max(at.end);
        }
        built.bytes(bytes.get(from..).unwrap_or_default(), around);
        Ok(Value::Str(around, built.end()))
    }
}

/// Appends a text as it was written. What stands there as it is, alone, in quotes or line by line, keeps the origins of its bytes.
fn scalar(built: &mut Builder<'_>, written: &[u8], text: Str, own: O, origin: O) {
    let source = built.peek(text).to_vec();
    if written == source {
        built.text(text, own);
        return;
    }
    if let [open @ (b'"' | b'\''), inner @ .., close] = written
        && inner == source
    {
        built.bytes(&[*open], origin).text(text, own).bytes(&[*close], origin);
        return;
    }
    match lines(written, &source) {
        Some(lines) => {
            let mut from = 0;
            for (at, line) in lines {
                built.bytes(written.get(from..at).unwrap_or_default(), origin).text(text.slice(line.start, line.end), own);
                from = at + line.len();
            }
            built.bytes(written.get(from..).unwrap_or_default(), origin);
        }
        None => _ = built.bytes(written, origin),
    }
}

/// The lines of a block: where each stands, and which part of the text it is.
pub(super) fn lines(written: &[u8], text: &[u8]) -> Option<Vec<(usize, Range<usize>)>> {
    if !written.starts_with(b"|") {
        return None;
    }
    let mut at = written.iter().position(|byte| *byte == b'\n')? + 1;
    let mut lines = Vec::new();
    let mut from = 0;
    for line in text.split(|byte| *byte == b'\n') {
        let rest = written.get(at..).unwrap_or_default();
        let stands = rest.get(..rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len()))?;
        if !line.is_empty() {
            let indentation = stands.strip_suffix(line)?;
            if indentation.iter().any(|byte| *byte != b' ') {
                return None;
            }
            lines.push((at + indentation.len(), from..from + line.len()));
        }
        at += stands.len() + 1;
        from += line.len() + 1;
    }
    Some(lines)
}
