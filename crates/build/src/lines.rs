//! Owns lines and columns of many places: each file's lines are found once. (`FileTable::position` reads the file up to the place every time.)

use std::collections::BTreeMap;

use plumb_world::{FileId, FileTable, Position, Span};

/// Where the lines of files start.
pub(crate) struct Lines<'a> {
    files: &'a FileTable,
    starts: BTreeMap<FileId, Vec<u32>>,
}

/// A line of a file: its number from 1, and its bytes without the line break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) number: usize,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl<'a> Lines<'a> {
    pub(crate) fn new(files: &'a FileTable) -> Self {
        Self { files, starts: BTreeMap::new() }
    }

    /// Returns the line that a span starts on; the last one for a span behind the file's end.
    pub(crate) fn line(&mut self, span: Span) -> Line {
        let text = self.files.get(span.file).map_or(&[][..], |file| &file.text);
        let starts = self.starts.entry(span.file).or_insert_with(|| {
            let breaks = text.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
            std::iter::once(0).chain(breaks.map(|(at, _)| u32::try_from(at + 1).unwrap_or(u32::MAX))).collect()
        });
        let number = starts.partition_point(|start| *start <= span.start).max(1);
        let start = starts.get(number - 1).map_or(0, |start| *start as usize).min(text.len());
        let end = starts.get(number).map_or(text.len(), |next| (*next as usize).saturating_sub(1)).min(text.len());
        Line { number, start, end: end.max(start) }
    }

    /// Returns line and column of a span's start.
    pub(crate) fn position(&mut self, span: Span) -> Position {
        let line = self.line(span);
        let text = self.files.get(span.file).map_or(&[][..], |file| &file.text);
        let before = &text[line.start..(span.start as usize).clamp(line.start, text.len())];
        let column = String::from_utf8_lossy(before).chars().count() + 1;
        Position { line: u32::try_from(line.number).unwrap_or(u32::MAX), column: u32::try_from(column).unwrap_or(u32::MAX) }
    }
}

#[cfg(test)]
mod tests {
    use plumb_world::{RelPath, SourceFile};

    use super::*;

    #[test]
    fn places_are_those_of_the_file_table() {
        let mut files = FileTable::default();
        for text in ["", "a", "é: x\n\n  b\n", "\n\n"] {
            let path = RelPath::parse("a.yaml").expect("path");
            let file = files.add(SourceFile { source: "".into(), revision: "".into(), path, text: text.as_bytes().into(), made: false });
            let mut lines = Lines::new(&files);
            for start in 0..=u32::try_from(text.len()).expect("short") + 2 {
                let span = Span { file, start, end: start };
                assert_eq!(lines.position(span), files.position(span), "{text:?} {start}");
            }
        }
    }
}
