//! Owns what is said of a chart that did not come to anything: the place in the template and how it got there, the value that was missing or wrong
//! and who set it, and for text that is no YAML the lines around the fault, the template that wrote them, and a guess where it can be tried out.

use plumb_gotemplate::{Branch, Host, RenderError, Seg, Traced};
use plumb_world::{Diagnostic, Span};
use plumb_yaml::{ByteSpan, parse};

use super::Explained;
use super::reason::Setting;
use crate::chart::Chart;
use crate::manifest::documents;
use crate::render::{Cause, Options, Output, try_render};
use crate::sources::Layer;

/// Lines that are shown before and after a fault in what was rendered.
const AROUND: usize = 2;
/// The deepest indentation that a guess tries.
const MAX_INDENT: usize = 40;
/// The largest document that guesses are tried on, in bytes: each reads it once.
const MAX_TRIED_BYTES: usize = 256 << 10;

/// Returns what is wrong with a chart that does not render, found out by rendering it with origins; nothing for one that does. Files are named by
/// `options.trace`.
pub fn diagnose(chart: &Chart, options: &Options<'_>, host: &mut dyn Host) -> Vec<Diagnostic> {
    let failed = match try_render(chart, options, host) {
        Ok(_) => return Vec::new(),
        Err(failed) => *failed,
    };
    let message = failed.error.message.clone();
    let Some(rendered) = failed.rendered else { return vec![Diagnostic::error("helm-chart", message)] };
    let explained = Explained::of(rendered);
    match failed.cause {
        Cause::Template(error) => vec![explained.of_template(&error)],
        Cause::Yaml => explained.of_yaml().unwrap_or_else(|| vec![Diagnostic::error("helm-yaml", message)]),
        Cause::Other => vec![Diagnostic::error("helm-chart", message)],
    }
}

impl Explained {
    fn of_template(&self, error: &RenderError) -> Diagnostic {
        let cause = String::from_utf8_lossy(&error.cause).replace("HELM_ERR_START", "").replace("HELM_ERR_END", "");
        let mut diagnostic = Diagnostic::error("helm-template", cause.trim().to_owned());
        for (nth, site) in error.sites.iter().enumerate() {
            let Some(span) = site.span else { continue };
            let whole = Span { end: span.start.saturating_add(u32::try_from(site.node.len()).unwrap_or(0)), ..span };
            // Go names the field that has nothing in it, and prints all of the way there.
            let span = if self.text(whole) == site.node { whole } else { self.name_from(span) };
            let text = if nth == 0 { String::new() } else { format!("called here, in `{}`", site.template) };
            diagnostic = diagnostic.at(span, text);
        }
        let mut values = Vec::new();
        self.settings(error.value, true, &mut values);
        for setting in &values {
            diagnostic = diagnostic.hint(self.told_setting(setting));
            if let Some(place) = setting.place {
                diagnostic = diagnostic.at(place, "the value is set here");
            }
        }
        diagnostic
    }

    /// Returns the names with dots that begin at a place.
    fn name_from(&self, place: Span) -> Span {
        let data = self.source(place).and_then(|source| source.data.get(place.start as usize..)).unwrap_or_default();
        let len = data.iter().take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'$')).count();
        Span { end: place.start.saturating_add(u32::try_from(len).unwrap_or(0)), ..place }
    }

    fn told_setting(&self, setting: &Setting) -> String {
        let over: Vec<String> = setting.overridden.iter().map(|place| self.place(*place)).collect();
        match setting.place {
            Some(place) if over.is_empty() => format!("`{}` is set at {}.", setting.key, self.place(place)),
            Some(place) => format!("`{}` is set at {}, over {}.", setting.key, self.place(place), over.join(", ")),
            None if !over.is_empty() => format!("`{}` is taken away at {}.", setting.key, over.join(", ")),
            None => match self.meant_for(&setting.key) {
                Some(meant) => format!("Nobody sets `{}`; there is `{meant}`.", setting.key),
                None => format!("Nobody sets `{}`: give it with `--set {}=…` or in a file of values.", setting.key, setting.key),
            },
        }
    }

    fn place(&self, place: Span) -> String {
        let position = self.position(place);
        let file = self.source(place).map_or("?", |source| source.name.as_str());
        format!("{file}:{}:{}", position.line, position.column)
    }

    /// What is wrong with the first document that is no YAML.
    fn of_yaml(&self) -> Option<Vec<Diagnostic>> {
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
        diagnostic = diagnostic.hint(format!("What was rendered:\n{}", fault.excerpt()));
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
        if let Some(line) = lines.iter().flatten().find(|line| fault.text_of(**line).contains('\t'))
            && fault.reads_with(*line, &fault.text_of(*line).replace('\t', "  "))
        {
            return Some("There is a tab in what was rendered; YAML is indented with spaces.".to_owned());
        }
        for line in lines.into_iter().flatten() {
            if let Some(guess) = self.guess_quotes(output, fault, line) {
                return Some(guess);
            }
        }
        lines.into_iter().flatten().find_map(|line| self.guess_indentation(output, fault, line))
    }

    /// A value that is written without quotes and is no plain text.
    fn guess_quotes(&self, output: &Output, fault: &Fault<'_>, line: usize) -> Option<String> {
        let text = fault.text_of(line);
        let colon = text.find(": ")? + 2;
        let value = text.get(colon..)?.trim_end();
        if value.is_empty() || value.starts_with(['"', '\'', '|', '>']) {
            return None;
        }
        let range = fault.line_range(line);
        let action = self.action(&output.text, range.start + colon..range.start + colon + value.len())?;
        let quoted = format!("{}{}", &text[..colon], serde_json::Value::from(value));
        let place = self.place(action);
        fault
            .reads_with(line, &quoted)
            .then(|| format!("`quote` would make it a text: `{{{{ {} | quote }}}}` at {place}.", self.action_text(action)))
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
        let blank = |seg: &Seg| text.bytes.get(seg.at as usize).is_none_or(u8::is_ascii_whitespace);
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
        let mut actions = text.under(range).filter(|seg| !blank(seg)).map(outer);
        let first = actions.next()??;
        actions.all(|action| action == Some(first)).then_some(first)
    }
}

/// A document that is no YAML, and the line that says so.
struct Fault<'t> {
    text: &'t str,
    range: std::ops::Range<usize>,
    /// The line in the document, from 0.
    line: usize,
}

impl<'t> Fault<'t> {
    fn new(text: &'t str, range: std::ops::Range<usize>, at: ByteSpan) -> Self {
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

    /// The lines around the fault with their numbers in the output.
    fn excerpt(&self) -> String {
        let before = self.text[..self.range.start].matches('\n').count();
        let from = self.line.saturating_sub(AROUND);
        let shown = self.lines().enumerate().skip(from).take(self.line + AROUND + 1 - from);
        let row = |(nth, text): (usize, &str)| {
            let mark = if nth == self.line { '>' } else { ' ' };
            format!("{mark} {:>4} | {text}", before + nth + 1)
        };
        shown.map(row).collect::<Vec<_>>().join("\n")
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
