//! Owns the making of the recorded table from an API server's own documents.

use std::collections::BTreeMap;

use plumb_manifest::Gvk;
use serde_json::Value;

use crate::Scope;
use crate::learn::Reader;
use crate::table::Kind;

/// Why documents cannot be recorded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// No discovery document lists a resource.
    #[error("discovery lists no resources; pass the aggregated documents of `/api` and `/apis`")]
    NoResources,
    /// No OpenAPI document has components.
    #[error("the OpenAPI documents have no schemas; pass each document that `/openapi/v3` names")]
    NoSchemas,
}

/// Makes the table that [`crate::Schema::builtin`] reads.
///
/// `openapi` holds each document that `/openapi/v3` names; `discovery` the aggregated discovery of `/api` and `/apis`
/// (`Accept: application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList`). Equal documents give equal bytes, in any order.
pub fn record(openapi: &[Value], discovery: &[Value]) -> Result<String, RecordError> {
    let mut components: BTreeMap<&str, &Value> = BTreeMap::new();
    for document in openapi {
        let schemas = document.get("components").and_then(|components| components.get("schemas")).and_then(Value::as_object);
        for (name, schema) in schemas.into_iter().flatten() {
            components.entry(name).or_insert(schema);
        }
    }
    if components.is_empty() {
        return Err(RecordError::NoSchemas);
    }
    let resources = resources(discovery);
    if resources.is_empty() {
        return Err(RecordError::NoResources);
    }
    let roots = roots(&components);
    let mut reader = Reader::new(&components);
    let mut kinds = Vec::new();
    for (gvk, (plural, scope)) in resources {
        let root = roots.get(&gvk).and_then(|name| reader.component(name, 0));
        kinds.push((gvk, Kind { plural: plural.as_str().into(), scope, root }));
    }
    let mut table = reader.table;
    for (gvk, kind) in kinds {
        table.insert(gvk, kind);
    }
    Ok(table.render())
}

/// Reads the resources, subresources left out.
fn resources(discovery: &[Value]) -> BTreeMap<Gvk, (String, Scope)> {
    let mut found = BTreeMap::new();
    let items = |value: &Value, field: &str| value.get(field).and_then(Value::as_array).cloned().unwrap_or_default();
    for document in discovery {
        for group in items(document, "items") {
            let group_name = group.get("metadata").and_then(|metadata| metadata.get("name")).and_then(Value::as_str).unwrap_or_default();
            for version in items(&group, "versions") {
                let Some(version_name) = version.get("version").and_then(Value::as_str) else { continue };
                for resource in items(&version, "resources") {
                    let text = |value: &Value, field: &str| value.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
                    let answer = resource.get("responseKind").cloned().unwrap_or_default();
                    let kind = text(&answer, "kind");
                    let gvk = Gvk { group: group_name.into(), version: version_name.into(), kind: kind.as_str().into() };
                    let scope = if text(&resource, "scope") == "Namespaced" { Scope::Namespaced } else { Scope::Cluster };
                    found.insert(gvk, (text(&resource, "resource"), scope));
                }
            }
        }
    }
    found
}

/// Finds the schema of each kind. A schema that many kinds share (`DeleteOptions`) is nobody's root.
fn roots<'a>(components: &BTreeMap<&'a str, &'a Value>) -> BTreeMap<Gvk, &'a str> {
    let mut roots = BTreeMap::new();
    for (name, schema) in components {
        let Some([gvk]) = schema.get("x-kubernetes-group-version-kind").and_then(Value::as_array).map(Vec::as_slice) else { continue };
        let text = |field: &str| gvk.get(field).and_then(Value::as_str).unwrap_or_default();
        roots.insert(Gvk { group: text("group").into(), version: text("version").into(), kind: text("kind").into() }, *name);
    }
    roots
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn documents() -> (Vec<Value>, Vec<Value>) {
        let gvk = |kind: &str| json!([{"group": "x.dev", "version": "v1", "kind": kind}]);
        let openapi = json!({"components": {"schemas": {
            "Tree": {"x-kubernetes-group-version-kind": gvk("Tree"), "properties": {
                "left": {"allOf": [{"$ref": "#/components/schemas/Tree"}], "default": {}},
                "names": {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"}}},
            "Plain": {"x-kubernetes-group-version-kind": gvk("Plain"), "properties": {"below": {"$ref": "#/components/schemas/Plain"}}},
            "Options": {"x-kubernetes-group-version-kind": [{}, {}]}
        }}});
        let resource = |kind: &str, plural: &str| {
            json!({"resource": plural, "scope": "Namespaced", "responseKind": {"group": "", "version": "", "kind": kind},
            "subresources": [{"subresource": "status", "responseKind": {"kind": kind}}]})
        };
        let discovery = json!({"items": [{"metadata": {"name": "x.dev"}, "versions": [{"version": "v1", "resources": [resource("Tree", "trees"), resource("Plain", "plains")]}]}]});
        (vec![openapi], vec![discovery])
    }

    #[test]
    fn a_type_may_name_itself() {
        let (openapi, discovery) = documents();
        let text = record(&openapi, &discovery).expect("recorded");
        let table = crate::table::Table::parse(&text).expect("parsed");
        let schema = crate::Schema { base: std::sync::Arc::new(table), learned: BTreeMap::new() };
        let tree = schema.root(&Gvk::new("x.dev/v1", "Tree"));
        assert_eq!(tree.field("left").field("left").field("names").list(), crate::List::Set);
        assert_eq!(schema.root(&Gvk::new("x.dev/v1", "Plain")).field("below").list(), crate::List::Atomic);
        assert_eq!(schema.plural(&Gvk::new("x.dev/v1", "Tree")), Some("trees"));
    }

    #[test]
    fn equal_documents_give_equal_bytes_and_empty_ones_an_error() {
        let (openapi, discovery) = documents();
        assert_eq!(record(&openapi, &discovery), record(&[json!({}), openapi[0].clone(), openapi[0].clone()], &discovery));
        assert_eq!(record(&[], &discovery), Err(RecordError::NoSchemas));
        assert_eq!(record(&openapi, &[json!({"items": []})]), Err(RecordError::NoResources));
    }
}
