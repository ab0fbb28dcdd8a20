//! Owns what all parts of one build share: texts, the schema that is in force, and warnings.

use std::cell::{Cell, Ref, RefCell};
use std::sync::Arc;

use plumb_schema::kustomize::{Embedded, Schema};
use plumb_world::{Diagnostic, FileId, Span, World, WorldError};

use crate::build::Request;
use crate::decode::Placed;
use crate::explain::Inflated;
use crate::generators::helm::Charts;
use crate::id::{Gvk, Id};
use crate::limits::{Limit, MAX_DEPTH, MAX_MISTAKES};
use crate::load::File;
use crate::problem::{Failure, Outcome, wrong};
use crate::tree::{Texts, View};

/// Of how many kinds it is kept what the schema says of them.
const KINDS_KEPT: usize = 128;

/// One build. `'a` is how long its texts live.
pub(crate) struct Run<'a> {
    pub(crate) world: &'a dyn World,
    pub(crate) texts: &'a Texts,
    /// What charts are told; nothing where none are allowed.
    pub(crate) charts: Option<&'a dyn Charts>,
    /// The alias of the source that is built, and how its revision is called.
    pub(crate) source: Arc<str>,
    pub(crate) revision: Arc<str>,
    /// The schema in force. kustomize keeps one for the whole process: an `openapi` field holds for all that is built after it.
    schema: RefCell<Schema>,
    /// Whether a kustomization said which schema to use.
    chosen: Cell<bool>,
    /// What kustomize would have done with its own schema by now: that decides how one that a kustomization names stands to it.
    embedded: Cell<Embedded>,
    /// The kinds that were asked about, and whether the schema in force says that they have no namespaces. A build has few kinds.
    scopes: RefCell<Vec<(Gvk<'a>, bool)>>,
    warnings: RefCell<Vec<Diagnostic>>,
    /// What is wrong, where the build goes on to find what else is.
    mistakes: RefCell<Vec<Diagnostic>>,
    /// The charts that were rendered with origins; nothing where nobody asks why.
    traced: Option<RefCell<Vec<Inflated>>>,
    /// The files that are what charts came to.
    chart_texts: RefCell<Vec<FileId>>,
}

impl<'a> Run<'a> {
    pub(crate) fn new(world: &'a dyn World, texts: &'a Texts, request: &Request, charts: Option<&'a dyn Charts>) -> Self {
        Self {
            world,
            texts,
            charts,
            source: request.source.clone(),
            revision: request.revision.clone(),
            schema: RefCell::new(Schema::builtin()),
            chosen: Cell::new(false),
            embedded: Cell::new(Embedded::Unused),
            scopes: RefCell::default(),
            warnings: RefCell::new(Vec::new()),
            mistakes: RefCell::default(),
            traced: None,
            chart_texts: RefCell::default(),
        }
    }

    /// Keeps in mind that a file is what a chart came to.
    pub(crate) fn add_chart_text(&self, file: FileId) {
        self.chart_texts.borrow_mut().push(file);
    }

    /// Returns whether a diagnostic points at what a chart came to, which nobody has a file of.
    pub(crate) fn is_of_chart(&self, diagnostics: &[Diagnostic]) -> bool {
        let texts = self.chart_texts.borrow();
        diagnostics.iter().flat_map(|diagnostic| &diagnostic.labels).any(|label| texts.contains(&label.span.file))
    }

    /// Has charts rendered with origins.
    pub(crate) fn traced(self) -> Self {
        Self { traced: Some(RefCell::default()), ..self }
    }

    pub(crate) fn is_traced(&self) -> bool {
        self.traced.is_some()
    }

    /// Keeps why a chart came to what it did.
    pub(crate) fn keep_chart(&self, chart: Inflated) {
        if let Some(traced) = &self.traced {
            traced.borrow_mut().push(chart);
        }
    }

    /// Returns the charts that were rendered with origins.
    pub(crate) fn into_charts(self) -> Vec<Inflated> {
        self.traced.map(RefCell::into_inner).unwrap_or_default()
    }

    /// Counts against a limit of the build; reaching one is an error of whoever is at that place.
    pub(crate) fn take(&self, limit: Limit, amount: usize, place: Option<Span>) -> Outcome<()> {
        self.texts.meter().take(limit, amount);
        self.check_limits(place)
    }

    /// Fails if a limit was reached.
    pub(crate) fn check_limits(&self, place: Option<Span>) -> Outcome<()> {
        match self.texts.meter().reached() {
            None => Ok(()),
            Some(limit) => Err(wrong("limit", limit.message(), place).hint("Split what is built into several kustomizations.").into()),
        }
    }

    /// Counts a copy of a node that goes below some others, and refuses one that would nest too deep.
    pub(crate) fn take_copy(&self, view: View<'_, '_>, below: usize) -> Result<(), String> {
        let meter = self.texts.meter();
        let most = meter.left(Limit::CopiedNodes);
        let (depth, nodes) = view.size(MAX_DEPTH, most.saturating_add(1));
        if !meter.take(Limit::CopiedNodes, nodes) {
            return Err(Limit::CopiedNodes.message());
        }
        if depth + below > MAX_DEPTH {
            return Err(format!("lists and maps would nest more than {MAX_DEPTH} deep"));
        }
        Ok(())
    }

    pub(crate) fn schema(&self) -> Ref<'_, Schema> {
        self.embedded.set(Embedded::Below);
        self.schema.borrow()
    }

    /// Returns whether a kustomization said which schema to use.
    pub(crate) fn has_schema(&self) -> bool {
        self.chosen.get()
    }

    /// Uses a schema that is built in.
    pub(crate) fn use_schema_version(&self, version: Placed<'_>) -> Outcome<()> {
        let schema = Schema::of_version(version.text);
        self.choose(schema.ok_or_else(|| wrong("openapi", "the specified OpenAPI version is not built in", version.place))?);
        Ok(())
    }

    /// Uses the schema of a file, JSON or YAML.
    pub(crate) fn use_schema_file(&self, file: &File) -> Outcome<()> {
        let stream = plumb_yaml::parse_str(file.text()?, &plumb_yaml::Options::default());
        let at = |span: plumb_yaml::ByteSpan| Some(Span { file: file.id, start: span.start, end: span.end });
        let mut json = Vec::new();
        match stream.documents().next() {
            Some(Ok(document)) => plumb_yaml::to_json(document.root(), &mut json)
                .map_err(|error| wrong("openapi", format!("invalid schema file: {error}"), at(error.span)))?,
            Some(Err(errors)) => {
                let mistakes = errors.iter().map(|error| wrong("openapi", format!("invalid schema file: {error}"), at(error.span)));
                return Err(Failure::Wrong(mistakes.collect()));
            }
            None => return Ok(()),
        }
        let whole = Some(Span { file: file.id, start: 0, end: 0 });
        let document = serde_json::from_slice(&json).map_err(|error| wrong("openapi", format!("invalid schema file: {error}"), whole))?;
        self.choose(Schema::of_document(&document, self.embedded.get()));
        Ok(())
    }

    fn choose(&self, schema: Schema) {
        *self.schema.borrow_mut() = schema;
        self.scopes.borrow_mut().clear();
        self.chosen.set(true);
    }

    /// Returns an identity, with the scope that the schema in force gives the kind.
    pub(crate) fn id(&self, gvk: Gvk<'a>, name: &'a str, namespace: &'a str) -> Id<'a> {
        if self.embedded.get() == Embedded::Unused {
            self.embedded.set(Embedded::Above);
        }
        Id { gvk, name, namespace, cluster_scoped: self.is_cluster_scoped(gvk) }
    }

    fn is_cluster_scoped(&self, gvk: Gvk<'a>) -> bool {
        let mut scopes = self.scopes.borrow_mut();
        if let Some((_, known)) = scopes.iter().find(|(known, _)| known.kind == gvk.kind && *known == gvk) {
            return *known;
        }
        let scope = self.schema.borrow().is_certainly_cluster_scoped(&gvk.api_version(), gvk.kind);
        // Names that somebody makes up are not kept without end.
        if scopes.len() < KINDS_KEPT {
            scopes.push((gvk, scope));
        }
        scope
    }

    /// Returns whether one more warning would be kept.
    pub(crate) fn may_warn(&self) -> bool {
        self.warnings.borrow().len() < MAX_MISTAKES
    }

    pub(crate) fn warn(&self, warning: Diagnostic) {
        let mut warnings = self.warnings.borrow_mut();
        if warnings.len() < MAX_MISTAKES && !warnings.contains(&warning) {
            warnings.push(warning);
        }
    }

    /// Keeps what is wrong for the end, so that the build can go on to find what else is.
    pub(crate) fn note(&self, failure: Failure) -> Outcome<()> {
        match failure {
            Failure::Wrong(mistakes) => {
                self.mistakes.borrow_mut().extend(mistakes);
                Ok(())
            }
            world => Err(world),
        }
    }

    /// Fails if anything was kept: then nothing may come of the build.
    pub(crate) fn check_mistakes(&self) -> Outcome<()> {
        if self.mistakes.borrow().is_empty() { Ok(()) } else { Err(Failure::Wrong(Vec::new())) }
    }

    /// Returns what came of the build, or all that is wrong. `Err` means that the world failed.
    pub(crate) fn ended<T>(&self, result: Outcome<T>) -> Result<Result<T, Vec<Diagnostic>>, WorldError> {
        let mut mistakes = std::mem::take(&mut *self.mistakes.borrow_mut());
        match result {
            Ok(done) if mistakes.is_empty() => return Ok(Ok(done)),
            Ok(_) => {}
            Err(Failure::Wrong(more)) => mistakes.extend(more),
            Err(Failure::World(error)) => return Err(error),
        }
        mistakes.truncate(MAX_MISTAKES);
        Ok(Err(self.texts.found(mistakes)))
    }

    /// Warns of what names something that is not there, with what may have been meant, or what there is.
    pub(crate) fn missed(&self, code: &'static str, message: String, place: Option<Span>, near: Option<&str>, known: &[&str]) {
        const SHOWN: usize = 5;
        let mut warning = Diagnostic::warning(code, message);
        if let Some(place) = place {
            warning = warning.at(place, "");
        }
        let shown: Vec<String> = known.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
        self.warn(match near {
            Some(near) => warning.hint(format!("Did you mean `{near}`?")),
            None if shown.is_empty() => warning,
            None => warning.hint(format!("There is {}{}.", shown.join(", "), if known.len() > SHOWN { " and others" } else { "" })),
        });
    }

    pub(crate) fn warnings(&self) -> Vec<Diagnostic> {
        self.warnings.borrow().clone()
    }
}
