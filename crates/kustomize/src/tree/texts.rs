//! Owns what a build reads and makes: the streams that nodes point into, texts that steps put together, and who changed which node.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use elsa::FrozenVec;
use plumb_world::{Diagnostic, FileId, FileTable, RelPath, SourceFile, Span};
use plumb_yaml::{NodeRef, Options, Stream};

use super::View;
use crate::limits::{Limit, MAX_DEPTH, Meter};

/// Everything that nodes point into. It only grows.
pub(crate) struct Texts {
    streams: FrozenVec<Box<Stream>>,
    /// The file of each stream, by where the stream is.
    file_of: RefCell<HashMap<usize, FileId>>,
    made: FrozenVec<Box<str>>,
    files: RefCell<FileTable>,
    marks: RefCell<Vec<Mark>>,
    /// Where the texts are written that are files of their own here: patches within a kustomization.
    within: RefCell<HashMap<FileId, Span>>,
    meter: Meter,
}

/// Who gave a node its content, and whom that went over: an index into the marks. None of it means where the node is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct Origin(u32);

/// Who changes nodes: a step of a kustomization, with the place that asks for it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stamp {
    pub(crate) by: &'static str,
    pub(crate) place: Option<Span>,
}

/// One link of an origin's chain.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    pub(crate) stamp: Stamp,
    /// What it went over.
    pub(crate) was: Origin,
}

impl Origin {
    /// No step had a hand in it.
    pub(crate) const WRITTEN: Self = Self(0);
}

impl Texts {
    pub(crate) fn new(files: FileTable) -> Self {
        Self {
            streams: FrozenVec::new(),
            file_of: RefCell::default(),
            made: FrozenVec::new(),
            files: RefCell::new(files),
            marks: RefCell::new(Vec::new()),
            within: RefCell::default(),
            meter: Meter::default(),
        }
    }

    /// Returns what is counted against the limits of the build.
    pub(crate) fn meter(&self) -> &Meter {
        &self.meter
    }

    /// Keeps a text that a step put together. One too many is empty, and the build fails at its next step.
    pub(crate) fn keep(&self, text: String) -> &str {
        if !self.meter.take(Limit::MadeBytes, text.len()) {
            return "";
        }
        self.made.push_get(text.into_boxed_str())
    }

    /// Adds a file.
    pub(crate) fn add(&self, file: SourceFile) -> FileId {
        self.files.borrow_mut().add(file)
    }

    /// Adds a text that is written within another file.
    pub(crate) fn add_within(&self, file: SourceFile, place: Option<Span>) -> FileId {
        let id = self.add(file);
        if let Some(place) = place {
            self.within.borrow_mut().insert(id, place);
        }
        id
    }

    /// Returns a place as people find it: one of a text within another file is in that file.
    pub(crate) fn place_in_file(&self, span: Span) -> Span {
        let Some(outer) = self.within.borrow().get(&span.file).copied() else { return span };
        let outer = self.place_in_file(outer);
        let files = self.files.borrow();
        let (Some(inner), Some(file)) = (files.get(span.file), files.get(outer.file)) else { return outer };
        within(outer, &file.text, span, &inner.text).unwrap_or(outer)
    }

    /// Returns diagnostics with their places as people find them.
    pub(crate) fn found(&self, mut diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
        for label in diagnostics.iter_mut().flat_map(|diagnostic| &mut diagnostic.labels) {
            label.span = self.place_in_file(label.span);
        }
        diagnostics
    }

    /// Reads the text of a file as YAML. With one too many there is nothing in it, and the build fails at its next step.
    pub(crate) fn read(&self, file: FileId, text: Arc<str>) -> &Stream {
        let text = if self.meter.left(Limit::Nodes) == 0 { Arc::from("") } else { text };
        let stream = plumb_yaml::parse_str(text, &Options::default().by_text().max_depth(MAX_DEPTH));
        self.meter.take(Limit::Nodes, stream.node_count());
        let stream = self.streams.push_get(Box::new(stream));
        self.file_of.borrow_mut().insert(std::ptr::from_ref(stream).addr(), file);
        stream
    }

    /// Returns the table of files, with those that were added.
    pub(crate) fn into_files(self) -> FileTable {
        self.files.into_inner()
    }

    /// Returns a copy of the table of files.
    #[cfg(test)]
    pub(crate) fn files(&self) -> FileTable {
        self.files.borrow().clone()
    }

    /// Returns a place with file, line and column.
    pub(crate) fn named(&self, place: Span) -> String {
        self.files.borrow().place(place)
    }

    /// Returns the path of a file.
    pub(crate) fn path(&self, file: FileId) -> Option<RelPath> {
        self.files.borrow().get(file).map(|file| file.path.clone())
    }

    /// Returns the file at a path of the tree, if it was read.
    pub(crate) fn find(&self, path: &RelPath) -> Option<FileId> {
        self.files.borrow().iter().find(|(_, file)| file.path == *path && !file.made).map(|(id, _)| id)
    }

    /// Returns the content of a file.
    pub(crate) fn bytes(&self, file: FileId) -> Option<Arc<[u8]>> {
        self.files.borrow().get(file).map(|file| Arc::clone(&file.text))
    }

    /// Returns where a node is written.
    pub(crate) fn span(&self, node: NodeRef<'_>) -> Option<Span> {
        let file = *self.file_of.borrow().get(&std::ptr::from_ref(node.stream()).addr())?;
        let span = node.span();
        Some(Span { file, start: span.start, end: span.end })
    }

    /// Returns where a key of a map is written, if the map is as it was read.
    pub(crate) fn key_place(&self, map: View<'_, '_>, key: &str) -> Option<Span> {
        let node = map.node_ref()?;
        node.entries().find(|entry| entry.key.text() == key).and_then(|entry| self.span(entry.key))
    }

    /// Notes that a step changed what had this origin.
    pub(crate) fn over(&self, stamp: Stamp, was: Origin) -> Origin {
        let mut marks = self.marks.borrow_mut();
        if !self.meter.take(Limit::Changes, 1) {
            return was;
        }
        marks.push(Mark { stamp, was });
        Origin(marks.len() as u32)
    }

    /// Notes where a node is written that is about to be opened.
    pub(crate) fn written(&self, node: NodeRef<'_>) -> Origin {
        self.over(Stamp { by: "", place: self.span(node) }, Origin::WRITTEN)
    }

    /// Returns who had a hand in a node, the last one first; where it is written is the end of it.
    pub(crate) fn chain(&self, view: View<'_, '_>) -> Vec<Stamp> {
        let mut chain = Vec::new();
        let mut at = view.origin();
        {
            let marks = self.marks.borrow();
            while let Some(mark) = (at.0 as usize).checked_sub(1).and_then(|index| marks.get(index)) {
                chain.push(mark.stamp);
                at = mark.was;
            }
        }
        if let Some(place) = view.node_ref().and_then(|node| self.span(node)) {
            chain.push(Stamp { by: "", place: Some(place) });
        }
        chain
    }

    /// Returns the place that speaks for a node: that of the last step that changed it, else where it is written.
    pub(crate) fn place(&self, view: View<'_, '_>) -> Option<Span> {
        self.chain(view).into_iter().find_map(|stamp| stamp.place)
    }

    /// Marks a range as secret: no excerpt may show it.
    pub(crate) fn hide(&self, span: Span) {
        self.files.borrow_mut().hide(span);
    }

    /// Returns where a node's history ends, to go on from there.
    pub(crate) fn history(&self, view: View<'_, '_>) -> Origin {
        match view.node_ref() {
            Some(node) if view.origin() == Origin::WRITTEN => self.written(node),
            _ => view.origin(),
        }
    }
}

/// Returns where a place of a scalar's text is in the file that the scalar is written in: of a literal block line by line, of a text that stands there
/// as it is by counting. Nothing for one that was folded or unescaped.
fn within(outer: Span, file: &[u8], span: Span, text: &[u8]) -> Option<Span> {
    let written = file.get(outer.start as usize..outer.end as usize)?;
    let start = span.start as usize;
    let len = span.end.saturating_sub(span.start);
    let at =
        |offset: usize| u32::try_from(outer.start as usize + offset).ok().map(|start| Span { file: outer.file, start, end: start + len });
    if !written.starts_with(b"|") {
        let offset = memchr::memmem::find(written, text).filter(|_| !text.is_empty())?;
        return at(offset + start);
    }
    let line = text.get(..start)?.iter().filter(|byte| **byte == b'\n').count();
    let column = start - text[..start].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    // The first line of a block is that of its indicator.
    let first = text.split(|byte| *byte == b'\n').nth(line)?;
    let mut offset = 0;
    for (nth, of_file) in written.split(|byte| *byte == b'\n').enumerate() {
        if nth == line + 1 {
            let indent = of_file.strip_suffix(first).or_else(|| of_file.strip_suffix(b"\r")?.strip_suffix(first))?.len();
            return at(offset + indent + column);
        }
        offset += of_file.len() + 1;
    }
    None
}
