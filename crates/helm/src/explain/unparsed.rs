//! Owns what is said of a template that does not parse: its line, and where the mistake began when that is another one.

use plumb_gotemplate::Functions;
use plumb_manifest::nearest;
use plumb_world::{Diagnostic, FileId, Span};

use super::Explained;

/// Go's words, and what to do about it.
const ADVICE: &[(&str, &str)] = &[
    ("unexpected \"}\" in operand", "An action ends with two braces: `}}`."),
    ("unexpected \"/\" in command", "A comment begins right behind the braces: `{{/* … */}}`, or `{{- /* … */ -}}` with a space."),
    ("unclosed comment", "A comment ends right before the braces: `*/}}`."),
    ("unexpected \"=\" in operand", "Values are compared by functions: `eq A B`, `ne`, `lt`, `le`, `gt`, `ge`."),
    ("malformed character constant", "Texts stand between `\"` or backquotes."),
    ("unterminated quoted string", "A text in an action ends on its line, with `\"`."),
    ("bad character U+002D", "A key with a dash in it is read by `index`: `index .Values \"my-key\"`."),
    (
        "undefined variable",
        "A variable is known from `:=` on, to the end of its block; `$` is all that a chart is given, as in `$.Values`.",
    ),
    ("unexpected EOF", "`if`, `with`, `range`, `define` and `block` each need an `end` in the same file."),
    ("unexpected {{end}}", "There is an `end` more than blocks that are open in this file."),
];

/// What opens a block.
const OPENERS: [&str; 5] = ["if", "with", "range", "define", "block"];

/// An action of a template: where its braces begin, and its first word.
struct Action<'t> {
    at: usize,
    word: &'t str,
    closed: bool,
}

impl Explained {
    /// `told` is Go's: `template: NAME:LINE: WHAT`.
    pub(super) fn of_unparsed(&self, file: Option<FileId>, told: &[u8]) -> Diagnostic {
        let told = String::from_utf8_lossy(told);
        let parts: Vec<&str> = told.splitn(4, ':').collect();
        let (line, what) = match parts.as_slice() {
            [_, _, line, what] => (line.trim().parse::<usize>().ok(), what.trim()),
            _ => (None, &*told),
        };
        let mut diagnostic = Diagnostic::error("helm-template", what.to_owned());
        let source = file.and_then(|file| self.source(Span { file, start: 0, end: 0 }));
        let (Some(source), Some(line)) = (source, line) else { return diagnostic };
        let text = String::from_utf8_lossy(&source.data);
        let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
        let own = text.get(start..).unwrap_or_default().lines().next().unwrap_or_default();
        let span = |start: usize, len: usize| Span {
            file: source.file,
            start: u32::try_from(start).unwrap_or(u32::MAX),
            end: u32::try_from(start + len).unwrap_or(u32::MAX),
        };
        let actions = actions(&text);
        let begun = match what {
            "unexpected EOF" => open_block(&actions),
            // An action that has no end takes in what stands below it.
            _ => actions.iter().rev().find(|action| action.at < start + own.len()).filter(|action| !action.closed || action.at < start),
        };
        let begun = begun.filter(|action| what == "unexpected EOF" || spans(&text, action.at, start));
        if let Some(action) = begun {
            let len = text.get(action.at..).and_then(|rest| rest.lines().next()).map_or(0, str::len);
            diagnostic = diagnostic
                .at(span(action.at, len), if what == "unexpected EOF" { "this block has no end" } else { "this action has no end" });
        }
        let named = what.split('"').nth(1).filter(|_| what.starts_with("function "));
        let blank = own.len() - own.trim_start().len();
        let place = named.and_then(|name| Some((start + own.find(name)?, name.len()))).unwrap_or((start + blank, own.trim().len()));
        if place.1 > 0 {
            diagnostic = diagnostic.at(span(place.0, place.1), "");
        }
        if let Some(name) = named.filter(|_| begun.is_none()) {
            diagnostic = diagnostic.hint(no_function(name));
        }
        match ADVICE.iter().find(|(words, _)| what.starts_with(words)) {
            Some((_, advice)) => diagnostic.hint(*advice),
            None => diagnostic,
        }
    }
}

fn no_function(name: &str) -> String {
    let all = Functions::helm().names();
    let known: Vec<&str> = all.iter().filter_map(|name| std::str::from_utf8(name).ok()).collect();
    match (name.strip_prefix("else"), nearest(name, known)) {
        (Some(rest), _) if OPENERS.contains(&rest) => format!("`else {rest}` is two words."),
        (_, Some(meant)) => format!("There is no function `{name}`; there is `{meant}`."),
        _ => format!("There is no function `{name}`: charts have those of Go's templates, of Sprig, and Helm's own."),
    }
}

/// Whether an action that begins at a place goes on behind another one.
fn spans(text: &str, at: usize, beyond: usize) -> bool {
    at < beyond && text.get(at..beyond).is_some_and(|text| !text.contains("}}"))
}

/// Returns the innermost block that is open at the end.
fn open_block<'a, 't>(actions: &'a [Action<'t>]) -> Option<&'a Action<'t>> {
    let mut open = Vec::new();
    for action in actions {
        match action.word {
            "end" => _ = open.pop(),
            word if OPENERS.contains(&word) => open.push(action),
            _ => {}
        }
    }
    open.pop()
}

/// Returns the actions of a text, comments left out.
fn actions(text: &str) -> Vec<Action<'_>> {
    let mut all = Vec::new();
    let mut at = 0;
    while let Some(found) = text.get(at..).and_then(|rest| rest.find("{{")) {
        let start = at + found;
        let inner = text.get(start + 2..).unwrap_or_default();
        let trimmed = inner.strip_prefix("- ").unwrap_or(inner).trim_start();
        let ending = if trimmed.starts_with("/*") { "*/" } else { "}}" };
        let end = inner.find(ending);
        if ending == "}}" {
            let word = trimmed.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
            all.push(Action { at: start, word, closed: end.is_some() });
        }
        match end {
            Some(end) => at = start + 2 + end + 2,
            None => break,
        }
    }
    all
}
