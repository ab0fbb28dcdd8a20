//! Owns what is said of a chart that did not come to anything: which part of it is at fault, and for a template that failed the place and how it got
//! there, the value that was missing or wrong and who set it.

use plumb_gotemplate::{Branch, CtlId, FailureKind, Host, RenderError};
use plumb_manifest::nearest;
use plumb_world::{Diagnostic, Span};

use super::Explained;
use super::reason::Setting;
use crate::chart::Chart;
use crate::render::{Cause, Options, try_render};

/// What a chart is given, by its names in a template.
const ROOTS: [&str; 7] = ["Values", "Release", "Chart", "Capabilities", "Files", "Template", "Subcharts"];

/// Messages that say of a value what it is and not what is in it.
const KEPT: [&str; 4] = ["nil pointer evaluating ", "can't evaluate field ", "wrong type for value; ", "incompatible types for comparison"];

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
        Cause::Unparsed(file, told) => vec![explained.of_unparsed(file, &told)],
        Cause::Given => {
            let secret = |nth: usize| options.values.get(nth).is_some_and(|file| file.secret);
            explained.of_given(&failed.error, &secret)
        }
        Cause::Other => vec![Diagnostic::error("helm-chart", message)],
    }
}

impl Explained {
    fn of_template(&self, error: &RenderError) -> Diagnostic {
        let cause = String::from_utf8_lossy(&error.cause).replace("HELM_ERR_START", "").replace("HELM_ERR_END", "");
        let cause = cause.trim();
        // Most messages print the value that they are about.
        let hidden = error.value.is_secret() && !KEPT.iter().any(|kept| cause.starts_with(kept));
        let message = if hidden { "a value that is secret cannot be used like this" } else { cause };
        let mut diagnostic = Diagnostic::error("helm-template", message);
        for (nth, site) in error.sites.iter().enumerate() {
            let Some(span) = site.span else { continue };
            let span = self.node(span, &site.node);
            let text = if nth == 0 { String::new() } else { format!("called here, in `{}`", site.template) };
            // A template that calls itself is called at the same place again and again.
            if diagnostic.labels.iter().all(|label| label.span != span || label.text != text) {
                diagnostic = diagnostic.at(span, text);
            }
        }
        if let Some(hint) = self.wrong_dot(error, cause) {
            return diagnostic.hint(hint);
        }
        if let Some(hint) = self.no_template(cause) {
            diagnostic = diagnostic.hint(hint);
        }
        let mut values = Vec::new();
        self.settings(error.value, true, &mut values);
        if values.is_empty() && error.kind == FailureKind::Asked {
            // A chart that refuses does so for what it stands under.
            if let Some(condition) = self.around(error.ctl).find(|condition| !condition.values.is_empty()) {
                let end = condition.site.start.saturating_add(u32::try_from(condition.text.len()).unwrap_or(0));
                let site = Span { end, ..condition.site };
                diagnostic = diagnostic.at(site, format!("this `{}` led here", condition.word));
                values = condition.values;
            }
        }
        for setting in &values {
            diagnostic = self.hinted(diagnostic, setting);
        }
        // What no file of values says anything of: a map that was made, or what a chart is told.
        let missing = error.sites.first().filter(|_| values.is_empty()).and_then(|site| {
            let (_, next) = cause.split_once("nil pointer evaluating interface {}.")?;
            site.node.strip_suffix(next)?.strip_suffix('.')
        });
        match missing {
            Some(missing) => diagnostic.hint(format!("There is nothing at `{missing}`.")),
            None => diagnostic,
        }
    }

    /// Adds what there is to say of a value.
    pub(super) fn hinted(&self, diagnostic: Diagnostic, setting: &Setting) -> Diagnostic {
        let diagnostic = diagnostic.hint(self.told_setting(setting));
        match setting.place {
            Some(place) => diagnostic.at(place, "the value is set here"),
            None => match setting.overridden.first() {
                Some(by) => diagnostic.at(*by, "the value is taken away here"),
                None => diagnostic,
            },
        }
    }

    /// Returns the blocks around a place, from the inside out.
    fn around(&self, ctl: CtlId) -> impl Iterator<Item = super::Condition> + '_ {
        let mut next = ctl;
        std::iter::from_fn(move || {
            let known = self.rendered.heap.origins.ctl(next)?;
            let here = std::mem::replace(&mut next, known.up);
            Some(self.condition(here))
        })
        .flatten()
    }

    /// Returns where a node that is printed like this is written: Go names a place inside of it, that of the field that has nothing in it.
    fn node(&self, span: Span, node: &str) -> Span {
        let at = span.start as usize;
        let Some(data) = self.source(span).map(|source| &source.data[..]) else { return span };
        let from = at.saturating_sub(node.len());
        let window = data.get(from..data.len().min(at + node.len())).unwrap_or_default();
        let found =
            memchr::memmem::find_iter(window, node).map(|found| from + found).find(|start| (*start..start + node.len()).contains(&at));
        match found.and_then(|start| Some((u32::try_from(start).ok()?, u32::try_from(start + node.len()).ok()?))) {
            Some((start, end)) => Span { start, end, ..span },
            None => self.name_from(span),
        }
    }

    /// Returns the names with dots that begin at a place.
    fn name_from(&self, place: Span) -> Span {
        let data = self.source(place).and_then(|source| source.data.get(place.start as usize..)).unwrap_or_default();
        let len = data.iter().take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'$')).count();
        Span { end: place.start.saturating_add(u32::try_from(len).unwrap_or(0)), ..place }
    }

    /// Returns what to write where everything that a chart is given was expected, and the dot is something else.
    fn wrong_dot(&self, error: &RenderError, cause: &str) -> Option<String> {
        let site = error.sites.first()?;
        let path = site.node.strip_prefix('$').unwrap_or(&site.node).strip_prefix('.')?;
        let mut names = path.split('.');
        let root = names.next().filter(|name| ROOTS.contains(name))?;
        let no_field = cause.starts_with(&format!("can't evaluate field {root} in type"));
        let no_map = names.next().is_some_and(|next| cause == format!("nil pointer evaluating interface {{}}.{next}"));
        if !no_field && !no_map {
            return None;
        }
        let changed = self.around(self.own_block(error)).find(|block| block.held && matches!(block.word, "with" | "else with" | "range"));
        match changed {
            Some(block) if !site.node.starts_with('$') => {
                let kind = if block.word == "range" { "one of its items" } else { "its value" };
                let (word, text) = (block.word, block.text);
                Some(format!("Inside of `{word} {text}` the dot is {kind}: `$.{path}` is what everything has, wherever the dot is."))
            }
            _ if error.sites.len() > 1 => {
                let (template, call) = (&site.template, &error.sites[1].node);
                Some(format!(
                    "`{template}` wants all that a chart is given as its dot, `.{root}` among it; `{call}` gives it something else. Give it `$`."
                ))
            }
            _ => None,
        }
    }

    /// Returns the innermost block, unless a template is called between it and the place.
    fn own_block(&self, error: &RenderError) -> CtlId {
        match self.rendered.heap.origins.ctl(error.ctl) {
            Some(known) if matches!(known.taken, Branch::Then | Branch::Else) => error.ctl,
            _ => CtlId(0),
        }
    }

    /// Returns which template may have been meant by one that is not there.
    fn no_template(&self, cause: &str) -> Option<String> {
        let (_, rest) = cause.split_once("no template \"")?;
        let (name, _) = rest.split_once('"')?;
        let chart = name.split('.').next().unwrap_or(name);
        if let Some(disabled) = self.told.disabled.iter().find(|disabled| disabled.path.rsplit('.').next() == Some(chart)) {
            return Some(format!("The chart `{}` does not take part: `{}` decides that.", disabled.path, disabled.condition));
        }
        let heap = &self.rendered.heap;
        let known: Vec<String> =
            self.rendered.templates.names().map(|known| String::from_utf8_lossy(heap.name(known)).into_owned()).collect();
        nearest(name, known.iter().map(String::as_str)).map(|meant| format!("There is no template `{name}`; there is `{meant}`."))
    }

    fn told_setting(&self, setting: &Setting) -> String {
        let over: Vec<String> = setting.overridden.iter().map(|place| self.place(*place)).collect();
        match setting.place {
            Some(place) if over.is_empty() => format!("`{}` is set at {}.", setting.key, self.place(place)),
            Some(place) => format!("`{}` is set at {}, over {}.", setting.key, self.place(place), over.join(", ")),
            None if over.len() > 1 => format!("`{}` is taken away at {}; it was set at {}.", setting.key, over[0], over[1..].join(", ")),
            None if !over.is_empty() => format!("`{}` is taken away at {}.", setting.key, over[0]),
            None => match self.meant_for(&setting.key) {
                Some(meant) => format!("Nobody sets `{}`; there is `{meant}`.", setting.key),
                None => format!("Nobody sets `{}`: give it with `--set {}=…` or in a file of values.", setting.key, setting.key),
            },
        }
    }

    pub(super) fn place(&self, place: Span) -> String {
        let position = self.position(place);
        let file = self.source(place).map_or("?", |source| source.name.as_str());
        format!("{file}:{}:{}", position.line, position.column)
    }
}
