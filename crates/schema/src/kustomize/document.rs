//! Owns reading OpenAPI documents (version 2): one that a kustomization names, and those that the table is recorded of.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use serde_json::Value;

use super::Merge;

/// What a build needs of a schema.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Shape {
    /// The definition that stands for all of it.
    reference: Option<String>,
    items: Option<u32>,
    any: Option<u32>,
    strategy: String,
    key: String,
    list_keys: String,
    fields: Vec<(String, u32)>,
}

/// Where a field leads.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reach<'d> {
    Type(u32),
    Definition(&'d str),
}

/// A document.
#[derive(Clone, Debug, Default)]
pub(super) struct Document {
    types: Vec<Shape>,
    definitions: BTreeMap<String, u32>,
    roots: BTreeMap<(String, String), u32>,
    namespaced: BTreeMap<(String, String), bool>,
}

impl Document {
    pub(super) fn read(document: &Value) -> Self {
        let mut reader = Reader::default();
        reader.read(document);
        reader.document
    }

    pub(super) fn is_namespaced(&self, api_version: &str, kind: &str) -> Option<bool> {
        self.namespaced.get(&(api_version.to_owned(), kind.to_owned())).copied()
    }

    pub(super) fn root(&self, api_version: &str, kind: &str) -> Option<u32> {
        self.roots.get(&(api_version.to_owned(), kind.to_owned())).copied()
    }

    pub(super) fn definition(&self, name: &str) -> Option<u32> {
        self.definitions.get(name).copied()
    }

    pub(super) fn reference(&self, id: u32) -> Option<&str> {
        self.types.get(id as usize)?.reference.as_deref()
    }

    fn reach(&self, id: u32) -> Reach<'_> {
        self.reference(id).map_or(Reach::Type(id), Reach::Definition)
    }

    pub(super) fn field(&self, id: u32, name: &str) -> Option<Reach<'_>> {
        let shape = self.types.get(id as usize)?;
        let found = shape.fields.binary_search_by(|(known, _)| known.as_str().cmp(name));
        let id = found.ok().and_then(|at| shape.fields.get(at)).map(|(_, id)| *id).or(shape.any)?;
        Some(self.reach(id))
    }

    pub(super) fn elements(&self, id: u32) -> Option<Reach<'_>> {
        Some(self.reach(self.types.get(id as usize)?.items?))
    }

    pub(super) fn merge(&self, id: u32) -> Merge<'_> {
        let shape = self.types.get(id as usize);
        shape.map_or(Merge::default(), |shape| Merge { strategy: &shape.strategy, key: &shape.key, list_keys: &shape.list_keys })
    }
}

/// Reads documents; equal schemas become one type.
#[derive(Default)]
struct Reader {
    document: Document,
    known: HashMap<Shape, u32>,
}

impl Reader {
    fn read(&mut self, document: &Value) {
        let definitions = document.get("definitions").and_then(Value::as_object);
        for (name, definition) in definitions.into_iter().flatten() {
            let shape = self.shape(definition);
            let id = self.push(shape);
            self.document.definitions.insert(name.clone(), id);
            for of in definition.get(GVK).and_then(Value::as_array).into_iter().flatten().filter_map(kind) {
                self.document.roots.insert(of, id);
            }
        }
        for (path, item) in document.get("paths").and_then(Value::as_object).into_iter().flatten() {
            let Some(of) = item.get("get").and_then(|get| get.get(GVK)).and_then(kind) else { continue };
            let is_namespaced = path.contains("namespaces/{namespace}");
            *self.document.namespaced.entry(of).or_insert(is_namespaced) |= is_namespaced;
        }
    }

    fn push(&mut self, shape: Shape) -> u32 {
        self.document.types.push(shape);
        (self.document.types.len() - 1) as u32
    }

    fn intern(&mut self, schema: &Value) -> u32 {
        let shape = self.shape(schema);
        if let Some(known) = self.known.get(&shape) {
            return *known;
        }
        let id = self.push(shape.clone());
        self.known.insert(shape, id);
        id
    }

    fn shape(&mut self, schema: &Value) -> Shape {
        if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            let name = reference.strip_prefix("#/definitions/").unwrap_or(reference);
            return Shape { reference: Some(name.replace("~1", "/").replace("~0", "~")), ..Shape::default() };
        }
        let text = |name: &str| schema.get(name).and_then(Value::as_str).unwrap_or("").to_owned();
        let is_list = match schema.get("type") {
            Some(Value::String(name)) => name == "array",
            Some(Value::Array(names)) => matches!(names.as_slice(), [Value::String(name)] if name == "array"),
            _ => false,
        };
        let list_keys = schema.get("x-kubernetes-list-map-keys").and_then(Value::as_array);
        let keys: Vec<&str> = list_keys.into_iter().flatten().filter_map(Value::as_str).collect();
        let mut shape = Shape {
            strategy: text("x-kubernetes-patch-strategy"),
            key: text("x-kubernetes-patch-merge-key"),
            list_keys: keys.join(","),
            ..Shape::default()
        };
        if let Some(items) = schema.get("items").filter(|items| is_list && items.is_object()) {
            shape.items = Some(self.intern(items));
        }
        if let Some(any) = schema.get("additionalProperties").filter(|any| any.is_object()) {
            shape.any = Some(self.intern(any));
        }
        for (name, field) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            let id = self.intern(field);
            shape.fields.push((name.clone(), id));
        }
        shape.fields.sort();
        shape
    }
}

const GVK: &str = "x-kubernetes-group-version-kind";

/// Reads a kind: its `apiVersion` and name.
fn kind(of: &Value) -> Option<(String, String)> {
    let text = |name: &str| of.get(name).and_then(Value::as_str);
    let version = text("version")?;
    let api_version = match text("group") {
        None | Some("") => version.to_owned(),
        Some(group) => format!("{group}/{version}"),
    };
    Some((api_version, text("kind")?.to_owned()))
}

/// A kind's line.
#[derive(Default)]
struct Known {
    namespaced: Option<bool>,
    root: Option<u32>,
}

/// Makes the table that [`super::Schema::builtin`] reads, of what kustomize embeds for Kubernetes and for its own kinds.
pub fn record(kubernetes: &Value, own: &Value) -> String {
    let (kubernetes, own) = (Document::read(kubernetes), Document::read(own));
    let first_own = kubernetes.types.len() as u32;
    let shifted = |id: u32| id + first_own;
    // kustomize reads its own kinds last, so that their definitions go over others of their name.
    let resolve = |mut id: u32| {
        for _ in 0..super::MAX_REFERENCES {
            let (document, base) = if id < first_own { (&kubernetes, 0) } else { (&own, first_own) };
            let Some(name) = document.reference(id - base) else { return Some(id) };
            id = own.definition(name).map(shifted).or_else(|| kubernetes.definition(name))?;
        }
        None
    };
    let mut kinds: BTreeMap<&(String, String), Known> = BTreeMap::new();
    for (document, base) in [(&kubernetes, 0), (&own, first_own)] {
        for (of, is_namespaced) in &document.namespaced {
            kinds.entry(of).or_default().namespaced = Some(*is_namespaced);
        }
        for (of, id) in &document.roots {
            kinds.entry(of).or_default().root = Some(id + base);
        }
    }
    let types = kubernetes.types.len() + own.types.len();
    let mut out = format!("{} {types} {first_own}\n", kinds.len());
    for ((api_version, kind), Known { namespaced, root }) in &kinds {
        let scope = namespaced.map_or("-", |is_namespaced| if is_namespaced { "n" } else { "c" });
        let root = root.map_or("-".to_owned(), |id| id.to_string());
        let _ = writeln!(out, "{api_version} {kind} {scope} {root}");
    }
    for (document, base) in [(&kubernetes, 0), (&own, first_own)] {
        let names: BTreeMap<u32, &str> = document.definitions.iter().map(|(name, id)| (*id, name.as_str())).collect();
        for (id, shape) in document.types.iter().enumerate() {
            out.push_str(names.get(&(id as u32)).copied().unwrap_or("-"));
            write_shape(shape, &|id| resolve(id + base), &mut out);
            out.push('\n');
        }
    }
    out
}

fn write_shape(shape: &Shape, resolve: &dyn Fn(u32) -> Option<u32>, out: &mut String) {
    for (sign, id) in [('[', shape.items), ('*', shape.any)] {
        if let Some(id) = id.and_then(resolve) {
            let _ = write!(out, " {sign}{id}");
        }
    }
    for (sign, text) in [('s', &shape.strategy), ('m', &shape.key), ('k', &shape.list_keys)] {
        if !text.is_empty() {
            let _ = write!(out, " {sign}={text}");
        }
    }
    for (name, id) in &shape.fields {
        if let Some(id) = resolve(*id) {
            let _ = write!(out, " {name}:{id}");
        }
    }
}
