//! What settled values rest on changes: definitions and mutating webhooks. It is noticed, put into effect once, and never taken for drift.

use plumb_plane::Mutator;
use plumb_store::Trigger;
use serde_json::{Value, json};

use crate::Bench;

/// A kind of this test's own: `size` and `rules` (an atomic list) are what its objects have.
fn definition(bench: &Bench, properties: &Value) -> String {
    let group = group(bench);
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": format!("things.{group}")}, "spec": {
        "group": group, "scope": "Namespaced", "names": {"kind": "Thing", "listKind": "ThingList", "plural": "things", "singular": "thing"},
        "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object", "properties": {
            "spec": {"type": "object", "properties": properties}}}}}]
    }})
    .to_string()
}

fn properties() -> Value {
    let rule = json!({"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}});
    json!({"size": {"type": "integer"}, "rules": {"type": "array", "x-kubernetes-list-type": "atomic", "items": rule}})
}

fn group(bench: &Bench) -> String {
    format!("{}.example.com", bench.namespace)
}

fn define(bench: &Bench, properties: &Value) {
    bench.plane.apply(&bench.namespace, &definition(bench, properties)).unwrap();
}

fn thing(bench: &Bench, spec: &str) {
    let text = format!("apiVersion: {}/v1\nkind: Thing\nmetadata: {{name: one}}\nspec: {spec}\n", group(bench));
    bench.repo.write("apps/shop/one.yaml", text).unwrap();
}

fn spec(bench: &Bench) -> Value {
    bench.live(&format!("things.{}/one", group(bench))).unwrap()["spec"].clone()
}

/// How often objects were settled anew because of something whose name this is, and whether there ever was drift.
fn settled_anew(bench: &Bench, unit: &str, name: &str) -> usize {
    let history = bench.history(unit);
    assert!(history.iter().all(|sync| sync.drifted == 0), "{history:#?}");
    history.iter().filter(|sync| matches!(&sync.trigger, Trigger::Ground { what } if what.contains(name))).count()
}

/// Touches an object as anybody may, so that the watch tells of it, and waits until the operator has heard of it.
fn touch(bench: &Bench, object: &str) {
    bench.plane.kubectl(&["-n", &bench.namespace, "annotate", "--overwrite", object, "touched=by-hand"]).unwrap();
    // A later change of the same unit that needs the watch: what it said of the object before is heard by then.
    bench.config_map("shop", "marker", &bench.plane.fresh_name("m"));
    bench.push("Mark");
    bench.until_at_rest("shop");
}

/// A bench with a shop that has a Thing and stands.
fn shop(spec: &str) -> Bench {
    let mut bench = Bench::several();
    define(&bench, &properties());
    bench.plane.kubectl(&["wait", "--for=condition=established", &format!("crd/things.{}", group(&bench)), "--timeout=30s"]).unwrap();
    bench.declare("shop", "");
    bench.config_map("shop", "marker", "0");
    thing(&bench, spec);
    bench.push("Add the shop");
    bench.start();
    bench.until_at_rest("shop");
    bench
}

fn end(mut bench: Bench) {
    bench.stop();
    bench.plane.kubectl(&["delete", "crd", &format!("things.{}", group(&bench)), "--wait=false"]).unwrap();
}

#[test]
fn a_default_that_a_definition_gains_is_settled_and_is_no_drift() {
    let bench = shop("{rules: [{a: 1}]}");
    let mut gained = properties();
    gained["rules"]["items"]["properties"]["b"]["default"] = json!(2);
    define(&bench, &gained);
    bench.until("it is settled anew", || settled_anew(&bench, "shop", "CustomResourceDefinition things.") == 1);
    bench.until_at_rest("shop");
    assert_eq!(spec(&bench), json!({"rules": [{"a": 1, "b": 2}]}));
    touch(&bench, &format!("things.{}/one", group(&bench)));
    assert_eq!(bench.unit("shop").unwrap().status.drift, None);

    // A word about a field changes nothing that anybody rests on.
    gained["size"]["description"] = json!("how large");
    define(&bench, &gained);
    bench.config_map("shop", "marker", "1");
    bench.push("Change something else");
    bench.until_at_rest("shop");
    gained["size"]["maximum"] = json!(100);
    define(&bench, &gained);
    bench.until("it is settled anew", || settled_anew(&bench, "shop", "CustomResourceDefinition things.") >= 2);
    bench.until_at_rest("shop");
    assert_eq!(settled_anew(&bench, "shop", "CustomResourceDefinition things."), 2);
    end(bench);
}

#[test]
fn a_field_that_a_definition_drops_is_an_error_of_who_declares_it() {
    let bench = shop("{size: 1}");
    let mut dropped = properties();
    dropped.as_object_mut().unwrap().remove("size");
    define(&bench, &dropped);
    bench.until("the unit says which field", || bench.failure("shop").contains(".spec.size"));
    thing(&bench, "{rules: []}");
    bench.push("Drop the field");
    bench.until_at_rest("shop");
    assert_eq!(bench.failure("shop"), "");
    assert!(bench.history("shop").iter().all(|sync| sync.drifted == 0));
    end(bench);
}

#[test]
fn a_field_that_a_definition_gains_lets_who_waits_for_it_go_on() {
    let bench = shop("{size: 1}");
    thing(&bench, "{size: 1, colour: red}");
    bench.push("Use a field of the next version");
    bench.until("the unit says which field", || bench.failure("shop").contains(".spec.colour"));
    let mut gained = properties();
    gained["colour"] = json!({"type": "string"});
    define(&bench, &gained);
    // Wrong input is tried again after five minutes at the earliest; this waits for one.
    bench.until_at_rest("shop");
    assert_eq!(spec(&bench)["colour"], "red");
    end(bench);
}

/// A webhook that is called for ConfigMaps of one namespace that are labelled so.
fn configuration(bench: &Bench, mutator: &Mutator, patch: &Value, namespace: &str) -> String {
    json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration", "metadata": {"name": bench.namespace}, "webhooks": [{
        "name": "mutator.example.com", "admissionReviewVersions": ["v1"], "sideEffects": "None", "timeoutSeconds": 5,
        "clientConfig": {"url": mutator.url(patch), "caBundle": mutator.authority()},
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
        "objectSelector": {"matchExpressions": [{"key": "mutate", "operator": "In", "values": ["please"]}]},
        "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["configmaps"]}]}]})
    .to_string()
}

#[test]
fn a_webhook_that_comes_changes_and_goes_is_put_into_effect_once_each_time() {
    let mut bench = Bench::several();
    let mutator = Mutator::start(bench.plane, bench.folder.path()).unwrap();
    for (unit, label) in [("shop", "please"), ("other", "never")] {
        bench.declare(unit, "");
        let text =
            format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {unit}, labels: {{mutate: {label}}}}}\ndata: {{value: plain}}\n");
        bench.repo.write(&format!("apps/{unit}/text.yaml"), text).unwrap();
    }
    bench.config_map("shop", "marker", "0");
    bench.push("Add both");
    bench.start();
    ["shop", "other"].iter().for_each(|unit| bench.until_at_rest(unit));
    let configure = |namespace: &str, value: &str| {
        let patch = json!([{"op": "replace", "path": "/data/value", "value": value}]);
        bench.plane.apply(&bench.namespace, &configuration(&bench, &mutator, &patch, namespace)).unwrap();
    };
    let has = |value: &str| bench.until(&format!("the value is {value}"), || bench.value("shop").as_deref() == Some(value));
    let other = bench.versions()["ConfigMap/other"].clone();

    configure(&bench.namespace, "mirrored");
    has("mirrored");
    bench.until_at_rest("shop");
    touch(&bench, "configmap/shop");
    assert_eq!((bench.value("shop").as_deref(), settled_anew(&bench, "shop", &bench.namespace)), (Some("mirrored"), 1));
    configure(&bench.namespace, "elsewhere");
    has("elsewhere");
    bench.until_at_rest("shop");
    // One of another namespace concerns nobody here any more.
    configure("default", "elsewhere");
    has("plain");
    bench.until_at_rest("shop");
    configure(&bench.namespace, "again");
    has("again");
    bench.plane.kubectl(&["delete", "mutatingwebhookconfiguration", &bench.namespace]).unwrap();
    has("plain");
    bench.until_at_rest("shop");
    touch(&bench, "configmap/shop");
    assert_eq!(settled_anew(&bench, "shop", &bench.namespace), 5);
    assert_eq!((bench.versions()["ConfigMap/other"].clone(), settled_anew(&bench, "other", "")), (other, 0));
}

#[test]
fn what_changed_while_nobody_ran_is_noticed_by_the_next_process() {
    let mut bench = shop("{size: 1}");
    let mutator = Mutator::start(bench.plane, bench.folder.path()).unwrap();
    let text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: shop, labels: {mutate: please}}\ndata: {value: plain}\n";
    bench.repo.write("apps/shop/text.yaml", text).unwrap();
    bench.push("Add a ConfigMap");
    bench.until_at_rest("shop");
    let noted =
        |bench: &Bench| bench.plane.json(&["-n", "plumb-system", "get", "configmap", &format!("plumb-{}-ground", bench.installation)]);
    bench.until("what values rest on is noted", || noted(&bench).is_ok_and(|map| map.to_string().contains("Thing")));
    bench.stop();
    let patch = json!([{"op": "replace", "path": "/data/value", "value": "mirrored"}]);
    bench.plane.apply(&bench.namespace, &configuration(&bench, &mutator, &patch, &bench.namespace)).unwrap();
    let mut dropped = properties();
    dropped.as_object_mut().unwrap().remove("size");
    define(&bench, &dropped);
    bench.start();
    bench.until("the unit says which field is gone", || bench.failure("shop").contains(".spec.size"));
    bench.until("the webhook has its way", || bench.value("shop").as_deref() == Some("mirrored"));
    bench.plane.kubectl(&["delete", "mutatingwebhookconfiguration", &bench.namespace]).unwrap();
    bench.until("and then not", || bench.value("shop").as_deref() == Some("plain"));
    end(bench);
}

/// What a webhook did before anybody knew of it, and what somebody did besides: the second is drift, the first is not.
#[test]
fn real_drift_is_still_seen_while_values_are_void() {
    let mut bench = Bench::several();
    let mutator = Mutator::start(bench.plane, bench.folder.path()).unwrap();
    bench.declare("shop", "");
    let text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: shop, labels: {mutate: please}}\ndata: {value: plain, mine: \"1\"}\n";
    bench.repo.write("apps/shop/text.yaml", text).unwrap();
    bench.push("Add it");
    bench.start();
    bench.until_at_rest("shop");
    bench.order("shop", plumb_controller::core::Order::Suspend { until: None });
    let patch = json!([{"op": "replace", "path": "/data/value", "value": "mirrored"}]);
    bench.plane.apply(&bench.namespace, &configuration(&bench, &mutator, &patch, &bench.namespace)).unwrap();
    bench.until("it waits to be settled anew", || {
        let status = bench.unit("shop").unwrap().status;
        status.drift.is_none() && bench.operator().counters().iter().any(|(name, _, count)| *name == "plumb_voided_total" && *count > 0)
    });
    bench.plane.kubectl(&["-n", &bench.namespace, "patch", "configmap/shop", "-p", r#"{"data":{"mine":"2"}}"#]).unwrap();
    bench.until("what a person changed is drift", || bench.unit("shop").unwrap().status.drift.is_some());
    let drift = bench.unit("shop").unwrap().status.drift.unwrap();
    assert!(drift.contains("data.mine") && !drift.contains("data.value"), "{drift}");
    bench.order("shop", plumb_controller::core::Order::Resume);
    bench.until("both are as they should be", || {
        bench.live("configmap/shop").is_some_and(|live| live["data"] == json!({"value": "mirrored", "mine": "1"}))
    });
    bench.until_at_rest("shop");
    bench.plane.kubectl(&["delete", "mutatingwebhookconfiguration", &bench.namespace]).unwrap();
}
