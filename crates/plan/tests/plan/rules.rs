//! Owns field rules in comparing and in applying.

use plumb_manifest::{FieldPath, ObjectKey, Segment};
use plumb_plan::{MAX_RULE_SEGMENTS, ObjectRules, Rules, effective, scale_target};
use plumb_unit::{FieldEffect, FieldRule, FieldScope};
use serde_json::{Value, json};

const MANAGER: &str = "plumb/0123456789abcdef";

fn rule(path: &str, scope: FieldScope, effect: FieldEffect) -> FieldRule {
    FieldRule { group: Some("apps".into()), kind: Some("Deployment".into()), name: None, paths: vec![path.into()], scope, effect }
}

fn web() -> ObjectKey {
    ObjectKey::new("apps", "Deployment", Some("a"), "web")
}

fn rules(path: &str, scope: FieldScope, effect: FieldEffect) -> ObjectRules {
    Rules::compile(&[rule(path, scope, effect)]).unwrap().for_object(&web(), &Value::Null, false)
}

fn path(steps: &[&str]) -> FieldPath {
    FieldPath(steps.iter().map(|step| Segment::Key((*step).into())).collect())
}

fn live(replicas: i64, other_owner: bool) -> Value {
    let ours = json!({"manager": MANAGER, "operation": "Apply", "fieldsV1": {"f:spec": {"f:replicas": {}}}});
    let theirs = json!({"manager": "hpa", "operation": "Update", "subresource": "scale", "fieldsV1": {"f:spec": {"f:replicas": {}}}});
    let entries = if other_owner { json!([ours, theirs]) } else { json!([ours]) };
    json!({"metadata": {"managedFields": entries}, "spec": {"replicas": replicas}})
}

#[test]
fn a_rule_yields_its_path_and_what_is_below() {
    let rules = rules("/spec/template", FieldScope::Both, FieldEffect::Ignore);
    for (steps, yields) in
        [(&["spec", "template"][..], true), (&["spec", "template", "x"], true), (&["spec"], false), (&["spec", "replicas"], false)]
    {
        assert_eq!(rules.yields(&path(steps), &[]), yields, "{steps:?}");
    }
    let escaped = self::rules("/metadata/annotations/a~1b~0c", FieldScope::Diff, FieldEffect::Ignore);
    assert!(escaped.yields(&path(&["metadata", "annotations", "a/b~c"]), &[]));
    assert!(!self::rules("/spec", FieldScope::Apply, FieldEffect::KeepLive).yields(&path(&["spec"]), &[]), "a rule for applying only");
}

#[test]
fn a_rule_names_items_by_place_key_or_all() {
    let item = Segment::Item(vec![("name".into(), json!("web"))]);
    let at = FieldPath(vec![Segment::Key("c".into()), item, Segment::Key("image".into())]);
    for (pointer, yields) in [
        ("/c/1/image", true),
        ("/c/0/image", false),
        ("/c/name=web/image", true),
        ("/c/name=db/image", false),
        ("/c/*/image", true),
        ("/c/*/x", false),
    ] {
        assert_eq!(rules(pointer, FieldScope::Diff, FieldEffect::Ignore).yields(&at, &[0, 1, 0]), yields, "{pointer}");
    }
}

#[test]
fn a_rule_holds_for_the_objects_it_selects() {
    let rules = Rules::compile(&[rule("/spec", FieldScope::Both, FieldEffect::Ignore)]).unwrap();
    for (key, holds) in [
        (web(), true),
        (ObjectKey::new("apps", "StatefulSet", Some("a"), "web"), false),
        (ObjectKey::new("", "Deployment", Some("a"), "web"), false),
    ] {
        assert_eq!(rules.for_object(&key, &Value::Null, false) != ObjectRules::none(), holds, "{key}");
    }
}

#[test]
fn wrong_paths_are_all_named() {
    let (at_limit, beyond) = ("/a".repeat(MAX_RULE_SEGMENTS), "/a".repeat(MAX_RULE_SEGMENTS + 1));
    let errors =
        Rules::compile(&["spec", "/", "", &beyond, &at_limit].map(|path| rule(path, FieldScope::Both, FieldEffect::Ignore))).unwrap_err();
    assert_eq!(errors.len(), 4);
    assert_eq!(errors[0].to_string(), "field rule path `spec` is not a JSON pointer; write it like `/spec/replicas`");
}

#[test]
fn what_is_kept_live_is_left_out_when_somebody_else_owns_it_and_sent_back_when_nobody_does() {
    let manifest = json!({"spec": {"replicas": 2, "paused": false}});
    let send =
        |rules: &ObjectRules, live: Option<&Value>| effective(&web(), &manifest, rules, live, MANAGER)["spec"].get("replicas").cloned();
    let keep = rules("/spec/replicas", FieldScope::Both, FieldEffect::KeepLive);
    assert!(keep.needs_live());
    assert_eq!(send(&keep, Some(&live(7, true))), None);
    assert_eq!(send(&keep, Some(&live(7, false))), Some(json!(7)));
    assert_eq!(send(&keep, None), None);
    let once = rules("/spec/replicas", FieldScope::Apply, FieldEffect::OnlyAtCreation);
    assert_eq!(send(&once, None), Some(json!(2)));
    assert_eq!(send(&once, Some(&live(7, true))), None);
    assert_eq!(send(&once, Some(&live(7, false))), Some(json!(7)));
    for idle in
        [rules("/spec/replicas", FieldScope::Both, FieldEffect::Ignore), rules("/spec/replicas", FieldScope::Diff, FieldEffect::KeepLive)]
    {
        assert!(!idle.needs_live());
        assert_eq!(send(&idle, Some(&live(7, true))), Some(json!(2)));
    }
}

#[test]
fn replicas_of_what_is_scaled_are_the_scalers() {
    let rules = Rules::default().for_object(&web(), &json!({"spec": {"replicas": 2}}), true);
    assert!(rules.yields(&path(&["spec", "replicas"]), &[]));
    assert_eq!(effective(&web(), &json!({"spec": {"replicas": 2}}), &rules, Some(&live(5, true)), MANAGER), json!({"spec": {}}));
    let hpa = |version: &str, kind: &str, target: Value| json!({"apiVersion": version, "kind": kind, "metadata": {"namespace": "a"}, "spec": {"scaleTargetRef": target}});
    for (scaler, target) in [
        (
            hpa("autoscaling/v2", "HorizontalPodAutoscaler", json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"})),
            Some(web()),
        ),
        (hpa("keda.sh/v1alpha1", "ScaledObject", json!({"name": "web"})), Some(web())),
        (hpa("keda.sh/v1alpha1", "HorizontalPodAutoscaler", json!({"name": "web"})), None),
        (hpa("autoscaling/v2", "HorizontalPodAutoscaler", json!({})), None),
    ] {
        assert_eq!(scale_target(&scaler), target, "{scaler}");
    }
}

#[test]
fn a_bundle_left_empty_is_somebody_elses() {
    let key = ObjectKey::new("admissionregistration.k8s.io", "MutatingWebhookConfiguration", None, "m");
    let webhook = |name: &str, bundle: Value| json!({"name": name, "clientConfig": {"caBundle": bundle, "service": {"name": "s"}}});
    let manifest = json!({"webhooks": [webhook("given", json!("QUJD")), webhook("empty", json!("")), webhook("scaffold", json!("Cg=="))]});
    let rules = Rules::default().for_object(&key, &manifest, false);
    let bundle = |name: &str| {
        FieldPath(vec![
            Segment::Key("webhooks".into()),
            Segment::Item(vec![("name".into(), json!(name))]),
            Segment::Key("clientConfig".into()),
            Segment::Key("caBundle".into()),
        ])
    };
    assert_eq!(["given", "empty", "scaffold"].map(|name| rules.yields(&bundle(name), &[])), [false, true, true]);
    let sent = effective(&key, &manifest, &rules, None, MANAGER);
    let bundles: Vec<Option<&Value>> =
        sent["webhooks"].as_array().unwrap().iter().map(|webhook| webhook["clientConfig"].get("caBundle")).collect();
    assert_eq!(bundles, [Some(&json!("QUJD")), None, None]);
    // Injected while nobody's entry names it: sent back, so that our apply does not drop it.
    let live = json!({"metadata": {}, "webhooks": [webhook("empty", json!("TElWRQ=="))]});
    assert_eq!(effective(&key, &manifest, &rules, Some(&live), MANAGER)["webhooks"][1]["clientConfig"]["caBundle"], "TElWRQ==");
    for (group, kind, manifest) in [
        ("apiregistration.k8s.io", "APIService", json!({"spec": {"caBundle": ""}})),
        ("apiextensions.k8s.io", "CustomResourceDefinition", json!({"spec": {"conversion": {"webhook": {"clientConfig": {}}}}})),
    ] {
        assert_ne!(Rules::default().for_object(&ObjectKey::new(group, kind, None, "x"), &manifest, false), ObjectRules::none(), "{kind}");
    }
}

#[test]
fn string_data_is_sent_as_data() {
    let key = ObjectKey::new("", "Secret", Some("a"), "s");
    let manifest = json!({"data": {"a": "eA==", "b": "eQ=="}, "stringData": {"b": "new", "c": "z"}});
    let sent = effective(&key, &manifest, &ObjectRules::none(), None, MANAGER);
    assert_eq!(sent, json!({"data": {"a": "eA==", "b": "bmV3", "c": "eg=="}}));
    assert_eq!(
        effective(&key, &json!({"data": null, "stringData": {"c": "z"}}), &ObjectRules::none(), None, MANAGER),
        json!({"data": {"c": "eg=="}})
    );
}

#[test]
fn rules_of_an_aggregated_role_are_the_controllers() {
    let key = ObjectKey::new("rbac.authorization.k8s.io", "ClusterRole", None, "view");
    let rule = json!([{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]);
    let selectors = json!([{"matchLabels": {"aggregate": "true"}}]);
    for (aggregation, theirs) in
        [(json!({"clusterRoleSelectors": selectors}), true), (json!({"clusterRoleSelectors": []}), false), (Value::Null, false)]
    {
        for written in [json!([]), rule.clone()] {
            let manifest = json!({"aggregationRule": aggregation, "rules": written});
            let rules = Rules::default().for_object(&key, &manifest, false);
            assert_eq!(rules.yields(&path(&["rules"]), &[]), theirs, "{manifest}");
            assert_eq!(effective(&key, &manifest, &rules, None, MANAGER).get("rules").is_none(), theirs, "{manifest}");
        }
    }
}
