//! Owns settled and drift against recorded answers of a real API server (v1.36.3): each case is a manifest, the answer to its apply, and
//! the object after somebody else's changes.

use plumb_manifest::{Gvk, ObjectKey};
use plumb_plan::{FieldChange, FieldSet, ObjectRules, Redactor, Settled, admission_changes, applied_fields, covers, drift};
use plumb_schema::{Node, Schema};
use serde_json::{Value, json};

const MANAGER: &str = "plumb/0123456789abcdef";

fn redactor() -> Redactor {
    Redactor::new([3; 32])
}

fn cases() -> Vec<Value> {
    serde_json::from_str(include_str!("recorded/drift.json")).unwrap()
}

fn case(name: &str) -> Value {
    cases().into_iter().find(|case| case["name"] == name).unwrap_or_else(|| panic!("no case {name:?}"))
}

fn key(object: &Value) -> ObjectKey {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap();
    let gvk = Gvk::new(text("/apiVersion"), text("/kind"));
    ObjectKey::new(&gvk.group, &gvk.kind, Some(text("/metadata/namespace")), text("/metadata/name"))
}

fn show(change: &FieldChange) -> String {
    let text = |value: &Option<Value>| value.as_ref().map_or("-".to_owned(), Value::to_string);
    let manager = change.manager.as_deref().unwrap_or("?");
    format!("{}: {} -> {} by {manager}", change.path, text(&change.old), text(&change.new))
}

fn check(name: &str, expect: &[&str]) {
    let case = case(name);
    let key = key(&case["manifest"]);
    let settled = Settled::read(&key, &case["manifest"], &case["answer"], MANAGER, &redactor()).unwrap();
    assert_eq!(drift(&key, &settled, &case["answer"], MANAGER, &ObjectRules::none(), &redactor()), [], "{name}: the answer itself");
    let changes = drift(&key, &settled, &case["live"], MANAGER, &ObjectRules::none(), &redactor());
    assert_eq!(changes.iter().map(show).collect::<Vec<_>>(), expect, "{name}");
    assert_eq!(Settled::from_bytes(settled.as_bytes()), settled);
}

#[test]
fn drift_is_what_differs_at_our_paths_and_by_whom() {
    let container = "spec.template.spec.containers[name=web]";
    check("nothing changed", &[]);
    check(
        "scaled and image set",
        &["spec.replicas: 2 -> 5 by kubectl", &format!(r#"{container}.image: "web:1" -> "web:2" by kubectl-set"#)],
    );
    // An empty atomic list is a value; an empty map only asks to be there.
    check("others add fields", &[&format!(r#"{container}.args: - -> ["x"] by injector"#)]);
    check(
        "items and labels removed",
        &[
            r#"metadata.labels.app: "removed" -> - by ?"#,
            &format!(r#"{container}.env[name=A]: {{"name":"A","value":"1"}} -> - by ?"#),
            &format!(r#"{container}.ports[containerPort=53,protocol=UDP]: {{"containerPort":53,"protocol":"UDP"}} -> - by ?"#),
        ],
    );
    check(
        "an atomic list and a quantity",
        &[
            &format!(r#"{container}.resources.limits.cpu: "1" -> "2" by kubectl-edit"#),
            r#"spec.template.spec.tolerations: [{"key":"a","operator":"Exists"}] -> [{"key":"a","operator":"Exists"},{"key":"b","operator":"Exists"}] by kubectl-edit"#,
        ],
    );
    check("env reordered", &[]);
    check("changed and changed back", &[]);
    check("a whole map gone", &[r#"spec.template.spec.volumes: [{"emptyDir":{},"name":"tmp"}] -> - by ?"#]);
    check(
        "set and atomic map",
        &[r#"metadata.finalizers: ["example.com/a"] -> - by ?"#, r#"spec.selector: {"a":"b"} -> {"a":"b","c":"d"} by kubectl-edit"#],
    );
    check("entry gone", &[r#"metadata.managedFields[manager=plumb/0123456789abcdef]: "Apply" -> - by ?"#]);
}

#[test]
fn a_secret_drifts_without_showing() {
    let case = case("secret data");
    let key = key(&case["manifest"]);
    let settled = Settled::read(&key, &case["manifest"], &case["answer"], MANAGER, &redactor()).unwrap();
    let changes = drift(&key, &settled, &case["live"], MANAGER, &ObjectRules::none(), &redactor());
    assert_eq!(changes.len(), 1);
    assert_eq!((changes[0].path.to_string().as_str(), changes[0].manager.as_deref()), ("data.password", Some("kubectl-patch")));
    assert_eq!(changes[0].old, Some(json!(redactor().placeholder(b"canary"))));
    let everything = format!("{changes:?} {} {:?}", settled.value(), String::from_utf8_lossy(settled.as_bytes()));
    for secret in ["canary", "Y2FuYXJ5", "tampered", "dGFtcGVyZWQ"] {
        assert!(!everything.contains(secret), "{secret}");
    }
    // The whole data gone at once shows no more.
    let mut live = case["live"].clone();
    live["data"] = Value::Null;
    let changes = drift(&key, &settled, &live, MANAGER, &ObjectRules::none(), &redactor());
    assert_eq!(changes.iter().map(|change| change.path.to_string()).collect::<Vec<_>>(), ["data.password", "data.same"]);
    assert!(!format!("{changes:?}").contains("Y2Fu"));
}

#[test]
fn our_entry_covers_what_was_applied_until_somebody_changes_it() {
    let schema = Schema::builtin();
    for (name, stands) in [
        ("nothing changed", true),
        ("scaled and image set", false),
        ("items and labels removed", false),
        ("an atomic list and a quantity", false),
        ("env reordered", true),
        ("changed and changed back", false),
        ("a whole map gone", false),
        ("set and atomic map", false),
        ("secret data", false),
    ] {
        let case = case(name);
        let manifest = &case["manifest"];
        let gvk = Gvk::new(manifest["apiVersion"].as_str().unwrap(), manifest["kind"].as_str().unwrap());
        let covered = |live: &Value| applied_fields(live, MANAGER).is_some_and(|fields| covers(fields, manifest, schema.root(&gvk)));
        assert!(covered(&case["answer"]), "{name}");
        assert_eq!(covered(&case["live"]), stands, "{name}");
        let mut grown = manifest.clone();
        grown["metadata"]["labels"]["new"] = json!("x");
        assert!(!applied_fields(&case["answer"], MANAGER).is_some_and(|fields| covers(fields, &grown, schema.root(&gvk))), "{name}");
    }
}

#[test]
fn an_item_is_covered_under_its_defaulted_keys() {
    let fields = json!({"f:spec": {"f:ports": {
        "k:{\"port\":53,\"protocol\":\"UDP\"}": {".": {}, "f:port": {}, "f:protocol": {}},
        "k:{\"port\":80,\"protocol\":\"TCP\"}": {".": {}, "f:port": {}, "f:name": {}}
    }}});
    let schema = Schema::builtin();
    let service = schema.root(&Gvk::new("v1", "Service"));
    for (ports, covered) in [
        (json!([{"port": 80, "name": "a"}]), true),
        (json!([{"port": 53, "protocol": "UDP"}]), true),
        (json!([{"port": 53}]), false),
        (json!([{"port": 80, "targetPort": 8080}]), false),
    ] {
        assert_eq!(covers(&fields, &json!({"spec": {"ports": ports}}), service), covered, "{ports}");
    }
    // Without a schema a missing key may be any.
    assert!(covers(&fields, &json!({"spec": {"ports": [{"port": 53}]}}), Node::unknown()));
}

#[test]
fn an_atomic_map_is_compared_as_a_whole_even_when_it_was_written_empty() {
    let manifest = json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "n", "namespace": "a"}, "spec": {"podSelector": {}}});
    let mut live = manifest.clone();
    live["metadata"]["managedFields"] = json!([{"manager": MANAGER, "operation": "Apply", "fieldsV1": {"f:spec": {"f:podSelector": {}}}}]);
    let key = key(&manifest);
    let settled = Settled::read(&key, &manifest, &live, MANAGER, &redactor()).unwrap();
    live["spec"]["podSelector"] = json!({"matchLabels": {"nobody": "x"}});
    let changes = drift(&key, &settled, &live, MANAGER, &ObjectRules::none(), &redactor());
    assert_eq!(changes.iter().map(show).collect::<Vec<_>>(), [r#"spec.podSelector: {} -> {"matchLabels":{"nobody":"x"}} by ?"#]);
}

#[test]
fn an_empty_map_that_is_gone_is_drift_where_it_was_kept() {
    let mut case = case("nothing changed");
    let key = key(&case["manifest"]);
    let settled = Settled::read(&key, &case["manifest"], &case["answer"], MANAGER, &redactor()).unwrap();
    case["live"]["spec"]["template"]["spec"]["volumes"][0] = json!({"name": "tmp", "hostPath": {"path": "/"}});
    let changes = drift(&key, &settled, &case["live"], MANAGER, &ObjectRules::none(), &redactor());
    assert_eq!(changes.iter().map(show).collect::<Vec<_>>(), ["spec.template.spec.volumes[name=tmp].emptyDir: {} -> - by ?"]);
}

#[test]
fn what_admission_changed_is_told_from_defaults_and_spelling() {
    let mut case = case("nothing changed");
    let key = key(&case["manifest"]);
    let changes = |case: &Value| {
        let settled = Settled::read(&key, &case["manifest"], &case["answer"], MANAGER, &redactor()).unwrap();
        admission_changes(&key, &case["manifest"], &settled, &redactor()).iter().map(show).collect::<Vec<_>>()
    };
    assert_eq!(changes(&case), Vec::<String>::new(), "1000m is 1, and defaults are no change");
    case["answer"]["spec"]["template"]["spec"]["containers"][0]["image"] = json!("mirror.example.com/web:1");
    case["answer"]["spec"]["replicas"] = json!(3);
    assert_eq!(
        changes(&case),
        ["spec.replicas: 2 -> 3 by ?", r#"spec.template.spec.containers[name=web].image: "web:1" -> "mirror.example.com/web:1" by ?"#]
    );
}

#[test]
fn an_object_without_our_entry_has_no_settled_values() {
    let case = case("entry gone");
    let error = Settled::read(&key(&case["manifest"]), &case["manifest"], &case["live"], MANAGER, &redactor()).unwrap_err();
    assert_eq!(error.to_string(), "ConfigMap team-a/c has no managedFields entry of `plumb/0123456789abcdef`; apply it again");
}

#[test]
fn bytes_that_are_not_settled_values_show_nothing() {
    let case = case("nothing changed");
    let key = key(&case["manifest"]);
    for bytes in [&[][..], &[1], &[9, 16, 1], &[1, 16, 200, 1], &[1, 17, 1, 255]] {
        let settled = Settled::from_bytes(bytes);
        assert_eq!(settled.value(), Value::Null);
        assert_eq!(drift(&key, &settled, &case["live"], MANAGER, &ObjectRules::none(), &redactor()), []);
    }
}

#[test]
fn recorded_field_sets_are_read_and_written_back() {
    let mut sets = Vec::new();
    for case in cases() {
        for side in ["answer", "live"] {
            for entry in plumb_plan::entries(&case[side]) {
                let set = FieldSet::parse(&entry["fieldsV1"]).unwrap();
                assert_eq!(set.to_value(), entry["fieldsV1"]);
                assert!(set.paths().iter().all(|path| set.contains(path) && set.touches(path)));
                assert_eq!(set.union(&set), set);
                assert!(set.difference(&set).is_empty());
                sets.push(set);
            }
        }
    }
    for (a, b) in sets.iter().zip(&sets[1..]) {
        let (union, only) = (a.union(b), a.difference(b));
        assert!(a.paths().iter().all(|path| union.contains(path) && (only.contains(path) != b.contains(path))));
    }
}

#[test]
fn field_sets_that_are_not_such_are_refused() {
    let mut deep = json!({});
    for _ in 0..plumb_plan::MAX_FIELDS_DEPTH {
        deep = json!({"f:a": deep});
    }
    assert!(FieldSet::parse(&deep).is_ok());
    for bad in [json!([]), json!({"f:a": 1}), json!({"x": {}}), json!({"f:a": deep})] {
        assert!(FieldSet::parse(&bad).is_err());
    }
}
