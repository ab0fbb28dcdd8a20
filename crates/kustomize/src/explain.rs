//! Owns why each field of a built object is what it is: who wrote it last, whom that went over, down to where it is written; and for what a chart
//! wrote, the chart's own reasons.

use plumb_manifest::{FieldPath, Segment};
use plumb_world::{Diagnostic, FileId, FileTable, Span, World, WorldError};
use plumb_yaml::{Dialect, sort_keys};
use serde_json::Value as Json;

use crate::build::{Request, finished};
use crate::generators::helm::{Charts, Made};
use crate::resource::Resource;
use crate::run::Run;
use crate::tree::{Kind, Meaning, Texts, View};

/// A build whose objects are told field by field.
#[derive(Debug)]
pub struct Explained {
    /// The objects in their order, or every mistake.
    pub result: Result<Vec<Object>, Vec<Diagnostic>>,
    /// What the user should know all the same.
    pub warnings: Vec<Diagnostic>,
    /// What places are in.
    pub files: FileTable,
    /// The charts that were inflated on the way.
    pub charts: Vec<Inflated>,
}

/// An object that was built.
#[derive(Clone, Debug)]
pub struct Object {
    /// Its `apiVersion`.
    pub api_version: String,
    /// Its `kind`.
    pub kind: String,
    /// Its own `metadata.namespace`; empty where it names none.
    pub namespace: String,
    /// Its `metadata.name`.
    pub name: String,
    /// The names it had before, the first one first.
    pub former_names: Vec<String>,
    /// Its scalars, and its maps and lists that are empty, in the order of the text.
    pub fields: Vec<Field>,
}

/// A scalar of an object, or an empty map or list.
#[derive(Clone, Debug)]
pub struct Field {
    /// Its path. An item of a list whose items all have names of their own is named by it.
    pub path: FieldPath,
    /// The same, with all items by their numbers.
    pub positions: FieldPath,
    /// What it is.
    pub value: Json,
    /// Who had a hand in it, the last one first; the end is where it is written.
    pub chain: Vec<Change>,
}

/// Who had a hand in a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// The step: `patches`, `images`, `namePrefix`; empty for where it is written.
    pub by: &'static str,
    /// What asks for it, or where the text is written.
    pub place: Option<Span>,
}

/// A chart that was rendered with origins.
#[derive(Debug)]
pub struct Inflated {
    /// The entry of the kustomization that asks for it.
    pub place: Option<Span>,
    /// Why it came to what it did. Its places are in the build's files.
    pub explained: plumb_helm::Explained,
    /// The file that its text became.
    pub(crate) text: FileId,
    pub(crate) documents: Vec<Document>,
    /// Who wrote what in the file of values that was put together for it.
    pub(crate) values: Made,
}

/// A document of a chart's text: where it is, and where the template wrote it.
#[derive(Clone, Debug)]
pub(crate) struct Document {
    pub(crate) at: std::ops::Range<usize>,
    pub(crate) source: String,
    pub(crate) written_at: usize,
}

impl Inflated {
    /// Returns the field of the chart's objects that is at a place of its text.
    pub fn field(&self, place: Span) -> Option<(&plumb_helm::Object, &plumb_helm::Field)> {
        let (object, start) = self.object(place)?;
        object.fields.iter().find(|field| field.at.start == start).map(|field| (object, field))
    }

    /// Returns the object of the chart that a place of its text is in, and where the template wrote that place.
    pub(crate) fn object(&self, place: Span) -> Option<(&plumb_helm::Object, usize)> {
        let start = place.start as usize;
        let document = self.documents.iter().find(|document| place.file == self.text && document.at.contains(&start))?;
        let is_it = |object: &&plumb_helm::Object| object.source == document.source && object.range.start == document.written_at;
        let object = self.explained.objects().iter().find(is_it)?;
        Some((object, document.written_at + (start - document.at.start)))
    }

    /// Returns who wrote a value that the kustomization put together; nothing for a place that is in a file of its own.
    pub fn written_by(&self, place: Span) -> Option<&[Change]> {
        self.values.written_by(place)
    }
}

/// Builds a kustomization and tells of every field who had a hand in it. `Err` means that the world failed, not the user.
pub fn explain(world: &dyn World, request: &Request, charts: Option<&dyn Charts>, files: FileTable) -> Result<Explained, WorldError> {
    let texts = Texts::new(files);
    let run = Run::new(world, &texts, request, charts).traced();
    let objects = finished(&run, request).map(|resources| resources.iter().map(|resource| object(resource, &texts)).collect());
    let result = run.ended(objects)?;
    let warnings = texts.found(run.warnings());
    let charts = run.into_charts();
    let in_charts = |mut diagnostics: Vec<Diagnostic>| {
        for label in diagnostics.iter_mut().flat_map(|diagnostic| &mut diagnostic.labels) {
            label.span = charts.iter().find_map(|chart| chart.place_in_chart(label.span)).unwrap_or(label.span);
        }
        diagnostics
    };
    let (result, warnings) = (result.map_err(in_charts), in_charts(warnings));
    Ok(Explained { result, warnings, files: texts.into_files(), charts })
}

fn object(resource: &Resource<'_>, texts: &Texts) -> Object {
    let mut walk = Walk { texts, fields: Vec::new() };
    walk.node(resource.view(), &FieldPath::default(), &FieldPath::default());
    Object {
        api_version: resource.api_version().to_owned(),
        kind: resource.kind().to_owned(),
        namespace: resource.namespace().to_owned(),
        name: resource.name().to_owned(),
        former_names: resource.previous.iter().map(|was| was.name.to_owned()).collect(),
        fields: walk.fields,
    }
}

struct Walk<'t> {
    texts: &'t Texts,
    fields: Vec<Field>,
}

impl Walk<'_> {
    fn node(&mut self, view: View<'_, '_>, path: &FieldPath, positions: &FieldPath) {
        match view.kind() {
            Kind::Map if view.len() > 0 => {
                let mut fields: Vec<_> = view.fields().collect();
                sort_keys(&mut fields, Dialect::V2, |(key, _)| key.text.as_bytes());
                for (key, value) in fields {
                    let key = Segment::Key(key.text.to_owned());
                    self.node(value, &path.child(key.clone()), &positions.child(key));
                }
            }
            Kind::List if view.len() > 0 => {
                let names = names(view);
                for (nth, item) in view.items().enumerate() {
                    let named = names.as_ref().and_then(|names| names.get(nth));
                    let segment = match named {
                        Some(name) => Segment::Item(vec![("name".to_owned(), Json::from(*name))]),
                        None => Segment::Index(nth),
                    };
                    self.node(item, &path.child(segment), &positions.child(Segment::Index(nth)));
                }
            }
            _ => {
                let chain = changes(view, self.texts);
                self.fields.push(Field { path: path.clone(), positions: positions.clone(), value: json(view), chain });
            }
        }
    }
}

/// Returns who had a hand in a node, each place as people find it and none twice in a row.
pub(crate) fn changes(view: View<'_, '_>, texts: &Texts) -> Vec<Change> {
    let stamps = texts.chain(view).into_iter();
    let mut chain: Vec<Change> =
        stamps.map(|stamp| Change { by: stamp.by, place: stamp.place.map(|place| texts.place_in_file(place)) }).collect();
    chain.dedup();
    chain
}

/// The names of a list's items, where each has one of its own.
fn names<'a>(list: View<'_, 'a>) -> Option<Vec<&'a str>> {
    let name = |item: View<'_, 'a>| item.get("name").filter(|name| name.kind() == Kind::Scalar).map(View::text);
    let names: Vec<&str> = list.items().map(name).collect::<Option<_>>()?;
    let once: std::collections::BTreeSet<&str> = names.iter().copied().collect();
    (once.len() == names.len()).then_some(names)
}

fn json(view: View<'_, '_>) -> Json {
    match view.kind() {
        Kind::Map => Json::Object(serde_json::Map::new()),
        Kind::List => Json::Array(Vec::new()),
        Kind::Scalar => match view.meaning() {
            None | Some(Ok(Meaning::Null)) => Json::Null,
            Some(Ok(Meaning::Bool(truth))) => Json::from(truth),
            Some(Ok(Meaning::Int(value))) => Json::from(value),
            Some(Ok(Meaning::Uint(value))) => Json::from(value),
            Some(Ok(Meaning::Float(value))) => Json::from(value),
            Some(Ok(Meaning::Str(text))) => Json::from(text.into_owned()),
            Some(Err(_)) => Json::from(view.text()),
        },
    }
}
