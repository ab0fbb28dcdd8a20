//! Owns what all parts of one build share: texts, the schema that is in force, and warnings.

use std::cell::{Cell, Ref, RefCell};
use std::sync::Arc;

use plumb_schema::kustomize::{Embedded, Schema};
use plumb_world::{Diagnostic, Span, World};

use crate::build::Request;
use crate::decode::Placed;
use crate::generators::helm::Charts;
use crate::id::{Gvk, Id};
use crate::load::File;
use crate::problem::{Failure, Outcome, wrong};
use crate::tree::Texts;

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
        }
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

    pub(crate) fn warn(&self, warning: Diagnostic) {
        let mut warnings = self.warnings.borrow_mut();
        if !warnings.contains(&warning) {
            warnings.push(warning);
        }
    }

    pub(crate) fn warnings(&self) -> Vec<Diagnostic> {
        self.warnings.borrow().clone()
    }
}
