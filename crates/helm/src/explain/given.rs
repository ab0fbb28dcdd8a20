//! Owns what is said of what a chart is given, where it comes to nothing before a template runs: values that are no YAML or do not meet a schema, arguments,
//! and what Chart.yaml asks for.

use plumb_gotemplate::{O, Value};
use plumb_world::{Diagnostic, Span};
use plumb_yaml::{Kind, parse};

use super::Explained;
use super::keys::Key;
use super::reason::Setting;
use super::text::Fault;
use crate::render::Error;
use crate::schema::{Refused, Violation};
use crate::sources::{Layer, Source};

/// Codes of diagnostics.
const VALUES: &str = "helm-values";
const SCHEMA: &str = "helm-schema";
const CHART: &str = "helm-chart";

impl Explained {
    /// `secret` says whether the file of values of a number is.
    pub(super) fn of_given(&self, error: &Error, secret: &dyn Fn(usize) -> bool) -> Vec<Diagnostic> {
        if !error.refused.is_empty() {
            return error.refused.iter().flat_map(|refused| self.of_refused(refused)).collect();
        }
        let unread: Vec<Diagnostic> = self.told.sources.iter().filter_map(|source| of_source(source, secret)).collect();
        if !unread.is_empty() {
            return unread;
        }
        let diagnostic = Diagnostic::error(CHART, error.message.clone());
        if error.message.starts_with("failed parsing --set") {
            // Arguments are read one after another: the last one that was named is the one.
            let last = self.told.sources.iter().rfind(|source| matches!(source.layer, Layer::Argument(..)));
            return vec![last.into_iter().fold(diagnostic, |diagnostic, source| diagnostic.at(whole(source), "in this argument"))];
        }
        if let Some((_, mismatch)) = error.message.split_once("type mismatch on ") {
            let name = mismatch.split(':').next().unwrap_or_default();
            let wrong = self.keys_in(|layer| matches!(layer, Layer::Values(_) | Layer::Chart(_)));
            let wrong = wrong.filter(|(_, key)| key.own == name && !key.collection);
            return vec![wrong.fold(diagnostic, |diagnostic, (source, key)| {
                let hint = format!("`{}` is where the chart `{name}` has its values: a map is wanted.", key.path);
                diagnostic.at(span(source, key.value), "the value is set here").hint(hint)
            })];
        }
        vec![self.of_definition(error, diagnostic)]
    }

    /// What Chart.yaml asks for and does not get.
    fn of_definition(&self, error: &Error, mut diagnostic: Diagnostic) -> Diagnostic {
        let missing = error.message.rsplit_once("missing in charts/ directory: ").map(|(_, names)| names.split(", ").collect::<Vec<_>>());
        for (source, key) in self.keys_in(|layer| matches!(layer, Layer::Definition(place) if place.is_empty())) {
            let place = span(source, key.value);
            let is_missing = |names: &Vec<&str>| {
                key.own == "name" && key.path.starts_with("dependencies[") && names.contains(&self.text(place).trim_matches(['"', '\'']))
            };
            if missing.as_ref().is_some_and(is_missing) {
                diagnostic = diagnostic.at(place, "wanted here, and not in `charts/`");
            } else if key.path == "kubeVersion" && error.message.starts_with("chart requires kubeVersion") {
                diagnostic = diagnostic.at(place, "asked for here").hint("`--kube-version` says which one the chart is rendered for.");
            }
        }
        diagnostic
    }

    fn keys_in(&self, of: impl Fn(&Layer) -> bool) -> impl Iterator<Item = (&Source, &Key)> {
        let sources = self.told.sources.iter().filter(move |source| of(&source.layer));
        sources.flat_map(|source| self.keys.of_file(source.file).iter().map(move |key| (source, key)))
    }

    fn of_refused(&self, refused: &Refused) -> Vec<Diagnostic> {
        if let Some(why) = &refused.unusable {
            let (chart, why) = (&refused.chart, why.trim_end());
            return vec![Diagnostic::error(
                SCHEMA,
                format!("the values of `{chart}` cannot be held against its values.schema.json: {why}"),
            )];
        }
        let mut all = Vec::new();
        refused.violations.iter().for_each(|violation| self.add_violation(refused, violation, &mut all));
        all
    }

    fn add_violation(&self, refused: &Refused, violation: &Violation, all: &mut Vec<Diagnostic>) {
        let path: Vec<&str> = refused.at.iter().chain(&violation.path).map(String::as_str).collect();
        // Keys that are missing, or too many, are named behind the place.
        let names: Vec<&str> = match violation.message.as_str() {
            text if text.starts_with("additional properties ") || text.starts_with("missing propert") => {
                text.split('\'').skip(1).step_by(2).collect()
            }
            _ => Vec::new(),
        };
        let key = dotted(&path);
        let shown = if key.is_empty() { format!("the values of `{}`", refused.chart) } else { format!("`{key}`") };
        let mut diagnostic = Diagnostic::error(SCHEMA, format!("{shown}: {}", violation.message));
        let mut asked: Vec<Vec<&str>> = names.iter().map(|name| path.iter().copied().chain([*name]).collect()).collect();
        if asked.is_empty() {
            asked.push(path.clone());
        }
        for path in &asked {
            let key = dotted(path);
            let mut settings = Vec::new();
            match self.value_at(path) {
                Some(origin) => self.settings(origin, true, &mut settings),
                None => {
                    if let Some(place) = self.value_at(&path[..path.len().saturating_sub(1)]).and_then(|origin| self.first_setting(origin))
                    {
                        diagnostic = diagnostic.at(place, "in here");
                    }
                    settings.push(Setting { key: key.clone(), place: None, overridden: Vec::new(), carried: true });
                }
            }
            for setting in &settings {
                diagnostic = self.hinted(diagnostic, setting);
            }
            if names.contains(path.last().unwrap_or(&""))
                && let Some(meant) = self.meant_for(&key).filter(|_| !settings.iter().any(|setting| setting.place.is_none()))
            {
                diagnostic = diagnostic.hint(format!("There is `{meant}`."));
            }
        }
        let mut causes = Vec::new();
        add_causes(&violation.causes, &mut causes);
        for cause in causes {
            diagnostic = diagnostic.hint(cause);
        }
        all.push(diagnostic);
    }

    fn first_setting(&self, origin: O) -> Option<Span> {
        let mut settings = Vec::new();
        self.settings(origin, true, &mut settings);
        settings.iter().find_map(|setting| setting.place)
    }

    /// Returns what the value at a path of keys and indices is made of; nothing where there is none.
    fn value_at(&self, path: &[&str]) -> Option<O> {
        let heap = &self.rendered.heap;
        let mut value = Value::Map(O::NONE, self.told.values);
        for name in path {
            value = match value {
                Value::Map(_, map) => heap.get(map).get(heap.find_sym(name.as_bytes())?)?.value,
                Value::List(_, _, items) => *heap.items(items).get(name.parse::<usize>().ok()?)?,
                _ => return None,
            };
        }
        Some(value.origin())
    }
}

/// What is wrong with a file of values, or Chart.yaml, as YAML.
fn of_source(source: &Source, secret: &dyn Fn(usize) -> bool) -> Option<Diagnostic> {
    let is_secret = matches!(source.layer, Layer::Values(nth) if secret(nth));
    if !matches!(source.layer, Layer::Values(_) | Layer::Chart(_) | Layer::Definition(_)) {
        return None;
    }
    let stream = parse(&source.data, &plumb_yaml::Options::default());
    for document in stream.documents() {
        match document {
            Err(errors) => {
                let error = errors.first()?;
                let message = format!("{} is no YAML: {}", source.name, error.message);
                let end = error.span.end.max(error.span.start.saturating_add(1)).min(u32::try_from(source.data.len()).unwrap_or(u32::MAX));
                let start = error.span.start.min(end);
                let diagnostic = Diagnostic::error(VALUES, message).at(Span { file: source.file, start, end }, "");
                let text = String::from_utf8_lossy(&source.data);
                let fault = Fault::new(&text, 0..text.len(), error.span);
                let lines = [Some(fault.line), fault.line.checked_sub(1)].into_iter().flatten().filter(|_| !is_secret);
                let guess = lines.into_iter().find_map(|line| fault.guess_plain(line));
                return Some(guess.into_iter().fold(diagnostic, Diagnostic::hint));
            }
            Ok(document) if !matches!(document.root().kind(), Kind::Map | Kind::Null) => {
                let at = document.root().span();
                let message = format!("{} is no map: values are keys with what they are set to", source.name);
                return Some(Diagnostic::error(VALUES, message).at(Span { file: source.file, start: at.start, end: at.end }, ""));
            }
            Ok(_) => {}
        }
    }
    None
}

fn add_causes(causes: &[Violation], out: &mut Vec<String>) {
    for cause in causes {
        let at = if cause.path.is_empty() { String::new() } else { format!("`{}`: ", cause.path.join(".")) };
        out.push(format!("{at}{}.", cause.message));
        add_causes(&cause.causes, out);
    }
}

/// Keys with dots, indices in brackets.
fn dotted(path: &[&str]) -> String {
    let mut out = String::new();
    for name in path {
        if !out.is_empty() && !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit()) {
            out.push_str(&format!("[{name}]"));
        } else {
            out.push_str(if out.is_empty() { "" } else { "." });
            out.push_str(name);
        }
    }
    out
}

fn span(source: &Source, (start, end): (u32, u32)) -> Span {
    Span { file: source.file, start, end }
}

fn whole(source: &Source) -> Span {
    span(source, (0, u32::try_from(source.data.len()).unwrap_or(u32::MAX)))
}
