//! Owns the semantic difference of two objects: lists matched by the schema's keys, the server's own bookkeeping and our stamps left
//! out, Secrets redacted before anything is compared.

use plumb_manifest::{FieldPath, ObjectKey, Segment};
use plumb_schema::{List, Node};
use serde_json::{Map, Value};

use crate::quantity::same_quantity;
use crate::{FieldChange, INSTALLATION_LABEL, MANIFEST_ANNOTATION, OWNER_ANNOTATION, Redactor, UNIT_LABEL};

/// Fields of `metadata` that the server keeps.
const SERVER_METADATA: [&str; 8] = [
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "uid",
];

/// Returns how a live object would change: `new` is a dry run's answer, or none for a deletion; `old` the live object, or none for a
/// creation. `schema` is the root of the kind.
pub fn diff(key: &ObjectKey, old: Option<&Value>, new: Option<&Value>, schema: Node<'_>, redactor: &Redactor) -> Vec<FieldChange> {
    let (old, new) = (prepare(key, old, redactor), prepare(key, new, redactor));
    let mut differ = Differ { owned_only: false, changes: Vec::new() };
    differ.value(&FieldPath::default(), old.as_ref(), new.as_ref(), schema);
    differ.changes
}

/// Returns how a live object differs at the paths that a manifest names: `old` is live, `new` the manifest's. For when there is no dry run;
/// equal quantities in another spelling are not a difference, but other defaulting by the server may show.
pub fn diff_owned(key: &ObjectKey, live: &Value, manifest: &Value, schema: Node<'_>, redactor: &Redactor) -> Vec<FieldChange> {
    let (live, manifest) = (prepare(key, Some(live), redactor), prepare(key, Some(manifest), redactor));
    let mut differ = Differ { owned_only: true, changes: Vec::new() };
    differ.value(&FieldPath::default(), live.as_ref(), manifest.as_ref(), schema);
    differ.changes
}

pub(crate) fn prepare(key: &ObjectKey, object: Option<&Value>, redactor: &Redactor) -> Option<Value> {
    let mut object = object?.clone();
    redactor.redact(key, &mut object);
    let top = object.as_object_mut()?;
    top.remove("status");
    if let Some(metadata) = top.get_mut("metadata").and_then(Value::as_object_mut) {
        SERVER_METADATA.iter().for_each(|field| drop(metadata.remove(*field)));
        strip(metadata, "labels", &[INSTALLATION_LABEL, UNIT_LABEL]);
        strip(metadata, "annotations", &[OWNER_ANNOTATION, MANIFEST_ANNOTATION]);
    }
    Some(object)
}

pub(crate) fn strip(metadata: &mut Map<String, Value>, field: &str, stamps: &[&str]) {
    let Some(map) = metadata.get_mut(field).and_then(Value::as_object_mut) else { return };
    stamps.iter().for_each(|stamp| drop(map.remove(*stamp)));
    if map.is_empty() {
        metadata.remove(field);
    }
}

struct Differ {
    /// Only what the new side names is looked at.
    owned_only: bool,
    changes: Vec<FieldChange>,
}

impl Differ {
    fn value(&mut self, path: &FieldPath, old: Option<&Value>, new: Option<&Value>, schema: Node<'_>) {
        let present = |value: Option<&Value>| value.is_some_and(|value| !value.is_null());
        if !present(old) && !present(new) || self.owned_only && !present(new) {
            return;
        }
        match (old, new) {
            (Some(Value::Object(a)), Some(Value::Object(b))) if !schema.atomic_map() => {
                let mut names: Vec<&String> = b.keys().collect();
                if !self.owned_only {
                    names.extend(a.keys().filter(|name| !b.contains_key(*name)));
                    names.sort_unstable();
                }
                for name in names {
                    self.value(&path.child(Segment::Key(name.clone())), a.get(name), b.get(name), schema.field(name));
                }
            }
            (Some(Value::Array(a)), Some(Value::Array(b))) => match schema.list() {
                List::Map(keys) => self.items(path, a, b, keys, schema.item()),
                List::Set => self.members(path, a, b),
                List::Atomic if a != b => self.change(path, old, new),
                List::Atomic => {}
            },
            (Some(a), Some(b)) if a == b || self.owned_only && same_quantity(a, b) => {}
            (None | Some(Value::Null), Some(Value::Object(map))) if self.owned_only && map.is_empty() => {}
            (old, new) => self.change(path, old, new),
        }
    }

    fn items(&mut self, path: &FieldPath, old: &[Value], new: &[Value], keys: &[plumb_schema::ListKey], schema: Node<'_>) {
        let identity = |item: &Value| -> Vec<(String, Value)> {
            let value = |key: &plumb_schema::ListKey| item.get(&*key.name).cloned().or_else(|| key.default.clone()).unwrap_or(Value::Null);
            keys.iter().map(|key| (key.name.to_string(), value(key))).collect()
        };
        let before: Vec<_> = old.iter().map(|item| (identity(item), item)).collect();
        let after: Vec<_> = new.iter().map(|item| (identity(item), item)).collect();
        for (id, item) in &after {
            let was = before.iter().find(|(other, _)| other == id).map(|(_, item)| *item);
            self.value(&path.child(Segment::Item(id.clone())), was, Some(item), schema);
        }
        if !self.owned_only {
            for (id, item) in before.iter().filter(|(id, _)| after.iter().all(|(other, _)| other != id)) {
                self.change(&path.child(Segment::Item(id.clone())), Some(item), None);
            }
        }
    }

    fn members(&mut self, path: &FieldPath, old: &[Value], new: &[Value]) {
        for value in new.iter().filter(|value| !old.contains(value)) {
            self.change(&path.child(Segment::Member(value.clone())), None, Some(value));
        }
        if !self.owned_only {
            for value in old.iter().filter(|value| !new.contains(value)) {
                self.change(&path.child(Segment::Member(value.clone())), Some(value), None);
            }
        }
    }

    fn change(&mut self, path: &FieldPath, old: Option<&Value>, new: Option<&Value>) {
        self.changes.push(FieldChange { path: path.clone(), old: old.cloned(), new: new.cloned(), manager: None });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plumb_manifest::Gvk;
    use plumb_schema::Schema;
    use serde_json::json;

    fn check(key: &ObjectKey, gvk: &Gvk, old: Option<Value>, new: Option<Value>, expect: &[&str]) {
        let schema = Schema::builtin();
        let changes = diff(key, old.as_ref(), new.as_ref(), schema.root(gvk), &Redactor::new([0; 32]));
        let shown: Vec<String> = changes.iter().map(show).collect();
        assert_eq!(shown, expect);
    }

    fn show(change: &FieldChange) -> String {
        let text = |value: &Option<Value>| value.as_ref().map_or("-".to_owned(), Value::to_string);
        format!("{}: {} -> {}", change.path, text(&change.old), text(&change.new))
    }

    #[test]
    fn lists_are_matched_by_their_keys() {
        let service = |ports: Value, version: &str| json!({"metadata": {"name": "a", "resourceVersion": version, "annotations": {MANIFEST_ANNOTATION: version}}, "spec": {"ports": ports, "selector": {"a": version}}});
        let old = service(json!([{"port": 1, "protocol": "TCP", "name": "x"}, {"port": 2, "protocol": "UDP"}]), "1");
        let new = service(json!([{"port": 3}, {"port": 1, "name": "y"}]), "2");
        check(
            &ObjectKey::new("", "Service", Some("n"), "a"),
            &Gvk::new("v1", "Service"),
            Some(old),
            Some(new),
            &[
                r#"spec.ports[port=3,protocol=TCP]: - -> {"port":3}"#,
                r#"spec.ports[port=1,protocol=TCP].name: "x" -> "y""#,
                r#"spec.ports[port=1,protocol=TCP].protocol: "TCP" -> -"#,
                r#"spec.ports[port=2,protocol=UDP]: {"port":2,"protocol":"UDP"} -> -"#,
                r#"spec.selector: {"a":"1"} -> {"a":"2"}"#,
            ],
        );
    }

    #[test]
    fn a_creation_is_one_change_and_nothing_is_none() {
        let key = ObjectKey::new("", "ConfigMap", Some("n"), "a");
        check(&key, &Gvk::new("v1", "ConfigMap"), None, Some(json!({"data": {"a": "1"}})), &[r#": - -> {"data":{"a":"1"}}"#]);
        check(&key, &Gvk::new("v1", "ConfigMap"), None, None, &[]);
    }

    #[test]
    fn a_secret_shows_that_it_changed_and_not_how() {
        let secret = |value: &str| json!({"metadata": {"name": "a", "annotations": {"kubectl.kubernetes.io/last-applied-configuration": value}}, "data": {"p": value}});
        let key = ObjectKey::new("", "Secret", Some("n"), "a");
        let changes = diff(&key, Some(&secret("Y2FuYXJ5")), Some(&secret("b3RoZXI=")), Node::unknown(), &Redactor::new([0; 32]));
        let text = format!("{changes:?}");
        assert_eq!(changes.len(), 2);
        assert!(!text.contains("Y2FuYXJ5") && !text.contains("b3RoZXI"), "{text}");
        assert!(diff(&key, Some(&secret("Y2FuYXJ5")), Some(&secret("Y2FuYXJ5")), Node::unknown(), &Redactor::new([0; 32])).is_empty());
    }

    #[test]
    fn only_what_the_manifest_names_when_asked() {
        let live = json!({"spec": {"replicas": 3, "paused": true, "cpu": "1", "finalizers": ["a", "b"]}});
        let manifest = json!({"spec": {"replicas": 2, "cpu": "1000m", "empty": {}, "nothing": null}});
        let key = ObjectKey::new("x.dev", "Thing", None, "a");
        let shown: Vec<String> = diff_owned(&key, &live, &manifest, Node::unknown(), &Redactor::new([0; 32])).iter().map(show).collect();
        assert_eq!(shown, ["spec.replicas: 3 -> 2"]);
    }
}
