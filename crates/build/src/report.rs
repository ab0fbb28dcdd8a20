//! Owns how diagnostics look: message, source excerpt with the place underlined, hints. Text in, text out; the same for CLI and history.
//!
//! Nothing of a file reaches a terminal as a control sequence, and ranges that the file table hides are left out.

use std::fmt::Write as _;

use plumb_world::{Diagnostic, FileTable, Label, Severity, Span};

use crate::lines::{Line, Lines};

/// How many characters of a line an excerpt shows; of a longer line, the part around the place.
pub const MAX_EXCERPT_CHARS: usize = 120;

const HIDDEN: &str = "‹hidden›";
const TAB: &str = "    ";

const RED: &str = "\x1b[1;31m";
const YELLOW: &str = "\x1b[1;33m";
const BLUE: &str = "\x1b[1;34m";
const BOLD: &str = "\x1b[1m";
const RESET: &str = "\x1b[0m";

/// Returns the diagnostics as text for a terminal or a log, each followed by an empty line, and a last line that counts them and names the unit.
///
/// Without colour there is not one escape sequence in it. Empty when there is no diagnostic.
pub fn render(diagnostics: &[Diagnostic], files: &FileTable, unit: &str, color: bool) -> String {
    let mut report = Report { files, lines: Lines::new(files), color, out: String::new() };
    for diagnostic in diagnostics {
        report.diagnostic(diagnostic);
    }
    if !diagnostics.is_empty() {
        report.summary(diagnostics, unit);
    }
    report.out
}

/// Returns one diagnostic as one line without excerpt: `error: path:line:column: message`.
pub fn line(diagnostic: &Diagnostic, files: &FileTable) -> String {
    let place = diagnostic.labels.first().map_or_else(String::new, |label| format!("{}: ", files.place(label.span)));
    format!("{}: {}{}", word(diagnostic.severity), clean(&place), clean(&diagnostic.message))
}

struct Report<'a> {
    files: &'a FileTable,
    lines: Lines<'a>,
    color: bool,
    out: String,
}

/// A line as it is shown, and where in it the underline goes, in characters.
struct Shown {
    text: String,
    start: usize,
    len: usize,
}

impl Report<'_> {
    fn diagnostic(&mut self, diagnostic: &Diagnostic) {
        let color = severity_color(diagnostic.severity);
        let head = self.paint(color, &format!("{}[{}]", word(diagnostic.severity), diagnostic.code));
        let message = self.paint(BOLD, &clean(&diagnostic.message));
        let _ = writeln!(self.out, "{head}: {message}");
        let width = diagnostic.labels.iter().map(|label| self.lines.line(label.span).number.to_string().len()).max().unwrap_or(1);
        for (at, label) in diagnostic.labels.iter().enumerate() {
            self.label(label, at == 0, width, color);
        }
        if !diagnostic.labels.is_empty() && !diagnostic.hints.is_empty() {
            self.gutter(width, "|");
            self.out.push('\n');
        }
        for hint in &diagnostic.hints {
            self.gutter(width, "=");
            let _ = writeln!(self.out, " help: {}", clean(hint));
        }
        self.out.push('\n');
    }

    fn label(&mut self, label: &Label, primary: bool, width: usize, color: &str) {
        let Some(file) = self.files.get(label.span.file) else { return };
        let Line { number, start, end } = self.lines.line(label.span);
        let column = self.lines.position(label.span).column;
        let arrow = self.paint(BLUE, &format!("{:width$}{}", "", if primary { "-->" } else { ":::" }));
        let source = [&*file.source, &*file.revision].iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>().join(", ");
        let source = if source.is_empty() { source } else { format!(" ({})", clean(&source)) };
        let _ = writeln!(self.out, "{arrow} {}:{number}:{column}{source}", clean(file.path.as_str()));
        if file.text.is_empty() {
            return;
        }
        let shown = self.show(label.span, start, end);
        self.gutter(width, "|");
        self.out.push('\n');
        let margin = self.paint(BLUE, &format!("{number:>width$} |"));
        let _ = writeln!(self.out, "{}", format!("{margin} {}", shown.text).trim_end());
        let mark = if primary { "^" } else { "-" }.repeat(shown.len.max(1));
        let text = if label.text.is_empty() { mark } else { format!("{mark} {}", clean(&label.text)) };
        let text = self.paint(if primary { color } else { BLUE }, &text);
        self.gutter(width, "|");
        let _ = writeln!(self.out, " {:pad$}{text}", "", pad = shown.start);
    }

    fn summary(&mut self, diagnostics: &[Diagnostic], unit: &str) {
        let count = |severity| diagnostics.iter().filter(|diagnostic| diagnostic.severity == severity).count();
        let many = |number: usize, word: &str| (number > 0).then(|| format!("{number} {word}{}", if number == 1 { "" } else { "s" }));
        let counts: Vec<String> =
            [many(count(Severity::Error), "error"), many(count(Severity::Warning), "warning")].into_iter().flatten().collect();
        let unit = if unit.is_empty() { String::new() } else { format!("{}: ", clean(unit)) };
        let _ = writeln!(self.out, "{unit}{}", counts.join(", "));
    }

    /// Cuts a line to what is shown around the span.
    fn show(&self, span: Span, start: usize, end: usize) -> Shown {
        let text = self.files.get(span.file).map_or(&[][..], |file| &file.text);
        let mut shown = Shown { text: String::new(), start: 0, len: 0 };
        let mut chars = 0;
        let from = (span.start as usize).clamp(start, end);
        let to = (span.end as usize).clamp(from, end);
        let mut hidden = false;
        let first = window_start(text, start, from);
        if first > start {
            shown.text.push('…');
            chars += 1;
        }
        for (at, c) in characters(&text[first..end], first) {
            if at <= from {
                shown.start = chars;
            }
            if at < to.max(from + 1) {
                shown.len = chars + 1 - shown.start.min(chars);
            }
            if chars >= MAX_EXCERPT_CHARS {
                shown.text.push('…');
                break;
            }
            let secret = self.files.hidden(span.file).any(|range| (range.start as usize..range.end as usize).contains(&at));
            let piece = match (secret, hidden) {
                (true, true) => String::new(),
                (true, false) => HIDDEN.to_owned(),
                (false, _) => clean_char(c),
            };
            hidden = secret;
            chars += piece.chars().count();
            shown.text.push_str(&piece);
            if at < to {
                shown.len = chars.saturating_sub(shown.start);
            }
        }
        // The place is the end of the line: a caret behind the last character.
        if from >= end {
            (shown.start, shown.len) = (chars, 1);
        }
        shown.text.truncate(shown.text.trim_end().len());
        shown
    }

    fn gutter(&mut self, width: usize, mark: &str) {
        let text = self.paint(BLUE, &format!("{:width$} {mark}", ""));
        self.out.push_str(&text);
    }

    fn paint(&self, color: &str, text: &str) -> String {
        if self.color { format!("{color}{text}{RESET}") } else { text.to_owned() }
    }
}

/// Returns where an excerpt starts so that the place is in it: the line's start, or half a window before the place.
fn window_start(text: &[u8], start: usize, from: usize) -> usize {
    if from - start < MAX_EXCERPT_CHARS * 3 / 4 {
        return start;
    }
    let mut first = from - MAX_EXCERPT_CHARS / 2;
    // Not in the middle of a character.
    while first < from && text.get(first).is_some_and(|byte| byte & 0xc0 == 0x80) {
        first += 1;
    }
    first
}

/// Returns the characters of a text that may not be UTF-8, each with its offset.
fn characters(text: &[u8], offset: usize) -> impl Iterator<Item = (usize, char)> {
    let mut at = offset;
    text.utf8_chunks().flat_map(move |chunk| {
        let valid = chunk.valid();
        let base = at;
        at += valid.len() + chunk.invalid().len();
        let broken = (!chunk.invalid().is_empty()).then_some((base + valid.len(), char::REPLACEMENT_CHARACTER));
        valid.char_indices().map(move |(nth, c)| (base + nth, c)).chain(broken)
    })
}

fn clean(text: &str) -> String {
    text.chars().map(|c| if c == '\n' { "\n    ".to_owned() } else { clean_char(c) }).collect()
}

/// Returns a character as it may be shown: no control characters, which a terminal may obey, and nothing that reorders text.
fn clean_char(c: char) -> String {
    match c {
        '\t' => TAB.to_owned(),
        '\r' => String::new(),
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => char::REPLACEMENT_CHARACTER.to_string(),
        c if c.is_control() => char::REPLACEMENT_CHARACTER.to_string(),
        c => c.to_string(),
    }
}

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

fn severity_color(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => RED,
        Severity::Warning => YELLOW,
    }
}

#[cfg(test)]
mod tests {
    use plumb_world::{FileId, RelPath, SourceFile};

    use super::*;

    fn table(text: &[u8]) -> (FileTable, FileId) {
        let mut files = FileTable::default();
        let path = RelPath::parse("deploy/web.yaml").expect("path");
        let file = files.add(SourceFile { source: "main".into(), revision: "main@sha1:4f0c".into(), path, text: text.into(), made: false });
        (files, file)
    }

    fn check(text: &[u8], start: u32, end: u32, expect: &str) {
        let (files, file) = table(text);
        let diagnostic = Diagnostic::error("sample", "wrong").at(Span { file, start, end }, "here");
        assert_eq!(render(&[diagnostic], &files, "", false), expect);
    }

    #[test]
    fn the_place_is_underlined() {
        let expect =
            "error[sample]: wrong\n --> deploy/web.yaml:2:4 (main, main@sha1:4f0c)\n  |\n2 | b: value\n  |    ^^^^^ here\n\n1 error\n";
        check(b"a: 1\nb: value\nc: 2\n", 8, 13, expect);
    }

    #[test]
    fn a_place_over_several_lines_is_underlined_on_its_first() {
        let expect = "error[sample]: wrong\n --> deploy/web.yaml:1:1 (main, main@sha1:4f0c)\n  |\n1 | a: 1\n  | ^^^^ here\n\n1 error\n";
        check(b"a: 1\nb: 2\n", 0, 9, expect);
    }

    #[test]
    fn the_end_of_a_file_is_a_place() {
        let expect = "error[sample]: wrong\n --> deploy/web.yaml:1:5 (main, main@sha1:4f0c)\n  |\n1 | a: [\n  |     ^ here\n\n1 error\n";
        check(b"a: [", 4, 4, expect);
    }

    #[test]
    fn tabs_controls_and_bytes_that_are_no_text_are_shown_as_such() {
        let expect = "error[sample]: wrong\n --> deploy/web.yaml:1:5 (main, main@sha1:4f0c)\n  |\n1 |     x\u{fffd}\u{fffd}[31m\n  |       ^ here\n\n1 error\n";
        check(b"\tx\xff\x1b[31m", 3, 4, &expect.replace("1:5", "1:4"));
    }

    #[test]
    fn of_a_long_line_the_part_around_the_place_is_shown() {
        let text = format!("{}!{}", "é".repeat(1000), "é".repeat(1000));
        let (files, file) = table(text.as_bytes());
        let report =
            render(&[Diagnostic::error("sample", "wrong").at(Span { file, start: 2000, end: 2001 }, "here")], &files, "a/b", false);
        let lines: Vec<&str> = report.lines().collect();
        assert!(lines[3].chars().count() < MAX_EXCERPT_CHARS + 8, "{report}");
        let bang = lines[3].chars().position(|c| c == '!').expect("shown");
        assert_eq!(lines[4].chars().position(|c| c == '^'), Some(bang), "{report}");
        assert!(report.ends_with("a/b: 1 error\n"));
    }

    #[test]
    fn what_is_hidden_is_left_out_and_places_in_it_point_at_its_mark() {
        let (mut files, file) = table(b"password: hunter2\n");
        files.hide(Span { file, start: 10, end: 17 });
        let report = render(&[Diagnostic::error("sample", "wrong").at(Span { file, start: 10, end: 17 }, "here")], &files, "", false);
        assert!(!report.contains("hunter2"), "{report}");
        assert!(report.contains("1 | password: ‹hidden›\n  |           ^^^^^^^^ here\n"), "{report}");
    }

    #[test]
    fn places_outside_the_file_do_no_harm() {
        let (files, file) = table(b"a\n");
        let other = FileId(7);
        let wrong = Diagnostic::warning("sample", "wrong")
            .at(Span { file, start: 90, end: 99 }, "")
            .at(Span { file: other, start: 0, end: 1 }, "")
            .at(Span { file, start: 1, end: 0 }, "")
            .hint("Do better.");
        let report = render(&[wrong], &files, "", true);
        assert!(report.contains("help: Do better."));
    }

    #[test]
    fn one_line_has_place_and_message() {
        let (files, file) = table(b"a: 1\nb: 2\n");
        let diagnostic = Diagnostic::error("sample", "wrong\x1b[2J").at(Span { file, start: 5, end: 6 }, "");
        assert_eq!(line(&diagnostic, &files), "error: deploy/web.yaml:2:1: wrong\u{fffd}[2J");
    }
}
