//! Owns what is said of text that templates wrote and that is no YAML: the lines around the fault, the template and the values that wrote them, and a
//! guess where it can be tried out.

use plumb_gotemplate::{Branch, Seg, Traced};
use plumb_world::{Diagnostic, Span};
use plumb_yaml::{ByteSpan, parse};

use super::Explained;
use crate::manifest::documents;
use crate::render::Output;
use crate::sources::Layer;

/// Lines that are shown before and after a fault in what was rendered.
const AROUND: usize = 2;
/// The deepest indentation that a guess tries.
const MAX_INDENT: usize = 40;
/// What stands for a value that is secret.
const HIDDEN: &str = "‹hidden›";
/// Values of a line that are told of.
const MAX_VALUES: usize = 3;
/// The largest document that guesses are tried on, in bytes: each reads it once.
const MAX_TRIED_BYTES: usize = 256 << 10;

impl Explained {
    /// What is wrong with the first document that is no YAML.
    pub(super) fn of_yaml(&self) -> Option<Vec<Diagnostic>> {
        for output in &self.rendered.outputs {
            let text = String::from_utf8_lossy(&output.text.bytes).into_owned();
            for range in documents(&text) {
                let stream = parse(text[range.clone()].as_bytes(), &plumb_yaml::Options::default());
                if let Some(Err(errors)) = stream.documents().next() {
                    return errors.first().map(|error| {
                        let fault = Fault::new(&text, range, error.span);
                        vec![self.of_document(output, &fault, &error.message)]
                    });
                }
            }
        }
        None
    }

    fn of_document(&self, output: &Output, fault: &Fault<'_>, message: &str) -> Diagnostic {
        let message = format!("{} comes to text that is no YAML: {message}", output.source);
        let mut diagnostic = Diagnostic::error("helm-yaml", message);
        let writers = self.writers(&output.text, fault.line_range(fault.line));
        for (nth, place) in writers.iter().enumerate() {
            diagnostic = diagnostic.at(*place, if nth == 0 { "this wrote the line" } else { "called here" });
        }
        if let Some(joined) = self.joined(&output.text, fault) {
            diagnostic = diagnostic.at(joined, "this came onto the same line").hint("`{{-` and `-}}` take line ends away on their side.");
        }
        diagnostic = diagnostic.hint(format!("What was rendered:\n{}", excerpt(&output.text, fault)));
        let mut values = Vec::new();
        for seg in output.text.under(fault.line_range(fault.line)) {
            self.settings(seg.origin, true, &mut values);
        }
        for setting in values.iter().filter(|setting| setting.carried && setting.place.is_some()).take(MAX_VALUES) {
            diagnostic = self.hinted(diagnostic, setting);
        }
        match self.guess(output, fault) {
            Some(guess) => diagnostic.hint(guess),
            None => diagnostic,
        }
    }

    /// Returns the places of templates that wrote a line, the innermost first.
    fn writers(&self, text: &Traced, line: std::ops::Range<usize>) -> Vec<Span> {
        let origins = &self.rendered.heap.origins;
        let is_template = |place: &Span| self.source(*place).is_some_and(|source| source.layer == Layer::Template);
        let first = line.clone().find(|at| !text.bytes.get(*at).is_none_or(u8::is_ascii_whitespace)).unwrap_or(line.start);
        let Some(seg) = text.under(first..line.end.max(first + 1)).next() else { return Vec::new() };
        let mut places: Vec<Span> =
            origins.place(seg).filter(is_template).map(|place| Span { end: place.start + 1, ..place }).into_iter().collect();
        let mut ctl = seg.ctl;
        while let Some(known) = origins.ctl(ctl) {
            if matches!(known.taken, Branch::Call | Branch::Emit) && is_template(&known.site) {
                places.push(known.site);
            }
            ctl = known.up;
        }
        places
    }

    /// Returns what would make the document YAML, where that was tried and does.
    fn guess(&self, output: &Output, fault: &Fault<'_>) -> Option<String> {
        if fault.document().len() > MAX_TRIED_BYTES {
            return None;
        }
        let lines = [Some(fault.line), fault.line.checked_sub(1)];
        if let Some(guess) = lines.into_iter().flatten().find_map(|line| fault.guess_tab(line)) {
            return Some(guess);
        }
        if fault.text_of(fault.line).contains("%!") {
            return Some("`%!` is what `printf` writes where a value is of another type than its verb wants: `%v` takes all.".to_owned());
        }
        for line in lines.into_iter().flatten() {
            let guess = self.guess_block(output, fault, line).or_else(|| self.guess_quotes(output, fault, line));
            if guess.is_some() {
                return guess;
            }
        }
        if let Some(guess) = self.block_around(output, fault).find_map(|line| self.guess_block(output, fault, line)) {
            return Some(guess);
        }
        let lines = lines.into_iter().flatten();
        lines.clone().find_map(|line| self.guess_indentation(output, fault, line)).or_else(|| {
            let is_secret = |line: usize| output.text.under(fault.line_range(line)).any(|seg| seg.origin.is_secret());
            let plain = |line| fault.guess_plain(line).map(|guess| (line, guess));
            let (line, guess) = lines.clone().filter(|line| !is_secret(*line)).find_map(plain)?;
            let place = self.writers(&output.text, fault.line_range(line)).first().map(|place| self.place(*place))?;
            Some(format!("{guess} It is written at {place}."))
        })
    }

    /// The lines above a fault that the action of the line before it wrote, and the one above them, from the bottom up.
    fn block_around(&self, output: &Output, fault: &Fault<'_>) -> impl Iterator<Item = usize> {
        let wrote = |line: usize| self.action(&output.text, fault.line_range(line));
        let last = fault.line.saturating_sub(1);
        let action = wrote(last);
        let first = (0..last).rev().take_while(|line| action.is_some() && wrote(*line) == action).last().unwrap_or(last);
        (first.saturating_sub(1)..=last).rev()
    }

    /// Lines that were written behind a key, and are to stand below it.
    fn guess_block(&self, output: &Output, fault: &Fault<'_>, line: usize) -> Option<String> {
        let text = fault.text_of(line);
        // Without a line break before it, a block begins right behind the colon of the key that it belongs to.
        let (colon, spaced) = (text.find(':')? + 1, text.find(": ").map(|at| at + 2));
        let colon = if text[colon..].starts_with(char::is_alphanumeric) { colon } else { spaced? };
        let (action, written) = self.written_behind(output, fault, line, colon)?;
        let code = self.action_text(action);
        let makes_lines =
            ["toYaml", "toJson", "include", "tpl"].iter().any(|word| code.split(|c: char| !c.is_alphanumeric()).any(|own| own == *word));
        if !makes_lines || self.is_statement(action) {
            return None;
        }
        let to = text.len() - text.trim_start().len() + 2;
        let least = written.iter().skip(1).filter(|line| !line.trim().is_empty()).map(|line| line.len() - line.trim_start().len()).min()?;
        let first = format!("{}{}", " ".repeat(to), written[0].trim_start());
        let below = written.iter().skip(1).map(|line| format!("{}{}", " ".repeat(to), line.get(least..).unwrap_or_default()));
        let lines: Vec<String> = fault
            .lines()
            .take(line)
            .map(str::to_owned)
            .chain([text[..colon].trim_end().to_owned(), first])
            .chain(below)
            .chain(fault.lines().skip(line + written.len()).map(str::to_owned))
            .collect();
        let bare = code.split('|').filter(|part| !part.trim_start().starts_with("indent ") && !part.trim_start().starts_with("nindent "));
        let bare = bare.map(str::trim).collect::<Vec<_>>().join(" | ");
        let place = self.place(action);
        fault
            .reads(&lines)
            .then(|| format!("`nindent {to}` would put the lines below the key: `{{{{ {bare} | nindent {to} }}}}` at {place}."))
    }

    /// Returns the action that wrote what stands behind a place of a line, and all that it wrote from there on, line by line.
    fn written_behind<'t>(&self, output: &Output, fault: &Fault<'t>, line: usize, from: usize) -> Option<(Span, Vec<&'t str>)> {
        let range = fault.line_range(line);
        let action = self.action(&output.text, range.start + from..range.end)?;
        let below = (line + 1..fault.lines().count()).take_while(|line| self.action(&output.text, fault.line_range(*line)) == Some(action));
        Some((action, std::iter::once(fault.text_of(line).get(from..)?).chain(below.map(|line| fault.text_of(line))).collect()))
    }

    /// Whether what stands at a place is `template`, which has no value to give on.
    fn is_statement(&self, action: Span) -> bool {
        let before = self.source(action).and_then(|source| source.data.get(..action.start as usize)).unwrap_or_default();
        String::from_utf8_lossy(before).trim_end().ends_with("template")
    }

    /// Returns where a later line of a template begins that was written onto the same line as one before it.
    fn joined(&self, text: &Traced, fault: &Fault<'_>) -> Option<Span> {
        let origins = &self.rendered.heap.origins;
        let row = |place: &Span| (place.file, self.position(*place).line);
        let is_template = |place: &Span| self.source(*place).is_some_and(|source| source.layer == Layer::Template);
        let mut places = pieces(text, fault.line_range(fault.line)).into_iter().filter_map(|seg| origins.place(seg).filter(is_template));
        let first = places.next()?;
        places.find(|place| place.file == first.file && row(place) > row(&first)).map(|place| Span { end: place.start + 1, ..place })
    }

    /// A value that is written without quotes and is no plain text.
    fn guess_quotes(&self, output: &Output, fault: &Fault<'_>, line: usize) -> Option<String> {
        let text = fault.text_of(line);
        let colon = text.find(": ")? + 2;
        let value = text.get(colon..)?.trim_end();
        if value.is_empty() || value.starts_with(['|', '>']) {
            return None;
        }
        let range = fault.line_range(line);
        // What the template put in quotes itself.
        let inside = value.strip_prefix(['"', '\'']).and_then(|rest| rest.strip_suffix(['"', '\'']));
        let (value, at, how) = match inside {
            Some(inside) => (inside, colon + 1, "`quote` in place of the quotes would make it a text"),
            None => (value, colon, "`quote` would make it a text"),
        };
        let action =
            self.action(&output.text, range.start + at..range.start + at + value.len()).filter(|action| !self.is_statement(*action))?;
        let quoted = format!("{}{}", &text[..colon], serde_json::Value::from(value));
        let more = self.written_behind(output, fault, line, at).map_or(0, |(_, lines)| lines.len().saturating_sub(1));
        let mut lines: Vec<String> = fault.lines().map(str::to_owned).collect();
        lines.drain(line + 1..line + 1 + more);
        lines[line] = quoted;
        let place = self.place(action);
        fault.reads(&lines).then(|| format!("{how}: `{{{{ {} | quote }}}}` at {place}.", self.action_text(action)))
    }

    /// A block that stands too far left or right.
    fn guess_indentation(&self, output: &Output, fault: &Fault<'_>, line: usize) -> Option<String> {
        let range = fault.line_range(line);
        let action = self.action(&output.text, range)?;
        // All lines of the document that the action wrote, as far as they stand together.
        let own = |line: usize| self.action(&output.text, fault.line_range(line)) == Some(action);
        let first = (0..=line).rev().take_while(|line| own(*line)).last()?;
        let count = fault.lines().count();
        let last = (line..count).take_while(|line| own(*line)).last()?;
        let indent = |line: usize| fault.text_of(line).len() - fault.text_of(line).trim_start().len();
        let stands = indent(first);
        let above = first.checked_sub(1)?;
        let near = [indent(above) + 2, indent(above), indent(above) + 4];
        let fits = |to: &usize| {
            let moved = |nth: usize, text: &str| {
                if !(first..=last).contains(&nth) || text.trim().is_empty() {
                    return text.to_owned();
                }
                format!("{}{}", " ".repeat((indent(nth) + to).saturating_sub(stands)), text.trim_start())
            };
            *to != stands
                && *to <= MAX_INDENT
                && fault.reads(&fault.lines().enumerate().map(|(nth, text)| moved(nth, text)).collect::<Vec<_>>())
        };
        let to = near.into_iter().find(fits)?;
        let written = self.action_text(action);
        let word = ["nindent", "indent"].into_iter().find(|word| written.contains(word)).unwrap_or("nindent");
        Some(format!(
            "`{word} {to}` would line up: `{}` at {} writes its lines at column {}.",
            written.trim(),
            self.place(action),
            stands + 1
        ))
    }

    /// Returns what stands in an action from a place on.
    fn action_text(&self, action: Span) -> String {
        let data = self.source(action).map_or(&[][..], |source| &source.data);
        let rest = String::from_utf8_lossy(data.get(action.start as usize..).unwrap_or_default()).into_owned();
        rest.split("}}").next().unwrap_or_default().trim_end_matches('-').trim().to_owned()
    }

    /// Returns the outermost action that wrote a range, where it is one.
    fn action(&self, text: &Traced, range: std::ops::Range<usize>) -> Option<Span> {
        let origins = &self.rendered.heap.origins;
        let outer = |seg: Seg| {
            let mut ctl = seg.ctl;
            let mut found = None;
            while let Some(known) = origins.ctl(ctl) {
                if matches!(known.taken, Branch::Call | Branch::Emit) {
                    found = Some(known.site);
                }
                ctl = known.up;
            }
            found
        };
        let mut actions = pieces(text, range).into_iter().map(outer);
        let first = actions.next()??;
        actions.all(|action| action == Some(first)).then_some(first)
    }
}

/// Returns the lines around a fault with their numbers in the output, without what is secret of them.
fn excerpt(text: &Traced, fault: &Fault<'_>) -> String {
    let before = fault.text[..fault.range.start].matches('\n').count();
    let from = fault.line.saturating_sub(AROUND);
    let to = (fault.line + AROUND + 1).min(fault.lines().count());
    let row = |line: usize| {
        let mark = if line == fault.line { '>' } else { ' ' };
        format!("{mark} {:>4} | {}", before + line + 1, shown(text, fault.line_range(line)))
    };
    (from..to).map(row).collect::<Vec<_>>().join("\n")
}

fn shown(text: &Traced, range: std::ops::Range<usize>) -> String {
    let segs: Vec<Seg> = text.under(range.clone()).collect();
    let ends = segs.iter().skip(1).map(|next| next.at as usize).chain([range.end]);
    let mut out = Vec::new();
    for (seg, end) in segs.iter().zip(ends) {
        match seg.origin.is_secret() {
            true if out.ends_with(HIDDEN.as_bytes()) => {}
            true => out.extend_from_slice(HIDDEN.as_bytes()),
            false => out.extend_from_slice(text.bytes.get(seg.at as usize..end).unwrap_or_default()),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Returns the segments under a range that have more than space in them.
fn pieces(text: &Traced, range: std::ops::Range<usize>) -> Vec<Seg> {
    let segs: Vec<Seg> = text.under(range.clone()).collect();
    let ends = segs.iter().skip(1).map(|next| next.at as usize).chain([range.end]);
    let has_text =
        |seg: &Seg, end: usize| text.bytes.get(seg.at as usize..end).is_some_and(|bytes| !bytes.iter().all(u8::is_ascii_whitespace));
    segs.iter().zip(ends).filter(|(seg, end)| has_text(seg, *end)).map(|(seg, _)| *seg).collect()
}

/// A document that is no YAML, and the line that says so.
pub(super) struct Fault<'t> {
    text: &'t str,
    range: std::ops::Range<usize>,
    /// The line in the document, from 0.
    pub(super) line: usize,
}

impl<'t> Fault<'t> {
    pub(super) fn new(text: &'t str, range: std::ops::Range<usize>, at: ByteSpan) -> Self {
        let document = &text[range.clone()];
        let before = document.get(..(at.start as usize).min(document.len())).unwrap_or(document);
        let line = before.matches('\n').count();
        let blank = document.lines().skip(line).take_while(|line| line.trim().is_empty()).count();
        Self { text, range, line: (line + blank).min(document.lines().count().saturating_sub(1)) }
    }

    fn document(&self) -> &'t str {
        &self.text[self.range.clone()]
    }

    fn lines(&self) -> impl Iterator<Item = &'t str> {
        self.document().lines()
    }

    fn text_of(&self, line: usize) -> &'t str {
        self.lines().nth(line).unwrap_or_default()
    }

    /// The bytes of a line in the output.
    fn line_range(&self, line: usize) -> std::ops::Range<usize> {
        let start = self.range.start + self.document().split_inclusive('\n').take(line).map(str::len).sum::<usize>();
        start..start + self.text_of(line).len()
    }

    /// A tab that would have to be spaces.
    fn guess_tab(&self, line: usize) -> Option<String> {
        let text = self.text_of(line);
        let is_it = text.contains('\t') && self.reads_with(line, &text.replace('\t', "  "));
        is_it.then(|| "There is a tab in it; YAML is indented with spaces.".to_owned())
    }

    /// What would make YAML of it where the template's own text is at fault: a quote, a colon, an indentation.
    pub(super) fn guess_plain(&self, line: usize) -> Option<String> {
        let text = self.text_of(line);
        let own = text.trim_start();
        let stands = text.len() - own.len();
        if let Some(guess) = self.guess_tab(line) {
            return Some(guess);
        }
        if text.matches('"').count() % 2 == 1 && self.reads_with(line, &format!("{text}\"")) {
            return Some(format!("A quote is not closed: `{own}`."));
        }
        if let Some((key, value)) = own.split_once(' ')
            && !own.contains(':')
            && key.starts_with(char::is_alphanumeric)
            && self.reads_with(line, &format!("{}{key}: {value}", " ".repeat(stands)))
        {
            return Some(format!("A colon behind `{key}` would make it a key."));
        }
        // Moving what stands before a fault may hide it.
        let above = self.text_of(line.checked_sub(1).filter(|_| line == self.line && !text.contains('\t'))?);
        let to = above.len() - above.trim_start().len();
        (to != stands && self.reads_with(line, &format!("{}{own}", " ".repeat(to))))
            .then(|| format!("`{own}` would line up with what stands above it if it began at column {}.", to + 1))
    }

    fn reads(&self, lines: &[String]) -> bool {
        let text = lines.join("\n");
        let stream = parse(text.as_bytes(), &plumb_yaml::Options::default());
        stream.documents().next().is_some_and(|document| document.is_ok())
    }

    fn reads_with(&self, line: usize, instead: &str) -> bool {
        let lines: Vec<String> =
            self.lines().enumerate().map(|(nth, text)| if nth == line { instead.to_owned() } else { text.to_owned() }).collect();
        self.reads(&lines)
    }
}
