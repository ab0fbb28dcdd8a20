//! Owns which fields an apply takes away: those that managedFields counts as ours, or as those of tools whose place we take, and that the
//! manifest does not have any more. A comparison at the manifest's own paths cannot see them.

use plumb_manifest::{FieldPath, ObjectKey};
use plumb_schema::Node;
use serde_json::Value;

use crate::diff::{prepare, strip};
use crate::fields::{FieldSet, entries, segment};
use crate::rules::lookup;
use crate::{FieldChange, Redactor};

/// What kubectl keeps in it is a copy of the object: it goes with kubectl, and says nothing.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Returns the fields of a live object that an apply of `sent` would remove: as [`crate::effective`] gives it, and `schema` the root of its
/// kind. `taken` says of a manager whether its entry becomes part of ours; ours is to be among them. What somebody else sets too stays, and
/// is left out. Secrets are redacted.
pub fn dropped(
    key: &ObjectKey,
    live: &Value,
    sent: &Value,
    schema: Node<'_>,
    taken: impl Fn(&str) -> bool,
    redactor: &Redactor,
) -> Vec<FieldChange> {
    let (mut ours, mut theirs) = (FieldSet::default(), FieldSet::default());
    for entry in entries(live) {
        let text = |field: &str| entry.get(field).and_then(Value::as_str).unwrap_or_default();
        // What cannot be read is nobody's; the server would refuse it.
        let Some(fields) = entry.get("fieldsV1").and_then(|fields| FieldSet::parse(fields).ok()) else { continue };
        let set = if taken(text("manager")) && text("subresource").is_empty() { &mut ours } else { &mut theirs };
        *set = set.union(&fields);
    }
    let mut paths = Vec::new();
    collect(&ours, Some(&FieldSet::of(sent, schema)), Some(&theirs), &FieldPath::default(), &mut paths);
    let Some(mut shown) = prepare(key, Some(live), redactor) else { return Vec::new() };
    if let Some(metadata) = shown.get_mut("metadata").and_then(Value::as_object_mut) {
        strip(metadata, "annotations", &[LAST_APPLIED]);
    }
    let change = |path: FieldPath| {
        // The server's own bookkeeping and our stamps are not there any more.
        let old = lookup(&shown, &path).filter(|old| !old.is_null())?.clone();
        Some(FieldChange { path, old: Some(old), new: None, manager: None })
    };
    paths.into_iter().filter_map(change).collect()
}

/// Collects the topmost places that are ours, not declared, and nobody else's.
fn collect(ours: &FieldSet, declared: Option<&FieldSet>, theirs: Option<&FieldSet>, at: &FieldPath, paths: &mut Vec<FieldPath>) {
    for (name, below) in ours.children() {
        let (declared_here, theirs_here) =
            (declared.and_then(|set| set.child(name)), theirs.and_then(|set| set.child(name)).filter(|set| !set.is_empty()));
        let Some(place) = segment(name).map(|segment| at.child(segment)) else { continue };
        match declared_here {
            // Declared as a whole: a scalar, or a list of which nobody knows how its items are told apart.
            Some(whole) if whole.is_leaf() => {}
            None if below.is_member() && theirs_here.is_none() => paths.push(place),
            declared_here => collect(below, declared_here, theirs_here, &place, paths),
        }
    }
}

#[cfg(test)]
mod tests {
    use plumb_manifest::Gvk;
    use plumb_schema::Schema;
    use serde_json::json;

    use super::*;

    fn check(kind: (&str, &str), live: &Value, sent: &Value, taken: &[&str], expect: &[&str]) {
        let gvk = Gvk::new(kind.0, kind.1);
        let key = ObjectKey::new(&gvk.group, kind.1, Some("n"), "a");
        let schema = Schema::builtin();
        let changes = dropped(&key, live, sent, schema.root(&gvk), |manager| taken.contains(&manager), &Redactor::new([0; 32]));
        let shown: Vec<String> =
            changes.iter().map(|change| format!("{}: {}", change.path, change.old.clone().unwrap_or_default())).collect();
        assert_eq!(shown, expect);
    }

    fn entry(manager: &str, fields: Value) -> Value {
        json!({"manager": manager, "operation": "Apply", "fieldsV1": fields})
    }

    fn config(managed: Value) -> Value {
        json!({"metadata": {"name": "a", "labels": {"old": "x", "plumb.dev/unit": "u"}, "annotations": {LAST_APPLIED: "{}"}, "managedFields": managed},
            "data": {"kept": "1", "gone": "2", "shared": "3"}})
    }

    const CONFIG: (&str, &str) = ("v1", "ConfigMap");

    #[test]
    fn what_we_set_and_the_manifest_has_no_more_goes() {
        let ours = entry(
            "us",
            json!({"f:data": {".": {}, "f:kept": {}, "f:gone": {}, "f:shared": {}},
            "f:metadata": {"f:labels": {".": {}, "f:old": {}, "f:plumb.dev/unit": {}}}}),
        );
        let live = config(json!([ours, entry("them", json!({"f:data": {"f:shared": {}}}))]));
        let sent = json!({"metadata": {"name": "a"}, "data": {"kept": "1"}});
        check(CONFIG, &live, &sent, &["us"], &[r#"data.gone: "2""#, r#"metadata.labels: {"old":"x"}"#]);
        check(CONFIG, &live, &json!({"data": {"kept": "1", "gone": "9"}, "metadata": {"labels": {"old": "y"}}}), &["us"], &[]);
        check(CONFIG, &live, &json!({"metadata": {"labels": {"old": "x"}}}), &["us"], &[r#"data.gone: "2""#, r#"data.kept: "1""#]);
        check(CONFIG, &live, &sent, &[], &[]);
    }

    #[test]
    fn what_a_tool_set_goes_with_who_takes_its_place() {
        let tool =
            json!({"f:data": {"f:kept": {}, "f:gone": {}}, "f:metadata": {"f:annotations": {".": {}, (format!("f:{LAST_APPLIED}")): {}}}});
        let live = config(json!([entry("kubectl-client-side-apply", tool)]));
        let sent = json!({"data": {"kept": "1"}});
        check(CONFIG, &live, &sent, &["us"], &[]);
        check(CONFIG, &live, &sent, &["us", "kubectl-client-side-apply"], &[r#"data.gone: "2""#]);
    }

    #[test]
    fn items_are_told_apart_as_the_server_does() {
        let port = |port: u16, protocol: &str| json!({"containerPort": port, "protocol": protocol});
        let live = json!({"metadata": {"managedFields": [entry("us", json!({"f:spec": {"f:template": {"f:spec": {"f:containers": {
                "k:{\"name\":\"web\"}": {".": {}, "f:name": {}, "f:image": {}, "f:ports": {
                    "k:{\"containerPort\":80,\"protocol\":\"TCP\"}": {".": {}, "f:containerPort": {}},
                    "k:{\"containerPort\":81,\"protocol\":\"TCP\"}": {".": {}, "f:containerPort": {}}}},
                "k:{\"name\":\"side\"}": {".": {}, "f:name": {}}}}}}}))]},
            "spec": {"template": {"spec": {"containers": [
                {"name": "web", "image": "web:1", "ports": [port(80, "TCP"), port(81, "TCP")]}, {"name": "side", "image": "side:1"}]}}}});
        // The protocol is left out, as people do: it is the same port.
        let sent =
            json!({"spec": {"template": {"spec": {"containers": [{"name": "web", "image": "web:1", "ports": [{"containerPort": 80}]}]}}}});
        check(
            ("apps/v1", "Deployment"),
            &live,
            &sent,
            &["us"],
            &[
                r#"spec.template.spec.containers[name=side]: {"image":"side:1","name":"side"}"#,
                r#"spec.template.spec.containers[name=web].ports[containerPort=81,protocol=TCP]: {"containerPort":81,"protocol":"TCP"}"#,
            ],
        );
    }

    #[test]
    fn lists_of_unknown_kinds_are_compared_as_a_whole_elsewhere() {
        let live = json!({"metadata": {"managedFields": [entry("us", json!({"f:spec": {"f:items": {"k:{\"name\":\"a\"}": {".": {}}}, "f:old": {}}}))]},
            "spec": {"items": [{"name": "a"}], "old": 1}});
        check(("example.com/v1", "Thing"), &live, &json!({"spec": {"items": [{"name": "b"}]}}), &["us"], &["spec.old: 1"]);
    }

    #[test]
    fn values_of_secrets_are_redacted() {
        let live = json!({"metadata": {"managedFields": [entry("us", json!({"f:data": {"f:gone": {}}}))]}, "data": {"gone": "Y2FuYXJ5"}});
        let key = ObjectKey::new("", "Secret", Some("n"), "a");
        let changes = dropped(&key, &live, &json!({}), Node::unknown(), |manager| manager == "us", &Redactor::new([0; 32]));
        assert_eq!(changes.len(), 1);
        assert!(!format!("{changes:?}").contains("Y2FuYXJ5"), "{changes:?}");
    }
}
