//! Owns the table of line starts: offsets to lines and columns.

use plumb_world::Position;

/// Where lines start, by YAML's breaks: `\n`, `\r`, `\r\n`, NEL, LS and PS.
#[derive(Debug)]
pub(crate) struct Lines {
    starts: Vec<u32>,
}

impl Lines {
    pub(crate) fn of(text: &str) -> Self {
        let bytes = text.as_bytes();
        let mut starts = vec![0];
        for at in memchr::memchr3_iter(b'\n', b'\r', 0xe2, bytes) {
            let start = match bytes[at] {
                b'\n' => at + 1,
                b'\r' if bytes.get(at + 1) != Some(&b'\n') => at + 1,
                0xe2 if matches!(bytes[at..], [_, 0x80, 0xa8 | 0xa9, ..]) => at + 3,
                _ => continue,
            };
            starts.push(start as u32);
        }
        let plain = starts.len();
        starts.extend(memchr::memmem::find_iter(bytes, b"\xc2\x85").map(|at| at as u32 + 2));
        if starts.len() > plain {
            starts.sort_unstable();
        }
        Self { starts }
    }

    /// Returns the line of an offset, from 0.
    pub(crate) fn line_of(&self, offset: u32) -> u32 {
        (self.starts.partition_point(|start| *start <= offset) - 1) as u32
    }

    pub(crate) fn is_line_start(&self, offset: u32) -> bool {
        self.starts.binary_search(&offset).is_ok()
    }

    pub(crate) fn position(&self, text: &str, offset: u32) -> Position {
        let line = self.line_of(offset);
        let start = self.starts[line as usize] as usize;
        let before = text.as_bytes().get(start..(offset as usize).min(text.len())).unwrap_or_default();
        let column = before.iter().filter(|b| **b & 0xc0 != 0x80).count() as u32;
        Position { line: line + 1, column: column + 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_break_of_yaml_starts_a_line() {
        let text = "a\nb\r\nc\rd\u{85}e\u{2028}fé g\u{2029}";
        let lines = Lines::of(text);
        for (needle, line, column) in [("a", 1, 1), ("b", 2, 1), ("c", 3, 1), ("d", 4, 1), ("e", 5, 1), ("g", 6, 4)] {
            let position = text.find(needle).map(|at| lines.position(text, at as u32));
            assert_eq!(position, Some(Position { line, column }), "{needle}");
        }
        assert_eq!(lines.line_of(text.len() as u32), 6);
    }
}
