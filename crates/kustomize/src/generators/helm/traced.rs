//! Owns what ties a chart that was rendered with origins to the build around it: names of its files, places of its documents, what is wrong with it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use plumb_helm::{File, Rendered};
use plumb_world::{Diagnostic, FileId, RelPath, SourceFile, Span};

use super::values::Made;
use crate::explain::{Document, Inflated};
use crate::problem::Failure;
use crate::run::Run;

/// Names the files of one chart as files of the build.
pub(super) struct Naming<'n, 'a> {
    /// The chart's folder.
    pub(super) chart: &'n RelPath,
    pub(super) known: RefCell<BTreeMap<String, FileId>>,
    pub(super) run: &'n Run<'a>,
}

impl Naming<'_, '_> {
    pub(super) fn name(&self, name: &str, file: &File) -> Option<FileId> {
        if let Some(id) = self.known.borrow().get(name) {
            return Some(*id);
        }
        let path = self.chart.join(name).ok()?;
        // kustomize reads the chart's values before the chart does.
        if let Some(id) = self.run.texts.find(&path) {
            self.known.borrow_mut().insert(name.to_owned(), id);
            return Some(id);
        }
        let (source, revision) = (Arc::clone(&self.run.source), Arc::clone(&self.run.revision));
        let id = self.run.texts.add(SourceFile { source, revision, path, text: Arc::clone(&file.data), made: false });
        self.known.borrow_mut().insert(name.to_owned(), id);
        Some(id)
    }
}

/// Returns where a chart's documents are in its text, which has them one after the other.
pub(super) fn documents(rendered: &Rendered, include_crds: bool, text: &str) -> Vec<Document> {
    let mut found = Vec::new();
    let mut from = 0;
    let mut place = |source: &str, content: &str| {
        let head = format!("---\n# Source: {source}\n");
        let start = from + text.get(from..)?.find(&head)? + head.len();
        from = start + content.trim_end().len();
        Some(start..start + content.len())
    };
    for (source, content) in rendered.crds.iter().filter(|_| include_crds) {
        place(source, &String::from_utf8_lossy(content));
    }
    for manifest in rendered.manifests.iter().chain(rendered.hooks.iter().map(|hook| &hook.manifest)) {
        if let Some(at) = place(&manifest.source, &manifest.content) {
            found.push(Document { at, source: manifest.source.clone(), written_at: manifest.range.start });
        }
    }
    found
}

/// Returns why a chart does not render: its own reasons, and where it is used. `told` is what Helm says.
pub(super) fn reasons(diagnostics: Vec<Diagnostic>, name: &str, told: &str, used: Option<Span>, made: &Made, run: &Run<'_>) -> Failure {
    let mut diagnostics = diagnostics;
    if diagnostics.is_empty() {
        diagnostics.push(Diagnostic::error("helm-chart", told));
    }
    for diagnostic in &mut diagnostics {
        diagnostic.message = format!("chart `{name}` does not render: {}", diagnostic.message);
        for label in &mut diagnostic.labels {
            label.span = made.written_by(label.span).and_then(|by| by.iter().find_map(|change| change.place)).unwrap_or(label.span);
        }
        for hint in &mut diagnostic.hints {
            *hint = made.named(hint, run);
        }
    }
    Failure::Wrong(diagnostics).through(used, "the chart is used here")
}

impl Inflated {
    /// Returns where a value is written, also one of the file that was put together.
    fn real(&self, place: Span) -> Option<Span> {
        self.written_by(place).map_or(Some(place), |by| by.iter().find_map(|change| change.place))
    }

    /// Returns the place that speaks for one in the chart's text.
    pub(crate) fn place_in_chart(&self, place: Span) -> Option<Span> {
        if let Some((_, field)) = self.field(place) {
            return self.real(self.explained.place_of(field)?);
        }
        // A map or list has no text of its own: its first field speaks for it.
        let (object, start) = self.object(place)?;
        let field = object.fields.iter().find(|field| field.at.start >= start)?;
        self.explained.written(field, &self.explained.why(field))
    }

    /// Warns of values that nobody reads, where somebody of this build wrote them.
    pub(super) fn warn(&self, run: &Run<'_>) {
        let of_chart = |file: FileId| {
            self.explained.sources().iter().any(|source| source.file == file && matches!(source.layer, plumb_helm::Layer::Chart(_)))
        };
        for unread in self.explained.unread() {
            let Some(place) = self.real(unread.place).filter(|place| !of_chart(place.file)) else { continue };
            let warning = match &unread.disabled {
                Some(chart) => {
                    Diagnostic::warning("unread-value", format!("nothing reads `{}`: the chart `{chart}` is disabled", unread.key))
                }
                None => Diagnostic::warning("unread-value", format!("nothing in the chart reads `{}`", unread.key)),
            };
            let warning = warning.at(place, "");
            run.warn(match &unread.meant {
                Some(meant) => warning.hint(format!("Did you mean `{meant}`?")),
                None => warning,
            });
        }
        for no in self.explained.taken_for_true() {
            let message = format!("`{}` is the text \"{}\", which counts as true", no.key, no.text);
            let place = self.real(no.place).unwrap_or(no.place);
            let warning = Diagnostic::warning("text-for-truth", message).at(place, "").at(no.site, "this block is taken for it");
            run.warn(warning.hint("Every text but the empty one holds: leave the quotes out."));
        }
    }
}
