//! Owns the build: snapshots and steps → manifests, a pure function of what [`plumb_world::World`] shows.
//! Must not read anything any other way, and must not decide what happens to the manifests.
//!
//! A [`Request`] names a unit and the trees of its sources; [`build`] answers with a [`Built`]: all manifests, or all errors at once.
//! [`report::render`] shows errors with excerpts, [`render_text`] and [`rendered_objects`] show manifests.
//!
//! What a chart asks of the outside (a live object, randomness, the time) is a [`Need`]. A world that answers later ends the build with
//! [`Built::needs`]; a world of files alone answers nothing, and the build says what stands in for the answers.
//!
//! The `plain` step reads YAML and JSON files as they are; [`files`] says which. Of an object it checks what holds for every kind
//! (identity, namespace, labels); what a kind's schema asks for is the API server's to check.

mod document;
pub mod files;
mod find;
mod helm;
mod kustomize;
pub mod limits;
mod lines;
mod names;
mod object;
mod plain;
mod queries;
mod render;
pub mod report;
mod run;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use plumb_manifest::Manifest;
use plumb_schema::Schema;
use plumb_unit::{StepKind, Unit};
use plumb_world::{Diagnostic, FileTable, Need, RelPath, TreeId, World, WorldError};

pub use document::{DUPLICATE_KEY, Documents, Kind, Member, Node, read_documents};
pub use object::{UNKNOWN_KIND, no_namespace, unknown_kind};
pub use plumb_helm::MAX_RELEASE_NAME;
pub use render::{RenderedObject, RenderedOrigin, render_text, rendered_objects, yaml_text};

/// The tree of a source, and how its revision is called.
#[derive(Clone, Debug)]
pub struct SourceTree {
    /// The tree: the whole repository or folder, not only the source's path in it.
    pub tree: TreeId,
    /// The revision as shown to people (`main@sha1:4f0c…`).
    pub revision: Arc<str>,
}

/// What to build.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// The unit.
    pub unit: &'a Unit,
    /// The tree of each of the unit's sources, by alias.
    pub trees: BTreeMap<Arc<str>, SourceTree>,
}

/// What came of a build.
#[derive(Clone, Debug)]
pub struct Built {
    /// The manifests in the order of the sources (a namespace that the unit creates comes first), or every error.
    pub result: Result<Vec<Arc<Manifest>>, Vec<Diagnostic>>,
    /// What the user should know all the same.
    pub warnings: Vec<Diagnostic>,
    /// The files that were read: what spans point into. Keeps their texts alive.
    pub files: FileTable,
    /// What was asked beside files, answered or not.
    pub asked: BTreeSet<Need>,
    /// What has to be answered before this is worth anything: then the build is run again, and this one thrown away.
    pub needs: BTreeSet<Need>,
    /// Whether each manifest is applied exactly as its document was written.
    pub(crate) verbatim: Vec<bool>,
}

impl Built {
    /// Returns errors and warnings, errors first.
    pub fn diagnostics(&self) -> Vec<Diagnostic> {
        self.result.as_ref().err().into_iter().flatten().chain(&self.warnings).cloned().collect()
    }
}

/// Builds a unit: every independent error of every file at once, or the manifests.
///
/// Deterministic: the same trees, unit and schema give the same bytes. `Err` means that the world failed, not the user; it is worth another try,
/// and says nothing about what the source holds.
pub fn build(world: &dyn World, request: &Request<'_>, schema: &Schema) -> Result<Built, WorldError> {
    let mut run = run::Run::new(world, request, schema);
    let steps = if request.unit.build.is_empty() { run.find_out()? } else { request.unit.build.clone() };
    for step in &steps {
        run.begin(step, &steps);
        match &step.kind {
            StepKind::Plain { source, path } => run.plain(source, path)?,
            StepKind::Helm(step) => run.helm(step)?,
            StepKind::Kustomize { source, path, after } => run.kustomize(source, path, after.as_deref())?,
        }
    }
    Ok(run.finish())
}

/// Returns the path in the source's tree that a step's path means.
fn path_in_tree(unit: &Unit, source: &str, path: &RelPath) -> Result<RelPath, Diagnostic> {
    let start = match unit.sources.get(source) {
        Some(source) => source.path(),
        None => return Err(Diagnostic::error("unknown-source", format!("a step reads source `{source}`, which the unit does not have"))),
    };
    start.join(path.as_str()).map_err(|error| Diagnostic::error("path", error.to_string()))
}
