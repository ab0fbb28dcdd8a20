//! Owns reading of OpenAPI schemas into the table: documents of `/openapi/v3` with references, and a CRD's structural schema without.

use std::collections::BTreeMap;
use std::sync::Arc;

use plumb_manifest::Gvk;
use serde_json::Value;

use crate::table::{Shape, Table, TypeId};
use crate::{Learned, ListKey, Schema, Scope};

/// How deep a schema may nest; what lies deeper is plain.
pub(crate) const MAX_SCHEMA_DEPTH: usize = 100;

/// How far a named schema is.
enum Named {
    /// It is being read; its place, if it was met again below itself.
    Reading(Option<TypeId>),
    Known(Option<TypeId>),
}

/// Reads schemas into a table.
pub(crate) struct Reader<'a> {
    pub(crate) table: Table,
    components: &'a BTreeMap<&'a str, &'a Value>,
    named: BTreeMap<&'a str, Named>,
    atoms: [Option<TypeId>; 2],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(components: &'a BTreeMap<&'a str, &'a Value>) -> Self {
        Self { table: Table::default(), components, named: BTreeMap::new(), atoms: [None, None] }
    }

    /// Returns the type of a schema, or none when all in it is plain.
    pub(crate) fn read(&mut self, schema: &'a Value, depth: usize) -> Option<TypeId> {
        if depth > MAX_SCHEMA_DEPTH {
            return None;
        }
        if schema.get("x-kubernetes-map-type").and_then(Value::as_str) == Some("atomic") {
            return Some(self.atom(Shape::AtomicMap));
        }
        if let Some(name) = reference(schema) {
            return self.component(name, depth);
        }
        if let Some(items) = schema.get("items") {
            return self.list(schema, items, depth);
        }
        let mut fields = BTreeMap::new();
        for (name, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            if let Some(id) = self.read(property, depth + 1) {
                fields.insert(Arc::from(name.as_str()), id);
            }
        }
        let rest = schema.get("additionalProperties").filter(|rest| rest.is_object()).and_then(|rest| self.read(rest, depth + 1));
        (!fields.is_empty() || rest.is_some()).then(|| self.table.push(Shape::Map { fields, rest }))
    }

    /// Returns the type of a named schema. One that names itself (`JSONSchemaProps`) gets its place when it is met again.
    pub(crate) fn component(&mut self, name: &'a str, depth: usize) -> Option<TypeId> {
        match self.named.get(name) {
            Some(Named::Known(id)) => return *id,
            Some(Named::Reading(Some(place))) => return Some(*place),
            Some(Named::Reading(None)) => {
                let place = self.table.push(Shape::Map { fields: BTreeMap::new(), rest: None });
                self.named.insert(name, Named::Reading(Some(place)));
                return Some(place);
            }
            None => {}
        }
        let schema = *self.components.get(name)?;
        self.named.insert(name, Named::Reading(None));
        let mut id = self.read(schema, depth + 1);
        if let Some(Named::Reading(Some(place))) = self.named.get(name) {
            if let Some(shape) = id.and_then(|id| self.table.shape(id).cloned()) {
                self.table.shapes[place.0 as usize] = shape;
            }
            id = Some(*place);
        }
        self.named.insert(name, Named::Known(id));
        id
    }

    fn list(&mut self, schema: &'a Value, items: &'a Value, depth: usize) -> Option<TypeId> {
        match schema.get("x-kubernetes-list-type").and_then(Value::as_str) {
            Some("set") => Some(self.atom(Shape::Set)),
            Some("map") => {
                let names = schema.get("x-kubernetes-list-map-keys").and_then(Value::as_array)?;
                let keys =
                    names.iter().filter_map(Value::as_str).map(|name| ListKey { name: name.into(), default: self.default_of(items, name) });
                let keys = keys.collect();
                let item = self.read(items, depth + 1);
                Some(self.table.push(Shape::Items { keys, item }))
            }
            _ => None,
        }
    }

    fn default_of(&self, items: &'a Value, field: &str) -> Option<Value> {
        let schema = reference(items).map_or(Some(items), |name| self.components.get(name).copied())?;
        schema.get("properties")?.get(field)?.get("default").cloned()
    }

    fn atom(&mut self, shape: Shape) -> TypeId {
        let slot = usize::from(shape == Shape::Set);
        match self.atoms[slot] {
            Some(id) => id,
            None => {
                let id = self.table.push(shape);
                self.atoms[slot] = Some(id);
                id
            }
        }
    }
}

/// The API server writes a reference with a default as `allOf` of one.
fn reference(schema: &Value) -> Option<&str> {
    let direct = schema.get("$ref").or_else(|| schema.get("allOf")?.get(0)?.get("$ref"))?;
    direct.as_str()?.strip_prefix("#/components/schemas/")
}

/// Learns a CustomResourceDefinition's kinds.
pub(crate) fn crd(schema: &mut Schema, crd: &Value) -> Option<()> {
    let spec = crd.get("spec")?;
    let names = spec.get("names")?;
    let (group, kind, plural) = (spec.get("group")?.as_str()?, names.get("kind")?.as_str()?, names.get("plural")?.as_str()?);
    let scope = match spec.get("scope")?.as_str()? {
        "Namespaced" => Scope::Namespaced,
        "Cluster" => Scope::Cluster,
        _ => return None,
    };
    for version in spec.get("versions")?.as_array()? {
        let Some(name) = version.get("name").and_then(Value::as_str) else { continue };
        let components = BTreeMap::new();
        let mut reader = Reader::new(&components);
        let root = version.get("schema").and_then(|schema| schema.get("openAPIV3Schema")).and_then(|root| reader.read(root, 0));
        let mut table = reader.table;
        let root = with_metadata(&mut table, root);
        let gvk = Gvk { group: group.into(), version: name.into(), kind: kind.into() };
        schema.learned.insert(gvk, Learned { plural: plural.into(), scope, shape: Some((Arc::new(table), root)) });
    }
    Some(())
}

/// A CRD does not repeat ObjectMeta; its lists are the same for every kind.
fn with_metadata(table: &mut Table, root: Option<TypeId>) -> TypeId {
    let finalizers = table.push(Shape::Set);
    let owner = table.push(Shape::AtomicMap);
    let owners = table.push(Shape::Items { keys: vec![ListKey { name: "uid".into(), default: None }], item: Some(owner) });
    let fields = BTreeMap::from([(Arc::from("finalizers"), finalizers), (Arc::from("ownerReferences"), owners)]);
    let metadata = table.push(Shape::Map { fields, rest: None });
    let (mut fields, rest) = match root.and_then(|id| table.shape(id).cloned()) {
        Some(Shape::Map { fields, rest }) => (fields, rest),
        _ => (BTreeMap::new(), None),
    };
    fields.insert("metadata".into(), metadata);
    table.push(Shape::Map { fields, rest })
}
