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
pub(super) fn reasons(diagnostics: Vec<Diagnostic>, name: &str, told: &str, used: Option<Span>, made: &Made) -> Failure {
    let mut diagnostics = diagnostics;
    if diagnostics.is_empty() {
        diagnostics.push(Diagnostic::error("helm-chart", told));
    }
    for diagnostic in &mut diagnostics {
        diagnostic.message = format!("chart `{name}` does not render: {}", diagnostic.message);
        for label in &mut diagnostic.labels {
            let written = made.places.get(&label.span).and_then(|by| by.iter().find_map(|change| change.place));
            label.span = written.unwrap_or(label.span);
        }
    }
    Failure::Wrong(diagnostics).through(used, "the chart is used here")
}

impl Inflated {
    /// Warns of values that nobody reads, where somebody of this build wrote them.
    pub(super) fn warn(&self, run: &Run<'_>) {
        let of_chart = |file: FileId| self.explained.sources().iter().any(|source| source.file == file && matches!(source.layer, plumb_helm::Layer::Chart(_)));
        for unread in self.explained.unread() {
            let place = self.written_by(unread.place).map_or(Some(unread.place), |by| by.iter().find_map(|change| change.place));
            let Some(place) = place.filter(|place| !of_chart(place.file)) else { continue };
            let warning = match &unread.disabled {
                Some(chart) => Diagnostic::warning("unread-value", format!("nothing reads `{}`: the chart `{chart}` is disabled", unread.key)),
                None => Diagnostic::warning("unread-value", format!("nothing in the chart reads `{}`", unread.key)),
            };
            let warning = warning.at(place, "");
            run.warn(match &unread.meant {
                Some(meant) => warning.hint(format!("Did you mean `{meant}`?")),
                None => warning,
            });
        }
    }
}
