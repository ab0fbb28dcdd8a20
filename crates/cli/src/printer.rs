//! Owns what reaches the terminal: data to stdout, all else to stderr, colour and movement only on a terminal.
//! Must not know what is printed.

use std::io::{self, IsTerminal, Write};
use std::path::Path;

use serde_json::Value;

use crate::args::Format;
use crate::problem::Problem;

/// What a piece of text says by its colour; it must say the same without.
#[cfg_attr(not(feature = "operator"), expect(dead_code, reason = "one set of tones; only the operator's tables show all of them"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    /// As it should be.
    Good,
    /// On its way, or waiting.
    Busy,
    /// Wrong.
    Bad,
    /// Of less weight.
    Faint,
    /// Of more weight.
    Strong,
}

impl Tone {
    fn code(self) -> &'static str {
        match self {
            Self::Good => "\x1b[32m",
            Self::Busy => "\x1b[33m",
            Self::Bad => "\x1b[31m",
            Self::Faint => "\x1b[2m",
            Self::Strong => "\x1b[1m",
        }
    }

    /// Returns a text in this tone, whatever it goes to.
    pub(crate) fn wrap(self, text: &str) -> String {
        format!("{}{text}{RESET}", self.code())
    }
}

const RESET: &str = "\x1b[0m";

/// The one way to the terminal.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Printer {
    color_out: bool,
    color_err: bool,
    #[cfg(feature = "operator")]
    moving: bool,
}

impl Printer {
    /// Looks at the streams and the environment.
    pub(crate) fn new() -> Self {
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let color = !set("NO_COLOR") && !dumb;
        let (out, err) = (io::stdout().is_terminal(), io::stderr().is_terminal());
        Self {
            color_out: color && out,
            color_err: color && err,
            #[cfg(feature = "operator")]
            moving: err && !dumb && !set("CI"),
        }
    }

    /// Returns whether diagnostics on stderr may have colour.
    pub(crate) fn color_err(&self) -> bool {
        self.color_err
    }

    /// Returns a text for stdout in a tone.
    pub(crate) fn paint(&self, tone: Tone, text: &str) -> String {
        paint(self.color_out, tone, text)
    }

    /// Writes data as it is.
    pub(crate) fn data(&self, text: &str) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.flush()
    }

    /// Writes data in parts, as `each` gives them.
    pub(crate) fn parts<T>(&self, each: impl FnOnce(&mut dyn FnMut(&[u8])) -> T) -> io::Result<T> {
        let mut out = io::BufWriter::with_capacity(1 << 16, io::stdout().lock());
        let mut written = Ok(());
        let made = each(&mut |part| {
            if written.is_ok() {
                written = out.write_all(part);
            }
        });
        written?;
        out.flush()?;
        Ok(made)
    }

    /// Writes a line of data.
    pub(crate) fn line(&self, text: &str) -> io::Result<()> {
        self.data(&format!("{text}\n"))
    }

    /// Writes a document as JSON or YAML.
    pub(crate) fn document(&self, format: Format, value: &Value) -> io::Result<()> {
        match format {
            Format::Yaml => self.data(&plumb_build::yaml_text(value)),
            Format::Json | Format::Name | Format::Wide => self.line(&format!("{value:#}")),
        }
    }

    /// Writes something for people, such as what is being done.
    pub(crate) fn note(&self, text: &str) {
        self.err(&format!("{text}\n"));
    }

    /// Writes a warning.
    pub(crate) fn warning(&self, text: &str) {
        self.err(&format!("{}: {text}\n", paint(self.color_err, Tone::Busy, "warning")));
    }

    /// Writes why a command failed, and what to do.
    pub(crate) fn problem(&self, problem: &Problem) {
        let mut text = String::new();
        if !problem.report.is_empty() {
            text.push_str(&problem.report);
        }
        if !problem.message.is_empty() {
            text.push_str(&format!("{}: {}\n", paint(self.color_err, Tone::Bad, "error"), problem.message));
        }
        for hint in &problem.hints {
            text.push_str(&format!("{}: {hint}\n", paint(self.color_err, Tone::Strong, "hint")));
        }
        if !problem.details.is_empty() {
            text.push_str(&format!("\n{}", problem.details));
        }
        self.err(&text);
    }

    /// Writes to stderr as it is. There is nobody left to tell when that fails.
    pub(crate) fn err(&self, text: &str) {
        let mut err = io::stderr().lock();
        let _ = err.write_all(text.as_bytes()).and_then(|()| err.flush());
    }
}

/// What only the operator's commands do: tables, lines that move, questions.
#[cfg(feature = "operator")]
impl Printer {
    /// Returns a printer without colour or movement.
    #[cfg(test)]
    pub(crate) fn plain() -> Self {
        Self { color_out: false, color_err: false, moving: false }
    }

    /// Returns whether lines on stderr may be drawn over.
    pub(crate) fn moving(&self) -> bool {
        self.moving
    }

    /// Returns a text for stderr in a tone.
    pub(crate) fn paint_err(&self, tone: Tone, text: &str) -> String {
        paint(self.color_err, tone, text)
    }

    /// Writes a table.
    pub(crate) fn table(&self, table: &crate::table::Table) -> io::Result<()> {
        self.data(&table.render(self.color_out))
    }

    /// Asks a question that `y` or `yes` agrees to. Returns nothing when there is nobody to ask.
    pub(crate) fn ask(&self, question: &str) -> Option<bool> {
        if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
            return None;
        }
        self.err(&format!("{question} [y/N] "));
        let mut answer = String::new();
        io::stdin().read_line(&mut answer).ok()?;
        Some(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
    }
}

fn paint(color: bool, tone: Tone, text: &str) -> String {
    if color && !text.is_empty() { tone.wrap(text) } else { text.to_owned() }
}

/// Returns a text from elsewhere as it may be shown on a terminal: no control characters but line ends and tabs, nothing that reorders text.
pub(crate) fn clean(text: &str) -> String {
    let shown = |c: char| match c {
        '\n' | '\t' => c,
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => char::REPLACEMENT_CHARACTER,
        c if c.is_control() => char::REPLACEMENT_CHARACTER,
        c => c,
    };
    text.chars().filter(|c| *c != '\r').map(shown).collect()
}

/// Returns a text from elsewhere as one line.
pub(crate) fn clean_line(text: &str) -> String {
    clean(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Returns a path as it is named in messages.
pub(crate) fn shown(path: &Path) -> String {
    clean_line(&path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_elsewhere_obeys_as_a_control_sequence() {
        assert_eq!(clean("a\x1b[31mb\r\n\tc\u{202e}d"), "a\u{fffd}[31mb\n\tc\u{fffd}d");
        assert_eq!(clean_line("one\n  two\tthree"), "one two three");
    }

    #[test]
    fn colour_is_left_out_where_there_is_no_terminal() {
        assert_eq!(paint(false, Tone::Bad, "x"), "x");
        assert_eq!(paint(true, Tone::Bad, "x"), "\x1b[31mx\x1b[0m");
        assert_eq!(paint(true, Tone::Bad, ""), "");
    }
}
