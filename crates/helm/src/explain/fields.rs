//! Owns the fields of what a chart came to: documents read with positions, each scalar with its path and its bytes.

use std::ops::Range;

use plumb_manifest::{FieldPath, Segment};
use plumb_yaml::{Kind, NodeRef, Options, Scalar, parse};
use serde_json::Value as Json;

use crate::manifest::Manifest;
use crate::render::Rendered;

/// One object that a chart came to.
#[derive(Clone, Debug, Default)]
pub struct Object {
    /// Its `apiVersion`.
    pub api_version: String,
    /// Its `kind`.
    pub kind: String,
    /// Its own `metadata.namespace`; empty where it names none.
    pub namespace: String,
    /// Its `metadata.name`.
    pub name: String,
    /// The template that wrote it, beginning with the chart's name.
    pub source: String,
    /// Whether it is a hook.
    pub hook: bool,
    /// Which of the outputs it is in, and where.
    pub output: usize,
    /// The document's bytes in that output.
    pub range: Range<usize>,
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
    /// Which of the outputs it is in.
    pub output: usize,
    /// Its bytes in that output, quotes included.
    pub at: Range<usize>,
    /// The step that leads to it.
    pub(super) step: usize,
}

/// One step on the way to a field.
#[derive(Clone, Debug)]
pub(super) struct Step {
    up: Option<usize>,
    /// The item before it, in a list whose items have no names.
    before: Option<usize>,
    /// Bytes that have to be there for it: the key, or the first byte of an item.
    at: Range<usize>,
}

/// All steps to all fields.
#[derive(Clone, Debug, Default)]
pub(super) struct Steps(Vec<Step>);

impl Steps {
    fn add(&mut self, step: Step) -> usize {
        self.0.push(step);
        self.0.len() - 1
    }

    /// Returns the bytes of the last step to a field: its key.
    pub(super) fn first(&self, field: &Field) -> Option<Range<usize>> {
        self.0.get(field.step).map(|step| step.at.clone())
    }

    /// Calls `see` with the bytes that have to be there for a field to be where it is.
    pub(super) fn each(&self, field: &Field, see: &mut dyn FnMut(Range<usize>)) {
        let mut at = Some(field.step);
        while let Some(step) = at.and_then(|at| self.0.get(at)) {
            see(step.at.clone());
            let mut before = step.before;
            while let Some(item) = before.and_then(|before| self.0.get(before)) {
                see(item.at.clone());
                before = item.before;
            }
            at = step.up;
        }
    }
}

/// Returns the objects of a render with their fields.
pub(super) fn objects(rendered: &Rendered) -> (Vec<Object>, Steps) {
    let mut steps = Steps::default();
    let manifests = rendered.manifests.iter().map(|manifest| (manifest, false));
    let hooks = rendered.hooks.iter().map(|hook| (&hook.manifest, true));
    let objects = manifests.chain(hooks).filter_map(|(manifest, hook)| object(rendered, manifest, hook, &mut steps)).collect();
    (objects, steps)
}

fn object(rendered: &Rendered, manifest: &Manifest, hook: bool, steps: &mut Steps) -> Option<Object> {
    let output = rendered.outputs.iter().position(|output| output.source == manifest.source)?;
    let stream = parse(manifest.content.as_bytes(), &Options::default());
    let root = stream.documents().next()?.ok()?.root();
    if root.kind() != Kind::Map {
        return None;
    }
    let text = |node: Option<NodeRef<'_>>| node.and_then(|node| node.as_str()).unwrap_or_default().to_owned();
    let metadata = |key: &str| text(root.get("metadata").and_then(|metadata| metadata.get(key)));
    // Replaced bytes of a text that is no UTF-8 shift what follows; templates that write such text come to nothing anyway.
    let mut walk = Walk { output, base: manifest.range.start, steps, fields: Vec::new() };
    // An object that is named otherwise is another one.
    let of_metadata = |key: &str| root.get("metadata").and_then(|metadata| metadata.get(key));
    // A hook that Helm does not know is left out.
    let moments = of_metadata("annotations").and_then(|annotations| annotations.get("helm.sh/hook"));
    let mut up = None;
    for node in [root.get("apiVersion"), root.get("kind"), of_metadata("namespace"), of_metadata("name"), moments].into_iter().flatten() {
        let at = walk.range(node);
        up = Some(walk.steps.add(Step { up, before: None, at }));
    }
    walk.node(root, &FieldPath::default(), &FieldPath::default(), up);
    let fields = walk.fields;
    Some(Object {
        api_version: text(root.get("apiVersion")),
        kind: manifest.kind.clone(),
        namespace: metadata("namespace"),
        name: metadata("name"),
        source: manifest.source.clone(),
        hook,
        output,
        range: manifest.range.clone(),
        fields,
    })
}

struct Walk<'s> {
    output: usize,
    base: usize,
    steps: &'s mut Steps,
    fields: Vec<Field>,
}

impl Walk<'_> {
    fn range(&self, node: NodeRef<'_>) -> Range<usize> {
        let span = node.span();
        self.base + span.start as usize..self.base + span.end as usize
    }

    fn node(&mut self, node: NodeRef<'_>, path: &FieldPath, positions: &FieldPath, step: Option<usize>) {
        match node.kind() {
            Kind::Map if !node.is_empty() => {
                for entry in node.entries() {
                    let key = Segment::Key(entry.name().to_owned());
                    let (path, positions) = (path.child(key.clone()), positions.child(key));
                    let step = self.steps.add(Step { up: step, before: None, at: self.range(entry.key) });
                    self.node(entry.value, &path, &positions, Some(step));
                }
            }
            Kind::List if !node.is_empty() => self.items(node, path, positions, step),
            _ => {
                let value = json(node);
                let Some(step) = step else { return };
                self.fields.push(Field {
                    path: path.clone(),
                    positions: positions.clone(),
                    value,
                    output: self.output,
                    at: self.range(node),
                    step,
                });
            }
        }
    }

    fn items(&mut self, list: NodeRef<'_>, path: &FieldPath, positions: &FieldPath, up: Option<usize>) {
        let names = names(list);
        let mut before = None;
        for (nth, item) in list.items().enumerate() {
            let segment = match &names {
                Some(names) => Segment::Item(vec![("name".to_owned(), Json::from(names[nth]))]),
                None => Segment::Index(nth),
            };
            let at = self.range(item);
            let mut step = self.steps.add(Step { up, before, at: at.start..at.end.min(at.start + 1) });
            match item.get("name") {
                Some(name) if names.is_some() => {
                    let at = self.range(name);
                    step = self.steps.add(Step { up: Some(step), before: None, at });
                }
                _ => before = Some(step),
            }
            self.node(item, &path.child(segment), &positions.child(Segment::Index(nth)), Some(step));
        }
    }
}

/// The names of a list's items, where each has one of its own.
fn names<'n>(list: NodeRef<'n>) -> Option<Vec<&'n str>> {
    let names: Vec<&str> = list.items().map(|item| item.get("name")?.as_str()).collect::<Option<_>>()?;
    let once: std::collections::BTreeSet<&str> = names.iter().copied().collect();
    (once.len() == names.len()).then_some(names)
}

fn json(node: NodeRef<'_>) -> Json {
    match node.scalar() {
        Some(Scalar::Null) => Json::Null,
        Some(Scalar::Bool(truth)) => Json::from(truth),
        Some(Scalar::Int(int)) => Json::from(int),
        Some(Scalar::Uint(int)) => Json::from(int),
        Some(Scalar::Float(float)) => Json::from(float),
        Some(Scalar::Str(text)) => Json::from(text.into_owned()),
        None if node.kind() == Kind::List => Json::Array(Vec::new()),
        None => Json::Object(serde_json::Map::new()),
    }
}
